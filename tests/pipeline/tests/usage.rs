//! What is known of the use of an image, and what that changes: Inspector is asked when an image is about to come under
//! quarantine, the alert says what runs it, and the policy may give it more time.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test says what it expects by failing.

use domain::verdict::Verdict;
use pipeline_tests::{QUARANTINED, act, pipeline_with, play, quarantined, setting};
use sim_aws::SeedUsage;
use sim_pipeline::{Outcome, Pipeline};

const ASKED: &str = "inspector2:ListCoverage";

/// 2026-02-28T12:00:00Z, in milliseconds since 1970.
const LAST: i64 = 1_772_280_000_000;

/// The first two acts of the story, of whose first image Inspector says this.
async fn told(usage: SeedUsage, policy: &str) -> (Pipeline, Outcome) {
    let mut setting = setting();
    if !policy.is_empty() {
        setting.policy = pipeline_tests::file(policy);
    }
    let mut pipeline = pipeline_with(setting).await;
    pipeline.aws.inspector().seed_usage(&quarantined().arn(), usage);
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    (pipeline, outcome)
}

fn verdict(outcome: &Outcome) -> Verdict {
    outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap().verdict
}

fn used() -> SeedUsage {
    SeedUsage { in_use_count: Some(3), last_in_use_at: Some(LAST), pulled_at: Some(LAST) }
}

#[tokio::test]
async fn alert_of_a_quarantine_says_what_runs_the_image() {
    let (_, outcome) = told(used(), "").await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    let alert = outcome.alerts.iter().find(|alert| alert.subject.starts_with("QUARANTINE")).unwrap();
    assert!(
        alert.text.contains("\nIn use   by 3 tasks and pods, last seen on 2026-02-28\n"),
        "{}",
        alert.text
    );
}

#[tokio::test]
async fn coverage_is_asked_once_of_each_image_that_comes_under_quarantine() {
    let (mut pipeline, outcome) = told(SeedUsage::default(), "").await;
    let quarantined =
        outcome.images.iter().filter(|image| image.verdict == Verdict::Quarantine).count() as u64;
    assert!(quarantined > 0 && outcome.images.len() as u64 > quarantined);
    assert_eq!(outcome.calls[ASKED], quarantined);
    let again = play(&mut pipeline, act("3-again")).await;
    assert_eq!(again.calls[ASKED], quarantined, "a duplicate asks nothing");
    assert!(again.alerts.iter().all(|alert| !alert.text.contains("In use")), "what is not known is not said");
}

#[tokio::test]
async fn grace_of_images_in_use_holds_only_where_use_is_known() {
    let policy = "tests/pipeline/usage-policy.yaml";
    assert_eq!(verdict(&told(used(), policy).await.1), Verdict::Clear);
    assert_eq!(verdict(&told(SeedUsage::default(), policy).await.1), Verdict::Quarantine);
    let unused = SeedUsage { in_use_count: Some(0), ..SeedUsage::default() };
    assert_eq!(verdict(&told(unused, policy).await.1), Verdict::Quarantine);
}
