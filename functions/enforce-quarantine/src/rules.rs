//! What the rules of the registry say of repositories. Each kind of rule is asked for once an hour, and only where something
//! depends on it. It is optional to know: what cannot be had at once is not waited for.

use std::collections::BTreeSet;

use aws::ecr::Registry;
use domain::image::ImageId;
use domain::quarantine::{self, Destination, ReplicationRule, RepositoryKind};
use jiff::{SignedDuration, Timestamp};
use lambda::optional::{PAUSE, in_time};
use tokio::sync::Mutex;

/// For how long an answer holds.
const HOLDS: SignedDuration = SignedDuration::from_hours(1);

/// The rules, as far as they are known. A lock is held during a call, so that several images of a batch share one.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    caches: Mutex<Known<Vec<String>>>,
    replication: Mutex<Known<Vec<ReplicationRule>>>,
}

#[derive(Debug)]
struct Known<T> {
    answer: Option<T>,
    /// Until when nothing is asked.
    until: Option<Timestamp>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self { answer: None, until: None }
    }
}

impl<T> Known<T> {
    fn is_due(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// Without an answer, an older one still stands.
    fn note(&mut self, answer: Option<T>, now: Timestamp) {
        let wait = if answer.is_some() { HOLDS } else { PAUSE };
        self.until = now.checked_add(wait).ok();
        self.answer = answer.or(self.answer.take());
    }
}

impl Rules {
    /// The kind of an image's repository; normal where that is not known.
    pub(crate) async fn kind(&self, registry: &Registry, image: &ImageId, now: Timestamp) -> RepositoryKind {
        let mut known = self.caches.lock().await;
        if known.is_due(now) {
            let answer = in_time("the pull-through cache rules", registry.cache_prefixes()).await;
            known.note(answer, now);
        }
        let prefixes = known.answer.as_deref().unwrap_or_default();
        RepositoryKind::by_rules(prefixes, &image.repository)
    }

    /// Where ECR replicates an image to; nowhere where that is not known.
    pub(crate) async fn destinations(
        &self,
        registry: &Registry,
        image: &ImageId,
        now: Timestamp,
    ) -> BTreeSet<Destination> {
        let mut known = self.replication.lock().await;
        if known.is_due(now) {
            let answer = in_time("the replication rules", registry.replication_rules()).await;
            known.note(answer, now);
        }
        quarantine::destinations(known.answer.as_deref().unwrap_or_default(), image)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answer_holds_for_an_hour_and_a_failure_for_five_minutes_without_losing_it() {
        let minute = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let mut known = Known::default();
        assert!(known.is_due(minute(0)));
        known.note(None, minute(0));
        assert!(!known.is_due(minute(4)) && known.is_due(minute(5)) && known.answer.is_none());
        known.note(Some(1), minute(5));
        assert!(!known.is_due(minute(64)) && known.is_due(minute(65)));
        known.note(None, minute(65));
        assert!(!known.is_due(minute(69)) && known.is_due(minute(70)));
        assert_eq!(known.answer, Some(1));
        known.note(Some(2), minute(70));
        assert_eq!(known.answer, Some(2));
    }
}
