//! One invocation of assess-image by itself: when its time is nearly over, and when others store meanwhile.
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use assess_image::AssessImage;
use aws::dynamodb::Ledgers;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::Occasion;
use domain::event::{ActionType, Event, ImageAction, ImageDue};
use domain::finding::Finding;
use domain::ledger::Evidence;
use domain::policy::Policy;
use domain::verdict::Verdict;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use pipeline_tests::{act, event, file, pipeline, quarantined, stream};
use serde_json::{Value, json};
use sim_aws::{Fault, Nth};
use sim_pipeline::Pipeline;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/own";

async fn function(pipeline: &Pipeline) -> AssessImage {
    function_with(pipeline, &sim_pipeline::story::policy()).await
}

async fn function_with(pipeline: &Pipeline, policy: &Path) -> AssessImage {
    let variables = |name: &str| match name {
        "TABLE_NAME" => Some("ledgers".to_owned()),
        "EVENT_BUS_NAME" => Some("announcements".to_owned()),
        "POLICY_FILE" => Some(policy.to_string_lossy().into_owned()),
        "QUEUE_URL" => Some(QUEUE.to_owned()),
        "ROOTS_QUEUE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/210987654321/roots".to_owned()),
        "DUE_QUEUE_URL" => Some("https://sqs.eu-west-1.amazonaws.com/210987654321/due".to_owned()),
        "REGISTRY_ACCOUNT" => Some("210987654321".to_owned()),
        "REPOSITORIES_INCLUDED" => Some("*".to_owned()),
        _ => None,
    };
    let config = pipeline.aws.sdk_config().await;
    AssessImage::new(&config, &Environment::new(&variables), Clock::System).unwrap()
}

/// Five findings of the story's first image and the end of its scan, as the queue delivers them.
fn batch() -> SqsEvent {
    let file = file("functions/assess-image/event.json");
    serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()
}

/// The same with every event changed.
fn changed(change: impl Fn(&mut Value)) -> SqsEvent {
    let mut batch = batch();
    for record in &mut batch.records {
        let mut event: Value = serde_json::from_str(record.body.as_deref().unwrap()).unwrap();
        change(&mut event);
        record.body = Some(event.to_string());
    }
    batch
}

/// A pipeline that knows the image, and what the function needs.
async fn furnished() -> Pipeline {
    let mut pipeline = pipeline().await;
    pipeline.establish(&[act("1-push"), act("2-scan")].concat());
    pipeline.aws.dynamodb().create_table("ledgers", "id").await;
    pipeline.aws.eventbridge().create_bus("announcements");
    pipeline
}

#[tokio::test]
async fn the_registry_is_asked_once_about_an_image_whose_push_nobody_announced() {
    let pipeline = furnished().await;
    let batch = changed(|event| {
        if let Some(image) = event.pointer_mut("/detail/resources/0/details/awsEcrContainerImage") {
            image.as_object_mut().unwrap().remove("pushedAt");
        }
    });
    let report = function(&pipeline).await.handle(batch, Deadline::never()).await;
    assert_eq!(report.failed, []);
    let calls = pipeline.aws.calls();
    assert_eq!((calls["events:PutEvents"], calls["ecr:DescribeImages"]), (1, 1));
}

#[tokio::test]
async fn a_basic_scan_of_an_image_that_went_is_handled_and_no_news() {
    let pipeline = furnished().await;
    let batch = changed(|event| {
        event["detail-type"] = json!("ECR Image Scan");
        event["source"] = json!("aws.ecr");
        event["detail"] = json!({
            "scan-status": "COMPLETE", "repository-name": "shop/checkout",
            "image-digest": format!("sha256:{}", "0a".repeat(32)), "finding-severity-counts": { "CRITICAL": 1 },
        });
    });
    let messages = batch.records.len();
    let report = function(&pipeline).await.handle(batch, Deadline::never()).await;
    assert_eq!((report.handled.len(), report.failed), (messages, vec![]));
    assert!(!pipeline.aws.calls().contains_key("events:PutEvents"));
}

#[tokio::test]
async fn images_for_which_no_time_is_left_are_deferred_untouched() {
    let pipeline = pipeline().await;
    let function = function(&pipeline).await;
    pipeline.aws.sqs().create_queue(QUEUE);
    let report = function.handle(batch(), Deadline::within(Duration::from_secs(5))).await;
    let records = batch().records;
    assert_eq!((report.deferred.len(), report.failed), (records.len(), vec![]));
    assert_eq!(pipeline.aws.calls(), BTreeMap::from([("sqs:SendMessage".to_owned(), 1)]));
    let sent = pipeline.aws.sqs().take_sent();
    let bodies = |bodies: Vec<Option<String>>| bodies.into_iter().collect::<BTreeSet<_>>();
    assert_eq!(
        bodies(sent.iter().map(|message| Some(message.body.clone())).collect()),
        bodies(records.into_iter().map(|record| record.body).collect())
    );
    for message in &sent {
        assert_eq!(message.attributes["attempt"].value, "1", "no attempt was made");
        assert_eq!(message.attributes["postponed"].value, "1");
        assert_eq!(message.delay_seconds, sent[0].delay_seconds, "one image's messages stay together");
        assert!((5..=60).contains(&message.delay_seconds));
    }
}

#[tokio::test]
async fn what_cannot_be_sent_when_no_time_is_left_goes_back_to_the_queue() {
    let pipeline = pipeline().await;
    let function = function(&pipeline).await;
    pipeline.aws.sqs().create_queue(QUEUE);
    let report = function.handle(batch(), Deadline::within(Duration::from_millis(900))).await;
    assert_eq!((report.deferred.len(), report.failed.len()), (0, batch().records.len()));
    assert_eq!(pipeline.aws.calls(), BTreeMap::new());
    assert!(report.into_response().is_err());
}

#[tokio::test]
async fn what_was_asked_is_not_asked_again_when_somebody_else_stores_meanwhile() {
    let pipeline = furnished().await;
    let function = function(&pipeline).await;
    let ledgers =
        Ledgers::new(aws_sdk_dynamodb::Client::new(&pipeline.aws.sdk_config().await), "ledgers".to_owned());
    let image = quarantined();
    pipeline.aws.faults().inject(
        "inspector2:ListFindings",
        Fault::Slow(Duration::from_millis(400)),
        Nth::Call(1),
    );
    let others = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let mut stored = ledgers.load(&image).await.unwrap();
        let (tag, media_type) = (None, Some("a/theirs".to_owned()));
        let at = "2026-03-02T08:00:00Z".parse().unwrap();
        stored.ledger.merge(Evidence::Action(ImageAction {
            image: image.clone(),
            action: ActionType::Push,
            tag,
            media_type,
            artifact_media_type: None,
            at,
        }));
        assert!(ledgers.store(&mut stored).await.unwrap());
    };
    let (report, ()) = tokio::join!(function.handle(batch(), Deadline::never()), others);
    assert_eq!(report.failed, []);
    let calls = pipeline.aws.calls();
    let count = |action: &str| calls.get(action).copied().unwrap_or_default();
    assert_eq!((count("dynamodb:PutItem"), count("events:PutEvents")), (3, 1), "theirs, a conflict, ours");
    assert_eq!((count("inspector2:ListFindings"), count("ecr:DescribeImages")), (1, 1));
    let ledger = ledgers.load(&image).await.unwrap().ledger;
    assert_eq!(ledger.facts.media_type.as_deref(), Some("a/theirs"));
    assert_eq!((ledger.announced.verdict, ledger.facts.findings.len()), (Verdict::Quarantine, 5));
}

/// A finding that is not in the batch, and its event.
fn another() -> (Finding, Value) {
    let mut news = event("2-scan", "Inspector2 Finding");
    let detail = &mut news["detail"];
    detail["findingArn"] =
        "arn:aws:inspector2:eu-west-1:210987654321:finding/eeeeeeeeeeeeeeeeeeeeeeeeeeeeeeee".into();
    detail["packageVulnerabilityDetails"]["vulnerabilityId"] = "CVE-2026-90019".into();
    let Ok(Event::Finding(report)) = Event::parse(&news.to_string()) else { panic!("{news}") };
    (report.finding, news)
}

/// On which occasion something is announced when a new policy judges an image that the batch is about, and somebody else
/// stores this meanwhile. `None` if nothing is.
async fn occasion(unseen: bool, theirs: Vec<Evidence>) -> Option<Option<Occasion>> {
    let mut pipeline = furnished().await;
    let judged = function(&pipeline).await.handle(batch(), Deadline::never()).await;
    assert_eq!(judged.failed, []);
    let ledgers =
        Ledgers::new(aws_sdk_dynamodb::Client::new(&pipeline.aws.sdk_config().await), "ledgers".to_owned());
    let before = ledgers.load(&quarantined()).await.unwrap().ledger.announced;
    pipeline.establish(&stream([another().1]));

    let story = std::fs::read_to_string(sim_pipeline::story::policy()).unwrap();
    let text = story + "# Another policy, by its fingerprint.\n";
    let policy = std::env::temp_dir().join(format!("ecr-warden-{}-{unseen}.yaml", std::process::id()));
    std::fs::write(&policy, &text).unwrap();
    let wanted = Policy::read_deployed(&text, "policy.yaml").unwrap().fingerprint();
    let due = ImageDue { policy: Some((before.at.unwrap(), wanted)), unseen, ..ImageDue::new(quarantined()) };
    let mut message = batch();
    message.records.truncate(1);
    message.records[0].body = Some(due.message());

    let function = function_with(&pipeline, &policy).await;
    let slow = Fault::Slow(Duration::from_millis(400));
    pipeline.aws.faults().inject("dynamodb:PutItem", slow, Nth::Call(1));
    let puts = || pipeline.aws.calls()["dynamodb:PutItem"];
    let known = puts();
    let others = async {
        // Ours is on its way.
        for _ in 0..200 {
            if puts() > known {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert!(puts() > known, "nothing was to be stored");
        let mut stored = ledgers.load(&quarantined()).await.unwrap();
        for evidence in theirs {
            assert!(stored.ledger.merge(evidence));
        }
        assert!(ledgers.store(&mut stored).await.unwrap());
    };
    let (report, ()) = tokio::join!(function.handle(message, Deadline::never()), others);
    assert_eq!(report.failed, []);
    let after = ledgers.load(&quarantined()).await.unwrap().ledger.announced;
    (after.at > before.at).then_some(after.occasion)
}

fn push_of_theirs() -> Evidence {
    let (tag, media_type, artifact_media_type) = (Some("theirs".to_owned()), None, None);
    let (image, at) = (quarantined(), "2026-03-02T09:30:00Z".parse().unwrap());
    Evidence::Action(ImageAction {
        image,
        action: ActionType::Push,
        tag,
        media_type,
        artifact_media_type,
        at,
    })
}

#[tokio::test]
async fn news_that_an_attempt_brought_is_news_though_somebody_else_stores_meanwhile() {
    assert_eq!(occasion(true, vec![push_of_theirs()]).await, Some(None));
}

#[tokio::test]
async fn news_of_somebody_else_is_not_announced_as_what_a_new_policy_changed() {
    let theirs = Evidence::Findings(vec![another().0]);
    assert_eq!(occasion(false, vec![theirs]).await, Some(None));
}
