//! What a function does when its time is nearly over.
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

mod stage;

use std::time::{Duration, SystemTime};

use assess_image::AssessImage;
use shared::clock::Clock;
use shared::deadline::Deadline;
use shared::environment::Environment;
use stage::{package, pipeline};

#[tokio::test]
async fn images_for_which_no_time_is_left_go_back_untouched() {
    let pipeline = pipeline().await;
    let variables = |name: &str| match name {
        "TABLE_NAME" | "EVENT_BUS_NAME" => Some("none".to_owned()),
        "POLICY_FILE" => Some(package().join("story/policy.yaml").to_string_lossy().into_owned()),
        "REGISTRY_ACCOUNT" => Some("210987654321".to_owned()),
        "REPOSITORIES_INCLUDED" => Some("*".to_owned()),
        _ => None,
    };
    let config = pipeline.aws.sdk_config().await;
    let function = AssessImage::new(&config, &Environment::new(&variables), Clock::System).unwrap();
    let batch = std::fs::read_to_string(package().join("../../functions/assess-image/event.json")).unwrap();
    let batch: aws_lambda_events::event::sqs::SqsEvent = serde_json::from_str(&batch).unwrap();
    let messages = batch.records.len();
    let before = pipeline.aws.calls();

    let report = function.handle(batch, Deadline::at(SystemTime::now() + Duration::from_secs(5))).await;
    assert_eq!(report.failed.len(), messages);
    assert!(report.failed.iter().all(|failure| failure.retryable));
    assert_eq!(pipeline.aws.calls(), before);
}
