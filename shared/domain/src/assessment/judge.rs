//! Judging a ledger by the policy. Pure.

use jiff::Timestamp;

use crate::finding::KnownExploited;
use crate::ledger::{Entry, Ledger, Standing};
use crate::policy::{Policy, Ruling};
use crate::verdict::Verdict;

/// A verdict and what led to it.
#[derive(Debug, Clone)]
pub struct Judgement<'a> {
    pub verdict: Verdict,
    /// One for each finding of the ledger, in the order of their ids.
    pub rows: Vec<Row<'a>>,
}

/// A finding and what the policy says of it.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    pub entry: &'a Entry,
    pub standing: Standing,
    pub known_exploited: Option<KnownExploited>,
    /// `None` where the finding is resolved.
    pub ruling: Option<Ruling<'a>>,
}

/// Judges an image. Nothing is said of it before its first scan has ended, whatever was found until then:
/// half of a scan is no verdict. After that a failed scan is never "clear".
pub fn judge<'a>(ledger: &'a Ledger, policy: &'a Policy, now: Timestamp) -> Judgement<'a> {
    let facts = &ledger.facts;
    let rows: Vec<Row> = facts
        .findings
        .values()
        .map(|entry| {
            let standing = facts.standing(entry);
            let known_exploited = facts.known_exploited(&entry.finding);
            let ruling = standing.is_open().then(|| {
                let suppressed = standing == Standing::Suppressed;
                policy.rule_on(&ledger.image, &entry.finding, known_exploited, suppressed, now)
            });
            Row { entry, standing, known_exploited, ruling }
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
    Judgement { verdict, rows }
}
