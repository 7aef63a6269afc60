//! Judging a ledger by the policy. Pure.

use jiff::Timestamp;

use super::succession::Present;
use crate::finding::KnownExploited;
use crate::ledger::{Entry, Ledger, Standing};
use crate::policy::{Policy, Ruling};
use crate::quarantine::Mode;
use crate::verdict::Verdict;

/// A verdict and what led to it.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    pub verdict: Verdict,
    /// The strictest quarantine mode that the rules ask for which put the image under quarantine.
    pub quarantine_mode: Option<Mode>,
    /// One for each finding of the ledger, in the order of their ids.
    pub rows: Vec<Row<'a>>,
}

/// A finding and what the policy says of it.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    pub entry: &'a Entry,
    /// Since when its vulnerability is known in the image, under whichever id. An image that is deleted and pushed
    /// again has new ids for what it always had.
    pub known_since: Timestamp,
    pub standing: Standing,
    pub known_exploited: Option<KnownExploited>,
    /// `None` where the finding is resolved.
    pub ruling: Option<Ruling<'a>>,
}

/// Judges an image. Nothing is said of it before its first scan has ended, whatever was found until then:
/// half of a scan is no verdict. After that a failed scan is never "clear".
pub fn judge<'a>(ledger: &'a Ledger, policy: &'a Policy, now: Timestamp) -> Judgement<'a> {
    let facts = &ledger.facts;
    let known_since = facts.known_since();
    let present = Present::of(facts.findings.values().map(|entry| &entry.finding));
    let rows: Vec<Row> = facts
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
                policy.rule_on(&ledger.image, &entry.finding, known_since, known_exploited, suppressed, now)
            });
            Row { entry, known_since, standing, known_exploited, ruling }
        })
        .collect();
    let quarantined = rows
        .iter()
        .filter_map(|row| row.ruling.as_ref()?.quarantine_from())
        .any(|quarantine_from| quarantine_from <= now);
    let verdict = match (facts.is_scanned(), facts.has_failed_scan()) {
        (false, false) => Verdict::Pending,
        _ if quarantined => Verdict::Quarantine,
        (_, true) => Verdict::Unscannable,
        (true, false) => Verdict::Clear,
    };
    let quarantine_mode = rows.iter().filter_map(|row| row.ruling.as_ref()?.quarantine_mode(now)).max();
    Judgement { verdict, quarantine_mode, rows }
}
