//! One image's update: load, announce what a crash left, merge, enrich, judge, store, announce.
//!
//! The order is the outbox of the pipeline: the ledger is stored with its assessment still unpublished in it,
//! then the assessment is announced, then that is noted. Whoever loads a ledger with an unpublished assessment
//! announces it first, so a crash between any two steps is healed by the retry.

use std::collections::BTreeMap;

use aws::dynamodb::{Change, StoredLedger};
use aws::ecr::{ImageDescription, ScanResult};
use domain::assessment::{Assessed, Assessment, assess};
use domain::event::{Event, FindingReport, ScanOutcome, ScanReport, Total};
use domain::finding::{Finding, Source};
use domain::image::ImageId;
use domain::ledger::{Evidence, Ledger};
use domain::text::with_causes;
use lambda::batch::Report;

use crate::{AssessError, AssessImage, question, scan};

/// What became of an image's messages.
pub(crate) struct Updated {
    /// Why none of them took effect.
    failed: Option<AssessError>,
    /// Why the scans of a source did not.
    incomplete: BTreeMap<Source, AssessError>,
}

impl AssessImage {
    /// Takes in what a batch says of an image.
    pub(crate) async fn update(&self, image: &ImageId, events: &[Event]) -> Updated {
        let mut incomplete = BTreeMap::new();
        let failed = self.try_update(image, events, &mut incomplete).await.err();
        Updated { failed, incomplete }
    }

    async fn try_update(
        &self,
        image: &ImageId,
        events: &[Event],
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<(), AssessError> {
        // What AWS was asked. It stays true where somebody else stored the ledger meanwhile.
        let mut answers = Vec::new();
        let change = async |stored: &mut StoredLedger| {
            incomplete.clear();
            self.change(stored, events, &mut answers, incomplete).await
        };
        match self.ledgers.update(image, change).await? {
            Some(mut stored) => self.publish(&mut stored).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn change(
        &self,
        stored: &mut StoredLedger,
        events: &[Event],
        answers: &mut Vec<Evidence>,
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<Change, AssessError> {
        if !self.publish(stored).await? {
            return Ok(Change::Reload);
        }
        let mut draft = Draft { ledger: &mut stored.ledger, answers };
        let recalled = draft.recall();
        if !self.merge(&mut draft, events, incomplete).await? && !recalled {
            return Ok(Change::Nothing);
        }
        self.enrich(&mut draft).await?;
        let next = stored.version + 1;
        if let Some(Assessed { mut assessment, announced }) =
            assess(draft.ledger, next, &self.policy, self.clock.now())
        {
            draft.ledger.announced = announced;
            self.refresh_tags(&mut draft, &mut assessment).await;
            stored.unpublished = Some(assessment);
        }
        Ok(Change::Store)
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

    /// Merges the evidence. Returns whether it changed anything that was known.
    async fn merge(
        &self,
        draft: &mut Draft<'_>,
        events: &[Event],
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<bool, AssessError> {
        let mut changed = false;
        for report in findings(events) {
            changed |= draft.ledger.merge(Evidence::Finding(Box::new(report.clone())));
        }
        for ((source, _), report) in scan::newest(events) {
            // A listing that cannot be had fails the scan's messages; the findings that came by themselves are
            // evidence all the same.
            match self.merge_scan(draft, report).await {
                Ok((scanned, problem)) => {
                    changed |= scanned;
                    incomplete.extend(problem.map(|problem| (source, problem)));
                }
                Err(problem) => {
                    incomplete.insert(source, problem);
                }
            }
        }
        let overdue = self.policy.unscanned.as_ref().map(|unscanned| unscanned.after_minutes);
        if let Some(at) = scan::adopted_at(draft.ledger, findings(events), overdue) {
            let listed = self.inspector.findings(&draft.ledger.image).await?;
            if scan::is_alive(findings(events), &listed) {
                let source = Source::Inspector;
                let listing =
                    Evidence::Listing { source, at, scanned: false, findings: listed, tags: vec![] };
                changed |= draft.learn(listing);
            }
        }
        Ok(changed)
    }

    /// Merges what a scan found. Returns whether that changed anything, and why it is not all of it.
    async fn merge_scan(
        &self,
        draft: &mut Draft<'_>,
        report: &ScanReport,
    ) -> Result<(bool, Option<AssessError>), AssessError> {
        let ScanReport { source, at, outcome, .. } = *report;
        let known = draft.ledger.facts.scans.get(&source).copied().unwrap_or_default();
        let total = match outcome {
            ScanOutcome::Failed => {
                return Ok((draft.ledger.merge(Evidence::ScanFailed { source, at }), None));
            }
            // This scan's truth is in the ledger already, or a newer one's.
            ScanOutcome::Complete(_) if known.completed_at >= Some(at) => {
                return Ok((draft.ledger.merge(Evidence::Scanned { source, at }), None));
            }
            ScanOutcome::Complete(total) => scan::expected(total, report, draft.ledger),
        };
        let findings = match self.listing(&draft.ledger.image, source).await? {
            ScanResult::Complete(findings) => findings,
            ScanResult::Failed(_) => return Ok((draft.learn(Evidence::ScanFailed { source, at }), None)),
            ScanResult::Gone => {
                tracing::info!(image = %draft.ledger.image, "the image went before its scan was read");
                return Ok((false, None));
            }
            ScanResult::Pending(status) => return Ok((false, Some(AssessError::ScanPending(status)))),
        };
        if !scan::agrees(total, at, &findings) {
            let problem = incomplete(source, total, &findings);
            return Ok((draft.learn(Evidence::Findings(findings)), Some(problem)));
        }
        let tags = report.tags.clone();
        Ok((draft.learn(Evidence::Listing { source, at, scanned: true, findings, tags }), None))
    }

    /// Asks which tags the image has, where people may be told of it: an alert must not name an image by a tag that
    /// has moved to the one with the fix. An alert with the tags that are known is better than none.
    async fn refresh_tags(&self, draft: &mut Draft<'_>, assessment: &mut Assessment) {
        let asked = draft.answers.iter().any(|evidence| matches!(evidence, Evidence::Tagged { .. }));
        if asked || !assessment.is_news() {
            return;
        }
        let at = self.clock.now();
        match self.registry.describe(&draft.ledger.image).await {
            Ok(Some(ImageDescription { tags, .. })) => {
                draft.learn(Evidence::Tagged { at, tags });
                assessment.image.name_tags(draft.ledger.facts.tags());
            }
            Ok(None) => {}
            Err(error) => {
                let reason = with_causes(&error);
                tracing::warn!(image = %draft.ledger.image, reason, "announced with the tags that are known");
            }
        }
    }

    async fn listing(&self, image: &ImageId, source: Source) -> Result<ScanResult, AssessError> {
        Ok(match source {
            Source::Inspector => ScanResult::Complete(self.inspector.findings(image).await?),
            Source::Basic => self.registry.basic_scan(image).await?,
        })
    }

    /// Asks what the findings alone do not say, where that matters. Of an image whose first scan is running
    /// nothing is said yet, so nothing is asked.
    async fn enrich(&self, draft: &mut Draft<'_>) -> Result<(), AssessError> {
        let facts = &draft.ledger.facts;
        if !facts.is_scanned() && !facts.has_failed_scan() {
            return Ok(());
        }
        if facts.pushed_at.is_none() {
            // The event of its push was lost, or is late.
            let at = self.clock.now();
            if let Some(description) = self.registry.describe(&draft.ledger.image).await? {
                let ImageDescription { tags, pushed_at, media_type } = description;
                draft.learn(Evidence::Tagged { at, tags });
                if let Some(pushed_at) = pushed_at {
                    draft.learn(Evidence::Described { pushed_at, media_type });
                }
            }
        }
        let now = self.clock.now();
        if draft.ledger.facts.must_ask_coverage(now) {
            let coverage = self.inspector.coverage(&draft.ledger.image, now).await?;
            draft.learn(Evidence::Coverage(coverage));
        }
        let questions = question::open_questions(draft.ledger, &self.policy, now);
        if !questions.is_empty() {
            draft.learn(Evidence::Exploitation(self.inspector.exploitation(&questions, now).await?));
        }
        Ok(())
    }
}

/// A ledger that is being updated, and what AWS answered about it.
struct Draft<'a> {
    ledger: &'a mut Ledger,
    answers: &'a mut Vec<Evidence>,
}

impl Draft<'_> {
    /// Merges an answer. Returns whether it changed anything that was known.
    fn learn(&mut self, evidence: Evidence) -> bool {
        self.answers.push(evidence.clone());
        self.ledger.merge(evidence)
    }

    /// Merges the answers that an earlier attempt got.
    fn recall(&mut self) -> bool {
        self.answers.iter().fold(false, |changed, evidence| self.ledger.merge(evidence.clone()) | changed)
    }
}

fn findings(events: &[Event]) -> impl Iterator<Item = &FindingReport> {
    events.iter().filter_map(|event| match event {
        Event::Finding(report) => Some(&**report),
        _ => None,
    })
}

fn incomplete(from: Source, total: Total, listed: &[Finding]) -> AssessError {
    let total = match total {
        Total::Exactly(total) => total.to_string(),
        Total::AtLeast(total) => format!("at least {total}"),
    };
    AssessError::Incomplete { from, total, listed: listed.len() }
}

impl Updated {
    /// What that means for each message; the events stand in the order of the messages.
    pub(crate) fn report(self, messages: Vec<String>, events: &[Event]) -> Report {
        let mut report = Report::default();
        for (message, event) in messages.into_iter().zip(events) {
            let problem = self.failed.as_ref().or_else(|| match event {
                Event::Scan(scan) if scan.outcome != ScanOutcome::Failed => self.incomplete.get(&scan.source),
                _ => None,
            });
            match problem {
                Some(error) => report.fail([message], error),
                None => report.handled.push(message),
            }
        }
        report
    }
}
