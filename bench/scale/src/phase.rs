//! What is measured, one after the other with the same images.

use std::collections::BTreeMap;
use std::path::PathBuf;

use domain::policy::{Fingerprint, Policy};
use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::{file, rows, setting, stream};
use serde::{Deserialize, Serialize};
use sim_aws::{Capacity, Quota, SeedSubscription};
use sim_pipeline::{Deployment, Pipeline, Setting};

use crate::inventory::Inventory;

/// How often the schedule fires.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);
/// After how long it is broken off.
const LONGEST: SignedDuration = SignedDuration::from_hours(48);

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Phase {
    Adoption,
    NewPolicy,
    NewVulnerability,
}

/// What one phase came to.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Measured {
    pub phase: Phase,
    pub images: usize,
    /// How many calls of Inspector's were let through a second.
    pub rate: u32,
    /// Until all images were judged, on the simulated clock.
    pub seconds: i64,
    /// By IAM action, those included that were throttled.
    pub calls: BTreeMap<String, u64>,
    /// How many calls Inspector refused.
    pub throttled: u64,
    /// Units of DynamoDB, without those of the index.
    pub read_units: f64,
    pub write_units: f64,
    pub alerts: usize,
    pub dead: usize,
}

impl Measured {
    /// The calls that Inspector let through.
    pub fn let_through(&self) -> u64 {
        let inspector = self.calls.iter().filter(|(action, _)| action.starts_with("inspector2:"));
        inspector.map(|(_, count)| count).sum::<u64>() - self.throttled
    }

    pub fn count(&self, action: &str) -> u64 {
        self.calls.get(action).copied().unwrap_or_default()
    }

    /// The time against the least that the rate allows; none where Inspector was hardly asked.
    #[allow(clippy::cast_precision_loss)] // Thousands of seconds and calls.
    pub fn ratio(&self) -> Option<f64> {
        let calls = self.let_through();
        (calls > u64::from(self.rate)).then(|| self.seconds as f64 * f64::from(self.rate) / calls as f64)
    }

    /// An adoption takes as long as Inspector lets it, a new policy half an hour, and nothing is lost.
    pub fn is_within_budget(&self) -> bool {
        let is_in_time = match self.phase {
            Phase::Adoption => self.ratio().is_none_or(|ratio| ratio <= 1.1),
            Phase::NewPolicy => self.seconds <= 1_800,
            Phase::NewVulnerability => true,
        };
        let is_quiet = self.phase == Phase::NewVulnerability || self.alerts <= 20;
        is_in_time && is_quiet && self.dead == 0
    }
}

/// What had been counted when a phase began.
struct Begin {
    at: Timestamp,
    calls: BTreeMap<String, u64>,
    throttled: u64,
    consumed: Capacity,
    alerts: usize,
    dead: usize,
}

impl Begin {
    fn of(pipeline: &Pipeline) -> Self {
        Self {
            at: pipeline.time(),
            calls: pipeline.calls(),
            throttled: pipeline.aws.quotas().throttled().values().sum(),
            consumed: pipeline.aws.dynamodb().consumed(),
            alerts: pipeline.aws.sns().published().len(),
            dead: pipeline.dead().len(),
        }
    }

    fn measured(
        self,
        pipeline: &Pipeline,
        phase: Phase,
        images: usize,
        rate: u32,
        until: Timestamp,
    ) -> Measured {
        let mut calls = pipeline.calls();
        for (action, before) in self.calls {
            *calls.entry(action).or_default() -= before;
        }
        calls.retain(|_, count| *count > 0);
        let consumed = pipeline.aws.dynamodb().consumed();
        Measured {
            phase,
            images,
            rate,
            seconds: until.duration_since(self.at).as_secs(),
            calls,
            throttled: pipeline.aws.quotas().throttled().values().sum::<u64>() - self.throttled,
            read_units: consumed.read_units - self.consumed.read_units,
            write_units: consumed.write_units - self.consumed.write_units,
            alerts: pipeline.aws.sns().published().len() - self.alerts,
            dead: pipeline.dead().len() - self.dead,
        }
    }
}

pub async fn all(inventory: &Inventory, rate: u32) -> Vec<Measured> {
    let mut setting = setting();
    setting.now = "2026-11-02T08:00:00Z".parse().unwrap();
    setting.policy = file("policy/policy.yaml");
    let mut pipeline = Pipeline::start(setting.clone()).await.unwrap();
    pipeline.let_functions_wait().await.unwrap();
    inventory.fill(&pipeline.aws, pipeline.time());
    subscribe(&pipeline);
    let per_second = f64::from(rate);
    pipeline.aws.quotas().set("inspector2:*", Quota { per_second, burst: per_second });
    vec![
        adoption(&mut pipeline, inventory, rate).await,
        new_policy(&mut pipeline, inventory, rate, setting).await,
        new_vulnerability(&mut pipeline, inventory, rate).await,
    ]
}

/// Lets the schedule fire, now for the first time, until something holds. Returns when it first did.
async fn until(pipeline: &mut Pipeline, holds: impl AsyncFn(&Pipeline) -> bool) -> Timestamp {
    let end = pipeline.time() + LONGEST;
    let mut next = pipeline.time();
    loop {
        pipeline.pass_time(next).await.unwrap();
        next = pipeline.time() + INTERVAL;
        if holds(pipeline).await {
            return pipeline.time();
        }
        assert!(pipeline.time() < end, "it does not come to an end");
    }
}

async fn adoption(pipeline: &mut Pipeline, inventory: &Inventory, rate: u32) -> Measured {
    let begin = Begin::of(pipeline);
    let all = inventory.images;
    let judged = async |pipeline: &Pipeline| {
        let rows = rows(pipeline).await;
        rows.len() == all && rows.values().all(|row| row.verdict != Verdict::Pending)
    };
    let done = until(pipeline, judged).await;
    let alerts = begin.alerts;
    until(pipeline, async |pipeline: &Pipeline| pipeline.aws.sns().published().len() > alerts).await;
    begin.measured(pipeline, Phase::Adoption, all, rate, done)
}

async fn new_policy(pipeline: &mut Pipeline, inventory: &Inventory, rate: u32, setting: Setting) -> Measured {
    let before = std::fs::read_to_string(&setting.policy).unwrap();
    let more = "rules:\n  - { id: any-high, match: { severity_at_least: HIGH }, then: [alert] }\n";
    let text = before.replacen("rules:\n", more, 1);
    let policy: PathBuf = std::env::temp_dir().join(format!("ecr-warden-scale-{}.yaml", std::process::id()));
    std::fs::write(&policy, &text).unwrap();
    let wanted: Fingerprint =
        Policy::read_deployed(&text, "policy").unwrap().quarantining_adopted(false).fingerprint();
    pipeline.redeploy(Deployment::read(Setting { policy, ..setting }).unwrap()).unwrap();
    let begin = Begin::of(pipeline);
    let done = until(pipeline, async |pipeline: &Pipeline| {
        rows(pipeline).await.values().all(|row| row.policy.as_ref() == Some(&wanted))
    })
    .await;
    let alerts = begin.alerts;
    until(pipeline, async |pipeline: &Pipeline| pipeline.aws.sns().published().len() > alerts).await;
    begin.measured(pipeline, Phase::NewPolicy, inventory.images, rate, done)
}

async fn new_vulnerability(pipeline: &mut Pipeline, inventory: &Inventory, rate: u32) -> Measured {
    let begin = Begin::of(pipeline);
    let events = inventory.new_vulnerability(pipeline.time());
    pipeline.play(stream(events), |_| ()).await.unwrap();
    let done = pipeline.time();
    begin.measured(pipeline, Phase::NewVulnerability, inventory.images, rate, done)
}

/// Somebody reads what is told.
fn subscribe(pipeline: &Pipeline) {
    let sweep = pipeline.functions().find(|function| function.name == "sweep").unwrap();
    let topic = sweep.environment["ALERTS_TOPIC_ARN"].clone();
    let (protocol, endpoint) = ("email".to_owned(), "ops@example.com".to_owned());
    pipeline.aws.sns().seed_subscription(&topic, SeedSubscription { protocol, endpoint, confirmed: true });
}
