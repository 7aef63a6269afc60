//! The outbox of a ledger, where two functions store it at the same time (invariant 2).
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use aws::dynamodb::{Ledgers, StoredLedger};
use domain::assessment::{Assessed, assess};
use domain::event::{ActionType, Event, ImageAction};
use domain::image::ImageId;
use domain::ledger::Evidence;
use domain::policy::Policy;
use jiff::Timestamp;
use pipeline_tests::{event, pipeline};

const POLICY: &str = "rules: [{ id: any, match: { severity_at_least: LOW }, then: [alert] }]";

/// A ledger that was judged, with its assessment in the outbox, and where it is stored.
async fn stored() -> (Ledgers, StoredLedger) {
    let pipeline = pipeline().await;
    pipeline.aws.dynamodb().create_table("ledgers", "id").await;
    let client = aws_sdk_dynamodb::Client::new(&pipeline.aws.sdk_config().await);
    let ledgers = Ledgers::new(client, "ledgers".to_owned());
    let Ok(Event::Finding(report)) = Event::parse(&event("2-scan", "Inspector2 Finding").to_string()) else {
        panic!("the story's finding cannot be read");
    };
    let mut stored = ledgers.load(&report.image).await.unwrap();
    let (source, at) = (report.finding.source, report.finding.updated_at);
    let findings = vec![report.finding];
    stored.ledger.merge(Evidence::Listing { source, at, scanned: true, findings, tags: vec![] });
    let policy = Policy::read_deployed(POLICY, "policy.yaml").unwrap();
    let Assessed { assessment, announced } = assess(&stored.ledger, 1, &policy, at).unwrap();
    stored.ledger.announced = announced;
    stored.unpublished = Some(assessment);
    assert!(ledgers.store(&mut stored).await.unwrap());
    (ledgers, stored)
}

fn tagged(image: &ImageId) -> Evidence {
    let at: Timestamp = "2026-03-02T09:00:00Z".parse().unwrap();
    let (tag, media_type, artifact_media_type) = (Some("again".to_owned()), None, None);
    let (image, action) = (image.clone(), ActionType::Push);
    Evidence::Action(ImageAction { image, action, tag, media_type, artifact_media_type, at })
}

#[tokio::test]
async fn a_push_that_is_noted_between_storing_and_marking_leaves_nothing_in_the_outbox() {
    let (ledgers, mut ours) = stored().await;
    let mut theirs = ledgers.load(&ours.ledger.image).await.unwrap();
    assert!(theirs.unpublished.is_some());
    assert!(theirs.ledger.merge(tagged(&ours.ledger.image)));
    assert!(ledgers.store(&mut theirs).await.unwrap());

    ledgers.mark_published(&mut ours).await.unwrap();
    let after = ledgers.load(&ours.ledger.image).await.unwrap();
    assert_eq!(after.unpublished, None, "it would be announced again");
    assert_eq!(after.ledger.facts.tags(), ["again"], "and the push is noted");
}

#[tokio::test]
async fn of_two_who_store_the_same_version_one_must_merge_again() {
    let (ledgers, ours) = stored().await;
    let mut first = ledgers.load(&ours.ledger.image).await.unwrap();
    let mut second = first.clone();
    assert!(first.ledger.merge(tagged(&ours.ledger.image)));
    assert!(ledgers.store(&mut first).await.unwrap());
    assert!(!ledgers.store(&mut second).await.unwrap());
}

#[tokio::test]
async fn who_loaded_the_ledger_before_the_mark_does_not_put_the_assessment_back() {
    let (ledgers, mut ours) = stored().await;
    let mut theirs = ledgers.load(&ours.ledger.image).await.unwrap();
    assert!(theirs.unpublished.is_some());
    ledgers.mark_published(&mut ours).await.unwrap();

    assert!(theirs.ledger.merge(tagged(&ours.ledger.image)));
    assert!(!ledgers.store(&mut theirs).await.unwrap());
    assert_eq!(ledgers.load(&ours.ledger.image).await.unwrap().unpublished, None);

    // Whoever marked it goes on with the version that there is now.
    assert!(ours.ledger.merge(tagged(&ours.ledger.image)));
    assert!(ledgers.store(&mut ours).await.unwrap());
}
