//! What a finished scan says, held against what can be listed. Pure.

use std::collections::BTreeMap;

use domain::event::{Event, FindingReport, ScanOutcome, ScanReport, Total};
use domain::finding::{Finding, Source, Status};
use domain::ledger::Ledger;
use jiff::{Timestamp, ToSpan};

/// How long after a push a finding still belongs to the first scan, where the policy does not say when a scan
/// is overdue.
const FIRST_SCAN_MINUTES: u32 = 30;

/// By how many minutes a list of findings may be behind the events. Amazon names no figure; events come within
/// seconds.
const LISTING_LAG_MINUTES: i64 = 30;

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

/// Whether what is listed can be all that a scan found. AWS announces the end of a scan before all of its
/// findings can be listed, and findings go on changing after it; so what was surely open when it ended must
/// not be more than it says, and what may have been open then not less.
pub(crate) fn agrees(total: Total, ended: Timestamp, listed: &[Finding]) -> bool {
    let unchanged = |finding: &&Finding| finding.updated_at <= ended;
    let surely = listed.iter().filter(|f| f.status == Status::Active).filter(unchanged).count() as u64;
    let perhaps = listed.iter().filter(|f| f.status != Status::Closed || f.updated_at > ended).count() as u64;
    match total {
        Total::Exactly(total) => surely <= total && total <= perhaps,
        Total::AtLeast(total) => total <= perhaps,
    }
}

/// What a listing must have at least: of a scan that states no total all findings that were reported by
/// themselves, where the ledger knows no earlier listing.
pub(crate) fn expected(total: Total, scan: &ScanReport, ledger: &Ledger) -> Total {
    let listed_before =
        ledger.facts.scans.get(&scan.source).is_some_and(|scans| scans.completed_at.is_some());
    match total {
        Total::AtLeast(total) if !listed_before => {
            let reported = ledger.facts.findings.values().filter(|entry| {
                let Finding { source, status, updated_at, .. } = &entry.finding;
                (*source, *status) == (scan.source, Status::Active) && *updated_at <= scan.at
            });
            Total::AtLeast(total.max(reported.count() as u64))
        }
        total => total,
    }
}

/// Since when findings come that belong to no first scan: the image was scanned before the ledger knew of it,
/// so no scan will be announced and the whole set must be asked for. Whether that is so depends on the
/// finding and the push, and not on the time of day, so that the order of events cannot change it.
///
/// The answer is a while before the first of these findings, for what has just been reported may not be listed
/// yet, and what a listing lacks counts as gone by then.
pub(crate) fn adopted_at<'a>(
    ledger: &Ledger,
    findings: impl Iterator<Item = &'a FindingReport>,
    overdue_minutes: Option<u32>,
) -> Option<Timestamp> {
    if ledger.facts.is_scanned() || ledger.facts.has_failed_scan() {
        return None;
    }
    let window = i64::from(overdue_minutes.unwrap_or(FIRST_SCAN_MINUTES)).minutes();
    let first_scan_ends = ledger.facts.pushed_at.and_then(|pushed| pushed.checked_add(window).ok());
    let first = findings
        .map(|report| report.finding.updated_at)
        .filter(|updated| first_scan_ends.is_none_or(|ends| *updated > ends))
        .min()?;
    first.checked_sub(LISTING_LAG_MINUTES.minutes()).ok()
}

/// Whether there is anything to judge in an image that was not known. Where every finding is closed, that is the
/// end of an image that was deleted or archived, and no news.
pub(crate) fn is_alive<'a>(reported: impl Iterator<Item = &'a FindingReport>, listed: &[Finding]) -> bool {
    reported.map(|report| &report.finding).chain(listed).any(|finding| finding.status != Status::Closed)
}

#[cfg(test)]
mod tests;
