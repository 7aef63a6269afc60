//! What changed of Inspector's findings since it was asked last. Pure.
//!
//! Inspector lists findings by when they were updated, but does not sort them by that. So the end of what is asked for is
//! fixed, and it counts as asked for only when the last page is there.

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::finding::Finding;
use crate::ledger::Ledger;

/// How often it is asked.
const EVERY: SignedDuration = SignedDuration::from_hours(1);
/// By how much what is asked for overlaps with what was: the list may lag behind the events, and a change that is younger
/// than this may still be under way as one, so it is left to the next time.
const OVERLAP: SignedDuration = SignedDuration::from_mins(30);
/// After a longer gap than this the list does not have all: where scanning is switched off, findings are removed within a
/// day. <https://docs.aws.amazon.com/inspector/latest/user/deactivating-best-practices.html>
const GAP: SignedDuration = SignedDuration::from_hours(20);

/// How far it was asked what changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Changes {
    /// All that was updated by then was looked at.
    pub until: Option<Timestamp>,
    /// From when to when is being asked, and the page that is next.
    pub under_way: Option<(Timestamp, Timestamp, Option<String>)>,
}

impl Changes {
    /// What is to be asked: what is under way, or what has come since; `None` if it is too early. Also whether everything
    /// is to be walked, because the gap is too long.
    #[must_use]
    pub fn next(&self, now: Timestamp) -> (Option<(Timestamp, Timestamp, Option<String>)>, bool) {
        if self.under_way.is_some() {
            return (self.under_way.clone(), false);
        }
        let Some(until) = self.until else {
            // Nothing was watched before; what is there is adopted.
            return (Some((now, now, None)), false);
        };
        let gap = now.duration_since(until);
        if gap < EVERY {
            return (None, false);
        }
        let from = until.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN);
        (Some((from, now, None)), gap > GAP)
    }

    /// After a page, with what comes next.
    #[must_use]
    pub fn after_page(self, (from, to): (Timestamp, Timestamp), next: Option<String>) -> Self {
        match next {
            Some(token) => Self { under_way: Some((from, to, Some(token))), ..self },
            None => Self { until: Some(to), under_way: None },
        }
    }
}

/// Whether a ledger has seen a finding as it is listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Seen {
    Yes,
    /// It has not, but its event may still come.
    NotYet,
    /// It has not, and no event has brought it.
    Lost,
}

impl Seen {
    pub fn of(finding: &Finding, ledger: Option<&Ledger>, now: Timestamp) -> Self {
        let known = ledger.and_then(|ledger| ledger.facts.findings.get(&finding.id));
        if known.is_some_and(|known| known.finding.updated_at >= finding.updated_at) {
            return Self::Yes;
        }
        let late = finding.updated_at.checked_add(OVERLAP).is_ok_and(|late| late <= now);
        if late { Self::Lost } else { Self::NotYet }
    }
}
