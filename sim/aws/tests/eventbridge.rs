//! Events through the real `EventBridge` client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::account;
use aws_sdk_eventbridge::types::PutEventsRequestEntry;
use serde_json::json;

fn entry(detail: &str) -> PutEventsRequestEntry {
    let entry = PutEventsRequestEntry::builder().source("ecr-warden").detail_type("Image Assessed");
    entry.detail(detail).event_bus_name("warden").resources("arn:aws:ecr:x").build()
}

#[tokio::test]
async fn event_is_wrapped_in_its_envelope() {
    let aws = account();
    aws.eventbridge().create_bus("arn:aws:events:eu-central-1:123456789012:event-bus/warden");
    let client = aws_sdk_eventbridge::Client::new(&aws.sdk_config().await);
    let response = client.put_events().entries(entry(r#"{"verdict":"clear"}"#)).send().await.unwrap();
    assert_eq!(response.failed_entry_count(), 0);
    let events = aws.take_events();
    let id = response.entries()[0].event_id().unwrap();
    assert_eq!(events[0].bus, "warden");
    let expected = json!({
        "version": "0",
        "id": id,
        "detail-type": "Image Assessed",
        "source": "ecr-warden",
        "account": "123456789012",
        "time": "2026-11-21T11:17:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:ecr:x"],
        "detail": {"verdict": "clear"},
    });
    assert_eq!(events[0].event, expected);
    assert_eq!(aws.calls()["events:PutEvents"], 1);
}

#[tokio::test]
async fn entries_fail_one_by_one() {
    let aws = account();
    aws.eventbridge().create_bus("warden");
    aws.eventbridge().fail_entries(1);
    let client = aws_sdk_eventbridge::Client::new(&aws.sdk_config().await);
    let foreign = PutEventsRequestEntry::builder().source("aws.ecr").detail_type("x").detail("{}").build();
    let sourceless = PutEventsRequestEntry::builder().detail_type("x").detail("{}").build();
    let entries = vec![entry("{}"), foreign, entry("[]"), sourceless, entry("{}")];
    let response = client.put_events().set_entries(Some(entries)).send().await.unwrap();
    let codes: Vec<_> = response.entries().iter().map(|entry| entry.error_code().unwrap_or("none")).collect();
    let expected =
        ["InternalFailure", "NotAuthorizedForSourceException", "MalformedDetail", "InvalidArgument", "none"];
    assert_eq!((codes.as_slice(), response.failed_entry_count()), (expected.as_slice(), 4));
    assert_eq!(aws.take_events().len(), 1);
}

#[tokio::test]
async fn event_request_that_is_too_large_is_refused() {
    let aws = account();
    let client = aws_sdk_eventbridge::Client::new(&aws.sdk_config().await);
    let code = async |entries: Vec<PutEventsRequestEntry>| {
        let error = client.put_events().set_entries(Some(entries)).send().await.unwrap_err();
        error.into_service_error().meta().code().unwrap().to_owned()
    };
    aws.eventbridge().create_bus("warden");
    assert_eq!(code(vec![entry("{}"); 11]).await, "ValidationException");
    let half = format!(r#"{{"pad":"{}"}}"#, "x".repeat(512 * 1024));
    assert_eq!(code(vec![entry(&half), entry(&half)]).await, "ValidationException");
    client.put_events().entries(entry(&half)).send().await.unwrap();
    assert_eq!(aws.take_events().len(), 1);
}

#[tokio::test]
async fn event_for_a_missing_bus_is_accepted_and_lost() {
    let aws = account();
    let client = aws_sdk_eventbridge::Client::new(&aws.sdk_config().await);
    let response = client.put_events().entries(entry("{}")).send().await.unwrap();
    assert_eq!(response.failed_entry_count(), 0);
    assert!(response.entries()[0].event_id().is_some());
    assert!(aws.take_events().is_empty());
}
