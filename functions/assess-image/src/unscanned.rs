//! Images that no scan has reached, as far as events say: whether there was one of which no event came, and if not, why.

use aws::AwsError;
use aws::ecr::ScanResult;
use domain::finding::Source;
use domain::image::ImageId;
use domain::ledger::{CoverageAnswer, Evidence, Ledger};
use jiff::Timestamp;

use crate::draft::Draft;
use crate::prompt::Prompt;
use crate::{AssessError, AssessImage, root};

impl AssessImage {
    /// Whether Inspector scans an image. Where it is not active, it does not.
    pub(crate) async fn coverage(&self, image: &ImageId) -> Result<CoverageAnswer, AwsError> {
        match self.inspector.coverage(image).await {
            Err(error) if error.is("AccessDenied") => Ok(CoverageAnswer::not_listed()),
            answer => answer,
        }
    }

    /// Looks for the scan of an image. Returns whether that changed anything that was known.
    pub(crate) async fn ask_for_the_scan(&self, draft: &mut Draft<'_>, prompt: &Prompt) -> bool {
        let found = self.look_for_the_scan(draft, prompt).await;
        found.unwrap_or_else(|problem| {
            draft.unfinished.ask_again(problem);
            false
        })
    }

    async fn look_for_the_scan(&self, draft: &mut Draft<'_>, prompt: &Prompt) -> Result<bool, AssessError> {
        let now = self.clock.now();
        let mut changed = false;
        // When it was pushed decides when a scan is overdue. Of a part of an index nobody else asks, and each index that contains
        // it may have another date.
        let is_dated = draft.ledger.facts.is_root() || self.policy.unscanned.is_some();
        if draft.ledger.facts.pushed_at.is_none() && is_dated {
            changed |= self.describe(draft).await?;
            if draft.ledger.facts.is_gone() {
                return Ok(changed);
            }
        }
        let scan_due = self.policy.scan_due(draft.ledger.facts.pushed_at);
        let (at, answer) = match &prompt.coverage {
            Some(said) => said.clone(),
            None if is_to_be_asked(draft.ledger, scan_due, now) => {
                let answer = self.coverage(&draft.ledger.image).await?;
                (now, answer)
            }
            None => return Ok(changed),
        };
        // The answer counts only with what it speaks of: until that is there, the image is asked about again.
        changed |= self.take_unannounced_scan(draft, &answer, now).await?;
        Ok(draft.learn(Evidence::Coverage { at, answer }) | changed)
    }

    /// Takes in the scan that an answer speaks of.
    async fn take_unannounced_scan(
        &self,
        draft: &mut Draft<'_>,
        answer: &CoverageAnswer,
        now: Timestamp,
    ) -> Result<bool, AssessError> {
        if answer.promises_a_scan() {
            return Ok(false);
        }
        if answer.covered {
            let (source, at) = (Source::Inspector, answer.scanned_at.unwrap_or(now));
            let findings = self.inspector.findings(&draft.ledger.image).await?;
            let scanned = answer.scanned_at.is_some();
            return Ok(draft.learn(Evidence::Listing { source, at, scanned, findings, tags: Vec::new() }));
        }
        match self.registry.basic_scan(&draft.ledger.image).await? {
            ScanResult::Complete { findings, at: Some(at) } => {
                let source = Source::Basic;
                Ok(draft.learn(Evidence::Listing { source, at, scanned: true, findings, tags: Vec::new() }))
            }
            ScanResult::Gone => Ok(draft.learn(Evidence::Gone { at: now })),
            // Whatever it is, no scan has reached the image. Of one that failed, ECR does not say when.
            ScanResult::Complete { at: None, .. } | ScanResult::Failed(_) | ScanResult::Pending(_) => {
                Ok(false)
            }
        }
    }
}

/// Whether to ask Inspector about an image: once its scan is overdue, and daily after that; about one that was there before
/// whenever it was not asked about of late; about a part of an index when others of it are scanned.
fn is_to_be_asked(ledger: &Ledger, scan_due: Option<Timestamp>, now: Timestamp) -> bool {
    let facts = &ledger.facts;
    let asked = facts.coverage.newest().map(|(at, _)| at);
    let since_overdue = asked.is_some_and(|asked| scan_due.is_none_or(|due| asked >= due));
    if since_overdue && !facts.coverage.is_outdated(now) {
        return false;
    }
    let is_awaited = scan_due.is_some_and(|due| due > now) && facts.adopted_at.is_none();
    !is_awaited || !facts.is_root() && root::is_to_be_asked(ledger, now)
}

#[cfg(test)]
mod tests;
