//! Whose an image is, by the tags of its repository. One call asks about all repositories of a batch, and its answers are
//! kept for the batches after it; each ledger keeps its own. It is optional to know: what cannot be had at once is not
//! waited for, and asked again with the next evidence.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use aws::tagging::{REPOSITORIES_PER_CALL, Tagging};
use domain::image::ImageId;
use domain::ledger::Evidence;
use domain::provenance::{RepositoryTags, TagsAsOf};
use jiff::Timestamp;
use lambda::optional::{Pause, in_time};

use crate::AssessImage;
use crate::draft::Draft;

/// How many answers are kept; beyond that the oldest are forgotten.
const KEPT: usize = 10_000;

/// The tags of repositories, and what is known of them already.
#[derive(Debug)]
pub(crate) struct Repositories {
    tagging: Tagging,
    partition: Option<String>,
    /// The repositories of the batch, by ARN.
    batch: Mutex<BTreeSet<String>>,
    /// Locked during a call, so that several images of a batch share one.
    known: tokio::sync::Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    answers: BTreeMap<String, TagsAsOf>,
    pause: Pause,
}

impl Known {
    fn fresh(&self, arn: &str, now: Timestamp) -> Option<TagsAsOf> {
        self.answers.get(arn).filter(|answer| answer.holds(now)).cloned()
    }

    /// The repository, and with it others of the batch of which nothing fresh is known.
    fn to_ask(&self, arn: &str, batch: &BTreeSet<String>, now: Timestamp) -> Vec<String> {
        let others = batch.iter().filter(|other| *other != arn && self.fresh(other, now).is_none());
        std::iter::once(arn.to_owned()).chain(others.cloned()).take(REPOSITORIES_PER_CALL).collect()
    }

    /// Notes an answer about all that was asked. A repository that it does not name has no tags.
    fn note(&mut self, asked: Vec<String>, mut said: BTreeMap<String, RepositoryTags>, now: Timestamp) {
        for arn in asked {
            let tags = said.remove(&arn).unwrap_or_default();
            self.answers.insert(arn, TagsAsOf { at: now, tags });
        }
        while self.answers.len() > KEPT {
            let oldest = self.answers.iter().min_by_key(|(_, answer)| answer.at).map(|(arn, _)| arn.clone());
            let Some(oldest) = oldest else { return };
            self.answers.remove(&oldest);
        }
    }
}

impl Repositories {
    /// `partition` is that of the account; without it, it follows from an image's region.
    pub(crate) fn new(tagging: Tagging, partition: Option<String>) -> Self {
        let (batch, known) = (Mutex::default(), tokio::sync::Mutex::default());
        Self { tagging, partition, batch, known }
    }

    fn arn(&self, image: &ImageId) -> String {
        image.repository_arn(self.partition.as_deref())
    }

    /// Notes that a batch has an image of a repository.
    pub(crate) fn expect(&self, image: &ImageId) {
        self.batch.lock().unwrap_or_else(PoisonError::into_inner).insert(self.arn(image));
    }

    /// What the tags of an image's repository say; `None` where that cannot be had now.
    async fn of(&self, image: &ImageId, now: Timestamp) -> Option<TagsAsOf> {
        let arn = self.arn(image);
        let mut known = self.known.lock().await;
        if let Some(answer) = known.fresh(&arn, now) {
            return Some(answer);
        }
        if known.pause.holds(now) {
            return None;
        }
        let batch = std::mem::take(&mut *self.batch.lock().unwrap_or_else(PoisonError::into_inner));
        let asked = known.to_ask(&arn, &batch, now);
        let said = in_time("the tags of repositories", self.tagging.repositories(asked.clone())).await;
        known.pause.note(said.is_some(), now);
        if let Some(said) = said {
            known.note(asked, said, now);
        }
        known.fresh(&arn, now)
    }
}

impl AssessImage {
    /// Asks for the tags of a root's repository, if what the ledger has of them is old. Returns whether that changed
    /// anything that was known.
    pub(crate) async fn ask_belonging(&self, draft: &mut Draft<'_>) -> bool {
        let Some(repositories) = &self.repositories else { return false };
        let now = self.clock.now();
        let facts = &draft.ledger.facts;
        if !facts.is_root() || facts.repository_tags.as_ref().is_some_and(|known| known.holds(now)) {
            return false;
        }
        match repositories.of(&draft.ledger.image, now).await {
            Some(answer) => draft.learn(Evidence::RepositoryTags(answer)),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes)
    }

    fn arns(range: std::ops::Range<usize>) -> Vec<String> {
        range.map(|n| format!("arn:{n:05}")).collect()
    }

    #[test]
    fn one_call_asks_about_a_hundred_repositories_of_the_batch() {
        let mut known = Known::default();
        known.note(arns(0..50), BTreeMap::new(), minute(0));
        let batch = arns(0..200).into_iter().collect();
        let asked = known.to_ask("arn:00199", &batch, minute(1));
        assert_eq!((asked.len(), asked[0].as_str(), asked[1].as_str()), (100, "arn:00199", "arn:00050"));
        let again = known.to_ask("arn:00199", &batch, minute(400));
        assert_eq!(again[1], "arn:00000", "an old answer is asked for again");
    }

    #[test]
    fn repository_that_is_not_answered_for_has_no_tags() {
        let mut known = Known::default();
        let shop = RepositoryTags { owner: Some("shop".to_owned()), ..RepositoryTags::default() };
        let said = BTreeMap::from([("arn:00001".to_owned(), shop.clone())]);
        known.note(arns(0..2), said, minute(0));
        let tags = |arn| known.fresh(arn, minute(1)).map(|answer| answer.tags);
        assert_eq!(tags("arn:00000"), Some(RepositoryTags::default()));
        assert_eq!((tags("arn:00001"), tags("arn:00002")), (Some(shop), None));
    }

    #[test]
    fn answers_that_are_kept_are_bounded() {
        let mut known = Known::default();
        known.note(arns(0..1), BTreeMap::new(), minute(0));
        known.note(arns(1..KEPT + 1), BTreeMap::new(), minute(1));
        assert_eq!(known.answers.len(), KEPT);
        assert!(!known.answers.contains_key("arn:00000"));
    }
}
