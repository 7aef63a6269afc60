//! Where a finding stands once the scans and the coverage of its image are considered. CLOSED is not fixed.

use jiff::{Timestamp, ToSpan};

use super::facts::{Entry, Facts};
use crate::finding::Status;

/// Where a finding stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Present, or closed by something that may not have been a fix.
    Open,
    /// Hidden by a suppression rule in Inspector.
    Suppressed,
    /// Gone since then, while the image was scanned.
    Resolved(Timestamp),
}

impl Standing {
    /// Whether the finding counts: it is there, hidden or not.
    pub fn is_open(self) -> bool {
        !matches!(self, Self::Resolved(_))
    }
}

impl Facts {
    /// Where a finding stands. One that went is resolved only if the image was covered by scanning when it went or
    /// later; until then it is open.
    pub fn standing(&self, entry: &Entry) -> Standing {
        match (entry.finding.status, self.gone_since(entry)) {
            (_, Some(gone)) if self.covered_since(gone) => Standing::Resolved(gone),
            (Status::Suppressed, None) => Standing::Suppressed,
            _ => Standing::Open,
        }
    }

    /// Whether findings have gone of which it is not known yet that the image was scanned then. A "no" is asked
    /// again after a day, for an image can be taken out of the archive.
    pub fn must_ask_coverage(&self, now: Timestamp) -> bool {
        let stale = |at: Timestamp| at.checked_add(24.hours()).is_ok_and(|end| end <= now);
        self.findings
            .values()
            .filter_map(|entry| self.gone_since(entry))
            .filter(|gone| !self.covered_since(*gone))
            .any(|gone| self.coverage.as_ref().is_none_or(|asked| asked.at < gone || stale(asked.at)))
    }

    fn covered_since(&self, gone: Timestamp) -> bool {
        self.covered_at.is_some_and(|covered| covered >= gone)
    }

    /// Since when a finding is no longer reported: its source closed it, or a complete scan that ended after
    /// the newest report of it did not list it.
    fn gone_since(&self, entry: &Entry) -> Option<Timestamp> {
        if entry.finding.status == Status::Closed {
            return Some(entry.finding.updated_at);
        }
        let completed_at = self.scans.get(&entry.finding.source)?.completed_at?;
        (!entry.listed && entry.finding.updated_at <= completed_at).then_some(completed_at)
    }
}
