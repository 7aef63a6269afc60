//! In which order people hear of an image (invariant 3).
#![allow(clippy::unwrap_used, clippy::panic)] // A test says what it expects by failing.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use aws_lambda_events::event::sqs::SqsEvent;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use pipeline_tests::{file, pipeline};
use raise_alerts::RaiseAlerts;
use serde_json::{Value, json};
use sim_aws::{Fault, Nth};
use sim_pipeline::Pipeline;

const CHAT: &str = "arn:aws:sns:eu-west-1:210987654321:chat";
const TOPIC: &str = "arn:aws:sns:eu-west-1:210987654321:alerts";

struct Alerting {
    pipeline: Pipeline,
    function: RaiseAlerts,
    now: Arc<AtomicI64>,
}

impl Alerting {
    async fn new() -> Self {
        Self::with(None).await
    }

    /// With a topic for chat, which need not exist.
    async fn with(chat: Option<&str>) -> Self {
        let pipeline = pipeline().await;
        pipeline.aws.dynamodb().create_table("ledgers", "id").await;
        pipeline.aws.sns().create_topic(TOPIC);
        let variables = |name: &str| match name {
            "TABLE_NAME" => Some("ledgers".to_owned()),
            "TOPIC_ARN" => Some(TOPIC.to_owned()),
            "CHAT_TOPIC_ARN" => chat.map(str::to_owned),
            "QUARANTINE_MODE" => Some("tag".to_owned()),
            _ => None,
        };
        let now = Arc::new(AtomicI64::new(1_795_259_820_000));
        let clock = Clock::Set(Arc::clone(&now));
        let config = pipeline.aws.sdk_config().await;
        let function = RaiseAlerts::new(&config, &Environment::new(&variables), clock).unwrap();
        Self { pipeline, function, now }
    }

    /// Handles announcements of one image, which are quarantined and released by turns.
    async fn handle(&self, versions: &[u64]) -> Report {
        self.function.handle(batch(versions), Deadline::never()).await
    }

    /// Lets the claims of a failed attempt end, as the queue does before it shows a message again.
    fn later(&self) {
        self.now.fetch_add(180_000, Ordering::SeqCst);
    }

    /// The versions of the announcements that were told, alert by alert.
    fn told(&self) -> Vec<Vec<u64>> {
        let published = self.pipeline.aws.sns().published();
        let versions = published.iter().map(|published| {
            let forms: Value = serde_json::from_str(&published.message).unwrap();
            let form: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
            let version = |image: &Value| {
                image["assessment"].as_str().unwrap().rsplit_once('#').unwrap().1.parse().unwrap()
            };
            form["images"].as_array().unwrap().iter().map(version).collect()
        });
        versions.collect()
    }
}

fn batch(versions: &[u64]) -> SqsEvent {
    let file = file("functions/raise-alerts/event.json");
    let mut batch: SqsEvent = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    let sample = batch.records.remove(0);
    for version in versions {
        let mut event: Value = serde_json::from_str(sample.body.as_deref().unwrap()).unwrap();
        let (previous, verdict) =
            if version % 2 == 1 { ("clear", "quarantine") } else { ("quarantine", "clear") };
        let id = event["detail"]["id"].as_str().unwrap().rsplit_once('#').unwrap().0.to_owned();
        event["detail"]["id"] = json!(format!("{id}#{version}"));
        event["detail"]["previous"] = json!(previous);
        event["detail"]["verdict"] = json!(verdict);
        let mut record = sample.clone();
        record.message_id = Some(format!("message-{version}"));
        record.body = Some(event.to_string());
        batch.records.push(record);
    }
    batch
}

#[tokio::test]
async fn alerts_of_an_image_go_out_in_the_order_of_its_versions() {
    let alerting = Alerting::new().await;
    assert_eq!(alerting.handle(&[10, 11, 9, 8]).await.failed, []);
    assert_eq!(alerting.told(), [[8], [9], [10], [11]]);
}

#[tokio::test]
async fn newer_alert_waits_for_an_older_one_that_cannot_be_sent() {
    let alerting = Alerting::new().await;
    // The three attempts of the SDK.
    alerting.pipeline.aws.faults().inject("sns:Publish", Fault::ServerError, Nth::Times(3));
    let report = alerting.handle(&[9, 10]).await;
    assert!(
        report.handled.is_empty()
            && report.failed.iter().all(|failure| failure.retry == lambda::batch::Retry::ByTheQueue)
    );
    assert_eq!((report.failed.len(), alerting.told()), (2, vec![]));
    alerting.later();
    assert_eq!(alerting.handle(&[10, 9]).await.failed, []);
    assert_eq!(alerting.told(), [[9], [10]]);
}

#[tokio::test]
async fn newer_alert_waits_for_an_older_one_that_another_invocation_has_claimed() {
    let alerting = Alerting::new().await;
    alerting.pipeline.aws.faults().inject("sns:Publish", Fault::ServerError, Nth::Times(3));
    assert_eq!(alerting.handle(&[9]).await.failed.len(), 1);
    let report = alerting.handle(&[10, 9]).await;
    assert_eq!((report.failed.len(), alerting.told()), (2, vec![]));
    alerting.later();
    assert_eq!(alerting.handle(&[9, 10]).await.failed, []);
    assert_eq!(alerting.told(), [[9], [10]]);
}

#[tokio::test]
async fn chat_gets_a_form_of_its_own_on_its_own_topic() {
    let alerting = Alerting::with(Some(CHAT)).await;
    alerting.pipeline.aws.sns().create_topic(CHAT);
    assert_eq!(alerting.handle(&[9]).await.failed, []);
    let published = alerting.pipeline.aws.sns().published();
    let [alert, chat] = published.as_slice() else { panic!("{published:#?}") };
    assert_eq!((alert.topic.as_str(), chat.topic.as_str()), (TOPIC, CHAT));
    // What has no form for each protocol is alike for all.
    assert_eq!((chat.structure.as_ref(), &chat.attributes), (None, &alert.attributes));
    let form: Value = serde_json::from_str(&chat.message).unwrap();
    assert_eq!((&form["version"], &form["source"]), (&json!("1.0"), &json!("custom")));
    assert_eq!(form["content"]["title"].as_str(), alert.subject.as_deref());
    assert!(form["metadata"]["relatedResources"][0].as_str().unwrap().starts_with("arn:aws:ecr:"));
}

#[tokio::test]
async fn alert_is_out_and_is_not_repeated_where_chat_cannot_be_had() {
    let alerting = Alerting::with(Some(CHAT)).await;
    assert_eq!(alerting.handle(&[9]).await.failed, []);
    assert_eq!(alerting.told(), [[9]]);
}
