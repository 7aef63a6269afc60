//! Time passes, and nothing else happens.
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use pipeline_tests::{act, pipeline, play, sums};
use serde_json::json;
use sim_aws::{Fault, Nth};
use sim_pipeline::{Delivery, Outcome, Pipeline, read_text};

fn sweeps(outcome: &Outcome) -> i64 {
    sums(outcome).get(&("Sweeps".to_owned(), Vec::new())).copied().unwrap_or_default()
}

async fn passing(pipeline: &mut Pipeline, until: Timestamp) -> i64 {
    pipeline.pass_time(until).await.unwrap();
    sweeps(&Outcome::of(pipeline).await.unwrap())
}

fn time_passes(time: &str) -> Vec<Delivery> {
    read_text("test", json!({"detail-type": "Time Passes", "time": time}).to_string().as_bytes())
}

#[tokio::test]
async fn the_schedule_fires_as_often_as_it_would_have_and_at_the_end() {
    let mut pipeline = pipeline().await;
    assert_eq!(sweeps(&play(&mut pipeline, act("1-push")).await), 0);
    let midnight: Timestamp = "2026-03-03T00:00:00Z".parse().unwrap();
    assert!(pipeline.time() < midnight);
    passing(&mut pipeline, midnight).await;
    assert_eq!(pipeline.time(), midnight);
    let before = sweeps(&Outcome::of(&pipeline).await.unwrap());
    let at = |minutes| midnight + SignedDuration::from_mins(minutes);
    assert_eq!(passing(&mut pipeline, at(60)).await - before, 4);
    // Not every interval ends with a quarter of an hour.
    assert_eq!(passing(&mut pipeline, at(62)).await - before, 5);
    assert_eq!(passing(&mut pipeline, at(80)).await - before, 7);
    // And it fires where no time passes.
    assert_eq!(passing(&mut pipeline, at(80)).await - before, 8);
    assert_eq!(pipeline.dead(), []);
}

#[tokio::test]
async fn a_line_in_the_stream_lets_time_pass_after_what_stands_before_it() {
    let mut pipeline = pipeline().await;
    let stream = [
        act("1-push"),
        time_passes("2026-03-02T12:00:00Z"),
        act("2-scan"),
        time_passes("2026-03-03T00:00:00Z"),
    ];
    let outcome = play(&mut pipeline, stream.concat()).await;
    assert_eq!(pipeline.time().to_string(), "2026-03-03T00:00:00Z");
    // From the pushes at nine to twelve, and from there to midnight: a quarter of an hour each.
    assert_eq!(sweeps(&outcome), 12 + 48);
    assert_eq!((pipeline.dead(), outcome.events.skipped), ([].as_slice(), 0));
    assert!(outcome.images.iter().any(|image| !image.tags.is_empty()));
}

#[tokio::test]
async fn what_waits_is_handled_when_its_time_has_come() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline.aws.faults().inject("cloudwatch:PutMetricData", Fault::ResponseLost, Nth::Times(7));
    pipeline.limit("sweep", 1, Duration::from_secs(5));
    let begin = pipeline.time();
    passing(&mut pipeline, begin + SignedDuration::from_hours(2)).await;
    assert_eq!(pipeline.dead(), []);
    // The first run had no time and was deferred, and the failed ones came again after six minutes.
    assert!(sweeps(&Outcome::of(&pipeline).await.unwrap()) >= 8);
    assert_eq!(pipeline.time(), begin + SignedDuration::from_hours(2));
}

#[tokio::test]
async fn a_month_in_one_line_is_a_month_of_sweeps() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline.pass_time("2026-03-03T00:00:00Z".parse().unwrap()).await.unwrap();
    let before = sweeps(&Outcome::of(&pipeline).await.unwrap());
    let outcome = play(&mut pipeline, time_passes("2026-04-02T00:00:00Z")).await;
    assert_eq!(sweeps(&outcome) - before, 30 * 96);
}
