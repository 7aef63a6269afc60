//! What the end-to-end tests share: the story's events, a policy, and the real template.
#![allow(clippy::unwrap_used, clippy::panic, clippy::missing_panics_doc)] // What is not there fails the test.

pub mod buildx;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use aws::dynamodb::{Enforcement, History, Ledgers};
use domain::history::{Announcement, Happening};
use domain::image::ImageId;
use domain::row::StatusRow;
use domain::verdict::Verdict;
use jiff::Timestamp;
use sim_pipeline::{Delivery, Deployment, Outcome, Pipeline, Setting, know_exploited, read_text, story};

pub const ACTS: [&str; 7] = ["1-push", "2-scan", "3-again", "4-fix", "5-archived", "6-spread", "7-released"];

/// A file of the checkout.
pub fn file(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

pub fn template() -> String {
    std::fs::read_to_string(file("template.yaml")).unwrap()
}

pub fn act(name: &str) -> Vec<Delivery> {
    read_text(name, &std::fs::read(file("sim/pipeline/story").join(format!("{name}.jsonl"))).unwrap())
}

pub fn setting() -> Setting {
    Setting {
        template: template(),
        parameters: [("QuarantineMode", "tag"), ("QuarantineUntagged", "true")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into(),
        policy: story::policy(),
        account: "210987654321".to_owned(),
        region: "eu-west-1".to_owned(),
        now: Timestamp::UNIX_EPOCH,
    }
}

pub async fn pipeline() -> Pipeline {
    pipeline_with(setting()).await
}

pub async fn pipeline_with(setting: Setting) -> Pipeline {
    let pipeline = Pipeline::deploy(deployment(setting)).await.unwrap();
    know_exploited(&pipeline.aws, story::KNOWN_EXPLOITED).unwrap();
    pipeline
}

/// What a setting says. A template is read once: that takes longer than many a test.
fn deployment(setting: Setting) -> Deployment {
    static READ: Mutex<Vec<Deployment>> = Mutex::new(Vec::new());
    let mut read = READ.lock().unwrap();
    if let Some(known) = read.iter().find(|known| known.has_stack_of(&setting)) {
        return known.with(setting).unwrap();
    }
    let new = Deployment::read(setting).unwrap();
    read.push(new.clone());
    new
}

pub async fn play(pipeline: &mut Pipeline, deliveries: Vec<Delivery>) -> Outcome {
    pipeline.play(deliveries, |_| ()).await.unwrap();
    Outcome::of(pipeline).await.unwrap()
}

/// The same items in an order that the seed decides (a linear congruential generator and Fisher-Yates).
pub fn shuffled<T>(mut items: Vec<T>, seed: u64) -> Vec<T> {
    let mut state = seed;
    for last in (1..items.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let place = usize::try_from((state >> 33) % (last as u64 + 1)).unwrap();
        items.swap(last, place);
    }
    items
}

/// The sums of the metrics by name and dimensions.
pub fn sums(outcome: &Outcome) -> BTreeMap<(String, Vec<String>), i64> {
    #[allow(clippy::cast_possible_truncation)] // Counts, seconds and milliseconds of a story.
    let sum = |sum: f64| sum as i64;
    let dimensions = |dimensions: &BTreeMap<String, String>| dimensions.values().cloned().collect();
    outcome.metrics.iter().map(|m| ((m.name.clone(), dimensions(&m.dimensions)), sum(m.sum))).collect()
}

/// The digest of the image that the story's second act quarantines.
pub const QUARANTINED: &str = "sha256:7e6c2638cb94af251e0dca51224a5f4a58d3f1ae03c72c385c0101c62197cda7";

/// Which image that is.
pub fn quarantined() -> ImageId {
    ImageId {
        account: "210987654321".to_owned(),
        region: "eu-west-1".to_owned(),
        repository: "shop/checkout".to_owned(),
        digest: QUARANTINED.to_owned().try_into().unwrap(),
    }
}

/// An event of an act, as JSON that a test may change.
pub fn event(act_name: &str, kind: &str) -> serde_json::Value {
    let is_it = |event: &serde_json::Value| event["detail-type"] == kind;
    act(act_name).into_iter().filter_map(|delivery| delivery.event.ok()).find(is_it).unwrap()
}

/// Events as a stream.
pub fn stream(events: impl IntoIterator<Item = serde_json::Value>) -> Vec<Delivery> {
    let lines: Vec<String> = events.into_iter().map(|event| event.to_string()).collect();
    read_text("test", lines.join("\n").as_bytes())
}

/// So many findings of one image, each another vulnerability.
pub fn findings(count: usize) -> Vec<serde_json::Value> {
    let sample = event("2-scan", "Inspector2 Finding");
    (0..count)
        .map(|number| {
            let mut event = sample.clone();
            event["id"] = format!("event-{number}").into();
            event["detail"]["findingArn"] =
                format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}").into();
            event["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] =
                format!("CVE-2026-{number}").into();
            event["detail"]["exploitAvailable"] = "NO".into();
            event["detail"]["epss"]["score"] = 0.0004.into();
            event["detail"]["severity"] = "MEDIUM".into();
            event
        })
        .collect()
}

pub async fn tables(pipeline: &Pipeline) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&pipeline.aws.sdk_config().await)
}

pub async fn ledgers(pipeline: &Pipeline) -> Ledgers {
    Ledgers::new(tables(pipeline).await, pipeline.ledger_table())
}

pub async fn history(pipeline: &Pipeline) -> History {
    History::new(tables(pipeline).await, pipeline.history_table())
}

/// What quarantine did, and its limit.
pub async fn enforcement(pipeline: &Pipeline) -> Enforcement {
    Enforcement::new(tables(pipeline).await, pipeline.ledger_table())
}

/// The index of all images.
pub async fn rows(pipeline: &Pipeline) -> BTreeMap<ImageId, StatusRow> {
    let rows = ledgers(pipeline).await.rows().await.unwrap();
    assert_eq!(rows.unreadable, []);
    rows.items.into_iter().map(|listed| (listed.image, listed.row)).collect()
}

/// What was announced of an image, by the history, in the order of time.
pub async fn announced(pipeline: &Pipeline, image: &ImageId) -> Vec<Announcement> {
    let entries = history(pipeline).await.of(image, Timestamp::MIN..Timestamp::MAX).await.unwrap();
    let announcements = entries.into_iter().filter_map(|entry| match entry.what {
        Happening::Assessed(announcement) => Some(*announcement),
        Happening::Unknown => panic!("nobody writes that: {entry:?}"),
        _ => None,
    });
    announcements.collect()
}

/// Checks the index and the history against the end of a run: every image that was announced is in both as it was
/// announced last, and no announcement is missing in between.
pub async fn assert_remembered(pipeline: &Pipeline, outcome: &Outcome, when: &str) {
    let rows = rows(pipeline).await;
    assert_eq!(rows.len(), outcome.images.len(), "{when}: images in the index");
    for (image, row) in rows {
        let is_it = |one: &&sim_pipeline::ImageOutcome| {
            (&one.repository, one.digest.as_str()) == (&image.repository, image.digest.as_str())
        };
        let at_the_end = outcome.images.iter().find(is_it).unwrap();
        assert_eq!(row.verdict, at_the_end.verdict, "{when}: {image} in the index");
        assert_eq!(row.open, at_the_end.findings, "{when}: {image} in the index");
        assert_eq!(row.waived, at_the_end.waived as u64, "{when}: {image} in the index");
        let mut verdict = Verdict::Pending;
        for announcement in announced(pipeline, &image).await {
            assert_eq!(announcement.previous, verdict, "{when}: an entry before this of {image} is missing");
            verdict = announcement.verdict;
        }
        assert_eq!(verdict, row.verdict, "{when}: the last entry of {image}");
    }
}
