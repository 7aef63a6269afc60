//! What has to wait is deferred: it uses up no receives, and is no dead letter (invariant 2).
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use std::collections::BTreeSet;
use std::time::Duration;

use domain::verdict::Verdict;
use pipeline_tests::{QUARANTINED, act, event, pipeline, pipeline_with, play, setting, stream};
use serde_json::{Value, json};
use sim_aws::{Fault, Nth};
use sim_pipeline::{Outcome, Pipeline};

/// The first scans of so many images, each with one finding, and the digests. Nobody reacts to the verdicts here: the
/// notes of the reactors would fill the table, which is copied with every call.
async fn first_scans(images: usize) -> (Pipeline, Vec<Value>, Vec<String>) {
    let digests: Vec<String> = (0..images).map(|number| format!("sha256:{number:064x}")).collect();
    let of = |sample: &Value, digest: &str| -> Value {
        serde_json::from_str(&sample.to_string().replace(QUARANTINED, digest)).unwrap()
    };
    let (finding, mut scan) = (event("2-scan", "Inspector2 Finding"), event("2-scan", "Inspector2 Scan"));
    scan["detail"]["finding-severity-counts"] = json!({ "TOTAL": 1 });
    let findings = digests.iter().enumerate().map(|(number, digest)| {
        let mut finding = of(&finding, digest);
        finding["detail"]["severity"] = json!("LOW");
        finding["detail"]["exploitAvailable"] = json!("NO");
        finding["detail"]["epss"]["score"] = json!(0.0004);
        finding["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = json!("CVE-2026-1");
        finding["detail"]["findingArn"] =
            json!(format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}"));
        finding
    });
    // Tagged, or each would wait for an index that it may be a part of.
    let tagged = |(number, digest): (usize, &String)| {
        let mut scan = of(&scan, digest);
        scan["detail"]["image-tags"] = json!([format!("1.{number}")]);
        scan
    };
    let scans: Vec<Value> = digests.iter().enumerate().map(tagged).collect();
    let mut setting = setting();
    assert_eq!(setting.template.matches("[Image Assessed]").count(), 1);
    setting.template = setting.template.replace("[Image Assessed]", "[Nothing]");
    let mut pipeline = pipeline_with(setting).await;
    pipeline.establish(&stream(findings.chain(scans.clone())));
    (pipeline, scans, digests)
}

async fn run(pipeline: &mut Pipeline, events: Vec<Value>) -> Outcome {
    pipeline.run(stream(events), |_| ()).await.unwrap();
    Outcome::of(pipeline).await.unwrap()
}

fn assert_all_judged(outcome: &Outcome, digests: &[String]) {
    let clear = outcome.images.iter().filter(|image| image.verdict == Verdict::Clear);
    let clear: BTreeSet<&str> = clear.map(|image| image.digest.as_str()).collect();
    assert_eq!(clear, digests.iter().map(String::as_str).collect());
    assert_eq!((outcome.events.dead, outcome.events.handled), (0, digests.len() as u64));
}

#[tokio::test]
async fn a_thousand_images_whose_scans_cannot_be_listed_for_up_to_an_hour_are_all_judged() {
    let (mut pipeline, scans, digests) = first_scans(1_000).await;
    // None can be listed at first, and every tenth not for an hour; all of them for an hour would take a minute here.
    for (number, digest) in digests.iter().enumerate() {
        pipeline.aws.inspector().delay_listing(digest, if number % 10 == 0 { 10 } else { 1 });
    }
    let begin = pipeline.now();
    let outcome = run(&mut pipeline, scans).await;
    assert_all_judged(&outcome, &digests);
    assert_eq!(pipeline.most_receives(), 1);
    assert!(pipeline.now() - begin > 3_600_000, "listed after less than an hour");
    assert_eq!(outcome.calls["inspector2:ListFindings"], 900 * 2 + 100 * 11);
}

/// Each image takes 3.5 seconds, Inspector is asked of three at once, and an invocation works for 55 seconds: 15 rounds.
/// Time is tokio's, and passes only here.
#[tokio::test(start_paused = true)]
async fn what_one_invocation_has_no_time_for_is_neither_lost_nor_received_twice() {
    let (mut pipeline, scans, digests) = first_scans(1_000).await;
    let slow = Fault::Slow(Duration::from_millis(3_500));
    pipeline.aws.faults().inject("inspector2:ListFindings", slow, Nth::Always);
    pipeline.limit("assess-image", usize::MAX, Duration::from_mins(1));
    let begin = pipeline.now();
    let outcome = run(&mut pipeline, scans).await;
    assert_all_judged(&outcome, &digests);
    assert_eq!(pipeline.most_receives(), 1);
    assert_eq!(outcome.calls["inspector2:ListFindings"], 1_000, "an image was begun twice");
    // 955 of 1,000 are sent again, ten in a call, and come back within a minute; none of them needs a third turn.
    assert_eq!(outcome.calls["sqs:SendMessage"], 96);
    assert!((5_000..=60_000).contains(&(pipeline.now() - begin)), "{}", pipeline.now() - begin);
}

#[tokio::test(start_paused = true)]
async fn work_that_is_cut_off_is_deferred_too() {
    let (mut pipeline, scans, digests) = first_scans(20).await;
    let stuck = Fault::Slow(Duration::from_hours(1));
    pipeline.aws.faults().inject("inspector2:ListFindings", stuck, Nth::Times(8));
    pipeline.limit("assess-image", usize::MAX, Duration::from_mins(1));
    let outcome = run(&mut pipeline, scans).await;
    assert_all_judged(&outcome, &digests);
    assert_eq!(pipeline.most_receives(), 1);
}

#[tokio::test(start_paused = true)]
async fn what_never_fits_into_an_invocation_is_a_dead_letter_in_the_end() {
    let (mut pipeline, scans, _) = first_scans(1).await;
    let stuck = Fault::Slow(Duration::from_hours(1));
    pipeline.aws.faults().inject("inspector2:ListFindings", stuck, Nth::Always);
    pipeline.limit("assess-image", usize::MAX, Duration::from_mins(1));
    let outcome = run(&mut pipeline, scans).await;
    assert_eq!((outcome.events.dead, pipeline.most_receives()), (1, 5));
    let (_, reason) = &pipeline.dead()[0];
    assert_eq!(reason, "deferred too often: not enough time left in this invocation");
    assert_eq!(outcome.calls["sqs:SendMessage"], 100);
}

#[tokio::test]
async fn a_crash_after_any_call_of_the_deferral_loses_nothing() {
    // 25 images are sent again in three calls.
    for call in 1..=3 {
        let (mut pipeline, scans, digests) = first_scans(25).await;
        for digest in &digests {
            pipeline.aws.inspector().delay_listing(digest, 1);
        }
        pipeline.aws.faults().inject("sqs:SendMessage", Fault::Crash, Nth::Call(call));
        pipeline.run(stream(scans), |_| ()).await.unwrap();
        assert!(pipeline.has_crashed(), "call {call} never came");
        let outcome = Outcome::of(&pipeline).await.unwrap();
        assert!(outcome.images.iter().all(|image| image.verdict == Verdict::Clear), "call {call}");
        assert_eq!((outcome.images.len(), outcome.events.dead), (25, 0), "call {call}");
        assert_eq!(outcome.calls["events:PutEvents"], 25, "call {call}: an image was announced twice");
    }
}

#[tokio::test]
async fn what_cannot_be_sent_again_is_delivered_again_by_the_queue() {
    for fault in [Fault::ServerError, Fault::Throttle] {
        let (mut pipeline, scans, digests) = first_scans(25).await;
        for digest in &digests {
            pipeline.aws.inspector().delay_listing(digest, 1);
        }
        pipeline.aws.faults().inject("sqs:SendMessage", fault, Nth::Always);
        let outcome = run(&mut pipeline, scans).await;
        assert_all_judged(&outcome, &digests);
        assert_eq!(pipeline.most_receives(), 2, "{fault:?}");
    }
}

#[tokio::test]
async fn of_a_call_that_is_refused_in_part_only_that_part_is_delivered_again() {
    let (mut pipeline, scans, digests) = first_scans(25).await;
    for digest in &digests {
        pipeline.aws.inspector().delay_listing(digest, 1);
    }
    pipeline.aws.sqs().fail_entries(3);
    let outcome = run(&mut pipeline, scans).await;
    assert_all_judged(&outcome, &digests);
    assert_eq!(pipeline.most_receives(), 2);
    assert_eq!(
        outcome.calls["sqs:SendMessage"], 3,
        "22 were deferred, and three needed no deferral any more"
    );
}

#[tokio::test]
async fn every_function_that_works_image_by_image_defers_what_it_has_no_time_for() {
    let whole = {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await
    };
    let mut pipeline = pipeline().await;
    for function in ["record-push", "assess-image", "enforce-quarantine"] {
        pipeline.limit(function, 1, Duration::from_secs(5));
    }
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!((&outcome.images, &outcome.events), (&whole.images, &whole.events));
    assert_eq!(pipeline.most_receives(), 1);
    let senders =
        pipeline.aws.calls_by_caller().into_keys().filter(|(_, action)| action == "sqs:SendMessage");
    assert_eq!(
        senders.map(|(sender, _)| sender).collect::<Vec<_>>(),
        ["assess-image", "enforce-quarantine", "record-push"]
    );
}
