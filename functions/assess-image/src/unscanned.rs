//! Images that no scan has reached, as far as events say: whether there was one of which no event came, and if not, why.

use aws::ecr::ScanResult;
use domain::finding::Source;
use domain::ledger::{CoverageAnswer, Evidence, Ledger};
use jiff::Timestamp;

use crate::draft::Draft;
use crate::prompt::Prompt;
use crate::{AssessError, AssessImage, root};

impl AssessImage {
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
        // When it was pushed decides when a scan is overdue.
        if draft.ledger.facts.pushed_at.is_none() && draft.ledger.facts.is_root() {
            changed |= self.describe(draft).await?;
            if draft.ledger.facts.is_gone() {
                return Ok(changed);
            }
        }
        let scan_due = self.policy.scan_due(draft.ledger.facts.pushed_at);
        let known = draft.ledger.facts.coverage.newest().map(|(at, answer)| (at, answer.clone()));
        let answer = match ask(draft.ledger, scan_due, prompt.adoption, now) {
            Ask::Nothing => return Ok(changed),
            Ask::Inspector => {
                let answer = match self.inspector.coverage(&draft.ledger.image).await {
                    // It is not active, so there can only be a basic scan.
                    Err(error) if error.is("AccessDenied") => CoverageAnswer::not_listed(),
                    answer => answer?,
                };
                changed |= draft.learn(Evidence::Coverage { at: now, answer: answer.clone() });
                answer
            }
            Ask::Nobody => match known {
                Some((_, answer)) => answer,
                None => return Ok(changed),
            },
        };
        Ok(changed | self.take_unannounced_scan(draft, &answer, now).await?)
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

/// Whom to ask whether an image is scanned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ask {
    /// A scan is not overdue, or the last answer still holds.
    Nothing,
    Inspector,
    /// The answer that is known is as good as a new one.
    Nobody,
}

/// An image whose scan is overdue is asked about once it is, and daily after that. What is adopted has been there for
/// long, and came with an answer; a part of an index is asked about when others of it are scanned.
fn ask(ledger: &Ledger, scan_due: Option<Timestamp>, adoption: bool, now: Timestamp) -> Ask {
    let asked = ledger.facts.coverage.newest().map(|(at, _)| at);
    let is_fresh = !ledger.facts.coverage.is_outdated(now);
    let awaited = scan_due.is_some_and(|due| due > now);
    let since_overdue = asked.is_some_and(|asked| scan_due.is_none_or(|due| asked >= due));
    match (is_fresh && since_overdue, adoption) {
        (true, true) => Ask::Nobody,
        (true, false) => Ask::Nothing,
        (false, false) if awaited && ledger.facts.is_root() => Ask::Nothing,
        (false, false) if awaited && !root::is_to_be_asked(ledger, now) => Ask::Nothing,
        (false, _) => Ask::Inspector,
    }
}

#[cfg(test)]
mod tests;
