//! Where a finding stands once the scans and the coverage of its image are considered. CLOSED is not fixed, a list
//! that lags is no fix either, and each source answers for its own findings.

use jiff::{SignedDuration, Timestamp};

use super::coverage::{COVERAGE_HOLDS, COVERAGE_MARGIN};
use super::facts::{Entry, Facts, Scans};
use crate::finding::{Finding, Source, Status};

/// How long to wait before the list of an image's Inspector findings is taken to be all there is, where no counts say
/// what it must have. Amazon names no figure for how far it is behind the events; they come within seconds.
pub const LISTING_LAG: SignedDuration = SignedDuration::from_mins(30);

/// For how long Inspector goes on listing what it has closed, at least: 3 days where the resource is gone, else 30
/// (Inspector user guide, "Understanding findings"). So of a finding that was reported later than that, a list that does
/// not have it at all says nothing but that it lags.
pub const CLOSED_ARE_LISTED: SignedDuration = SignedDuration::from_hours(3 * 24);

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

/// How and when a finding went.
#[derive(Debug, Clone, Copy)]
enum Gone {
    /// Its source closed it.
    Closed(Timestamp),
    /// The newest complete list does not have it.
    Unlisted(Timestamp),
}

impl Gone {
    fn since(self) -> Timestamp {
        let (Self::Closed(at) | Self::Unlisted(at)) = self;
        at
    }

    /// From when on coverage can resolve it.
    fn settled(self) -> Timestamp {
        self.since().checked_add(COVERAGE_MARGIN).unwrap_or(Timestamp::MAX)
    }
}

impl Facts {
    /// Where a finding stands. One that went is resolved only if its image was scanned when it went, or by a scan of
    /// its source after that; until then it stands as it did when it was last there.
    pub fn standing(&self, entry: &Entry) -> Standing {
        if let Some(at) = self.taken_over_at(entry) {
            return Standing::Resolved(at);
        }
        match self.gone(entry) {
            Some(gone) if self.is_confirmed(entry.finding.source, gone) => Standing::Resolved(gone.since()),
            _ if entry.was_suppressed() => Standing::Suppressed,
            _ => Standing::Open,
        }
    }

    /// From when on Inspector must be asked whether it scans the image: findings have gone, and it is not known
    /// whether they are fixed.
    pub fn coverage_question(&self) -> Option<Timestamp> {
        let asked = self.coverage.newest_asked().map(|(at, _)| at);
        self.unconfirmed()
            .map(|gone| match asked {
                Some(asked) if asked >= gone.settled() => {
                    asked.checked_add(COVERAGE_HOLDS).unwrap_or(Timestamp::MAX)
                }
                _ => gone.settled(),
            })
            .min()
    }

    /// The end of a scan that Inspector names and did not announce, whose list can resolve what coverage cannot, for
    /// there was a gap. `None` while that list may lag.
    pub fn unlisted_scan(&self, now: Timestamp) -> Option<Timestamp> {
        let (_, answer) = self.coverage.newest_asked()?;
        let scanned = answer.scanned_at.filter(|_| answer.covered)?;
        let listed = self.scans(Source::Inspector).scanned_at.is_some_and(|known| known >= scanned);
        let settled = scanned.checked_add(LISTING_LAG).is_ok_and(|settled| settled <= now);
        (!listed && settled && self.unconfirmed().any(|gone| gone.settled() <= scanned)).then_some(scanned)
    }

    /// What went from Inspector's findings and may not be fixed.
    fn unconfirmed(&self) -> impl Iterator<Item = Gone> {
        self.findings
            .values()
            .filter(|entry| entry.finding.source == Source::Inspector)
            .filter_map(|entry| self.gone(entry))
            .filter(|gone| !self.is_confirmed(Source::Inspector, *gone))
    }

    fn scans(&self, source: Source) -> Scans {
        self.scans.get(&source).copied().unwrap_or_default()
    }

    /// How a finding went, if it did. What a list lacks is gone only if the newest report of it is older than what the
    /// list must have.
    fn gone(&self, entry: &Entry) -> Option<Gone> {
        let finding = &entry.finding;
        if finding.status == Status::Closed {
            return Some(Gone::Closed(finding.updated_at));
        }
        let completed = self.scans(finding.source).completed_at?;
        (!entry.listed && is_outdated(finding, completed)).then_some(Gone::Unlisted(completed))
    }

    /// Whether it is known that the image was scanned when a finding of this source went, or later.
    fn is_confirmed(&self, source: Source, gone: Gone) -> bool {
        let scanned = self.scans(source).scanned_at;
        let by_scan = match gone {
            Gone::Closed(_) => scanned >= Some(gone.settled()),
            // The list is that of a scan.
            Gone::Unlisted(at) => scanned >= Some(at),
        };
        let by_coverage = source == Source::Inspector
            && (self.coverage.vouches_for(gone.since(), scanned) || self.covered_at >= Some(gone.since()));
        by_scan || by_coverage
    }

    /// Since when Inspector answers for what basic scanning found: since a scan of the image that ended after basic
    /// scanning's last word. Never the other way round, because basic scanning looks at fewer kinds of packages, and
    /// its silence says nothing of the others.
    fn taken_over_at(&self, entry: &Entry) -> Option<Timestamp> {
        let scanned = self.scans(Source::Inspector).scanned_at?;
        (entry.finding.source == Source::Basic && scanned > entry.finding.updated_at).then_some(scanned)
    }
}

/// Whether a report of a finding is so much older than a complete list that its absence from the list means that it is
/// gone: had it closed later, it would be listed as closed. Basic scanning's list is the result of the scan itself, and never behind.
pub fn is_outdated(finding: &Finding, listed_at: Timestamp) -> bool {
    let listed_for = match finding.source {
        Source::Inspector => CLOSED_ARE_LISTED,
        Source::Basic => SignedDuration::ZERO,
    };
    finding.updated_at.checked_add(listed_for).is_ok_and(|until| until < listed_at)
}
