//! What a date changes happens within one interval of the sweep, with no new evidence (invariant 11), and once.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use aws::dynamodb::StoredLedger;
use domain::image::ImageId;
use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::buildx::{Manifest, REPOSITORY};
use pipeline_tests::{announced, event, file, ledgers, pipeline_with, quarantined, rows, setting, stream};
use serde_json::Value;
use sim_pipeline::{Delivery, Outcome, Pipeline, Setting};

/// When the image is pushed.
const PUSHED: &str = "2026-03-02T09:00:00Z";
/// How often the sweep comes.
const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

fn pushed() -> Timestamp {
    PUSHED.parse().unwrap()
}

fn with_policy(policy: &str) -> Setting {
    Setting { policy: file(policy), ..setting() }
}

async fn watched() -> Pipeline {
    pipeline_with(with_policy("tests/pipeline/clock-policy.yaml")).await
}

fn push() -> Vec<Delivery> {
    let mut push = event("1-push", "ECR Image Action");
    push["time"] = PUSHED.into();
    push["detail"]["image-digest"] = quarantined().digest.as_str().into();
    push["detail"]["repository-name"] = "shop/checkout".into();
    stream([push])
}

/// Critical findings of these vulnerabilities, and the scan that found them, a minute after the push.
fn scan(vulnerabilities: &[&str]) -> Vec<Delivery> {
    let sample = event("2-scan", "Inspector2 Finding");
    let found = vulnerabilities.iter().enumerate().map(|(number, vulnerability)| {
        let mut finding = sample.clone();
        let detail = &mut finding["detail"];
        detail["findingArn"] =
            format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}").into();
        detail["packageVulnerabilityDetails"]["vulnerabilityId"] = (*vulnerability).into();
        detail["exploitAvailable"] = "NO".into();
        detail["epss"]["score"] = 0.0004.into();
        finding
    });
    let mut ended = event("2-scan", "Inspector2 Scan");
    let count = vulnerabilities.len();
    ended["detail"]["finding-severity-counts"] =
        serde_json::json!({"CRITICAL": count, "HIGH": 0, "MEDIUM": 0, "TOTAL": count});
    stream(found.chain([ended]).collect::<Vec<Value>>())
}

fn multi(manifest: &Manifest) -> ImageId {
    let digest = manifest.digest().try_into().unwrap();
    ImageId { repository: REPOSITORY.to_owned(), digest, ..quarantined() }
}

async fn stored(pipeline: &Pipeline, image: &ImageId) -> StoredLedger {
    ledgers(pipeline).await.load(image).await.unwrap()
}

async fn verdict(pipeline: &Pipeline) -> Verdict {
    stored(pipeline, &quarantined()).await.ledger.announced.verdict
}

async fn alerts(pipeline: &Pipeline) -> Vec<String> {
    let alerts = Outcome::of(pipeline).await.unwrap().alerts;
    alerts.into_iter().map(|alert| alert.subject).collect()
}

#[tokio::test]
async fn image_comes_under_quarantine_when_the_grace_ends() {
    let mut pipeline = watched().await;
    pipeline.play([push(), scan(&["CVE-2026-1"])].concat(), |_| ()).await.unwrap();
    let grace_ends = "2026-03-04T09:01:10Z".parse().unwrap();
    assert_eq!(stored(&pipeline, &quarantined()).await.due, Some(grace_ends));
    pipeline.pass_time(grace_ends - SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Clear);
    let before = alerts(&pipeline).await;
    pipeline.pass_time(grace_ends + INTERVAL).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Quarantine);
    let at_the_end = announced(&pipeline, &quarantined()).await;
    pipeline.pass_time(grace_ends + INTERVAL * 100).await.unwrap();
    assert_eq!(announced(&pipeline, &quarantined()).await, at_the_end, "it is said once");
    let after = alerts(&pipeline).await;
    assert_eq!(after.len(), before.len() + 1, "{after:?}");
    assert!(after.last().unwrap().starts_with("QUARANTINE"), "{after:?}");
    let outcome = Outcome::of(&pipeline).await.unwrap();
    let marked =
        outcome.images.iter().any(|image| image.tags.iter().any(|tag| tag.starts_with("quarantine-")));
    assert!(marked, "{:?}", outcome.images);
    assert_eq!(outcome.events.dead, 0);
}

#[tokio::test]
async fn image_comes_under_quarantine_on_the_day_after_its_waiver() {
    let mut pipeline = watched().await;
    pipeline.play([push(), scan(&["CVE-2026-7"])].concat(), |_| ()).await.unwrap();
    let midnight: Timestamp = "2026-03-07T00:00:00Z".parse().unwrap();
    pipeline.pass_time(midnight - SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Clear);
    pipeline.pass_time(midnight + INTERVAL).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Quarantine);
}

#[tokio::test]
async fn image_that_nothing_scans_is_reported_when_its_scan_is_overdue() {
    let mut pipeline = watched().await;
    pipeline.aws.inspector().seed_coverage(&quarantined().arn(), "INACTIVE", "UNSUPPORTED_OS");
    pipeline.play(push(), |_| ()).await.unwrap();
    let overdue = pushed() + SignedDuration::from_mins(30);
    pipeline.pass_time(overdue - SignedDuration::from_secs(1)).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Pending);
    pipeline.pass_time(overdue + INTERVAL).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Unscannable);
    pipeline.pass_time(overdue + SignedDuration::from_hours(24 * 3)).await.unwrap();
    let subjects = alerts(&pipeline).await;
    let told = subjects.iter().filter(|subject| subject.starts_with("Not scanned")).count();
    assert_eq!(told, 1, "{subjects:?}");
    // A scan after all ends it.
    pipeline.play(scan(&[]), |_| ()).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Clear);
}

#[tokio::test]
async fn later_index_over_an_image_whose_push_was_lost_is_reported_when_its_scan_is_overdue() {
    let now = pushed() - SignedDuration::from_hours(1);
    let mut pipeline =
        pipeline_with(Setting { now, ..with_policy("tests/pipeline/clock-policy.yaml") }).await;
    pipeline.pass_time(now + INTERVAL).await.unwrap();
    let part = Manifest::image("linux/amd64", "shared");
    let indexes = [0, 1].map(|build| Manifest::build(std::slice::from_ref(&part), build).0);
    pipeline.establish(&stream(part.push("", pushed())));
    pipeline.aws.inspector().seed_coverage(&multi(&part).arn(), "ACTIVE", "PENDING_INITIAL_SCAN");
    let later = pushed() + SignedDuration::from_mins(20);
    let pushes = [indexes[0].push("1.0", pushed()), indexes[1].push("1.1", later)].concat();
    pipeline.play(stream(pushes), |_| ()).await.unwrap();
    for (index, since) in indexes.iter().zip([pushed(), later]) {
        let overdue = since + SignedDuration::from_mins(30);
        pipeline.pass_time(overdue + INTERVAL).await.unwrap();
        let known = stored(&pipeline, &multi(index)).await.ledger;
        assert_eq!(known.announced.verdict, Verdict::Unscannable, "{since}");
    }
}

#[tokio::test]
async fn scan_whose_events_were_lost_is_found() {
    let mut pipeline = watched().await;
    let lost = scan(&["CVE-2026-1"]);
    pipeline.establish(&lost);
    pipeline.aws.inspector().seed_coverage(&quarantined().arn(), "ACTIVE", "SUCCESSFUL");
    let scanned = (pushed() + SignedDuration::from_mins(1)).as_millisecond();
    pipeline.aws.inspector().seed_last_scan(&quarantined().arn(), scanned);
    pipeline.play(push(), |_| ()).await.unwrap();
    pipeline.pass_time(pushed() + SignedDuration::from_mins(30) + INTERVAL).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Clear);
    let open = rows(&pipeline).await[&quarantined()].open.values().sum::<u64>();
    assert_eq!(open, 1);
    pipeline.pass_time(pushed() + SignedDuration::from_hours(49)).await.unwrap();
    assert_eq!(verdict(&pipeline).await, Verdict::Quarantine);
}

#[tokio::test]
async fn assessment_that_a_crash_left_unpublished_is_announced_without_an_event() {
    let mut pipeline = watched().await;
    pipeline.play([push(), scan(&["CVE-2026-1"])].concat(), |_| ()).await.unwrap();
    let ledgers = ledgers(&pipeline).await;
    let mut left = ledgers.load(&quarantined()).await.unwrap();
    let said = announced(&pipeline, &quarantined()).await;
    let policy = domain::policy::Policy::read_deployed(
        &std::fs::read_to_string(file("tests/pipeline/strict-policy.yaml")).unwrap(),
        "policy.yaml",
    );
    let policy = policy.unwrap();
    let assessed = domain::assessment::assess(&left.ledger, left.version + 1, &policy, pipeline.time());
    left.unpublished = Some(assessed.unwrap().assessment);
    assert!(ledgers.store(&mut left).await.unwrap());
    pipeline.pass_time(pipeline.time() + INTERVAL).await.unwrap();
    assert_eq!(ledgers.load(&quarantined()).await.unwrap().unpublished, None);
    assert!(announced(&pipeline, &quarantined()).await.len() > said.len());
}
