//! One image's update: load, announce what a crash left, merge, enrich, judge, store, announce.
//!
//! The order is the outbox of the pipeline: the ledger is stored with its assessment still unpublished in it,
//! then the assessment is announced, then that is noted. Whoever loads a ledger with an unpublished assessment
//! announces it first, so a crash between any two steps is healed by the retry. The images that have to be judged
//! because of it, the indexes of a platform, are stored and sent likewise.

use aws::dynamodb::{Change, StoredLedger};
use domain::assessment::{Assessed, Assessment, Look, look};
use domain::event::Event;
use domain::image::ImageId;
use domain::ledger::Evidence;
use domain::text::with_causes;
use jiff::Timestamp;
use lambda::optional::in_time;

use crate::draft::{Attempts, Draft, Unfinished};
use crate::prompt::{self, Prompt};
use crate::root::{self, Wait};
use crate::{AssessError, AssessImage};

impl AssessImage {
    /// Takes in what a batch says of an image. Returns what is left to do, or why none of it took effect.
    pub(crate) async fn update(&self, image: &ImageId, events: &[Event]) -> Result<Unfinished, AssessError> {
        // What waits for another policy is not judged by this one.
        let now = self.clock.now();
        let awaits = |event: &Event| prompt::awaits_policy(event, &self.fingerprint, now);
        let waiting = events.iter().any(awaits);
        let ready: Vec<Event> = if waiting {
            events.iter().filter(|event| !awaits(event)).cloned().collect()
        } else {
            Vec::new()
        };
        let events = if waiting { ready.as_slice() } else { events };
        let mut attempts = Attempts::default();
        let mut unfinished = Unfinished::default();
        let change = async |stored: &mut StoredLedger| {
            unfinished = Unfinished::default();
            self.change(stored, events, &mut attempts, &mut unfinished).await
        };
        if !events.is_empty()
            && let Some(mut stored) = self.ledgers.update(image, change).await?
        {
            self.publish(&mut stored).await?;
            self.outbox.empty(&mut stored).await?;
        }
        unfinished.awaiting = waiting.then(|| (self.fingerprint.clone(), now));
        Ok(unfinished)
    }

    async fn change(
        &self,
        stored: &mut StoredLedger,
        events: &[Event],
        attempts: &mut Attempts,
        unfinished: &mut Unfinished,
    ) -> Result<Change, AssessError> {
        if !self.publish(stored).await? || !self.outbox.empty(stored).await? {
            return Ok(Change::Reload);
        }
        let before = stored.ledger.facts.clone();
        let judged_by = stored.ledger.announced.policy.clone();
        let prompt = Prompt::of(events, judged_by.as_ref(), &self.fingerprint);
        let mut draft = Draft { ledger: &mut stored.ledger, answers: &mut attempts.answers, unfinished };
        let recalled = draft.recall();
        let gathered = self.gather(&mut draft, events, &prompt).await;
        let is_due = prompt.is_due;
        let enriched = self.enrich(&mut draft, recalled || gathered, &prompt).await;
        let learnt = recalled || gathered || enriched;
        if !learnt && !is_due && draft.ledger.announced.waiting_since.is_none() {
            return Ok(Change::Nothing);
        }
        let now = self.clock.now();
        if let Some(Wait { since, until }) = root::wait(draft.ledger, now) {
            let reason = "an untagged image may be a part of an index that is still to come";
            draft.unfinished.ask_again(AssessError::too_early(reason, until, now));
            let begins = draft.ledger.announced.waiting_since.replace(since).is_none();
            // Should the message that waits be lost, the sweep finds it.
            stored.due = Some(until);
            return Ok(if learnt || begins { Change::Store } else { Change::Nothing });
        }
        let platforms = self.platforms(&mut draft, &prompt).await?;
        let subject = platforms.of(draft.ledger);
        let next = stored.version + 1;
        let asked = draft.answers.len();
        let mut announces = false;
        let is_news = attempts.news.is_there(&before, gathered);
        let occasion = prompt.occasion(subject.ledger, is_news, &self.fingerprint, now);
        let occasion = occasion.map(|occasion| occasion.by(self.deployed_by.as_deref()));
        let Look { assessed, due } = look(subject, next, occasion, &self.policy, now);
        if let Some(Assessed { mut assessment, announced }) = assessed
            && self.is_to_be_told(&mut draft, &mut assessment).await
        {
            self.locate(&draft, &mut assessment).await;
            self.label(&mut draft, &platforms, &mut assessment).await;
            draft.ledger.announced = announced;
            stored.unpublished = Some(assessment);
            announces = true;
        }
        // That there was nothing to tell may be news itself: the image is gone, or no root any more.
        let learnt = learnt || draft.answers.len() > asked;
        if is_due && stored.ledger.facts.is_index() {
            // An index in another one passes on what its platforms say.
            let parents = stored.ledger.facts.parents();
            self.outbox.send(&stored.ledger.image, parents).await?;
        }
        let is_listed = stored.ledger.facts.is_root() && !stored.ledger.facts.is_gone();
        if is_listed {
            stored.ledger.announced.policy = Some(self.fingerprint.clone());
        }
        unfinished.stays_due = due.is_some_and(|due| due <= now);
        // Stored in whole seconds.
        let second = |due: Option<Timestamp>| due.map(Timestamp::as_second);
        let redated = second(stored.due) != second(due);
        stored.due = due;
        let relisted = redated || is_listed && judged_by.as_ref() != Some(&self.fingerprint);
        if learnt {
            let facts = &stored.ledger.facts;
            stored.due_images = facts.parents().cloned().collect();
            // The registry does not have the index any more: what it contained must be told.
            if facts.has_news_for_children(&before) {
                stored.due_images.insert(stored.ledger.image.digest.clone());
            }
        }
        attempts.news.end(before);
        Ok(if learnt || announces || relisted { Change::Store } else { Change::Nothing })
    }

    /// Announces what is unpublished, if anything is. Returns whether the ledger is still the one that is stored.
    async fn publish(&self, stored: &mut StoredLedger) -> Result<bool, AssessError> {
        if let Some(assessment) = &stored.unpublished {
            self.announcements.announce(assessment).await?;
            tracing::info!(assessment = assessment.id, verdict = %assessment.verdict, "announced");
            return Ok(self.ledgers.mark_published(stored).await?);
        }
        Ok(true)
    }

    /// Says what runs an image that comes under quarantine. Of an image that is part of an index Inspector never knows.
    /// An announcement without it is better than a late one.
    async fn locate(&self, draft: &Draft<'_>, assessment: &mut Assessment) {
        let image = &draft.ledger.image;
        if !assessment.is_quarantined() || draft.ledger.facts.is_multi_platform() {
            return;
        }
        if let Some(workloads) = in_time("what runs the image", self.inspector.workloads(image)).await {
            assessment.image.name_workloads(workloads);
        }
    }

    /// Whether an assessment is to be announced. Where people may be told of it, asks which tags the image has, for an
    /// alert must not name an image by a tag that has moved to the one with the fix; and of an image that is gone nobody
    /// needs to hear, nor of one that has lost its tag and is judged as a part of its index. An alert with the tags that are
    /// known is better than none.
    async fn is_to_be_told(&self, draft: &mut Draft<'_>, assessment: &mut Assessment) -> bool {
        let asked = draft.answers.iter().any(|evidence| matches!(evidence, Evidence::Tagged { .. }));
        if asked || !assessment.is_news() {
            return true;
        }
        if let Err(error) = self.describe(draft).await {
            let reason = with_causes(&error);
            tracing::warn!(image = %draft.ledger.image, reason, "announced with the tags that are known");
        }
        let facts = &draft.ledger.facts;
        assessment.image.name_tags(facts.tags());
        !facts.is_gone() && facts.is_root()
    }
}
