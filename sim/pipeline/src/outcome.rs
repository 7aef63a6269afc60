//! What a run came to, as `--json` prints it.

use std::collections::{BTreeMap, BTreeSet};

use aws::dynamodb::{LedgerError, Ledgers};
use domain::assessment::{Subject, judge};
use domain::finding::Severity;
use domain::verdict::Verdict;
use serde::Serialize;
use serde_json::Value;
use sim_aws::SimulatedAws;

use crate::pipeline::Pipeline;

/// What a run came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Outcome {
    /// The roots of the registry and of the ledger, by repository and digest.
    pub images: Vec<ImageOutcome>,
    /// The alerts, in the order in which they were sent.
    pub alerts: Vec<AlertSent>,
    /// The metrics, by name and dimensions.
    pub metrics: Vec<MetricSum>,
    /// What became of the events.
    pub events: Events,
    /// Every call to AWS, by IAM action.
    pub calls: BTreeMap<String, u64>,
}

/// A root at the end: an image or an index, but none that is only deployed as a part of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImageOutcome {
    pub repository: String,
    pub digest: String,
    /// The platforms of an index; none of an image manifest.
    pub platforms: Vec<String>,
    pub verdict: Verdict,
    /// The tags in the registry, the quarantine tag included.
    pub tags: Vec<String>,
    /// The open findings by severity; waived ones are among them. Of an index each vulnerability in the same packages
    /// counts once, however many platforms have it.
    pub findings: BTreeMap<Severity, u64>,
    /// How many of them are excused.
    pub waived: usize,
    /// Which rule matches which vulnerability.
    pub reasons: BTreeSet<ReasonGiven>,
}

/// A rule and a vulnerability that it matches.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct ReasonGiven {
    pub rule: String,
    pub vulnerability: String,
}

/// An alert, as a mailbox gets it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertSent {
    pub subject: String,
    pub text: String,
    /// The attributes for filters.
    pub attributes: BTreeMap<String, String>,
}

/// A metric over the whole run. Of a gauge the sum says nothing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MetricSum {
    pub namespace: String,
    pub name: String,
    pub dimensions: BTreeMap<String, String>,
    pub unit: String,
    pub sum: f64,
    /// How many values that is.
    pub count: f64,
}

/// What became of the events that came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Events {
    /// Those that took effect, or had before.
    pub handled: u64,
    /// Those that are not for us.
    pub skipped: u64,
    /// Those that nobody could act on.
    pub dead: usize,
}

impl Outcome {
    /// Reads it off a pipeline.
    pub async fn of(pipeline: &Pipeline) -> Result<Self, LedgerError> {
        let tally = &pipeline.tally;
        Ok(Self {
            images: images(pipeline).await?,
            alerts: alerts(&pipeline.aws),
            metrics: metrics(pipeline),
            events: Events {
                handled: tally.handled,
                skipped: tally.skipped.values().sum(),
                dead: tally.dead.len(),
            },
            calls: pipeline.calls(),
        })
    }
}

async fn images(pipeline: &Pipeline) -> Result<Vec<ImageOutcome>, LedgerError> {
    let client = aws_sdk_dynamodb::Client::new(pipeline.sdk_config());
    let ledgers = Ledgers::new(client, pipeline.ledger_table());
    let mut images = Vec::new();
    for (id, tags) in pipeline.tags() {
        let ledger = ledgers.load(&id).await?.ledger;
        if ledger.facts.is_root() {
            let platforms = ledgers.platforms(&ledger).await?;
            images.push(outcome_of(pipeline, platforms.of(&ledger), tags));
        }
    }
    images.sort_by(|a, b| (&a.repository, &a.digest).cmp(&(&b.repository, &b.digest)));
    Ok(images)
}

fn outcome_of(pipeline: &Pipeline, root: Subject<'_>, tags: Vec<String>) -> ImageOutcome {
    let ledger = root.ledger;
    let mut outcome = ImageOutcome {
        repository: ledger.image.repository.clone(),
        digest: ledger.image.digest.to_string(),
        platforms: root.platforms.iter().map(|platform| platform.name.clone()).collect(),
        verdict: ledger.announced.verdict,
        tags,
        findings: BTreeMap::new(),
        waived: 0,
        reasons: BTreeSet::new(),
    };
    for row in judge(root, &pipeline.policy, pipeline.clock.now()).rows {
        let Some(ruling) = row.ruling else { continue };
        let finding = &row.entry.finding;
        *outcome.findings.entry(finding.severity.clone()).or_default() += 1;
        outcome.waived += usize::from(ruling.waived().is_some());
        outcome.reasons.extend(ruling.matches.iter().map(|found| ReasonGiven {
            rule: found.rule.id.clone(),
            vulnerability: finding.vulnerability.clone(),
        }));
    }
    outcome
}

/// The alerts, in the order in which they were sent.
pub(crate) fn alerts(aws: &SimulatedAws) -> Vec<AlertSent> {
    aws.sns()
        .published()
        .into_iter()
        .map(|published| {
            let forms: Value = serde_json::from_str(&published.message).unwrap_or_default();
            let text = forms.get("default").and_then(Value::as_str).unwrap_or(&published.message).to_owned();
            AlertSent {
                subject: published.subject.unwrap_or_default(),
                text,
                attributes: published.attributes,
            }
        })
        .collect()
}

fn metrics(pipeline: &Pipeline) -> Vec<MetricSum> {
    let mut sums: BTreeMap<(String, String, BTreeMap<String, String>), MetricSum> = BTreeMap::new();
    for datum in pipeline.aws.cloudwatch().metric_data() {
        let key = (datum.namespace.clone(), datum.name.clone(), datum.dimensions.clone());
        let sum = sums.entry(key).or_insert_with(|| MetricSum {
            namespace: datum.namespace.clone(),
            name: datum.name.clone(),
            dimensions: datum.dimensions.clone(),
            unit: datum.unit.clone().unwrap_or_default(),
            sum: 0.0,
            count: 0.0,
        });
        for (value, count) in &datum.values {
            sum.sum += value * count;
            sum.count += count;
        }
    }
    sums.into_values().collect()
}
