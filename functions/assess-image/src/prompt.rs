//! Why an image is judged, where its own events are not the reason. Pure.

use domain::assessment::Occasion;
use domain::event::{Event, ImageDue};
use domain::ledger::{CoverageAnswer, Ledger};
use domain::policy::Fingerprint;
use jiff::{SignedDuration, Timestamp};

/// How long a message waits for the policy by which an image is to be judged: functions get a new one one after the
/// other. After that the one that is there will do, and the sweep asks again.
const POLICY_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// After how many seconds it is tried again.
pub(crate) const POLICY_TRIED_AFTER: u16 = 60;

/// For how long what is said first of an adopted image belongs to the adoption. Inspector may list findings of no more than an
/// image a second; what is scanned for the first time later than this is news.
const ADOPTION_TAKES: SignedDuration = SignedDuration::from_hours(7 * 24);

/// What the messages "Image Due" of a batch say of an image.
// Independent facts.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) is_due: bool,
    /// Whether nothing else says anything of it.
    only_due: bool,
    /// Whether it is judged for no other reason than that the policy is a new one.
    new_policy: bool,
    /// Whether findings changed of which no event came.
    pub(crate) unseen: bool,
    /// Whether the registry is to be asked what it has of it.
    pub(crate) registry_differs: bool,
    /// What Inspector said of it, the newest.
    pub(crate) coverage: Option<(Timestamp, CoverageAnswer)>,
}

impl Prompt {
    pub(crate) fn of(events: &[Event], known: Option<&Fingerprint>, ours: &Fingerprint) -> Self {
        let due = || events.iter().filter_map(due);
        let only_due = !events.is_empty() && due().count() == events.len();
        let wanted = |due: &ImageDue| due.policy.as_ref().is_some_and(|(_, policy)| policy == ours);
        Self {
            is_due: due().next().is_some(),
            only_due,
            new_policy: only_due && due().all(wanted) && known != Some(ours),
            unseen: due().any(|due| due.unseen),
            registry_differs: due().any(|due| due.registry_differs),
            coverage: due().filter_map(|due| due.coverage.clone()).max_by_key(|(at, _)| *at),
        }
    }

    /// On which occasion something is announced of an image, if it is on one. `is_news` says whether somebody else brought
    /// news of it; what a new policy asks is no such news.
    pub(crate) fn occasion(
        &self,
        ledger: &Ledger,
        is_news: bool,
        policy: &Fingerprint,
        now: Timestamp,
    ) -> Option<Occasion> {
        let was_announced = ledger.announced.at.is_some();
        let adopted = ledger.facts.adopted_at.and_then(|at| at.checked_add(ADOPTION_TAKES).ok());
        if self.only_due && !was_announced && adopted.is_some_and(|until| now < until) {
            return Some(Occasion::Adopted);
        }
        let is_by_policy = self.new_policy && was_announced && !is_news;
        is_by_policy.then(|| Occasion::PolicyChanged { policy: policy.clone(), deployed_by: None })
    }
}

/// Whether a message wants an image to be judged by a policy that is still to come.
pub(crate) fn awaits_policy(event: &Event, ours: &Fingerprint, now: Timestamp) -> bool {
    let wanted = due(event).and_then(|due| due.policy.as_ref());
    wanted.is_some_and(|(since, policy)| {
        policy != ours && since.checked_add(POLICY_COMES_WITHIN).is_ok_and(|until| now < until)
    })
}

/// Whether the clock alone is the reason of a message. It comes again as long as the image is due.
pub(crate) fn comes_again(event: &Event) -> bool {
    due(event).is_some_and(|due| {
        let says_nothing =
            !due.unseen && !due.registry_differs && due.coverage.is_none() && due.registered.is_none();
        due.policy.is_some() && says_nothing
    })
}

fn due(event: &Event) -> Option<&ImageDue> {
    match event {
        Event::Due(due) => Some(due),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
