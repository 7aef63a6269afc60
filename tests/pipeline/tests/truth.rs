//! A small world with a truth of its own, and what the pipeline makes of the events that it sends: never clear while
//! something is there, and clear in the end when nothing is (invariants 1, 6 and 7).
//!
//! The world knows nothing of ledgers, lists and standings. Its steps are those that reviews and incidents are made of:
//! lists that lag, scans with and without counts, an archive, two scanners, suppression, and events of a replica in
//! another region.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test says what it expects by failing.

use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::{QUARANTINED, act, event, file, pipeline_with, play, setting, shuffled, stream};
use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Value, json};
use sim_aws::{ScanStatus, SeedScan, SeedScanFinding};
use sim_pipeline::{Outcome, Pipeline};

const ARN: &str = "arn:aws:ecr:eu-west-1:210987654321:repository/shop/checkout/\
                   sha256:7e6c2638cb94af251e0dca51224a5f4a58d3f1ae03c72c385c0101c62197cda7";
const FINDINGS: usize = 3;

#[derive(Debug, Clone, Copy)]
enum Step {
    Found(usize),
    Fixed(usize),
    Suppressed(usize),
    Shown(usize),
    Archived,
    /// Out of the archive: a scan is promised.
    Restored,
    /// Inspector scans the image, and says how many findings it has, or not.
    Scanned {
        counts: bool,
    },
    BasicScan {
        critical: bool,
    },
    /// So many of the next lists have only half of what there is.
    ListsLag(u64),
    /// A critical finding in the replica in another region.
    InAnotherRegion,
    /// What has happened so far is delivered, in an order that the seed decides and some of it twice, and the functions
    /// come to rest.
    Delivered {
        seed: u64,
    },
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (0..FINDINGS).prop_map(Step::Found),
        3 => (0..FINDINGS).prop_map(Step::Fixed),
        2 => (0..FINDINGS).prop_map(Step::Suppressed),
        1 => (0..FINDINGS).prop_map(Step::Shown),
        2 => Just(Step::Archived),
        2 => Just(Step::Restored),
        3 => any::<bool>().prop_map(|counts| Step::Scanned { counts }),
        2 => any::<bool>().prop_map(|critical| Step::BasicScan { critical }),
        2 => (1_u64..4).prop_map(Step::ListsLag),
        1 => Just(Step::InAnotherRegion),
        4 => any::<u64>().prop_map(|seed| Step::Delivered { seed }),
    ]
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Absent,
    There,
    Hidden,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Coverage {
    Scanned,
    Archived,
    Promised,
}

/// What is true, and the events that have not been delivered yet.
struct World {
    now: Timestamp,
    findings: [State; FINDINGS],
    /// Found by basic scanning and by no scan of Inspector since.
    basic: bool,
    coverage: Coverage,
    /// Whether anything was ever scanned, so that there can be a verdict.
    scanned: bool,
    /// Whether Inspector counts what is suppressed.
    counts_suppressed: bool,
    events: Vec<Value>,
    /// Those of which our region's Inspector knows nothing.
    foreign: Vec<Value>,
}

impl World {
    fn new(counts_suppressed: bool) -> Self {
        Self {
            now: "2026-03-02T10:00:00Z".parse().unwrap(),
            findings: [State::Absent; FINDINGS],
            basic: false,
            coverage: Coverage::Scanned,
            scanned: false,
            counts_suppressed,
            events: Vec::new(),
            foreign: Vec::new(),
        }
    }

    /// Whether a critical vulnerability is in the image that nobody has hidden.
    fn is_vulnerable(&self) -> bool {
        self.basic || self.findings.contains(&State::There)
    }

    fn take(&mut self, step: Step, pipeline: &Pipeline) {
        self.now += SignedDuration::from_mins(7);
        match step {
            Step::Found(n) if self.coverage == Coverage::Scanned => self.becomes(n, State::There, "ACTIVE"),
            Step::Fixed(n) if self.coverage == Coverage::Scanned && self.findings[n] != State::Absent => {
                self.becomes(n, State::Absent, "CLOSED");
            }
            Step::Suppressed(n) if self.coverage == Coverage::Scanned && self.findings[n] == State::There => {
                self.becomes(n, State::Hidden, "SUPPRESSED");
            }
            Step::Shown(n) if self.findings[n] == State::Hidden && self.coverage == Coverage::Scanned => {
                self.becomes(n, State::There, "ACTIVE");
            }
            Step::Archived if self.coverage == Coverage::Scanned => {
                self.coverage = Coverage::Archived;
                pipeline.aws.inspector().seed_coverage(ARN, "INACTIVE", "IMAGE_ARCHIVED");
                for n in (0..FINDINGS).filter(|n| self.findings[*n] != State::Absent).collect::<Vec<_>>() {
                    self.events.push(finding(n, "CLOSED", self.now));
                }
            }
            Step::Restored if self.coverage == Coverage::Archived => {
                self.coverage = Coverage::Promised;
                pipeline.aws.inspector().seed_coverage(ARN, "ACTIVE", "PENDING_INITIAL_SCAN");
            }
            Step::Scanned { counts } if self.coverage != Coverage::Archived => self.scan(counts, pipeline),
            Step::BasicScan { critical } => {
                self.scanned = true;
                self.basic = critical;
                self.events.push(basic_scan(pipeline, critical, self.now));
            }
            Step::ListsLag(calls) => pipeline.aws.inspector().delay_listing(QUARANTINED, calls),
            Step::InAnotherRegion => {
                let there = finding(9, "ACTIVE", self.now).to_string().replace("eu-west-1", "us-east-1");
                self.foreign.push(serde_json::from_str(&there).unwrap());
            }
            _ => {}
        }
    }

    fn becomes(&mut self, n: usize, state: State, status: &str) {
        self.findings[n] = state;
        self.events.push(finding(n, status, self.now));
    }

    /// A scan after the archive finds everything anew.
    fn scan(&mut self, counts: bool, pipeline: &Pipeline) {
        if self.coverage == Coverage::Promised {
            for n in 0..FINDINGS {
                match self.findings[n] {
                    State::There => self.events.push(finding(n, "ACTIVE", self.now)),
                    State::Hidden => self.events.push(finding(n, "SUPPRESSED", self.now)),
                    State::Absent => {}
                }
            }
        }
        self.coverage = Coverage::Scanned;
        self.scanned = true;
        self.basic = false;
        pipeline.aws.inspector().seed_coverage(ARN, "ACTIVE", "SUCCESSFUL");
        self.now += SignedDuration::from_mins(1);
        let counted = |state: &&State| match state {
            State::There => true,
            State::Hidden => self.counts_suppressed,
            State::Absent => false,
        };
        let critical = self.findings.iter().filter(counted).count();
        let mut scan = event("2-scan", "Inspector2 Scan");
        scan["time"] = json!(self.now);
        scan["id"] = json!(format!("scan-{}", self.now));
        if counts {
            scan["detail"]["finding-severity-counts"] =
                json!({ "CRITICAL": critical, "HIGH": 0, "MEDIUM": 0, "TOTAL": critical });
        } else {
            scan["detail"].as_object_mut().unwrap().remove("finding-severity-counts");
        }
        self.events.push(scan);
    }

    /// Delivers what has happened. Returns the verdict that the pipeline comes to.
    async fn deliver(&mut self, pipeline: &mut Pipeline, seed: u64) -> Verdict {
        let again: Vec<Value> = self.events.iter().skip(1).step_by(3).cloned().collect();
        let events = shuffled([std::mem::take(&mut self.events), again].concat(), seed);
        pipeline.run(stream(std::mem::take(&mut self.foreign)), |_| ()).await.unwrap();
        let outcome = play(pipeline, stream(events)).await;
        assert_eq!(outcome.events.dead, 0, "{:?}", pipeline.dead());
        self.now = self.now.max(pipeline.time());
        verdict(&outcome)
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    let image = outcome.images.iter().find(|image| image.digest == QUARANTINED);
    image.map(|image| image.verdict).unwrap_or_default()
}

fn finding(number: usize, status: &str, at: Timestamp) -> Value {
    let mut event = event("2-scan", "Inspector2 Finding");
    event["id"] = json!(format!("finding-{number}-{status}-{at}"));
    event["time"] = json!(at);
    let detail = &mut event["detail"];
    detail["findingArn"] = json!(format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}"));
    detail["packageVulnerabilityDetails"]["vulnerabilityId"] = json!(format!("CVE-2031-{number}"));
    detail["severity"] = json!("CRITICAL");
    detail["status"] = json!(status);
    detail["firstObservedAt"] = json!("2026-03-02T09:00:00Z");
    detail["lastObservedAt"] = json!(at);
    detail["updatedAt"] = json!(at);
    event
}

fn basic_scan(pipeline: &Pipeline, critical: bool, at: Timestamp) -> Value {
    let finding = SeedScanFinding {
        name: "CVE-2031-7".to_owned(),
        severity: "CRITICAL".to_owned(),
        package: "zlib".to_owned(),
        version: "1.2".to_owned(),
        ..SeedScanFinding::default()
    };
    let findings: Vec<SeedScanFinding> = critical.then_some(finding).into_iter().collect();
    let counts = json!({ "CRITICAL": findings.len() });
    let scan = SeedScan { status: ScanStatus::Complete, completed_at: at.as_millisecond(), findings };
    pipeline.aws.ecr().seed_basic_scan("210987654321", "shop/checkout", QUARANTINED, scan);
    let mut event = event("2-scan", "Inspector2 Scan");
    event["id"] = json!(format!("basic-{at}"));
    event["detail-type"] = json!("ECR Image Scan");
    event["source"] = json!("aws.ecr");
    event["time"] = json!(at);
    event["detail"] = json!({
        "scan-status": "COMPLETE", "repository-name": "shop/checkout", "image-digest": QUARANTINED,
        "image-tags": ["1.4.0"], "finding-severity-counts": counts,
    });
    event
}

async fn holds(steps: Vec<Step>, counts_suppressed: bool) {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    let mut pipeline = pipeline_with(setting).await;
    play(&mut pipeline, act("1-push")).await;
    let mut world = World::new(counts_suppressed);
    for step in steps {
        match step {
            Step::Delivered { seed } => {
                let verdict = world.deliver(&mut pipeline, seed).await;
                assert!(!(verdict == Verdict::Clear && world.is_vulnerable()), "clear at {}", world.now);
            }
            step => world.take(step, &pipeline),
        }
    }
    // In the end the image is out of the archive and scanned, and lists lag no more.
    world.take(Step::Restored, &pipeline);
    world.now += SignedDuration::from_hours(2);
    pipeline.aws.inspector().delay_listing(QUARANTINED, 0);
    world.take(Step::Scanned { counts: true }, &pipeline);
    let verdict = world.deliver(&mut pipeline, 7).await;
    let expected = if world.is_vulnerable() { Verdict::Quarantine } else { Verdict::Clear };
    assert_eq!(verdict, expected, "in the end, {:?}", world.findings);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn never_clear_while_something_is_there(
        steps in vec(any_step(), 1..24),
        counts_suppressed in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(holds(steps, counts_suppressed));
    }
}
