//! What the code calls and what the template grants are the same list (invariant 10).
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

mod stage;

use std::collections::BTreeSet;

use local_aws::{BasicScan, ScanStatus};
use serde_json::json;
use stage::{ACTS, QUARANTINED, act, event, pipeline, play, setting, stream};

/// The actions that the template names, but for those with which Lambda reads the queues.
fn granted(template: &str) -> BTreeSet<String> {
    let policies = template.lines().filter(|line| line.trim_start().starts_with("Action:"));
    policies
        .flat_map(|line| line.split([' ', ',', '[', ']']))
        .filter(|word| word.contains(':') && !word.ends_with(':') && !word.starts_with("sqs:"))
        .map(str::to_owned)
        .collect()
}

#[tokio::test]
async fn calls_and_grants_are_the_same_list() {
    let mut pipeline = pipeline().await;
    // A basic scan of an image whose push nobody announced, then the story, which has the rest.
    let mut scan = event("2-scan", "Inspector2 Scan");
    scan["detail-type"] = json!("ECR Image Scan");
    scan["source"] = json!("aws.ecr");
    scan["detail"] = json!({
        "scan-status": "COMPLETE", "repository-name": "shop/checkout", "image-digest": QUARANTINED,
        "image-tags": ["1.4.0"], "finding-severity-counts": {},
    });
    pipeline.establish(&stream([scan.clone()]));
    let complete = BasicScan { status: ScanStatus::Complete, ..BasicScan::default() };
    pipeline.aws.ecr().seed_basic_scan("210987654321", "shop/checkout", QUARANTINED, complete);
    play(&mut pipeline, stream([scan])).await;
    for name in ACTS {
        play(&mut pipeline, act(name)).await;
    }
    let called: BTreeSet<String> = pipeline.aws.calls().into_keys().collect();
    let template = setting().template;
    assert!(
        !template.contains(":*\n") && !template.contains("Action: '*'"),
        "an action is granted by a wildcard"
    );
    assert_eq!(called, granted(&template));
}
