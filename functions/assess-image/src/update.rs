//! One image's update: load, announce what a crash left, merge, enrich, judge, store, announce.
//!
//! The order is the outbox of the pipeline: the ledger is stored with its assessment still unpublished in it,
//! then the assessment is announced, then that is noted. Whoever loads a ledger with an unpublished assessment
//! announces it first, so a crash between any two steps is healed by the retry.

use std::collections::BTreeMap;
use std::time::Duration;

use shared::assessment::Assessment;
use shared::aws::{BasicScan, ImageDescription, Stored};
use shared::event::{Event, FindingReport, ScanOutcome, ScanReport, Total};
use shared::finding::{Finding, Source};
use shared::image::ImageId;
use shared::judgement::{assess, judge, renew_tags};
use shared::ledger::{Evidence, Ledger};
use shared::queue::{self, Report};

use crate::{AssessError, AssessImage, Told, question, scan};

/// How often a ledger is loaded and merged anew because somebody else stored it meanwhile.
const ATTEMPTS: u32 = 8;
/// By how much longer it waits before each of them.
const PAUSE: Duration = Duration::from_millis(25);

/// What became of an image's messages.
pub(crate) struct Updated {
    /// Why none of them took effect.
    failed: Option<AssessError>,
    /// Why the scans of a source did not.
    incomplete: BTreeMap<Source, AssessError>,
}

impl AssessImage {
    /// Takes in what a batch says of an image.
    pub(crate) async fn update(&self, image: &ImageId, told: &[Told]) -> Updated {
        let mut incomplete = BTreeMap::new();
        let failed = self.try_update(image, told, &mut incomplete).await.err();
        Updated { failed, incomplete }
    }

    async fn try_update(
        &self,
        image: &ImageId,
        told: &[Told],
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<(), AssessError> {
        // What AWS was asked. It stays true where somebody else stored the ledger meanwhile.
        let mut learnt = Vec::new();
        for attempt in 0..ATTEMPTS {
            incomplete.clear();
            let mut draft = Draft { ledger: self.ledgers.load(image).await?, learnt: &mut learnt };
            if !self.publish(&mut draft.ledger).await? {
                continue;
            }
            let known = draft.recall();
            if !self.merge(&mut draft, told, incomplete).await? && !known {
                return Ok(());
            }
            self.enrich(&mut draft).await?;
            let now = self.clock.now();
            let judgement = judge(&draft.ledger, &self.policy, now);
            assess(&mut draft.ledger, &judgement, &self.policy, now);
            self.look_at_tags(&mut draft).await;
            match self.ledgers.store(&mut draft.ledger).await? {
                Stored::Yes => {
                    self.publish(&mut draft.ledger).await?;
                    return Ok(());
                }
                // The burst of a first scan: let the others finish.
                Stored::Conflict => tokio::time::sleep(PAUSE * attempt).await,
            }
        }
        Err(AssessError::Contention(ATTEMPTS))
    }

    /// Announces what is unpublished, if anything is. Returns whether the ledger is still the one that is stored.
    async fn publish(&self, ledger: &mut Ledger) -> Result<bool, AssessError> {
        if let Some(assessment) = &ledger.unpublished {
            self.announcements.announce(assessment).await?;
            tracing::info!(assessment = assessment.id, verdict = %assessment.verdict, "announced");
            return Ok(self.ledgers.mark_published(ledger).await?);
        }
        Ok(true)
    }

    /// Merges the evidence. Returns whether it changed anything that was known.
    async fn merge(
        &self,
        draft: &mut Draft<'_>,
        told: &[Told],
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<bool, AssessError> {
        let mut changed = false;
        for report in findings(told) {
            changed |= draft.ledger.merge(Evidence::Finding(Box::new(report.clone())));
        }
        for ((source, _), report) in scan::newest(told) {
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
        if let Some(at) = scan::adopted_at(&draft.ledger, findings(told), overdue) {
            let listed = self.inspector.findings(&draft.ledger.image).await?;
            if scan::is_alive(findings(told), &listed) {
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
            ScanOutcome::Complete(total) => scan::expected(total, report, &draft.ledger),
        };
        let findings = match self.listing(&draft.ledger.image, source).await? {
            BasicScan::Complete(findings) => findings,
            BasicScan::Failed(_) => return Ok((draft.learn(Evidence::ScanFailed { source, at }), None)),
            BasicScan::Gone => {
                tracing::info!(image = %draft.ledger.image, "the image went before its scan was read");
                return Ok((false, None));
            }
            BasicScan::Pending(status) => return Ok((false, Some(AssessError::NotThereYet(status)))),
        };
        if !scan::agrees(total, at, &findings) {
            let problem = incomplete(source, total, &findings);
            return Ok((draft.learn(Evidence::Findings(findings)), Some(problem)));
        }
        let tags = report.tags.clone();
        Ok((draft.learn(Evidence::Listing { source, at, scanned: true, findings, tags }), None))
    }

    /// Looks which tags the image has, where people may be told of it: an alert must not name an image by a tag that
    /// has moved to the one with the fix. An alert with the tags that are known is better than none.
    async fn look_at_tags(&self, draft: &mut Draft<'_>) {
        let asked = draft.learnt.iter().any(|evidence| matches!(evidence, Evidence::Tagged { .. }));
        if asked || !draft.ledger.unpublished.as_ref().is_some_and(Assessment::is_news) {
            return;
        }
        let at = self.clock.now();
        match self.registry.describe(&draft.ledger.image).await {
            Ok(Some(ImageDescription { tags, .. })) => {
                draft.learn(Evidence::Tagged { at, tags });
                renew_tags(&mut draft.ledger);
            }
            Ok(None) => {}
            Err(error) => {
                let reason = queue::chain(&error);
                tracing::warn!(image = %draft.ledger.image, reason, "told with the tags that are known");
            }
        }
    }

    async fn listing(&self, image: &ImageId, source: Source) -> Result<BasicScan, AssessError> {
        Ok(match source {
            Source::Inspector => BasicScan::Complete(self.inspector.findings(image).await?),
            Source::Basic => self.registry.basic_scan(image).await?,
        })
    }

    /// Asks what the findings alone do not say, where that matters. Of an image whose first scan is running
    /// nothing is said yet, so nothing is asked.
    async fn enrich(&self, draft: &mut Draft<'_>) -> Result<(), AssessError> {
        let ledger = &draft.ledger;
        if !ledger.is_scanned() && !ledger.has_failed_scan() {
            return Ok(());
        }
        if ledger.facts.pushed_at.is_none() {
            // The event of its push was lost, or is late.
            let at = self.clock.now();
            if let Some(description) = self.registry.describe(&ledger.image).await? {
                let ImageDescription { tags, pushed_at, media_type } = description;
                draft.learn(Evidence::Tagged { at, tags });
                if let Some(pushed_at) = pushed_at {
                    draft.learn(Evidence::Described { pushed_at, media_type });
                }
            }
        }
        let now = self.clock.now();
        if draft.ledger.must_ask_coverage(now) {
            let coverage = self.inspector.coverage(&draft.ledger.image, now).await?;
            draft.learn(Evidence::Coverage(coverage));
        }
        let questions = question::open_questions(&draft.ledger, &self.policy, now);
        if !questions.is_empty() {
            draft.learn(Evidence::Exploitation(self.inspector.exploitation(&questions, now).await?));
        }
        Ok(())
    }
}

/// A ledger that is being updated, and what AWS was asked for it.
struct Draft<'a> {
    ledger: Ledger,
    learnt: &'a mut Vec<Evidence>,
}

impl Draft<'_> {
    /// Merges an answer. Returns whether it changed anything that was known.
    fn learn(&mut self, evidence: Evidence) -> bool {
        self.learnt.push(evidence.clone());
        self.ledger.merge(evidence)
    }

    /// Merges the answers that an earlier attempt got.
    fn recall(&mut self) -> bool {
        self.learnt.iter().fold(false, |changed, evidence| self.ledger.merge(evidence.clone()) | changed)
    }
}

fn findings(told: &[Told]) -> impl Iterator<Item = &FindingReport> {
    told.iter().filter_map(|told| match &told.event {
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
    /// What became of messages for which there was no time.
    pub(crate) fn too_late() -> Self {
        Self { failed: Some(AssessError::NoTimeLeft), incomplete: BTreeMap::new() }
    }

    /// What that means for each message.
    pub(crate) fn report(self, told: Vec<Told>) -> Report {
        let mut report = Report::default();
        for Told { message, event, .. } in told {
            let problem = self.failed.as_ref().or_else(|| match event {
                Event::Scan(scan) if scan.outcome != ScanOutcome::Failed => self.incomplete.get(&scan.source),
                _ => None,
            });
            match problem {
                Some(error) => report.fail([message], error, error.is_retryable()),
                None => report.handled.push(message),
            }
        }
        report
    }
}
