//! Images that were scanned before the ledger knew of them: no scan of them will be announced, so the whole list must be
//! asked for. Pure.

use domain::event::FindingReport;
use domain::finding::{Finding, Source, Status};
use domain::ledger::{LISTING_LAG, Ledger};
use jiff::{Timestamp, ToSpan};

/// How long after a push a finding still belongs to the first scan, where the policy does not say when a scan
/// is overdue.
const FIRST_SCAN_MINUTES: u32 = 30;

/// Whether an image must be adopted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Adoption {
    /// No: its first scan has ended or is awaited, or it is gone.
    No,
    /// Perhaps: a first scan of an old image, or the news of a push, would come by then.
    WaitUntil(Timestamp),
    /// Yes, with the list as of then.
    AsOf(Timestamp),
}

/// Whether findings are known that belong to no first scan. That depends on when they and the image came, and not on
/// what arrived first. Since the list may be behind, and a scan that has just been switched on reports findings before it
/// ends, the answer waits for a while: one image is to be one announcement.
pub(crate) fn adoption(ledger: &Ledger, overdue_minutes: Option<u32>, now: Timestamp) -> Adoption {
    let facts = &ledger.facts;
    if facts.is_scanned() || facts.has_failed_scan() || facts.is_gone() {
        return Adoption::No;
    }
    let window = i64::from(overdue_minutes.unwrap_or(FIRST_SCAN_MINUTES)).minutes();
    let first_scan_ends = facts.pushed_at.and_then(|pushed| pushed.checked_add(window).ok());
    let first = facts
        .findings
        .values()
        .map(|entry| &entry.finding)
        .filter(|finding| finding.source == Source::Inspector)
        .map(|finding| finding.updated_at)
        .filter(|updated| first_scan_ends.is_none_or(|ends| *updated > ends))
        .min();
    let Some(first) = first else { return Adoption::No };
    // A date that is far ahead of the clock is not waited for, and a list is never one of the future.
    let patience = now.checked_add(LISTING_LAG + LISTING_LAG).unwrap_or(now);
    match first.checked_add(LISTING_LAG) {
        Ok(settled) if settled > now && settled <= patience => Adoption::WaitUntil(settled),
        _ => Adoption::AsOf(first.min(now)),
    }
}

/// Whether there is anything to judge in an image that was not known. Where every finding is closed, that is the
/// end of an image that was archived, and no news.
pub(crate) fn is_alive<'a>(reported: impl Iterator<Item = &'a FindingReport>, listed: &[Finding]) -> bool {
    reported.map(|report| &report.finding).chain(listed).any(|finding| finding.status != Status::Closed)
}

#[cfg(test)]
mod tests;
