//! A new policy reaches every image, is told in one notice, and functions that still have the old one wait.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::path::PathBuf;

use aws_sdk_dynamodb::types::AttributeValue;
use domain::verdict::Verdict;
use jiff::SignedDuration;
use pipeline_tests::{act, announced, pipeline_with, quarantined, rows, setting, tables};
use sim_pipeline::{Deployment, Outcome, Pipeline, Setting};

const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

/// The setting with another policy file: that of the story, with its rules changed.
fn with_rules(name: &str, rules: &str) -> Setting {
    let story = std::fs::read_to_string(sim_pipeline::story::policy()).unwrap();
    let (_, rest) = story.split_once("\nwaivers:\n").unwrap();
    let file: PathBuf = std::env::temp_dir().join(format!("ecr-warden-{}-{name}.yaml", std::process::id()));
    std::fs::write(&file, format!("rules:\n{rules}\nwaivers:\n{rest}")).unwrap();
    let mut setting = setting();
    setting.policy = file;
    setting.parameters.insert("DeployedBy".to_owned(), "Mary".to_owned());
    setting
}

const LENIENT: &str = "  - { id: never, match: { vulnerabilities: [CVE-1] }, then: [alert] }";
const STRICT: &str = "  - { id: severe, match: { severity_at_least: LOW }, then: [alert, quarantine] }";

async fn judged(setting: Setting) -> Pipeline {
    let mut pipeline = pipeline_with(setting).await;
    pipeline.play([act("1-push"), act("2-scan")].concat(), |_| ()).await.unwrap();
    // The first run notes which policy is in force.
    let now = pipeline.time();
    pipeline.pass_time(now + INTERVAL).await.unwrap();
    pipeline
}

#[tokio::test]
async fn new_policy_changes_verdicts_without_an_event_and_is_one_message() {
    let mut pipeline = judged(with_rules("a", LENIENT)).await;
    assert!(rows(&pipeline).await.values().all(|row| row.verdict != Verdict::Quarantine));
    let before = Outcome::of(&pipeline).await.unwrap().alerts.len();
    pipeline.redeploy(Deployment::read(with_rules("b", STRICT)).unwrap()).unwrap();
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_mins(30)).await.unwrap();
    let after = rows(&pipeline).await;
    assert_eq!(after[&quarantined()].verdict, Verdict::Quarantine);
    let policies: std::collections::BTreeSet<_> = after.values().map(|row| row.policy.clone()).collect();
    assert_eq!(policies.len(), 1, "{policies:?}");
    let outcome = Outcome::of(&pipeline).await.unwrap();
    let told = &outcome.alerts[before..];
    assert_eq!(told.len(), 1, "{told:#?}");
    assert!(told[0].text.contains("Mary") && told[0].text.contains("shop/checkout"), "{}", told[0].text);
    assert_eq!(outcome.events.dead, 0, "{:#?}", pipeline.dead());
    // The registry follows.
    let marked = outcome.images.iter().find(|image| image.digest == quarantined().digest.as_str()).unwrap();
    assert!(marked.tags.iter().any(|tag| tag.starts_with("quarantine-")), "{marked:?}");
    let said = announced(&pipeline, &quarantined()).await.len();
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_hours(3)).await.unwrap();
    assert_eq!(announced(&pipeline, &quarantined()).await.len(), said, "it is said once");
    assert_eq!(Outcome::of(&pipeline).await.unwrap().alerts.len(), outcome.alerts.len());
}

#[tokio::test]
async fn new_policy_reaches_an_image_whose_row_cannot_be_read() {
    let mut pipeline = judged(with_rules("e", LENIENT)).await;
    let update = tables(&pipeline).await.update_item().table_name(pipeline.ledger_table());
    let update = update.key("id", AttributeValue::S(format!("image#{}", quarantined())));
    let update = update.update_expression("SET #row = :row").expression_attribute_names("#row", "row");
    update.expression_attribute_values(":row", AttributeValue::S("{".to_owned())).send().await.unwrap();
    pipeline.redeploy(Deployment::read(with_rules("f", STRICT)).unwrap()).unwrap();
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_mins(30)).await.unwrap();
    let row = &rows(&pipeline).await[&quarantined()];
    assert_eq!(row.verdict, Verdict::Quarantine, "the row was written anew");
    assert_eq!(pipeline.dead(), []);
}

#[tokio::test]
async fn policy_that_changes_nothing_writes_each_image_once() {
    let mut pipeline = judged(with_rules("c", LENIENT)).await;
    let writes = |pipeline: &Pipeline| pipeline.aws.calls_by_caller();
    let key = ("assess-image".to_owned(), "dynamodb:PutItem".to_owned());
    let images = rows(&pipeline).await.len() as u64;
    let before = writes(&pipeline)[&key];
    let same = LENIENT.replace("never", "renamed");
    pipeline.redeploy(Deployment::read(with_rules("d", &same)).unwrap()).unwrap();
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_mins(60)).await.unwrap();
    assert_eq!(writes(&pipeline)[&key] - before, images);
}
