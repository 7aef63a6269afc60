//! What the sweep remembers from one run to the next, and how it goes on. Pure.
//!
//! It works in small steps. After each step the state is stored, so a run that ends anywhere is continued by the next;
//! what a step sent is sent again, which costs reads only.

mod changes;
mod reminders;
mod round;
mod scanning;
mod standing;
mod summary;
mod unscanned;
mod walk;
mod watch;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::policy::Fingerprint;

pub use changes::{Changes, Seen};
pub use reminders::Reminders;
pub use round::{Position, Round};
pub use scanning::{Scanning, SwitchedOff};
pub use standing::{Standing, Worst};
pub use summary::{adopted, policy_changed};
pub use unscanned::Unscanned;
pub use walk::{Missing, Registered, Stage, Walk, Want, missing, want};
pub use watch::{Watched, Watches};

/// How long a continuation that was sent is waited for.
const CONTINUES_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// What the sweep remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// Since when which repositories are watched.
    pub watches: Watches,
    /// The images that are due, as far as they were sent.
    pub round: Option<Round>,
    pub policy: PolicyState,
    pub changes: Changes,
    pub walk: Option<Walk>,
    /// When the last walk that ended began.
    pub walked_at: Option<Timestamp>,
    pub adoption: Adoption,
    pub reminders: Reminders,
    pub scanning: Scanning,
    pub unscanned: Unscanned,
    /// When the gauges were published last.
    pub gauged_at: Option<Timestamp>,
    /// When a continuation is expected that was sent.
    pub continues_at: Option<Timestamp>,
}

/// How far all images are judged by the policy that is deployed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PolicyState {
    /// By which all are, as far as is known.
    pub done: Option<Fingerprint>,
    /// By which they are being judged, and since when.
    pub under_way: Option<(Timestamp, Fingerprint)>,
    /// How far the images were looked through.
    pub shard: u8,
    /// How many differed so far, this time through.
    pub differ: u64,
    /// How many times all were looked through.
    pub passes: u32,
}

/// How many times all images are looked through before a new policy counts as in force everywhere: an image that cannot be
/// judged must not keep that from being told.
const PASSES: u32 = 20;

impl PolicyState {
    /// What is to be done about a policy that is deployed: nothing, or to go on with it.
    #[must_use]
    pub fn meet(self, deployed: &Fingerprint, now: Timestamp) -> Self {
        let is_under_way = self.under_way.as_ref().is_some_and(|(_, policy)| policy == deployed);
        if is_under_way || self.under_way.is_none() && self.done.as_ref() == Some(deployed) {
            return self;
        }
        // What one policy changed that another replaces on its way is told with that one.
        let since = self.under_way.map_or(now, |(since, _)| since);
        Self { done: self.done, under_way: Some((since, deployed.clone())), ..Self::default() }
    }

    /// After another shard, in which so many images differed. Returns what is left, and whether that ended it.
    #[must_use]
    pub fn after_shard(mut self, differ: u64, shards: u8) -> (Self, bool) {
        self.shard += 1;
        self.differ += differ;
        if self.shard < shards {
            return (self, false);
        }
        let (differed, passes) = (self.differ, self.passes + 1);
        if differed == 0 || passes >= PASSES {
            let done = self.under_way.map(|(_, policy)| policy);
            return (Self { done, ..Self::default() }, true);
        }
        (Self { shard: 0, differ: 0, passes, ..self }, false)
    }
}

/// How far the images are adopted that were there before.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Adoption {
    /// Since when, while one is under way.
    pub since: Option<Timestamp>,
    /// Since when the first of their repositories is watched.
    pub from: Option<Timestamp>,
    /// How many images were sent so far.
    pub sent: u64,
    /// Whether all were sent, so that it ends when they are judged.
    pub all_sent_at: Option<Timestamp>,
    /// When the summary of the last one was announced.
    pub told_at: Option<Timestamp>,
}

/// How long after all were sent an adoption is told of at the latest.
const ADOPTION_TAKES: SignedDuration = SignedDuration::from_hours(24);
/// How long after all were sent it is told of at the earliest: what is being handled is in no queue.
const ADOPTION_SETTLES: SignedDuration = SignedDuration::from_mins(10);
/// Up to how many messages in the queues behind belong to what goes on every day.
const QUIET: u64 = 20;

impl Adoption {
    /// Whether it can be told what was adopted: all is judged, and somebody gets to read it; or a day has passed.
    pub fn is_to_be_told(&self, waiting: u64, now: Timestamp) -> ToBeTold {
        let Some(sent) = self.all_sent_at.filter(|_| self.told_at.is_none()) else { return ToBeTold::No };
        let since = now.duration_since(sent);
        if since >= ADOPTION_TAKES {
            ToBeTold::Yes
        } else if waiting <= QUIET && since >= ADOPTION_SETTLES {
            ToBeTold::IfSomebodyReadsIt
        } else {
            ToBeTold::No
        }
    }

    /// After that was told.
    #[must_use]
    pub fn told(now: Timestamp) -> Self {
        Self { told_at: Some(now), ..Self::default() }
    }
}

/// Whether an adoption is to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ToBeTold {
    No,
    IfSomebodyReadsIt,
    Yes,
}

impl State {
    /// Notes that a continuation has come. One that comes too early is a duplicate, and the other one is still to come.
    pub fn note_continuation(&mut self, now: Timestamp) {
        self.continues_at = self.continues_at.filter(|at| *at > now);
    }

    /// When the next run is to come by itself, and whether a message is to be sent for that: one run is continued by one
    /// other, however many were started by the schedule.
    pub fn sends_continuation(&self, now: Timestamp) -> bool {
        self.continues_at.is_none_or(|at| at.checked_add(CONTINUES_WITHIN).is_ok_and(|late| late <= now))
    }
}

#[cfg(test)]
mod tests;
