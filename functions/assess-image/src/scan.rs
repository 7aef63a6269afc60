//! What a finished scan says, held against what can be listed. Pure.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{Counts, Event, ScanOutcome, ScanReport};
use domain::finding::{Finding, Severity, Source, Status};
use domain::ledger::{Ledger, is_outdated};
use jiff::Timestamp;

/// Of the scans of each source that a batch reports, the newest that is complete and the newest that failed. Both
/// are evidence, and which messages share a batch must not matter.
pub(crate) fn newest(events: &[Event]) -> BTreeMap<(Source, bool), &ScanReport> {
    let mut newest: BTreeMap<(Source, bool), &ScanReport> = BTreeMap::new();
    for event in events {
        if let Event::Scan(report) = event {
            let failed = report.outcome == ScanOutcome::Failed;
            let known = newest.entry((report.source, failed)).or_insert(report);
            if report.at > known.at {
                *known = report;
            }
        }
    }
    newest
}

/// Whether these findings can be all that a scan found. AWS announces the end of a scan before all of its findings can
/// be listed, so they are held against each count that the scan states.
///
/// What has not changed since the scan ended was counted then, if it was active. Whether Inspector counts suppressed
/// findings is not documented: it counts all of them or none. What has changed since may have been counted, and with
/// any severity.
pub(crate) fn agrees(counts: &Counts, ended: Timestamp, found: &[&Finding]) -> bool {
    let changed = found.iter().filter(|finding| finding.updated_at > ended).count() as u64;
    [false, true].into_iter().any(|suppressed_count| {
        let mut counted: BTreeMap<&Severity, u64> = BTreeMap::new();
        for finding in found.iter().filter(|finding| finding.updated_at <= ended) {
            let counts = match finding.status {
                Status::Active => true,
                Status::Suppressed => suppressed_count,
                Status::Closed => false,
            };
            *counted.entry(&finding.severity).or_default() += u64::from(counts);
        }
        can_be_counted(counts, &counted, changed)
    })
}

/// Whether a scan that counted these findings, and any of so many others, can state these counts.
fn can_be_counted(stated: &Counts, counted: &BTreeMap<&Severity, u64>, others: u64) -> bool {
    let lacking: Option<u64> = stated
        .by_severity
        .iter()
        .map(|(severity, count)| count.checked_sub(counted.get(severity).copied().unwrap_or_default()))
        .try_fold(0_u64, |sum, lacking| Some(sum.saturating_add(lacking?)));
    let sum: u64 = counted.values().sum();
    lacking.is_some_and(|lacking| {
        lacking <= others
            && stated.total.is_none_or(|total| {
                total.checked_sub(sum).is_some_and(|more| lacking <= more && more <= others)
            })
    })
}

/// What was reported by itself and may not be listed yet: it counts among what a scan found.
pub(crate) fn reported<'a>(ledger: &'a Ledger, scan: &ScanReport, listed: &[Finding]) -> Vec<&'a Finding> {
    let listed: BTreeSet<&str> = listed.iter().map(|finding| finding.id.as_str()).collect();
    ledger
        .facts
        .findings
        .values()
        .map(|entry| &entry.finding)
        .filter(|finding| {
            finding.source == scan.source
                && finding.status != Status::Closed
                && !listed.contains(finding.id.as_str())
                && !is_outdated(finding, scan.at)
        })
        .collect()
}

#[cfg(test)]
mod tests;
