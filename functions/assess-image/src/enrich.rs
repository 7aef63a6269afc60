//! Asking what the events alone do not say, where that matters. None of it holds a verdict back: what cannot be had now
//! is asked again later.

use aws::ecr::ImageDescription;
use domain::finding::Source;
use domain::ledger::{Evidence, Ledger};
use domain::verdict::Verdict;
use jiff::{Timestamp, ToSpan};

use crate::draft::Draft;
use crate::prompt::Prompt;
use crate::{AssessError, AssessImage, question};

/// How far ahead a question is waited for. One that is further away is asked with the next evidence.
const HORIZON_MINUTES: i64 = 60;

impl AssessImage {
    /// Asks for what is missing. Of an image whose first scan is running nothing is said yet, so nothing is asked.
    /// Returns whether that changed anything that was known.
    pub(crate) async fn enrich(&self, draft: &mut Draft<'_>, is_news: bool, prompt: &Prompt) -> bool {
        let is_due = prompt.is_due;
        let mut changed = false;
        let facts = &draft.ledger.facts;
        if facts.is_gone() {
            return false;
        }
        if prompt.registry_differs {
            match self.describe(draft).await {
                Ok(described) => changed |= described,
                Err(problem) => draft.unfinished.ask_again(problem),
            }
            if draft.ledger.facts.is_gone() {
                return changed;
            }
        }
        let facts = &draft.ledger.facts;
        if !facts.is_index() && !facts.is_scanned() && !facts.has_failed_scan() {
            changed |= is_due && self.ask_for_the_scan(draft, prompt).await;
            if !draft.ledger.facts.is_scanned() || draft.ledger.facts.is_gone() {
                return changed;
            }
        }
        // A repetition is answered with what is known.
        changed |= (is_news || is_due) && self.ask_belonging(draft).await;
        let facts = &draft.ledger.facts;
        // The event of its push was lost, or is late.
        if facts.pushed_at.is_none() {
            match self.describe(draft).await {
                Ok(described) => changed |= described,
                Err(problem) => draft.unfinished.ask_again(problem),
            }
        }
        match self.ask_coverage(draft).await {
            Ok(covered) => changed |= covered,
            Err(problem) => draft.unfinished.ask_again(problem),
        }
        changed |= self.ask_exploitation(draft).await;
        let now = self.clock.now();
        if question::usage_is_due(draft.ledger, &self.policy, now) {
            match self.coverage(&draft.ledger.image).await {
                Ok(answer) => changed |= draft.learn(Evidence::Coverage { at: now, answer }),
                Err(error) => draft.unfinished.ask_again(error.into()),
            }
        }
        changed
    }

    /// Asks the registry for the image: its tags and its push, or that it is gone. An image in the archive has neither
    /// and is not gone. Returns whether that was news.
    pub(crate) async fn describe(&self, draft: &mut Draft<'_>) -> Result<bool, AssessError> {
        let at = self.clock.now();
        let Some(ImageDescription { tags, pushed_at, media_type }) =
            self.registry.describe(&draft.ledger.image).await?
        else {
            let archived = self.registry.exists(&draft.ledger.image).await?;
            return Ok(!archived && draft.learn(Evidence::Gone { at }));
        };
        let tagged = draft.learn(Evidence::Tagged { at, tags }) | self.recall_withheld(draft, at).await?;
        let described =
            pushed_at.is_some_and(|pushed_at| draft.learn(Evidence::Described { pushed_at, media_type }));
        Ok(tagged | described)
    }

    /// The registry does not say which tags quarantine took off. Read after the registry was asked, for they are noted
    /// before they go.
    async fn recall_withheld(&self, draft: &mut Draft<'_>, at: Timestamp) -> Result<bool, AssessError> {
        let Ledger { image, announced, .. } = &*draft.ledger;
        if announced.verdict == Verdict::Pending && !announced.quarantined {
            return Ok(false);
        }
        let tags: Vec<String> = self.enforcement.notes(image).await?.value.removed.into_keys().collect();
        Ok(!tags.is_empty() && draft.learn(Evidence::Withheld { at, tags }))
    }

    /// Asks whether Inspector scans the image, where findings have gone of which that decides whether they are fixed.
    async fn ask_coverage(&self, draft: &mut Draft<'_>) -> Result<bool, AssessError> {
        let now = self.clock.now();
        let mut changed = false;
        if draft.ledger.facts.coverage_question().is_some_and(|due| due <= now) {
            let answer = self.coverage(&draft.ledger.image).await?;
            changed |= draft.learn(Evidence::Coverage { at: now, answer });
            if let Some(at) = draft.ledger.facts.unlisted_scan(now) {
                let source = Source::Inspector;
                let findings = self.inspector.findings(&draft.ledger.image).await?;
                changed |=
                    draft.learn(Evidence::Listing { source, at, scanned: true, findings, tags: vec![] });
            }
        }
        match draft.ledger.facts.coverage_question().filter(|due| is_near(*due, now)) {
            Some(until) => {
                let reason = "closed findings may be fixed, or no longer scanned for";
                draft.unfinished.ask_again(AssessError::too_early(reason, until, now));
                Ok(changed)
            }
            None => Ok(changed),
        }
    }
}

fn is_near(due: Timestamp, now: Timestamp) -> bool {
    due > now && now.checked_add(HORIZON_MINUTES.minutes()).is_ok_and(|horizon| due <= horizon)
}
