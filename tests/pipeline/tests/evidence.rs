//! What evidence is believed, and what is not: lists that lag, scans without counts, coverage that comes and goes, two
//! sources, deleted images (invariants 6 and 7).
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test says what it expects by failing.

use domain::verdict::Verdict;
use pipeline_tests::{QUARANTINED, act, event, pipeline, pipeline_with, play, setting, stream};
use serde_json::{Value, json};
use sim_aws::{Fault, ImageStatus, Nth, ScanStatus, SeedScan, SeedScanFinding};
use sim_pipeline::{Delivery, Outcome, Pipeline};

const ARN: &str = "arn:aws:ecr:eu-west-1:210987654321:repository/shop/checkout/\
                   sha256:7e6c2638cb94af251e0dca51224a5f4a58d3f1ae03c72c385c0101c62197cda7";

/// When the first image's scan ended, two minutes after its push.
const SCANNED: &str = "2026-03-02T09:02:00Z";

/// A finding of the first image that the story's policy quarantines if it is `CRITICAL`, updated at a time.
fn finding(number: u32, severity: &str, status: &str, at: &str) -> Value {
    let mut event = event("2-scan", "Inspector2 Finding");
    event["id"] = json!(format!("finding-{number}-{status}-{at}"));
    event["time"] = json!(at);
    let detail = &mut event["detail"];
    detail["findingArn"] = json!(format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{number:032x}"));
    detail["packageVulnerabilityDetails"]["vulnerabilityId"] = json!(format!("CVE-2031-{number}"));
    detail["severity"] = json!(severity);
    detail["status"] = json!(status);
    detail["fixAvailable"] = json!("YES");
    detail["exploitAvailable"] = json!("NO");
    detail["epss"]["score"] = json!(0.0004);
    detail["firstObservedAt"] = json!("2026-02-01T09:00:00Z");
    detail["lastObservedAt"] = json!(at);
    detail["updatedAt"] = json!(at);
    event
}

fn scan(at: &str, counts: Option<Value>) -> Value {
    let mut event = event("2-scan", "Inspector2 Scan");
    event["time"] = json!(at);
    match counts {
        Some(counts) => event["detail"]["finding-severity-counts"] = counts,
        None => {
            event["detail"].as_object_mut().unwrap().remove("finding-severity-counts");
        }
    }
    event
}

fn one_critical() -> Value {
    json!({ "CRITICAL": 1, "HIGH": 0, "MEDIUM": 0, "TOTAL": 1 })
}

/// The scan of basic scanning, and its event.
fn basic_scan(pipeline: &Pipeline, at: &str, critical: u64) -> Value {
    let finding = SeedScanFinding {
        name: "CVE-2031-7".to_owned(),
        severity: "CRITICAL".to_owned(),
        package: "openssl".to_owned(),
        version: "3.0.1".to_owned(),
        ..SeedScanFinding::default()
    };
    let completed_at = at.parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let findings = (0..critical).map(|_| finding.clone()).collect();
    let scan = SeedScan { status: ScanStatus::Complete, completed_at, findings };
    pipeline.aws.ecr().seed_basic_scan("210987654321", "shop/checkout", QUARANTINED, scan);
    let mut event = event("2-scan", "Inspector2 Scan");
    event["detail-type"] = json!("ECR Image Scan");
    event["source"] = json!("aws.ecr");
    event["time"] = json!(at);
    event["detail"] = json!({
        "scan-status": "COMPLETE", "repository-name": "shop/checkout", "image-digest": QUARANTINED,
        "image-tags": ["1.4.0"], "finding-severity-counts": { "CRITICAL": critical },
    });
    event
}

/// What is delivered without telling Inspector of it: its own list is behind.
async fn deliver(pipeline: &mut Pipeline, events: Vec<Value>) -> Outcome {
    pipeline.run(stream(events), |_| ()).await.unwrap();
    Outcome::of(pipeline).await.unwrap()
}

fn tell_inspector(pipeline: &Pipeline, events: &[Value]) {
    for event in events {
        assert!(pipeline.aws.inspector().seed_finding(event["detail"].clone()));
    }
}

fn verdict(outcome: &Outcome) -> Verdict {
    outcome
        .images
        .iter()
        .find(|image| image.digest == QUARANTINED)
        .map(|image| image.verdict)
        .unwrap_or_default()
}

async fn pushed() -> Pipeline {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline
}

/// An image with one critical finding, scanned and in quarantine.
async fn quarantined_by_one() -> Pipeline {
    let mut pipeline = pushed().await;
    let events = vec![finding(1, "CRITICAL", "ACTIVE", SCANNED), scan(SCANNED, Some(one_critical()))];
    let outcome = play(&mut pipeline, stream(events)).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    pipeline
}

#[tokio::test]
async fn a_list_of_suppressed_findings_does_not_stand_for_the_critical_one_that_it_lacks() {
    let suppressed: Vec<Value> = (2..5).map(|n| finding(n, "CRITICAL", "SUPPRESSED", SCANNED)).collect();
    let critical = finding(1, "CRITICAL", "ACTIVE", SCANNED);
    for order in [
        vec![critical.clone(), scan(SCANNED, Some(one_critical()))],
        vec![scan(SCANNED, Some(one_critical())), critical.clone()],
    ] {
        let mut pipeline = pushed().await;
        tell_inspector(&pipeline, &suppressed);
        let outcome = deliver(&mut pipeline, order).await;
        assert_eq!(verdict(&outcome), Verdict::Quarantine);
        assert_eq!(outcome.alerts.len(), 1);
    }
}

#[tokio::test]
async fn a_critical_finding_that_comes_long_after_its_scan_is_not_gone() {
    let mut pipeline = pushed().await;
    tell_inspector(&pipeline, &(2..5).map(|n| finding(n, "LOW", "SUPPRESSED", SCANNED)).collect::<Vec<_>>());
    let outcome = deliver(&mut pipeline, vec![scan(SCANNED, Some(one_critical()))]).await;
    assert_ne!(verdict(&outcome), Verdict::Clear, "a critical one is missing, whatever the total");
    let outcome = deliver(&mut pipeline, vec![finding(1, "CRITICAL", "ACTIVE", SCANNED)]).await;
    assert_ne!(verdict(&outcome), Verdict::Clear);
}

#[tokio::test]
async fn a_scan_without_counts_and_with_an_empty_list_is_not_clear_for_ever() {
    let mut pipeline = pushed().await;
    tell_inspector(&pipeline, &[finding(1, "CRITICAL", "ACTIVE", SCANNED)]);
    pipeline.aws.inspector().delay_listing(QUARANTINED, 3);
    let outcome = deliver(&mut pipeline, vec![scan(SCANNED, None)]).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!((outcome.events.dead, outcome.alerts.len()), (0, 1));
}

#[tokio::test]
async fn a_scan_without_counts_of_an_image_without_findings_is_clear_in_the_end() {
    let outcome = play(&mut pushed().await, stream([scan(SCANNED, None)])).await;
    assert_eq!((verdict(&outcome), outcome.events.dead), (Verdict::Clear, 0));
}

/// Inspector closes what it found because the image was archived.
async fn archived() -> Pipeline {
    let mut pipeline = quarantined_by_one().await;
    pipeline.aws.inspector().seed_coverage(ARN, "INACTIVE", "IMAGE_ARCHIVED");
    let closed = stream([finding(1, "CRITICAL", "CLOSED", "2026-03-05T09:00:00Z")]);
    let outcome = play(&mut pipeline, closed).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    pipeline
}

#[tokio::test]
async fn an_image_that_comes_out_of_the_archive_is_not_released_before_it_is_scanned() {
    let mut pipeline = archived().await;
    pipeline.aws.inspector().seed_coverage(ARN, "ACTIVE", "PENDING_INITIAL_SCAN");
    let outcome = play(&mut pipeline, stream([finding(9, "LOW", "ACTIVE", "2026-03-07T09:00:00Z")])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine, "a promise is no scan");
    pipeline.aws.inspector().seed_coverage(ARN, "ACTIVE", "SUCCESSFUL");
    let outcome = play(&mut pipeline, stream([finding(9, "MEDIUM", "ACTIVE", "2026-03-09T09:00:00Z")])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine, "covered again is not scanned again");
    let rescan = scan("2026-03-09T10:00:00Z", Some(json!({ "MEDIUM": 1, "TOTAL": 1 })));
    let outcome = play(&mut pipeline, stream([rescan])).await;
    assert_eq!(verdict(&outcome), Verdict::Clear, "that scan did not find it again");
}

#[tokio::test]
async fn a_scan_that_inspector_names_and_does_not_announce_ends_the_gap_too() {
    let mut pipeline = archived().await;
    pipeline.aws.inspector().seed_coverage(ARN, "ACTIVE", "SUCCESSFUL");
    let scanned_at = "2026-03-07T09:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    pipeline.aws.inspector().seed_last_scan(ARN, scanned_at);
    let outcome = play(&mut pipeline, stream([finding(9, "LOW", "ACTIVE", "2026-03-07T10:00:00Z")])).await;
    assert_eq!(verdict(&outcome), Verdict::Clear);
}

#[tokio::test]
async fn a_clean_basic_scan_releases_nothing_that_inspector_closed() {
    let mut pipeline = archived().await;
    let basic = basic_scan(&pipeline, "2026-03-08T09:00:00Z", 0);
    let outcome = play(&mut pipeline, stream([basic])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
}

#[tokio::test]
async fn what_basic_scanning_said_ends_when_inspector_has_scanned() {
    let mut setting = setting();
    setting.policy = pipeline_tests::file("tests/pipeline/critical-policy.yaml");
    let mut pipeline = pipeline_with(setting).await;
    play(&mut pipeline, act("1-push")).await;
    let basic = basic_scan(&pipeline, SCANNED, 1);
    assert_eq!(verdict(&play(&mut pipeline, stream([basic])).await), Verdict::Quarantine);
    let clean = Some(json!({ "CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "TOTAL": 0 }));
    let outcome = play(&mut pipeline, stream([scan("2026-03-08T09:00:00Z", clean)])).await;
    assert_eq!(verdict(&outcome), Verdict::Clear);
}

#[tokio::test]
async fn what_is_optional_to_know_holds_no_verdict_back() {
    for action in ["inspector2:BatchGetFindingDetails", "inspector2:ListCoverage"] {
        let mut pipeline = pushed().await;
        pipeline.aws.faults().inject(action, Fault::Throttle, Nth::Always);
        let mut asked_about = finding(1, "CRITICAL", "ACTIVE", SCANNED);
        asked_about["detail"]["exploitAvailable"] = json!("YES");
        let closed = finding(2, "CRITICAL", "CLOSED", SCANNED);
        let outcome =
            play(&mut pipeline, stream([asked_about, closed, scan(SCANNED, Some(one_critical()))])).await;
        assert_eq!(verdict(&outcome), Verdict::Quarantine, "{action}");
        assert!(outcome.calls.get(action).is_some_and(|calls| *calls > 10), "{action} was not asked again");
    }
}

#[tokio::test]
async fn a_finding_is_stored_although_the_list_of_its_image_cannot_be_had() {
    let mut pipeline = pushed().await;
    pipeline.aws.faults().inject("inspector2:ListFindings", Fault::ServerError, Nth::Always);
    let late = finding(1, "CRITICAL", "ACTIVE", "2026-04-02T09:00:00Z");
    let outcome = play(&mut pipeline, stream([late])).await;
    let image = outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap();
    assert_eq!(image.findings.values().sum::<u64>(), 1);
}

#[tokio::test]
async fn a_suppressed_finding_that_closes_with_its_image_is_no_news() {
    let mut pipeline = pushed().await;
    let none = Some(json!({ "CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "TOTAL": 0 }));
    let suppressed = finding(1, "CRITICAL", "SUPPRESSED", SCANNED);
    let outcome = play(&mut pipeline, stream([suppressed, scan(SCANNED, none)])).await;
    assert_eq!((verdict(&outcome), outcome.alerts.len()), (Verdict::Clear, 0));
    pipeline.aws.ecr().seed_delete("210987654321", "shop/checkout", QUARANTINED);
    pipeline.aws.inspector().seed_coverage(ARN, "INACTIVE", "RESOURCE_TERMINATED");
    let closed = finding(1, "CRITICAL", "CLOSED", "2026-03-05T09:00:00Z");
    let outcome = deliver(&mut pipeline, vec![closed]).await;
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (0, 0));
}

#[tokio::test]
async fn an_archived_image_is_not_taken_for_a_deleted_one() {
    let mut pipeline = pushed().await;
    let none = Some(json!({ "CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "TOTAL": 0 }));
    play(&mut pipeline, stream([scan(SCANNED, none)])).await;
    for status in [ImageStatus::Archived, ImageStatus::Activating] {
        pipeline.aws.ecr().set_image_status("210987654321", "shop/checkout", QUARANTINED, status);
    }
    let outcome =
        play(&mut pipeline, stream([finding(1, "CRITICAL", "ACTIVE", "2026-03-05T09:00:00Z")])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!(outcome.alerts.len(), 1);
}

#[tokio::test]
async fn an_unknown_image_that_was_deleted_is_no_news_whatever_is_listed_of_it() {
    let mut pipeline = pipeline().await;
    let open: Vec<Value> = (1..4).map(|n| finding(n, "CRITICAL", "ACTIVE", SCANNED)).collect();
    tell_inspector(&pipeline, &open);
    let closed = finding(1, "CRITICAL", "CLOSED", "2026-03-05T09:00:00Z");
    let outcome = deliver(&mut pipeline, vec![closed]).await;
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (0, 0));
    assert_ne!(verdict(&outcome), Verdict::Quarantine);
}

#[tokio::test]
async fn the_first_scan_of_an_old_image_is_one_alert_in_any_order() {
    // Scanning was switched on a month after the push; the findings come one by one, and are listed late.
    let at = |minute: u32| format!("2026-04-02T09:{minute:02}:00Z");
    let findings: Vec<Value> = (1..6).map(|n| finding(n, "CRITICAL", "ACTIVE", &at(n))).collect();
    let ended = scan(&at(7), Some(json!({ "CRITICAL": 5, "HIGH": 0, "MEDIUM": 0, "TOTAL": 5 })));
    let in_order = [findings.clone(), vec![ended.clone()]].concat();
    let scan_first = [vec![ended], findings].concat();
    for events in [in_order.clone(), scan_first, in_order.into_iter().rev().collect()] {
        for pushed in [true, false] {
            let mut setting = setting();
            for size in ["BatchSize: 1000", "BatchSize: 100"] {
                setting.template = setting.template.replace(size, "BatchSize: 1");
            }
            let mut pipeline = pipeline_with(setting).await;
            let push: Vec<Delivery> = act("1-push");
            pipeline.establish(&push);
            if pushed {
                play(&mut pipeline, push).await;
            }
            pipeline.establish(&stream(events.clone()));
            pipeline.aws.inspector().delay_listing(QUARANTINED, 4);
            let outcome = deliver(&mut pipeline, events.clone()).await;
            assert_eq!(verdict(&outcome), Verdict::Quarantine);
            let alerts: Vec<&str> = outcome.alerts.iter().map(|alert| alert.subject.as_str()).collect();
            assert_eq!(alerts.len(), 1, "{alerts:?}");
        }
    }
}
