//! Fail closed, and say so (invariant 6).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // A test says what it expects by failing.

use aws::ecr::{Registry, ScanResult};
use domain::image::ImageId;
use domain::verdict::Verdict;
use pipeline_tests::{QUARANTINED, act, event, pipeline, play, quarantined, stream};
use serde_json::{Value, json};
use sim_aws::{ScanStatus, SeedScan, SeedScanFinding};
use sim_pipeline::{Delivery, Outcome};

fn verdict(outcome: &Outcome) -> Verdict {
    outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap().verdict
}

/// The scan event of basic scanning for the story's first image.
fn basic(status: &str, counts: Option<Value>) -> Value {
    let mut scan = event("2-scan", "Inspector2 Scan");
    scan["detail-type"] = json!("ECR Image Scan");
    scan["source"] = json!("aws.ecr");
    scan["detail"] = json!({
        "scan-status": status, "repository-name": "shop/checkout", "image-digest": QUARANTINED, "image-tags": ["1.4.0"],
    });
    if let Some(counts) = counts {
        scan["detail"]["finding-severity-counts"] = counts;
    }
    scan
}

/// The second act without the findings' own events about the first image: only its scan tells of them.
fn scan_alone() -> Vec<Delivery> {
    let of_the_image = |delivery: &Delivery| {
        let text = delivery.event.as_ref().map(ToString::to_string).unwrap_or_default();
        text.contains("\"Inspector2 Finding\"") && text.contains(QUARANTINED)
    };
    act("2-scan").into_iter().filter(|delivery| !of_the_image(delivery)).collect()
}

#[tokio::test]
async fn a_scan_whose_findings_are_listed_late_is_tried_again() {
    let mut pipeline = pipeline().await;
    pipeline.establish(&act("2-scan"));
    pipeline.aws.inspector().delay_listing(QUARANTINED, 3);
    let outcome = play(&mut pipeline, [act("1-push"), scan_alone()].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!((outcome.events.dead, outcome.alerts.len()), (0, 1));
    assert!(outcome.calls["inspector2:ListFindings"] > 5, "it was not tried again");
}

#[tokio::test]
async fn a_scan_whose_findings_are_never_listed_is_no_verdict() {
    let mut pipeline = pipeline().await;
    pipeline.establish(&act("2-scan"));
    pipeline.aws.inspector().delay_listing(QUARANTINED, 1000);
    let outcome = play(&mut pipeline, [act("1-push"), scan_alone()].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Pending);
    assert_eq!(outcome.events.dead, 1);
    let (origin, reason) = &pipeline.dead()[0];
    assert!(
        origin.contains("Inspector2 Scan") && reason.contains("reports 5 findings"),
        "{origin}: {reason}"
    );
    assert_eq!(pipeline.dead_letters().len(), 1, "the event is kept");
}

#[tokio::test]
async fn findings_that_were_reported_by_themselves_need_not_be_listed() {
    let mut pipeline = pipeline().await;
    pipeline.aws.inspector().delay_listing(QUARANTINED, 1000);
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine, "all that the scan counted is known");
    assert_eq!((outcome.events.dead, outcome.alerts.len()), (0, 1));
}

#[tokio::test]
async fn a_page_that_fails_is_no_verdict() {
    let mut pipeline = pipeline().await;
    pipeline.aws.faults().inject(
        "inspector2:ListFindings",
        sim_aws::Fault::ServerError,
        sim_aws::Nth::Always,
    );
    let outcome = play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    assert!(outcome.images.iter().all(|image| image.verdict == Verdict::Pending));
    assert_eq!((outcome.events.dead, outcome.alerts.len()), (3, 0));
}

#[tokio::test]
async fn a_scan_that_failed_is_unscannable_and_said_once() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    let outcome = play(&mut pipeline, stream([basic("FAILED", None), basic("FAILED", None)])).await;
    assert_eq!(verdict(&outcome), Verdict::Unscannable);
    assert_eq!(outcome.alerts.len(), 1);
    assert!(
        outcome.alerts[0].subject.starts_with("Scan failed: shop/checkout:1.4.0"),
        "{}",
        outcome.alerts[0].subject
    );
}

#[tokio::test]
async fn basic_scanning_leads_to_a_verdict_too() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    let finding = |name: &str, severity: &str| SeedScanFinding {
        name: name.to_owned(),
        severity: severity.to_owned(),
        package: "openssl".to_owned(),
        version: "3.0.1".to_owned(),
        ..SeedScanFinding::default()
    };
    let completed_at = "2026-03-02T09:05:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
    let scan = SeedScan {
        status: ScanStatus::Complete,
        completed_at,
        findings: vec![finding("CVE-2026-1", "CRITICAL"), finding("CVE-2026-2", "UNDEFINED")],
    };
    pipeline.aws.ecr().seed_basic_scan("210987654321", "shop/checkout", QUARANTINED, scan);
    let mut event = basic("COMPLETE", Some(json!({ "CRITICAL": 1, "UNDEFINED": 1 })));
    event["time"] = json!("2026-03-02T09:05:00Z");
    let outcome = play(&mut pipeline, stream([event])).await;
    assert_eq!(
        verdict(&outcome),
        Verdict::Clear,
        "no rule of the story matches a finding without a known fix"
    );
    let image = outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap();
    assert_eq!(image.findings.values().sum::<u64>(), 2);
}

#[tokio::test]
async fn a_message_that_fails_takes_no_other_with_it() {
    let mut broken = event("2-scan", "Inspector2 Finding");
    broken["detail"]["status"] = json!("PARKED");
    broken["id"] = json!("the-broken-one");
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, [act("1-push"), stream([broken]), act("2-scan")].concat()).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!(outcome.events.dead, 1);
    let (_, reason) = &pipeline.dead()[0];
    assert_eq!(reason, "event the-broken-one: field detail.status: unknown status \"PARKED\"");
}

#[tokio::test]
async fn an_image_that_was_scanned_before_is_adopted_with_all_its_findings() {
    let mut pipeline = pipeline().await;
    // The registry and Inspector know the image; the pipeline was installed a month later.
    let scan = [act("1-push"), act("2-scan")].concat();
    pipeline.establish(&scan);
    let mut late = event("2-scan", "Inspector2 Finding");
    late["time"] = json!("2026-04-02T09:00:00Z");
    late["detail"]["updatedAt"] = json!("Thu Apr 02 09:00:00.000 UTC 2026");
    let outcome = play(&mut pipeline, stream([late])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    let image = outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap();
    assert_eq!(image.findings.values().sum::<u64>(), 5, "not only the one that was updated");
    assert_eq!(outcome.alerts.len(), 1);
}

#[tokio::test]
async fn an_image_whose_findings_are_listed_late_is_adopted_with_those_that_were_reported() {
    let mut pipeline = pipeline().await;
    pipeline.establish(&[act("1-push"), act("2-scan")].concat());
    // The new finding is the last one, and only the first half is listed.
    pipeline.aws.inspector().delay_listing(QUARANTINED, 1000);
    let mut late = event("2-scan", "Inspector2 Finding");
    late["time"] = json!("2026-04-02T09:00:00Z");
    late["detail"]["updatedAt"] = json!("Thu Apr 02 09:00:00.000 UTC 2026");
    late["detail"]["findingArn"] =
        json!(format!("arn:aws:inspector2:eu-west-1:210987654321:finding/{:f<32}", ""));
    let outcome = play(&mut pipeline, stream([late])).await;
    assert_eq!(
        verdict(&outcome),
        Verdict::Quarantine,
        "what was reported is not gone because it is not listed yet"
    );
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (1, 0));
}

#[tokio::test]
async fn an_image_of_which_only_the_end_is_heard_is_no_news() {
    let mut pipeline = pipeline().await;
    let mut closed = event("2-scan", "Inspector2 Finding");
    closed["detail"]["status"] = json!("CLOSED");
    closed["detail"]["updatedAt"] = json!("Thu Apr 02 09:00:00.000 UTC 2026");
    let outcome = play(&mut pipeline, stream([closed])).await;
    assert_eq!(verdict(&outcome), Verdict::Pending);
    assert_eq!((outcome.alerts.len(), outcome.events.dead), (0, 0));
}

#[tokio::test]
async fn an_image_that_went_before_its_basic_scan_was_read_is_no_failure() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    let registry = Registry::new(aws_sdk_ecr::Client::new(&pipeline.aws.sdk_config().await));
    for repository in ["shop/checkout", "gone"] {
        let digest = format!("sha256:{}", "0a".repeat(32)).try_into().unwrap();
        let image = ImageId { repository: repository.to_owned(), digest, ..quarantined() };
        assert_eq!(registry.basic_scan(&image).await.unwrap(), ScanResult::Gone, "{repository}");
    }
}

#[tokio::test]
async fn an_image_of_which_one_finding_closes_is_adopted_with_those_that_are_open() {
    let mut pipeline = pipeline().await;
    pipeline.establish(&[act("1-push"), act("2-scan")].concat());
    let mut closed = event("2-scan", "Inspector2 Finding");
    closed["time"] = json!("2026-04-02T09:00:00Z");
    closed["detail"]["status"] = json!("CLOSED");
    closed["detail"]["updatedAt"] = json!("Thu Apr 02 09:00:00.000 UTC 2026");
    closed["detail"]["findingArn"] =
        json!("arn:aws:inspector2:eu-west-1:210987654321:finding/0123456789abcdef0123456789abcdef");
    let outcome = play(&mut pipeline, stream([closed])).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!(outcome.alerts.len(), 1);
}

#[tokio::test]
async fn a_registry_that_does_not_say_its_tags_keeps_no_verdict_back() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, act("1-push")).await;
    pipeline.aws.faults().inject("ecr:DescribeImages", sim_aws::Fault::ServerError, sim_aws::Nth::Always);
    let outcome = play(&mut pipeline, act("2-scan")).await;
    assert_eq!(verdict(&outcome), Verdict::Quarantine);
    assert_eq!(outcome.alerts.len(), 1);
    assert!(outcome.alerts[0].text.contains("\nTags     1.4.0, latest\n"), "{}", outcome.alerts[0].text);
}
