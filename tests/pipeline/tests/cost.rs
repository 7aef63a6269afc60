//! Cost follows images, not findings (invariant 5).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // A test says what it expects by failing.

use std::collections::BTreeMap;

use aws::ecr::Registry;
use aws::inspector::Inspector;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use pipeline_tests::buildx::{Manifest, minute};
use pipeline_tests::{act, event, file, findings, pipeline, pipeline_with, play, setting, stream};
use sim_pipeline::Pipeline;

fn difference(before: &BTreeMap<String, u64>, after: &BTreeMap<String, u64>) -> BTreeMap<String, u64> {
    after
        .iter()
        .map(|(action, count)| (action.clone(), count - before.get(action).copied().unwrap_or_default()))
        .filter(|(_, count)| *count > 0)
        .collect()
}

#[tokio::test]
async fn a_thousand_findings_of_one_image_cost_one_read_and_one_write() {
    let mut pipeline = pipeline().await;
    let before = pipeline.calls();
    let outcome = play(&mut pipeline, stream(findings(1000))).await;
    let expected = BTreeMap::from([("dynamodb:GetItem".to_owned(), 1), ("dynamodb:PutItem".to_owned(), 1)]);
    assert_eq!(difference(&before, &outcome.calls), expected);
    assert_eq!(outcome.events.handled, 1000);
}

/// What assess-image has called.
fn of_assess_image(pipeline: &Pipeline) -> BTreeMap<String, u64> {
    let calls = pipeline.aws.calls_by_caller().into_iter();
    calls.filter(|((caller, _), _)| caller == "assess-image").map(|((_, action), n)| (action, n)).collect()
}

#[tokio::test]
async fn a_thousand_findings_of_a_scanned_image_cost_six_calls_at_most() {
    // Critical ones that can be fixed are news: people are told, with the tags that the image has.
    for (severity, news) in [("MEDIUM", 0), ("CRITICAL", 1)] {
        let mut pipeline = pipeline().await;
        play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
        let (before, alerts) = (of_assess_image(&pipeline), pipeline.aws.sns().published().len());
        // Later than the scan, or they would be findings that the scan no longer listed.
        let later = findings(1000).into_iter().map(|mut event| {
            event["detail"]["updatedAt"] = "Tue Mar 03 09:00:00.000 UTC 2026".into();
            event["detail"]["severity"] = severity.into();
            event
        });
        let outcome = play(&mut pipeline, stream(later)).await;
        let spent = difference(&before, &of_assess_image(&pipeline));
        assert!(spent.values().sum::<u64>() <= 6, "{severity}: {spent:?}");
        assert_eq!(outcome.alerts.len() - alerts, news, "{severity}");
        assert_eq!(outcome.images.iter().map(|image| image.findings.values().sum::<u64>()).max(), Some(1005));
    }
}

#[tokio::test]
async fn an_index_of_eight_platforms_adds_nine_calls_at_most() {
    let platforms = ["386", "amd64", "arm", "arm64", "mips64le", "ppc64le", "riscv64", "s390x"];
    let images = platforms.map(|name| Manifest::image(&format!("linux/{name}"), "first"));
    let (index, attestations) = Manifest::build(&images, 1);
    let parts = images.iter().chain(&attestations);
    let mut events: Vec<serde_json::Value> = parts.flat_map(|part| part.push("", minute(0))).collect();
    events.extend(index.push("1.4.0", minute(0)));
    events.extend(images.iter().flat_map(|image| image.scan(&[], minute(2))));
    let mut setting = setting();
    setting.policy = file("tests/pipeline/critical-policy.yaml");
    let mut pipeline = pipeline_with(setting).await;
    play(&mut pipeline, stream(events)).await;
    let (before, alerts) = (of_assess_image(&pipeline), pipeline.aws.sns().published().len());
    let found =
        (0..1000).map(|number| images[3].finding(&format!("CVE-2031-{number}"), "ACTIVE", minute(90)));
    let outcome = play(&mut pipeline, stream(found)).await;
    let spent = difference(&before, &of_assess_image(&pipeline));
    assert!(spent.values().sum::<u64>() <= 6 + 9, "{spent:?}");
    assert_eq!(outcome.alerts.len() - alerts, 1);
    let root = outcome.images.iter().find(|image| image.digest == index.digest()).unwrap();
    assert_eq!(root.findings.values().sum::<u64>(), 1000);
}

#[tokio::test]
async fn ten_thousand_findings_fit_into_the_ledger_and_are_judged() {
    let mut pipeline = pipeline().await;
    let mut scan = event("2-scan", "Inspector2 Scan");
    scan["detail"]["finding-severity-counts"] = serde_json::json!({ "TOTAL": 10_000 });
    let mut events = findings(10_000);
    events.push(scan);
    let outcome = play(&mut pipeline, [act("1-push"), stream(events)].concat()).await;
    let image = outcome.images.iter().find(|image| image.digest == pipeline_tests::QUARANTINED).unwrap();
    assert_eq!(image.findings.values().sum::<u64>(), 10_000);
    assert_eq!(outcome.events.dead, 0);
    let opened = pipeline_tests::sums(&outcome)[&("FindingsOpened".to_owned(), vec!["MEDIUM".to_owned()])];
    assert_eq!(opened, 10_000);
}

/// The bodies of the requests of one operation.
fn requests(pipeline: &Pipeline, operation: &str) -> Vec<serde_json::Value> {
    let exchanges = pipeline.aws.take_exchanges().into_iter();
    let bodies = exchanges.filter(|exchange| exchange.operation == operation).map(|e| e.request.body);
    bodies.map(|body| serde_json::from_slice(&STANDARD.decode(body).unwrap()).unwrap()).collect()
}

#[tokio::test]
async fn listings_are_read_in_the_largest_pages() {
    let pipeline = pipeline().await;
    let config = pipeline.aws.sdk_config().await;
    let inspector = Inspector::new(aws_sdk_inspector2::Client::new(&config), None);
    let registry = Registry::new(aws_sdk_ecr::Client::new(&config));
    let image = pipeline_tests::quarantined();
    pipeline.aws.record_exchanges();
    inspector.findings(&image).await.unwrap();
    assert_eq!(requests(&pipeline, "ListFindings")[0]["maxResults"], 100);
    inspector.coverage(&image).await.unwrap();
    assert_eq!(requests(&pipeline, "ListCoverage")[0]["maxResults"], 200);
    registry.basic_scan(&image).await.unwrap();
    assert_eq!(requests(&pipeline, "DescribeImageScanFindings")[0]["maxResults"], 1000);
}
