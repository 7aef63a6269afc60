//! Taking in what a batch says of an image: findings, coverage, scans, and the lists that belong to them.

use aws::ecr::ScanResult;
use domain::event::{CoverageReport, Event, FindingReport, ScanOutcome, ScanReport};
use domain::finding::Source;
use domain::image::ImageId;
use domain::ledger::{CoverageAnswer, Evidence, LISTING_LAG};
use jiff::Timestamp;

use crate::adoption::{Adoption, adoption, is_alive};
use crate::draft::Draft;
use crate::prompt::Prompt;
use crate::{AssessError, AssessImage, scan};

impl AssessImage {
    /// Merges the evidence. Returns whether it changed anything that was known. What cannot be had besides keeps nothing
    /// out of the ledger that is here.
    pub(crate) async fn gather(&self, draft: &mut Draft<'_>, events: &[Event], prompt: &Prompt) -> bool {
        let mut changed = false;
        for due in
            events.iter().filter_map(|event| if let Event::Due(due) = event { Some(due) } else { None })
        {
            changed |= due.evidence().fold(false, |changed, piece| draft.ledger.merge(piece) | changed);
        }
        // Of one that was not scanned, as far as events say, it is held against what Inspector lists (`unscanned.rs`).
        let facts = &draft.ledger.facts;
        if let Some((at, answer)) = &prompt.coverage
            && (facts.is_scanned() || facts.has_failed_scan())
        {
            changed |= draft.ledger.merge(Evidence::Coverage { at: *at, answer: answer.clone() });
        }
        if prompt.unseen {
            match self.inspector.findings(&draft.ledger.image).await {
                Ok(findings) => changed |= draft.learn(Evidence::Findings(findings)),
                Err(problem) => draft.unfinished.ask_again(problem.into()),
            }
        }
        for report in findings(events) {
            changed |= draft.ledger.merge(Evidence::Finding(Box::new(report.clone())));
        }
        for report in coverage(events) {
            let answer = CoverageAnswer::reported(report);
            changed |= draft.ledger.merge(Evidence::Coverage { at: report.at, answer });
        }
        for ((source, _), report) in scan::newest(events) {
            match self.take_scan(draft, report).await {
                Ok(scanned) => changed |= scanned,
                Err(problem) => {
                    draft.unfinished.scans.insert(source, problem);
                }
            }
        }
        match self.adopt(draft, events).await {
            Ok(adopted) => changed | adopted,
            Err(problem) => {
                draft.unfinished.ask_again(problem);
                changed
            }
        }
    }

    /// Merges what a scan found. Returns whether that changed anything.
    async fn take_scan(&self, draft: &mut Draft<'_>, report: &ScanReport) -> Result<bool, AssessError> {
        let ScanReport { source, at, ref outcome, .. } = *report;
        let known = draft.ledger.facts.scans.get(&source).copied().unwrap_or_default();
        let counts = match outcome {
            ScanOutcome::Failed => return Ok(draft.ledger.merge(Evidence::ScanFailed { source, at })),
            // This scan's truth is in the ledger already, or a newer one's.
            ScanOutcome::Complete(_) if known.completed_at >= Some(at) => {
                return Ok(draft.ledger.merge(Evidence::Scanned { source, at }));
            }
            ScanOutcome::Complete(counts) => counts,
        };
        let findings = match self.listing(&draft.ledger.image, source).await? {
            ScanResult::Complete { findings, .. } => findings,
            ScanResult::Failed(_) => return Ok(draft.learn(Evidence::ScanFailed { source, at })),
            ScanResult::Gone => {
                let now = self.clock.now();
                tracing::info!(image = %draft.ledger.image, "the image went before its scan was read");
                return Ok(draft.learn(Evidence::Gone { at: now }));
            }
            ScanResult::Pending(status) => return Err(AssessError::ScanPending(status)),
        };
        let mut found = scan::reported(draft.ledger, report, &findings);
        found.extend(&findings);
        let problem = if scan::agrees(counts, at, &found) {
            self.too_early(at).filter(|_| counts.total.is_none())
        } else {
            Some(AssessError::Incomplete { from: source, counts: counts.clone(), listed: findings.len() })
        };
        if let Some(problem) = problem {
            draft.learn(Evidence::Findings(findings));
            return Err(problem);
        }
        let tags = report.tags.clone();
        Ok(draft.learn(Evidence::Listing { source, at, scanned: true, findings, tags }))
    }

    /// Why the list of a scan that does not say how many findings it has cannot be believed yet.
    fn too_early(&self, ended: Timestamp) -> Option<AssessError> {
        let now = self.clock.now();
        let until = ended.checked_add(LISTING_LAG).ok().filter(|until| *until > now)?;
        Some(AssessError::too_early("the scan does not say how many findings it has", until, now))
    }

    /// Asks for all findings of an image that was scanned before the ledger knew of it. Returns whether that changed
    /// anything.
    async fn adopt(&self, draft: &mut Draft<'_>, events: &[Event]) -> Result<bool, AssessError> {
        let now = self.clock.now();
        let overdue = self.policy.unscanned.as_ref().map(|unscanned| unscanned.after_minutes);
        let at = match adoption(draft.ledger, overdue, now) {
            Adoption::No => return Ok(false),
            Adoption::WaitUntil(until) => {
                return Err(AssessError::too_early("the first scan may be under way", until, now));
            }
            Adoption::AsOf(at) => at,
        };
        // Whether it is still in the registry is not worth an alert too few.
        let described = self.describe(draft).await.unwrap_or_else(|problem| {
            draft.unfinished.ask_again(problem);
            false
        });
        if draft.ledger.facts.is_gone() {
            return Ok(described);
        }
        let answer = self.coverage(&draft.ledger.image).await?;
        let promised = answer.promises_a_scan();
        let asked = draft.learn(Evidence::Coverage { at: now, answer });
        if promised {
            // Its end will be announced.
            return Ok(described | asked);
        }
        let listed = self.inspector.findings(&draft.ledger.image).await?;
        if !is_alive(findings(events), &listed) {
            return Ok(described | asked);
        }
        let source = Source::Inspector;
        Ok(draft.learn(Evidence::Listing { source, at, scanned: false, findings: listed, tags: vec![] }))
    }

    pub(crate) async fn listing(&self, image: &ImageId, source: Source) -> Result<ScanResult, AssessError> {
        Ok(match source {
            Source::Inspector => {
                ScanResult::Complete { findings: self.inspector.findings(image).await?, at: None }
            }
            Source::Basic => self.registry.basic_scan(image).await?,
        })
    }
}

fn findings(events: &[Event]) -> impl Iterator<Item = &FindingReport> {
    events.iter().filter_map(|event| match event {
        Event::Finding(report) => Some(&**report),
        _ => None,
    })
}

fn coverage(events: &[Event]) -> impl Iterator<Item = &CoverageReport> {
    events.iter().filter_map(|event| match event {
        Event::Coverage(report) => Some(report),
        _ => None,
    })
}
