//! The history of images: what was announced, and when (docs/adr/0020).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test says what it expects by failing.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_lambda_events::event::sqs::SqsEvent;
use aws_sdk_dynamodb::types::AttributeValue;
use domain::finding::Severity;
use domain::history::{Act, Entry, Happening};
use domain::image::ImageId;
use domain::verdict::Verdict;
use jiff::{Timestamp, ToSpan};
use lambda::deadline::Deadline;
use lambda::environment::Environment;
use pipeline_tests::{
    ACTS, act, announced, assert_remembered, file, history, pipeline, play, quarantined, rows, tables,
};
use record_history::RecordHistory;
use serde_json::{Value, json};
use sim_aws::{Fault, Nth};
use sim_pipeline::{Outcome, Pipeline};

#[tokio::test]
async fn history_of_the_story_says_what_was_announced_and_why() {
    let mut pipeline = pipeline().await;
    for name in ACTS {
        let outcome = play(&mut pipeline, act(name)).await;
        assert_remembered(&pipeline, &outcome, name).await;
    }
    let assessed = pipeline_tests::sums(&Outcome::of(&pipeline).await.unwrap());
    let assessed: i64 =
        assessed.iter().filter(|((name, _), _)| name == "ImagesAssessed").map(|(_, n)| n).sum();
    let mut entries = 0;
    for image in rows(&pipeline).await.keys() {
        entries += announced(&pipeline, image).await.len();
    }
    assert_eq!(i64::try_from(entries).unwrap(), assessed, "one entry for each announcement");

    let entries = history(&pipeline).await.of(&quarantined(), Timestamp::MIN..Timestamp::MAX).await.unwrap();
    let first = &entries[0];
    let Happening::Assessed(said) = &first.what else { panic!("{first:?}") };
    assert_eq!((said.previous, said.verdict), (Verdict::Pending, Verdict::Quarantine));
    let cause = &said.causes[0];
    assert_eq!((cause.vulnerability.as_str(), &cause.severity), ("CVE-2026-90017", &Severity::Critical));
    assert_eq!(cause.rules, ["exploited-in-the-wild", "fixable-critical", "likely-to-be-exploited"]);
    assert_eq!((said.owner.as_deref(), said.environment.as_deref()), (Some("team-shop"), Some("production")));
    assert_eq!(said.tags, ["1.4.0", "latest"]);
    assert!(said.pusher.as_ref().unwrap().arn.ends_with("ci-push/checkout-build-812"));
}

#[tokio::test]
async fn history_is_read_for_any_time_and_to_the_last_page() {
    let pipeline = pipeline().await;
    let history = history(&pipeline).await;
    let second = |seconds: i64| Timestamp::from_second(1_800_000_000 + seconds).unwrap();
    let entry = |seconds: i64, id: &str| Entry {
        image: quarantined(),
        at: second(seconds),
        id: id.to_owned(),
        what: Happening::Quarantined(Act::new(vec!["put the tag".to_owned()], "the verdict is quarantine")),
    };
    // More than one call takes, one of them twice, and one of another image.
    let mut entries: Vec<Entry> = (0..60).map(|n| entry(n, "a")).collect();
    entries.push(entry(30, "b"));
    let other = ImageId { repository: "shop/other".to_owned(), ..quarantined() };
    let twice = [entries.clone(), vec![entry(5, "a"), Entry { image: other, ..entry(5, "a") }]].concat();
    pipeline.aws.dynamodb().leave_unprocessed(2);
    history.append(&twice).await.unwrap();

    pipeline.aws.dynamodb().limit_pages(1_000);
    let of = async |from: i64, to: i64| history.of(&quarantined(), second(from)..second(to)).await.unwrap();
    entries.sort_by_key(Entry::key);
    assert_eq!(of(0, 1_000).await, entries, "also what was left undone at first");
    history.append(&twice).await.unwrap();
    assert_eq!(of(0, 1_000).await, entries, "the same once more");
    let ids: Vec<(i64, String)> =
        of(29, 31).await.into_iter().map(|entry| (entry.at.as_second() - 1_800_000_000, entry.id)).collect();
    assert_eq!(ids, [(29, "a".to_owned()), (30, "a".to_owned()), (30, "b".to_owned())]);
    assert!(of(60, 1_000).await.is_empty());
}

#[tokio::test]
async fn history_is_kept_for_400_days() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let entry =
        &history(&pipeline).await.of(&quarantined(), Timestamp::MIN..Timestamp::MAX).await.unwrap()[0];
    let request = tables(&pipeline).await.get_item().table_name(pipeline.history_table());
    let request = request.key("image", AttributeValue::S(quarantined().to_string()));
    let item = request.key("at", AttributeValue::S(entry.key())).send().await.unwrap().item.unwrap();
    let expected = entry.at.checked_add((400 * 24).hours()).unwrap().as_second();
    assert_eq!(item["expires"].as_n().unwrap(), &expected.to_string());
}

/// A batch for record-history of these announcements.
fn batch(announcements: &[Value]) -> SqsEvent {
    let sample: Value =
        serde_json::from_slice(&std::fs::read(file("functions/record-history/event.json")).unwrap()).unwrap();
    let records = announcements.iter().enumerate().map(|(number, announcement)| {
        let mut record = sample["Records"][0].clone();
        record["messageId"] = json!(number.to_string());
        record["body"] = json!(announcement.to_string());
        record
    });
    serde_json::from_value(json!({"Records": records.collect::<Vec<_>>()})).unwrap()
}

/// An announcement.
fn announcement() -> Value {
    let event: Value =
        serde_json::from_slice(&std::fs::read(file("functions/record-history/event.json")).unwrap()).unwrap();
    serde_json::from_str(event["Records"][0]["body"].as_str().unwrap()).unwrap()
}

async fn record(pipeline: &Pipeline, announcements: &[Value]) -> lambda::batch::Report {
    record_within(pipeline, announcements, Deadline::never()).await
}

async fn record_within(
    pipeline: &Pipeline,
    announcements: &[Value],
    deadline: Deadline,
) -> lambda::batch::Report {
    let table = pipeline.history_table();
    let look_up = |name: &str| (name == "HISTORY_TABLE_NAME").then(|| table.clone());
    let function = RecordHistory::new(&pipeline.aws.sdk_config().await, &Environment::new(&look_up)).unwrap();
    function.handle(batch(announcements), deadline).await
}

#[tokio::test]
async fn an_announcement_is_one_entry_however_often_it_comes() {
    let pipeline = pipeline().await;
    for _ in 0..2 {
        let report = record(&pipeline, &[announcement(), announcement()]).await;
        assert_eq!((report.handled.len(), report.failed.len()), (2, 0));
    }
    assert_eq!(announced(&pipeline, &quarantined()).await.len(), 1);
    assert_eq!(pipeline.aws.calls()["dynamodb:BatchWriteItem"], 2, "one call for each batch");
}

#[tokio::test]
async fn an_announcement_that_cannot_be_written_takes_no_other_with_it() {
    let pipeline = pipeline().await;
    let mut large = announcement();
    large["detail"]["id"] = json!(format!("{}#9", quarantined()));
    large["detail"]["image"]["tags"] = json!(["x".repeat(500_000)]);
    let mut unreadable = announcement();
    unreadable["detail"]["schema"] = json!(99);
    let report = record(&pipeline, &[large, announcement(), unreadable]).await;
    assert_eq!(report.handled, ["1"]);
    let failed: BTreeSet<&str> = report.failed.iter().map(|failure| failure.message.as_str()).collect();
    assert_eq!(failed, BTreeSet::from(["0", "2"]));
    assert_eq!(announced(&pipeline, &quarantined()).await.len(), 1);
}

#[tokio::test]
async fn announcements_that_dynamodb_does_not_take_now_come_again() {
    let pipeline = pipeline().await;
    pipeline.aws.faults().inject("dynamodb:BatchWriteItem", Fault::ServerError, Nth::Always);
    let report = record(&pipeline, &[announcement()]).await;
    assert_eq!((report.handled.len(), report.failed.len()), (0, 1));
    assert_eq!(report.failed[0].retry, lambda::batch::Retry::ByTheQueue);
}

#[tokio::test]
async fn announcements_for_which_no_time_is_left_come_again() {
    let pipeline = pipeline().await;
    let report = record_within(&pipeline, &[announcement()], Deadline::within(Duration::from_secs(5))).await;
    assert_eq!((report.handled.len(), report.failed.len()), (0, 1));
    assert_eq!(report.failed[0].retry, lambda::batch::Retry::ByTheQueue);
    assert!(announced(&pipeline, &quarantined()).await.is_empty());
}
