//! The process may die between any two calls to AWS. The queue's redelivery heals it (invariants 2 and 3).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // A test says what it expects by failing.

use std::collections::BTreeSet;

use pipeline_tests::{ACTS, act, announced, assert_remembered, pipeline, sums};
use serde_json::Value;
use sim_aws::{Fault, Nth};
use sim_pipeline::{Outcome, Pipeline};

/// Plays the whole story, with the process killed after so many calls.
async fn killed_after(call: Option<u64>) -> (Outcome, Vec<Told>, bool) {
    let when = format!("crash after call {call:?}");
    let mut pipeline = pipeline().await;
    if let Some(call) = call {
        pipeline.aws.faults().inject("*", Fault::Crash, Nth::Call(call));
    }
    for name in ACTS {
        pipeline.play(act(name), |_| ()).await.unwrap();
    }
    let crashed = pipeline.has_crashed();
    pipeline.aws.faults().clear();
    let (outcome, told) = (Outcome::of(&pipeline).await.unwrap(), told(&pipeline));
    assert_remembered(&pipeline, &outcome, &when).await;
    assert_in_the_history(&pipeline, &told, &when).await;
    (outcome, told, crashed)
}

/// Whatever people were told is in the history.
async fn assert_in_the_history(pipeline: &Pipeline, told: &[Told], when: &str) {
    for id in told.iter().flat_map(|told| &told.assessments) {
        let (image, version) = id.rsplit_once('#').unwrap();
        let announced = announced(pipeline, &image.parse().unwrap()).await;
        let versions: Vec<String> = announced.iter().map(|one| one.version.to_string()).collect();
        assert!(versions.iter().any(|one| one == version), "{when}: {id} is not among {versions:?}");
    }
}

/// What an alert tells, in its form for programs.
struct Told {
    /// Image, verdict and vulnerability.
    facts: BTreeSet<(String, String, String)>,
    /// The ids of the assessments.
    assessments: BTreeSet<String>,
    may_repeat: bool,
}

fn told(pipeline: &Pipeline) -> Vec<Told> {
    let published = pipeline.aws.sns().published();
    published
        .iter()
        .map(|published| {
            let forms: Value = serde_json::from_str(&published.message).unwrap();
            let form: Value = serde_json::from_str(forms["sqs"].as_str().unwrap()).unwrap();
            let images = form["images"].as_array().unwrap();
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let mut facts = BTreeSet::new();
            for image in images {
                facts.insert((text(&image["digest"]), text(&image["verdict"]), String::new()));
                for reason in form["reasons"].as_array().unwrap() {
                    facts.insert((
                        text(&image["digest"]),
                        text(&image["verdict"]),
                        text(&reason["vulnerability"]),
                    ));
                }
            }
            let assessments = images.iter().map(|image| text(&image["assessment"])).collect();
            Told { facts, assessments, may_repeat: form["may_repeat"].as_bool().unwrap() }
        })
        .collect()
}

fn facts(told: &[Told]) -> BTreeSet<&(String, String, String)> {
    told.iter().flat_map(|told| &told.facts).collect()
}

/// How many alerts tell only what was told before them. Each of them must say that it may be a repetition.
fn repeated(alerts: &[Told]) -> u64 {
    let mut known = BTreeSet::new();
    let mut repeated = 0;
    for alert in alerts {
        let anew: Vec<_> = alert.assessments.iter().filter(|id| !known.contains(*id)).collect();
        if anew.len() < alert.assessments.len() {
            assert!(alert.may_repeat, "an alert that repeats does not say so");
            repeated += 1;
        }
        known.extend(&alert.assessments);
    }
    repeated
}

/// The same events took effect. A message that was sent again, and whose original came back all the same, is handled
/// twice.
fn assert_same_end(outcome: &Outcome, whole: &Outcome, when: &str) {
    assert_eq!(
        (outcome.events.skipped, outcome.events.dead),
        (whole.events.skipped, whole.events.dead),
        "{when}"
    );
    assert!(outcome.events.handled >= whole.events.handled, "{when}");
}

#[tokio::test]
async fn a_crash_after_any_call_changes_nothing_in_the_end() {
    let (whole, whole_told, _) = killed_after(None).await;
    let calls: u64 = whole.calls.values().sum();
    assert!(calls > 100, "the story has become too short to prove anything: {calls} calls");
    let (mut alerts_repeated, mut metrics_repeated) = (0, 0);
    for call in 1..=calls {
        let (healed, told, crashed) = killed_after(Some(call)).await;
        assert!(crashed, "call {call} never came");
        assert_eq!(healed.images, whole.images, "crash after call {call}");
        assert_same_end(&healed, &whole, &format!("crash after call {call}"));
        assert_eq!(facts(&told), facts(&whole_told), "crash after call {call}");
        // No effect of SNS or CloudWatch can be looked up afterwards, so a process that dies between such an
        // effect and the word that it is done has it repeated, once, and marked as a repetition.
        alerts_repeated += repeated(&told);
        if sums(&healed) != sums(&whole) {
            assert!(
                sums(&healed).iter().all(|(name, sum)| *sum >= sums(&whole)[name]),
                "lost at call {call}"
            );
            metrics_repeated += 1;
        }
    }
    assert_eq!(
        alerts_repeated, whole.calls["sns:Publish"],
        "repeated only where it was the publication that was cut off"
    );
    assert_eq!(metrics_repeated, whole.calls["cloudwatch:PutMetricData"], "likewise");
}

#[tokio::test]
async fn passing_faults_of_any_service_change_nothing_in_the_end() {
    let (whole, whole_told, _) = killed_after(None).await;
    for action in whole.calls.keys() {
        for fault in [Fault::Throttle, Fault::ServerError, Fault::ResponseLost] {
            // Twice is within what the SDK retries itself, seven times needs the queue.
            for times in [2, 7] {
                let mut pipeline = pipeline().await;
                pipeline.aws.faults().inject(action, fault, Nth::Times(times));
                for name in ACTS {
                    pipeline.play(act(name), |_| ()).await.unwrap();
                }
                let outcome = Outcome::of(&pipeline).await.unwrap();
                let when = format!("{fault:?} of {action} {times} times");
                assert_eq!(outcome.images, whole.images, "{when}");
                assert_remembered(&pipeline, &outcome, &when).await;
                assert_in_the_history(&pipeline, &told(&pipeline), &when).await;
                assert_same_end(&outcome, &whole, &when);
                // What is optional to know holds no verdict back, so people may hear first of the rest.
                if action != "inspector2:BatchGetFindingDetails" {
                    assert_eq!(facts(&told(&pipeline)), facts(&whole_told), "{when}");
                }
            }
        }
    }
}
