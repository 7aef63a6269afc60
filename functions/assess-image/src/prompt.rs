//! Why an image is judged, where its own events are not the reason. Pure.

use domain::assessment::Occasion;
use domain::event::{Event, ImageDue};
use domain::ledger::Facts;
use domain::policy::Fingerprint;
use jiff::{SignedDuration, Timestamp};

/// How long a message waits for the policy by which an image is to be judged: functions get a new one one after the
/// other. After that the one that is there will do, and the sweep asks again.
const POLICY_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(15);
/// After how many seconds it is tried again.
pub(crate) const POLICY_TRIED_AFTER: u16 = 60;

/// What the messages "Image Due" of a batch say of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Prompt {
    pub(crate) is_due: bool,
    /// Whether all that there is to say belongs to an adoption.
    pub(crate) adoption: bool,
    /// Whether it is judged for no other reason than that the policy is a new one.
    pub(crate) new_policy: bool,
    /// Whether findings changed of which no event came.
    pub(crate) unseen: bool,
}

impl Prompt {
    pub(crate) fn of(events: &[Event], known: Option<&Fingerprint>, ours: &Fingerprint) -> Self {
        let due = || events.iter().filter_map(due);
        let only_due = !events.is_empty() && due().count() == events.len();
        let wanted = |due: &ImageDue| due.policy.as_ref().is_some_and(|(_, policy)| policy == ours);
        Self {
            is_due: due().next().is_some(),
            adoption: only_due && due().all(|due| due.adoption),
            new_policy: only_due && due().all(wanted) && known != Some(ours),
            unseen: due().any(|due| due.unseen),
        }
    }

    /// On which occasion something is announced of an image, if it is on one. `is_news` says whether somebody else brought
    /// news of it; what a new policy asks is no such news.
    pub(crate) fn occasion(
        &self,
        facts: &Facts,
        was_announced: bool,
        is_news: bool,
        policy: &Fingerprint,
        deployed_by: Option<&str>,
    ) -> Option<Occasion> {
        if self.adoption && !was_announced && facts.adopted_at.is_some() {
            return Some(Occasion::Adopted);
        }
        let is_by_policy = self.new_policy && was_announced && !is_news;
        is_by_policy.then(|| Occasion::PolicyChanged {
            policy: policy.clone(),
            deployed_by: deployed_by.map(str::to_owned),
        })
    }
}

/// Whether a message wants an image to be judged by a policy that is still to come.
pub(crate) fn awaits_policy(event: &Event, ours: &Fingerprint, now: Timestamp) -> bool {
    let wanted = due(event).and_then(|due| due.policy.as_ref());
    wanted.is_some_and(|(since, policy)| {
        policy != ours && since.checked_add(POLICY_COMES_WITHIN).is_ok_and(|until| now < until)
    })
}

/// Whether the sweep sent a message. It comes again as long as the image is due.
pub(crate) fn comes_again(event: &Event) -> bool {
    due(event).is_some_and(|due| due.policy.is_some())
}

fn due(event: &Event) -> Option<&ImageDue> {
    match event {
        Event::Due(due) => Some(due),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
