//! Images that were in the registry before ecr-warden are found, judged, told of in one notice, and not quarantined for what
//! they had then.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use domain::image::ImageId;
use domain::verdict::Verdict;
use jiff::{SignedDuration, Timestamp};
use pipeline_tests::{act, event, pipeline_with, quarantined, rows, setting, stream};
use serde_json::json;
use sim_aws::SeedSubscription;
use sim_pipeline::{Deployment, Outcome, Pipeline, Setting};

const INTERVAL: SignedDuration = SignedDuration::from_mins(15);

fn adopting(quarantine: bool) -> Setting {
    let mut setting = setting();
    setting.parameters.insert("QuarantineAdopted".to_owned(), quarantine.to_string());
    setting.now = "2026-04-30T23:50:00Z".parse().unwrap();
    setting
}

/// The images and findings of the story, of which no event was ever delivered; covered and scanned long ago.
async fn before_us(setting: Setting) -> Pipeline {
    let mut pipeline = pipeline_with(setting).await;
    let was = [act("1-push"), act("2-scan"), act("8-platforms")].concat();
    pipeline.establish(&was);
    let start: Timestamp = "2026-05-01T00:00:00Z".parse().unwrap();
    // Nobody scans an attestation.
    for image in pipeline.aws.ecr().images().into_iter().filter(|image| !image.manifest.contains("in-toto")) {
        let digest = image.digest.clone().try_into().unwrap();
        let region = "eu-west-1".to_owned();
        let id = ImageId { account: image.registry, region, repository: image.repository, digest };
        pipeline.aws.inspector().seed_coverage(&id.arn(), "ACTIVE", "SUCCESSFUL");
        pipeline.aws.inspector().seed_last_scan(&id.arn(), start.as_millisecond() - 86_400_000);
    }
    pipeline.pass_time(start).await.unwrap();
    pipeline
}

/// Somebody subscribed to alerts and confirmed that.
fn subscribe(pipeline: &Pipeline) {
    let sweep = pipeline.functions().find(|function| function.name == "sweep").unwrap();
    let topic = sweep.environment["ALERTS_TOPIC_ARN"].clone();
    let subscription = SeedSubscription {
        protocol: "email".to_owned(),
        endpoint: "ops@example.com".to_owned(),
        confirmed: true,
    };
    pipeline.aws.sns().seed_subscription(&topic, subscription);
}

async fn later(pipeline: &mut Pipeline, hours: i64) -> Outcome {
    let now = pipeline.time();
    pipeline.pass_time(now + SignedDuration::from_hours(hours)).await.unwrap();
    Outcome::of(pipeline).await.unwrap()
}

#[tokio::test]
async fn what_was_there_before_is_judged_and_told_of_once() {
    let mut pipeline = before_us(adopting(false)).await;
    subscribe(&pipeline);
    let outcome = later(&mut pipeline, 3).await;
    let rows = rows(&pipeline).await;
    let row = &rows[&quarantined()];
    assert_eq!(
        (row.verdict, row.adopted_at.is_some(), row.exempt, row.quarantined),
        (Verdict::Quarantine, true, true, false)
    );
    assert!(rows.values().all(|row| row.adopted_at.is_some()), "{rows:#?}");
    // The index is judged, and its images are not listed.
    let indexes = outcome.images.iter().filter(|image| !image.platforms.is_empty()).count();
    assert_eq!(indexes, 1, "{:#?}", outcome.images);
    let marked =
        outcome.images.iter().flat_map(|image| &image.tags).any(|tag| tag.starts_with("quarantine-"));
    assert!(!marked, "{:#?}", outcome.images);
    let subjects: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
    assert_eq!(subjects.len(), 1, "{subjects:?}");
    assert!(outcome.alerts[0].text.contains("shop/checkout"), "{}", outcome.alerts[0].text);
    assert_eq!(outcome.events.dead, 0);
    let again = later(&mut pipeline, 30).await;
    assert_eq!(again.alerts.len(), 1, "{:#?}", again.alerts);
}

#[tokio::test]
async fn summary_waits_a_day_for_somebody_who_reads_it() {
    let mut pipeline = before_us(adopting(false)).await;
    assert_eq!(later(&mut pipeline, 23).await.alerts.len(), 0);
    assert_eq!(later(&mut pipeline, 2).await.alerts.len(), 1);
}

#[tokio::test]
async fn what_comes_later_quarantines_an_adopted_image() {
    let mut pipeline = before_us(adopting(false)).await;
    later(&mut pipeline, 3).await;
    let mut news = event("2-scan", "Inspector2 Finding");
    let at = pipeline.time();
    news["time"] = at.to_string().into();
    let detail = &mut news["detail"];
    detail["findingArn"] =
        "arn:aws:inspector2:eu-west-1:210987654321:finding/ffffffffffffffffffffffffffffffff".into();
    for field in ["firstObservedAt", "lastObservedAt", "updatedAt"] {
        detail[field] = at.to_string().into();
    }
    detail["packageVulnerabilityDetails"]["vulnerabilityId"] = "CVE-2026-90018".into();
    pipeline.aws.inspector().seed_known_exploited("CVE-2026-90018", at.as_second(), at.as_second());
    pipeline.play(stream([news]), |_| ()).await.unwrap();
    let row = rows(&pipeline).await[&quarantined()].clone();
    assert_eq!((row.verdict, row.exempt, row.quarantined), (Verdict::Quarantine, false, true));
    let outcome = Outcome::of(&pipeline).await.unwrap();
    assert!(outcome.alerts.last().unwrap().subject.starts_with("QUARANTINE"), "{:#?}", outcome.alerts);
}

#[tokio::test]
async fn operator_lets_adopted_images_come_under_quarantine() {
    let mut pipeline = before_us(adopting(false)).await;
    later(&mut pipeline, 3).await;
    pipeline.redeploy(Deployment::read(adopting(true)).unwrap()).unwrap();
    let outcome = later(&mut pipeline, 2).await;
    let row = rows(&pipeline).await[&quarantined()].clone();
    assert_eq!((row.exempt, row.quarantined), (false, true));
    let marked =
        outcome.images.iter().flat_map(|image| &image.tags).any(|tag| tag.starts_with("quarantine-"));
    assert!(marked, "{:#?}", outcome.images);
    // And takes it back.
    pipeline.redeploy(Deployment::read(adopting(false)).unwrap()).unwrap();
    let outcome = later(&mut pipeline, 2).await;
    let held = |tag: &&String| tag.starts_with("quarantine-");
    assert_eq!(outcome.images.iter().flat_map(|image| &image.tags).filter(held).count(), 0);
}

#[tokio::test]
async fn image_that_was_pushed_since_is_not_adopted_though_its_events_were_lost() {
    let now: Timestamp = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..adopting(false) }).await;
    pipeline.pass_time(now + INTERVAL).await.unwrap();
    // Everything was lost.
    pipeline.establish(&[act("1-push"), act("2-scan")].concat());
    pipeline.aws.inspector().seed_coverage(&quarantined().arn(), "ACTIVE", "SUCCESSFUL");
    let scanned: Timestamp = "2026-03-02T09:01:10Z".parse().unwrap();
    pipeline.aws.inspector().seed_last_scan(&quarantined().arn(), scanned.as_millisecond());
    let outcome = later(&mut pipeline, 25).await;
    let row = rows(&pipeline).await[&quarantined()].clone();
    assert_eq!((row.verdict, row.adopted_at.is_some(), row.quarantined), (Verdict::Quarantine, false, true));
    assert!(
        outcome.alerts.iter().any(|alert| alert.subject.starts_with("QUARANTINE")),
        "{:#?}",
        outcome.alerts
    );
    assert!(outcome.metrics.iter().any(|metric| metric.name == "Reconciled" && metric.sum >= 1.0));
}

#[tokio::test]
async fn finding_whose_event_was_lost_is_found_within_two_hours() {
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..adopting(false) }).await;
    pipeline.play([act("1-push"), act("2-scan")].concat(), |_| ()).await.unwrap();
    later(&mut pipeline, 2).await;
    let open = |rows: &std::collections::BTreeMap<_, domain::row::StatusRow>| -> u64 {
        rows[&quarantined()].open.values().sum()
    };
    let before = open(&rows(&pipeline).await);
    let at = pipeline.time();
    let mut news = event("2-scan", "Inspector2 Finding");
    news["time"] = at.to_string().into();
    news["detail"]["findingArn"] =
        json!("arn:aws:inspector2:eu-west-1:210987654321:finding/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee");
    news["detail"]["updatedAt"] = at.to_string().into();
    news["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = "CVE-2026-90019".into();
    pipeline.establish(&stream([news]));
    later(&mut pipeline, 2).await;
    assert_eq!(open(&rows(&pipeline).await), before + 1);
}

#[tokio::test]
async fn adopted_images_that_nothing_scans_are_told_of_once_with_the_reason_and_what_helps() {
    let mut pipeline = pipeline_with(adopting(false)).await;
    subscribe(&pipeline);
    pipeline.establish(&act("1-push"));
    for image in pipeline.aws.ecr().images() {
        let id = ImageId {
            account: image.registry,
            region: "eu-west-1".to_owned(),
            repository: image.repository,
            digest: image.digest.try_into().unwrap(),
        };
        pipeline.aws.inspector().seed_coverage(&id.arn(), "INACTIVE", "UNSUPPORTED_OS");
    }
    let outcome = later(&mut pipeline, 4).await;
    let rows = rows(&pipeline).await;
    assert!(rows.len() > 1 && rows.values().all(|row| row.verdict == Verdict::Unscannable), "{rows:#?}");
    let subjects: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
    let [adopted, unscanned] = subjects.as_slice() else { panic!("{subjects:?}") };
    assert!(adopted.starts_with("Adopted"), "{subjects:?}");
    assert_eq!(*unscanned, format!("Not scanned: {} images", rows.len()));
    assert!(
        outcome.alerts[1].text.contains("What helps: build it on a base image"),
        "{}",
        outcome.alerts[1].text
    );
    assert_eq!(later(&mut pipeline, 60).await.alerts.len(), 2, "it is said once");
}

#[tokio::test]
async fn image_whose_deletion_was_lost_leaves_the_list_within_a_day() {
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..adopting(false) }).await;
    pipeline.play([act("1-push"), act("2-scan")].concat(), |_| ()).await.unwrap();
    let ImageId { account, repository, digest, .. } = quarantined();
    pipeline.aws.ecr().seed_delete(&account, &repository, digest.as_str());
    assert!(rows(&pipeline).await.contains_key(&quarantined()));
    later(&mut pipeline, 25).await;
    assert!(!rows(&pipeline).await.contains_key(&quarantined()));
}

#[tokio::test]
async fn tag_whose_removal_was_lost_leaves_the_list_within_a_day() {
    let now = "2026-03-02T00:00:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..adopting(false) }).await;
    pipeline.play([act("1-push"), act("2-scan")].concat(), |_| ()).await.unwrap();
    let tags = rows(&pipeline).await[&quarantined()].tags.clone();
    assert!(!tags.is_empty());
    for tag in &tags {
        pipeline.aws.ecr().seed_untag(&quarantined().account, &quarantined().repository, tag);
    }
    later(&mut pipeline, 25).await;
    assert!(rows(&pipeline).await[&quarantined()].tags.is_empty());
}
