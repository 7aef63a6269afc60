//! One image's update: load, announce what a crash left, merge, enrich, judge, store, announce.
//!
//! The order is the outbox of the pipeline: the ledger is stored with its assessment still unpublished in it,
//! then the assessment is announced, then that is noted. Whoever loads a ledger with an unpublished assessment
//! announces it first, so a crash between any two steps is healed by the retry.

use std::collections::BTreeMap;

use shared::aws::{BasicScan, ImageDescription, Stored};
use shared::event::{Event, FindingReport, ScanOutcome, ScanReport, Total};
use shared::finding::{Finding, Source};
use shared::image::ImageId;
use shared::judgement::{assess, judge};
use shared::ledger::{Evidence, Ledger};
use shared::queue::Report;

use crate::{AssessError, AssessImage, Told, question, scan};

/// How often a ledger is loaded and merged anew because somebody else stored it meanwhile.
const ATTEMPTS: u32 = 8;

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
        for _ in 0..ATTEMPTS {
            incomplete.clear();
            let mut ledger = self.ledgers.load(image).await?;
            self.publish(&mut ledger).await?;
            if !self.merge(&mut ledger, told, incomplete).await? {
                return Ok(());
            }
            self.enrich(&mut ledger).await?;
            let now = self.clock.now();
            let judgement = judge(&ledger, &self.policy, now);
            assess(&mut ledger, &judgement, &self.policy, now);
            match self.ledgers.store(&mut ledger).await? {
                Stored::Yes => return self.publish(&mut ledger).await,
                Stored::Conflict => {}
            }
        }
        Err(AssessError::Contention(ATTEMPTS))
    }

    /// Announces what is unpublished, if anything is.
    async fn publish(&self, ledger: &mut Ledger) -> Result<(), AssessError> {
        if let Some(assessment) = &ledger.unpublished {
            self.announcements.announce(assessment).await?;
            tracing::info!(assessment = assessment.id, verdict = %assessment.verdict, "announced");
            self.ledgers.mark_published(ledger).await?;
        }
        Ok(())
    }

    /// Merges the evidence. Returns whether it changed anything that was known.
    async fn merge(
        &self,
        ledger: &mut Ledger,
        told: &[Told],
        incomplete: &mut BTreeMap<Source, AssessError>,
    ) -> Result<bool, AssessError> {
        let mut changed = false;
        for report in findings(told) {
            changed |= ledger.merge(Evidence::Finding(Box::new(report.clone())));
        }
        for ((source, _), report) in scan::newest(told) {
            // A listing that cannot be had fails the scan's messages; the findings that came by themselves are
            // evidence all the same.
            match self.merge_scan(ledger, report).await {
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
        if let Some(at) = scan::adopted_at(ledger, findings(told), overdue) {
            let findings = self.inspector.findings(&ledger.image).await?;
            let listing =
                Evidence::Listing { source: Source::Inspector, at, scanned: false, findings, tags: vec![] };
            changed |= ledger.merge(listing);
        }
        Ok(changed)
    }

    /// Merges what a scan found. Returns whether that changed anything, and why it is not all of it.
    async fn merge_scan(
        &self,
        ledger: &mut Ledger,
        report: &ScanReport,
    ) -> Result<(bool, Option<AssessError>), AssessError> {
        let ScanReport { source, at, outcome, .. } = *report;
        let known = ledger.facts.scans.get(&source).copied().unwrap_or_default();
        let total = match outcome {
            ScanOutcome::Failed => return Ok((ledger.merge(Evidence::ScanFailed { source, at }), None)),
            // This scan's truth is in the ledger already, or a newer one's.
            ScanOutcome::Complete(_) if known.completed_at >= Some(at) => {
                return Ok((ledger.merge(Evidence::Scanned { source, at }), None));
            }
            ScanOutcome::Complete(total) => total,
        };
        let findings = match self.listing(&ledger.image, source).await? {
            BasicScan::Complete(findings) => findings,
            BasicScan::Failed(_) => return Ok((ledger.merge(Evidence::ScanFailed { source, at }), None)),
            BasicScan::Pending(status) => return Ok((false, Some(AssessError::NotThereYet(status)))),
        };
        if !scan::agrees(total, at, &findings) {
            let problem = incomplete(source, total, &findings);
            return Ok((ledger.merge(Evidence::Findings(findings)), Some(problem)));
        }
        let tags = report.tags.clone();
        Ok((ledger.merge(Evidence::Listing { source, at, scanned: true, findings, tags }), None))
    }

    async fn listing(&self, image: &ImageId, source: Source) -> Result<BasicScan, AssessError> {
        Ok(match source {
            Source::Inspector => BasicScan::Complete(self.inspector.findings(image).await?),
            Source::Basic => self.registry.basic_scan(image).await?,
        })
    }

    /// Asks what the findings alone do not say, where that matters. Of an image whose first scan is running
    /// nothing is said yet, so nothing is asked.
    async fn enrich(&self, ledger: &mut Ledger) -> Result<(), AssessError> {
        if !ledger.is_scanned() && !ledger.has_failed_scan() {
            return Ok(());
        }
        if ledger.facts.pushed_at.is_none() {
            // The event of its push was lost, or is late.
            let described = self.registry.describe(&ledger.image).await?;
            if let Some(ImageDescription { pushed_at: Some(pushed_at), media_type, .. }) = described {
                ledger.merge(Evidence::Described { pushed_at, media_type });
            }
        }
        let now = self.clock.now();
        if ledger.must_ask_coverage(now) {
            ledger.merge(Evidence::Coverage(self.inspector.coverage(&ledger.image, now).await?));
        }
        let questions = question::open_questions(ledger, &self.policy, now);
        if !questions.is_empty() {
            ledger.merge(Evidence::Exploitation(self.inspector.exploitation(&questions, now).await?));
        }
        Ok(())
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
    /// What that means for each message.
    pub(crate) fn report(self, told: Vec<Told>) -> Report {
        let mut report = Report::default();
        for Told { message, event } in told {
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
