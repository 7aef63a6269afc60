//! When the clock alone could change what is said of an image. Pure.
//!
//! | what | when |
//! |---|---|
//! | the grace of a finding | when it ends |
//! | a waiver | on the day after its last one, at midnight UTC |
//! | the time in which a finding is to be fixed | when it ends, if a rule asks for that |
//! | a scan that does not come | when the policy calls it overdue; then when Inspector's answer has aged |
//! | "not known to be exploited" | when the answer has aged |
//! | findings that closed while it is not known whether the image is scanned | when Inspector can tell, or its answer has aged |
//! | an untagged image that waits for its index | when it has waited long enough |
//!
//! What only ages is spread by up to six hours, each image by another time: images that were asked about together would
//! be asked about together for ever.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::judge::Judgement;
use super::platform::Subject;
use super::row::Row;
use crate::finding::Source;
use crate::image::ImageId;
use crate::ledger::{COVERAGE_HOLDS, Entry, INDEX_COMES_WITHIN, Ledger, NO_HOLDS};
use crate::policy::{Excuse, Policy};
use crate::quarantine::Mode;
use crate::row::spread;
use crate::verdict::Verdict;

/// By how many seconds what ages is spread: six hours.
const JITTER: u64 = 6 * 60 * 60;

/// When the policy says something else of findings than now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Dates {
    /// When the first grace ends, by the mode of the quarantine that follows.
    graces: BTreeMap<Option<Mode>, Timestamp>,
    /// When the first waiver ends, or a finding is past the time in which it is to be fixed.
    others: Option<Timestamp>,
}

impl Dates {
    pub(super) fn of(rows: &[Row<'_>], policy: &Policy, now: Timestamp) -> Self {
        let mut dates = Self::default();
        for (row, ruling) in rows.iter().filter_map(|row| Some((row, row.ruling.as_ref()?))) {
            if policy.asks_what_is_overdue() {
                let overdue = policy.overdue_from(&row.entry.finding.severity, row.known_since);
                dates.others = dates.others.into_iter().chain(overdue.filter(|from| *from > now)).min();
            }
            for found in &ruling.matches {
                if let Some(from) = found.quarantine_from.filter(|from| *from > now) {
                    dates.note_grace(found.rule.quarantine_mode, from);
                }
            }
            if let Some(Excuse::Waiver(waiver)) = ruling.excuse {
                dates.others = dates.others.into_iter().chain(waiver.end()).min();
            }
        }
        dates
    }

    fn note_grace(&mut self, mode: Option<Mode>, from: Timestamp) {
        let known = self.graces.entry(mode).or_insert(from);
        *known = from.min(*known);
    }

    pub(super) fn join(&mut self, other: Self) {
        for (mode, from) in other.graces {
            self.note_grace(mode, from);
        }
        self.others = self.others.into_iter().chain(other.others).min();
    }
}

impl Judgement<'_> {
    /// The earliest moment at which the clock alone could change what is said of an image that was judged at `now`; in the
    /// past, if something could be asked already. `None` is never. Depends on what is known and on the policy, and on
    /// the clock only in that what has taken effect is past.
    pub fn due(&self, subject: Subject<'_>, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
        let ledger = subject.ledger;
        if ledger.facts.is_gone() || !ledger.facts.is_root() {
            return None;
        }
        let waits =
            ledger.announced.waiting_since.and_then(|since| since.checked_add(INDEX_COMES_WITHIN).ok());
        let enforced = self.verdict == Verdict::Quarantine && !self.exempt;
        // Of an image under quarantine another grace changes something only if it ends in a stricter one.
        let graces = self.dates.graces.iter().filter(|(mode, _)| !enforced || **mode > self.quarantine_mode);
        let dates = graces.map(|(_, from)| *from).chain(self.dates.others).chain(waits);
        let parts = subject.evidence().filter(|part| !part.facts.is_gone());
        dates.chain(parts.filter_map(|part| questions(ledger, part, policy, now))).min()
    }
}

impl<'a> Subject<'a> {
    /// The images in an index about which something is to be asked by now.
    pub fn platforms_due(self, policy: &Policy, now: Timestamp) -> impl Iterator<Item = &'a Ledger> {
        let ledgers = self.platforms.iter().map(|platform| &platform.ledger);
        ledgers.filter(move |part| {
            !part.facts.is_gone() && questions(self.ledger, part, policy, now).is_some_and(|due| due <= now)
        })
    }
}

/// When something is to be asked about an image, or an image in the index that is judged.
fn questions(root: &Ledger, part: &Ledger, policy: &Policy, now: Timestamp) -> Option<Timestamp> {
    let facts = &part.facts;
    let aged = |at: Timestamp, holds: SignedDuration| aged(&part.image, at, holds);
    let asked = facts.coverage.newest().map(|(at, _)| at);
    let is_waited_for = !facts.is_index() && !facts.is_scanned() && !facts.has_failed_scan();
    let scan = policy.scan_due(facts.pushed_at.or(root.facts.pushed_at)).filter(|_| is_waited_for);
    let scan = scan.map(|due| match asked {
        Some(asked) if asked >= due => aged(asked, COVERAGE_HOLDS),
        _ => due,
    });
    let coverage = facts.coverage_question().map(|at| aged(at, SignedDuration::ZERO));
    let exploitation = part.facts.findings.values().filter_map(|entry| {
        match facts.exploitation.get(&entry.finding.vulnerability) {
            _ if is_waited_for || !asks_whether_exploited(part, entry, policy, now) => None,
            Some(answer) if answer.known.is_some() => None,
            Some(answer) => Some(aged(answer.asked_at, NO_HOLDS)),
            // It was to be asked with the finding.
            None => Some(entry.finding.updated_at),
        }
    });
    scan.into_iter().chain(coverage).chain(exploitation).min()
}

/// Whether it is asked if the vulnerability of a finding is exploited, as long as no answer holds: only Inspector can be
/// asked, and only about a finding of its own.
pub fn asks_whether_exploited(ledger: &Ledger, entry: &Entry, policy: &Policy, now: Timestamp) -> bool {
    entry.finding.source == Source::Inspector
        && ledger.facts.standing(entry).is_open()
        && policy.exploitation_matters(&ledger.image, &entry.finding, now)
}

/// When an answer is to be asked for again.
fn aged(image: &ImageId, at: Timestamp, holds: SignedDuration) -> Timestamp {
    let jitter = SignedDuration::from_secs(i64::try_from(spread(image, JITTER)).unwrap_or_default());
    at.checked_add(holds + jitter).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests;
