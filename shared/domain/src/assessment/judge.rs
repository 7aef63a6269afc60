//! Judging an image by the policy: an image manifest by its own ledger, an index by those of its platforms. Pure.

use std::borrow::Cow;
use std::collections::BTreeMap;

use jiff::Timestamp;

use super::due::Dates;
use super::platform::{Part, Subject, merged};
use super::row::Row;
use super::succession::Present;
use crate::ledger::{Ledger, Standing};
use crate::policy::{Circumstances, Place, Policy};
use crate::quarantine::Mode;
use crate::verdict::Verdict;

/// A verdict and what led to it.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    pub verdict: Verdict,
    /// The strictest quarantine mode that the rules ask for which put the image under quarantine.
    pub quarantine_mode: Option<Mode>,
    /// Whether the verdict is `quarantine` only for what was known when the image was adopted, and the policy lets that
    /// quarantine nothing.
    pub exempt: bool,
    /// One for each finding of an image, in the order of their ids; of an index one for each vulnerability and the
    /// packages that have it, over all platforms.
    pub rows: Vec<Row<'a>>,
    /// The verdicts on an index's platforms; after them that on the index itself, if it was scanned.
    pub platforms: Vec<Verdict>,
    pub(super) dates: Dates,
}

/// Judges an image. Nothing is said of it before its first scan has ended, whatever was found until then:
/// half of a scan is no verdict. After that a failed scan is never "clear".
pub fn judge<'a>(subject: impl Into<Subject<'a>>, policy: &'a Policy, now: Timestamp) -> Judgement<'a> {
    let subject = subject.into();
    if subject.ledger.facts.is_index() {
        index(subject, policy, now)
    } else {
        let in_use = subject.ledger.facts.in_use().map(|in_use| in_use.count > 0);
        image(subject.ledger, policy, in_use, now)
    }
}

/// Whether the policy quarantines an image, by what is known of its use or by what may become known.
pub fn may_quarantine(ledger: &Ledger, policy: &Policy, now: Timestamp) -> bool {
    let known = ledger.facts.in_use().map(|in_use| in_use.count > 0);
    let supposed = [Some(true), Some(false)].into_iter().filter(|_| policy.asks_for_usage());
    std::iter::once(known)
        .chain(supposed)
        .any(|in_use| image(ledger, policy, in_use, now).verdict == Verdict::Quarantine)
}

fn image<'a>(ledger: &'a Ledger, policy: &'a Policy, in_use: Option<bool>, now: Timestamp) -> Judgement<'a> {
    let place = Place { criticality: ledger.facts.criticality(), ..Place::alone(&ledger.image) };
    let rows = rows(ledger, place, in_use, policy, now);
    let verdict = verdict(ledger, &rows, policy, policy.scan_due(ledger.facts.pushed_at), now);
    let dates = if verdict == Verdict::Pending { Dates::default() } else { Dates::of(&rows, policy, now) };
    Judgement {
        verdict,
        quarantine_mode: strictest(&rows, now),
        exempt: is_exempt(verdict, ledger, &rows, policy, now),
        rows,
        platforms: Vec::new(),
        dates,
    }
}

/// Whether an image was adopted, and had then all that quarantines it.
fn is_exempt(verdict: Verdict, root: &Ledger, rows: &[Row], policy: &Policy, now: Timestamp) -> bool {
    let adopted = root.facts.adopted_at.filter(|_| !policy.quarantines_adopted);
    verdict == Verdict::Quarantine
        && adopted.is_some_and(|adopted| {
            rows.iter().filter(|row| row.quarantines(now)).all(|row| row.known_since < adopted)
        })
}

/// The strictest mode of the rules that quarantine.
fn strictest(rows: &[Row], now: Timestamp) -> Option<Mode> {
    rows.iter().filter_map(|row| row.ruling.as_ref()?.quarantine_mode(now)).max()
}

/// An index is as bad as the worst of its platforms, and of what was found in itself. It is pending while one of them is not
/// scanned and none is quarantined, and while it is not known what it contains: what is not known is never clear.
fn index<'a>(subject: Subject<'a>, policy: &'a Policy, now: Timestamp) -> Judgement<'a> {
    let index = Some(&subject.ledger.image.digest);
    let criticality = subject.ledger.facts.criticality();
    let mut verdicts = Vec::new();
    let mut dates = Dates::default();
    let mut known: BTreeMap<&'a str, Vec<Row<'a>>> = BTreeMap::new();
    for Part { name, ledger } in subject.parts() {
        // Inspector does not know what runs an image that is part of an index.
        let place = Place { image: &ledger.image, index, criticality };
        let rows = rows(ledger, place, None, policy, now);
        let pushed_at = ledger.facts.pushed_at.or(subject.ledger.facts.pushed_at);
        let verdict = match verdict(ledger, &rows, policy, policy.scan_due(pushed_at), now) {
            Verdict::Pending if ledger.facts.is_left_unscanned() => Verdict::Unscannable,
            verdict => verdict,
        };
        verdicts.push(verdict);
        // Half of a scan is told of no platform.
        if verdict != Verdict::Pending {
            dates.join(Dates::of(&rows, policy, now));
            known.entry(name).or_default().extend(rows);
        }
    }
    let of_platforms = &verdicts[..subject.platforms.len()];
    let pending = !subject.is_complete || of_platforms.is_empty() || of_platforms.contains(&Verdict::Pending);
    let verdict = match verdicts.iter().max() {
        Some(Verdict::Quarantine) => Verdict::Quarantine,
        _ if pending => Verdict::Pending,
        worst => worst.copied().unwrap_or_default(),
    };
    let rows = merged(known);
    Judgement {
        verdict,
        quarantine_mode: strictest(&rows, now),
        exempt: is_exempt(verdict, subject.ledger, &rows, policy, now),
        rows,
        platforms: verdicts,
        dates,
    }
}

fn rows<'a>(
    ledger: &'a Ledger,
    place: Place<'a>,
    in_use: Option<bool>,
    policy: &'a Policy,
    now: Timestamp,
) -> Vec<Row<'a>> {
    let facts = &ledger.facts;
    let known_since = facts.known_since();
    let present = Present::of(facts.findings.values().map(|entry| &entry.finding));
    facts
        .findings
        .values()
        .map(|entry| {
            let standing = match facts.standing(entry) {
                Standing::Resolved(since) => Standing::Resolved(since),
                _ if present.supersede(&entry.finding) => Standing::Resolved(entry.finding.updated_at),
                standing => standing,
            };
            let known_exploited = facts.known_exploited(&entry.finding);
            let known_since = known_since
                .get(entry.finding.vulnerability.as_str())
                .copied()
                .unwrap_or(entry.finding.first_seen);
            let ruling = standing.is_open().then(|| {
                let suppressed = standing == Standing::Suppressed;
                let circumstances = Circumstances { known_since, known_exploited, suppressed, in_use };
                policy.rule_on(place, &entry.finding, circumstances, now)
            });
            let key = Cow::Borrowed(entry.finding.id.as_str());
            Row { key, entry, platforms: Vec::new(), known_since, standing, known_exploited, ruling }
        })
        .collect()
}

/// What is known of an image by itself. Of one that no scan has reached nothing is said, unless a scan is overdue.
fn verdict(
    ledger: &Ledger,
    rows: &[Row<'_>],
    policy: &Policy,
    scan_due: Option<Timestamp>,
    now: Timestamp,
) -> Verdict {
    let facts = &ledger.facts;
    match (facts.is_scanned(), facts.has_failed_scan()) {
        (false, false) if facts.is_overdue(scan_due) => policy.verdict_on_unscanned(),
        (false, false) => Verdict::Pending,
        _ if rows.iter().any(|row| row.quarantines(now)) => Verdict::Quarantine,
        (_, true) => Verdict::Unscannable,
        (true, false) => Verdict::Clear,
    }
}
