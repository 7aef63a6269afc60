//! Whether Amazon Inspector scans an image: every answer that it gave, so that gaps are seen.

mod reason;

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::event::CoverageReport;

pub use reason::ScanReason;

/// How long after a finding has closed a "yes" says that the image was scanned when it closed. Inspector closes
/// findings because it stops scanning an image; coverage may show that a little later. Amazon names no figure.
pub const COVERAGE_MARGIN: SignedDuration = SignedDuration::from_mins(10);

/// How long after the push of an image Inspector may not know yet that it runs: the Inspector user guide says up to 36
/// hours for the first data.
pub const USAGE_LAG: SignedDuration = SignedDuration::from_hours(36);

/// How long an answer holds before Inspector is asked the same again: what it says of an image can change any day, and it
/// collects what is in use once a day.
pub const COVERAGE_HOLDS: SignedDuration = SignedDuration::from_hours(24);

/// How many answers are kept. Asked once a day at most, unless findings close.
const ANSWERS: usize = 48;

/// Inspector's answer to the question whether it scans an image.
///
/// In the derived order a "no" is the smaller, and of two answers at the same moment the smaller is believed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct CoverageAnswer {
    /// Whether it scans the image now.
    pub covered: bool,
    /// Inspector's reason code.
    pub reason: String,
    /// When it last checked the image for vulnerabilities, if it says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<Timestamp>,
    #[serde(default, skip_serializing_if = "Usage::is_empty")]
    pub usage: Usage,
    /// Whether an event said so, without being asked. An event has neither `scanned_at` nor `usage`, and that it is silent
    /// about these says nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub by_event: bool,
}

/// How an image is used, as far as Inspector says. It knows of Amazon ECS and EKS alone, not of Lambda:
/// <https://docs.aws.amazon.com/inspector/v2/APIReference/API_EcrContainerImageMetadata.html>; and of images of one
/// platform alone: <https://docs.aws.amazon.com/inspector/latest/user/scanning-ecr.html>.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Usage {
    /// How many tasks and pods run it: `inUseCount`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// When one last did: `lastInUseAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// When it was last pulled: `imagePulledAt`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pulled_at: Option<Timestamp>,
}

impl Usage {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// How many tasks and pods run an image, where that is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InUse {
    /// 0 where none does.
    pub count: u64,
    /// When one last did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_at: Option<Timestamp>,
    /// When Inspector said so. It collects this once a day.
    pub as_of: Timestamp,
}

impl CoverageAnswer {
    /// The answer about an image that Inspector does not list at all.
    pub fn not_listed() -> Self {
        Self::read("", reason::NOT_LISTED, None)
    }

    /// What an event said.
    pub fn reported(report: &CoverageReport) -> Self {
        Self { by_event: true, ..Self::read(&report.status, &report.reason, None) }
    }

    /// Reads a `CoveredResource`: its status code, its reason and its `lastScannedAt`. How it is used
    /// is not among these.
    ///
    /// Only `ACTIVE` because of `SUCCESSFUL` is a "yes". `PENDING_INITIAL_SCAN` and the like promise a scan, which
    /// says nothing of what closed before it; and a reason that is not known may mean anything.
    pub fn read(status: &str, reason: &str, scanned_at: Option<Timestamp>) -> Self {
        let covered = (status, reason) == ("ACTIVE", "SUCCESSFUL");
        Self {
            covered,
            reason: crate::text::sanitize(reason),
            scanned_at,
            usage: Usage::default(),
            by_event: false,
        }
    }

    /// Whether the image is not scanned, and not going to be. An archived one is scanned when it comes out of the archive.
    pub fn rules_out_a_scan(&self) -> bool {
        !self.covered && !self.promises_a_scan() && self.reason != "IMAGE_ARCHIVED"
    }

    /// Whether a scan of the image is announced and has not ended.
    pub fn promises_a_scan(&self) -> bool {
        self.reason.starts_with("PENDING_") && self.reason != "PENDING_DISABLE"
            || self.reason == "SCAN_IN_PROGRESS"
    }
}

/// The answers, by when Inspector was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<Timestamp, CoverageAnswer>);

impl Coverage {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The newest answer, and when it was given.
    pub fn newest(&self) -> Option<(Timestamp, &CoverageAnswer)> {
        self.0.last_key_value().map(|(at, answer)| (*at, answer))
    }

    /// The newest answer to a question, and when it was given. No event says what only it does: when the image was last
    /// scanned, and how it is used.
    pub fn newest_asked(&self) -> Option<(Timestamp, &CoverageAnswer)> {
        self.0.iter().rev().find(|(_, answer)| !answer.by_event).map(|(at, answer)| (*at, answer))
    }

    /// What the newest answer says of the tasks and pods that run an image. That there are none is known once Inspector
    /// must have collected it, [`USAGE_LAG`] after the push; a count that is missing says nothing.
    pub(super) fn in_use(&self, pushed_at: Option<Timestamp>) -> Option<InUse> {
        let (as_of, answer) = self.newest_asked()?;
        let Usage { count, last_at, .. } = answer.usage;
        let count = count?;
        let collected = pushed_at.and_then(|pushed| pushed.checked_add(USAGE_LAG).ok());
        let known = count > 0 || collected.is_some_and(|collected| collected <= as_of);
        known.then_some(InUse { count, last_at, as_of })
    }

    /// Whether it is not known whether Inspector scans the image, or that was so long ago that it may be otherwise now.
    pub fn is_outdated(&self, now: Timestamp) -> bool {
        !holds(self.newest(), now)
    }

    /// Whether Inspector was never asked how the image is used, or so long ago that it may answer otherwise.
    pub fn usage_is_outdated(&self, now: Timestamp) -> bool {
        !holds(self.newest_asked(), now)
    }

    /// Whether the image was covered when a finding closed and without a gap until at least [`COVERAGE_MARGIN`] later.
    /// A scan shows coverage as a "yes" does.
    pub(super) fn vouches_for(&self, closed: Timestamp, scanned: Option<Timestamp>) -> bool {
        let before = self.0.range(..closed).next_back();
        let ended = before.is_some_and(|(at, answer)| {
            !answer.covered && !scanned.is_some_and(|scanned| *at < scanned && scanned <= closed)
        });
        let Ok(settled) = closed.checked_add(COVERAGE_MARGIN) else { return false };
        !ended
            && self.0.range(closed..).take_while(|(_, answer)| answer.covered).any(|(at, _)| *at >= settled)
    }

    /// The join. Returns whether the answer was news.
    pub(super) fn merge(&mut self, at: Timestamp, answer: CoverageAnswer) -> bool {
        if self.0.get(&at).is_some_and(|known| *known <= answer) {
            return false;
        }
        self.0.insert(at, answer);
        if self.0.len() > ANSWERS { self.forget_one() != Some(at) } else { true }
    }

    /// Forgets the oldest answer between two like it, without which every closing stands as before. Where there is
    /// none, forgets the oldest "yes": that can only make what is resolved open again.
    fn forget_one(&mut self) -> Option<Timestamp> {
        let answers: Vec<(Timestamp, bool)> =
            self.0.iter().map(|(at, answer)| (*at, answer.covered)).collect();
        let between =
            answers.windows(3).find(|three| three.iter().all(|(_, covered)| *covered == three[0].1));
        let spare = between
            .map(|three| three[1].0)
            .or_else(|| answers.iter().find(|(_, covered)| *covered).map(|(at, _)| *at))?;
        self.0.remove(&spare);
        Some(spare)
    }
}

fn holds(answer: Option<(Timestamp, &CoverageAnswer)>, now: Timestamp) -> bool {
    answer.and_then(|(at, _)| at.checked_add(COVERAGE_HOLDS).ok()).is_some_and(|until| until > now)
}

#[cfg(test)]
mod tests;
