//! Order, repetition and batching do not matter (invariant 1), and a duplicate costs nothing (invariant 4).
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // A test says what it expects by failing.

use std::path::Path;
use std::process::Command;

use pipeline_tests::{act, assert_remembered, pipeline, play, setting, shuffled, sums};
use sim_pipeline::{ImageOutcome, Outcome, read_text};

#[tokio::test]
async fn any_order_and_repetition_of_a_first_scan_ends_the_same() {
    let scan = || [act("1-push"), act("2-scan")].concat();
    let whole = play(&mut pipeline().await, scan()).await;
    assert_eq!(whole.images.len(), 3);
    for seed in 1..=20 {
        let mut pipeline = pipeline().await;
        let outcome = play(&mut pipeline, shuffled([scan(), scan()].concat(), seed)).await;
        assert_remembered(&pipeline, &outcome, &format!("seed {seed}")).await;
        assert_eq!(outcome.images, whole.images, "seed {seed}");
        assert_eq!(outcome.alerts, whole.alerts, "seed {seed}");
        assert_eq!(sums(&outcome), sums(&whole), "seed {seed}");
    }
}

#[tokio::test]
async fn any_order_of_a_whole_history_ends_the_same() {
    let history = || pipeline_tests::ACTS.map(act).concat();
    let whole = play(&mut pipeline().await, history()).await;
    for seed in 1..=20 {
        let mut pipeline = pipeline().await;
        let outcome = play(&mut pipeline, shuffled(history(), seed)).await;
        assert_remembered(&pipeline, &outcome, &format!("seed {seed}")).await;
        assert_eq!(outcome.images, whole.images, "seed {seed}");
    }
}

#[tokio::test]
async fn one_message_at_a_time_ends_as_a_thousand_at_once() {
    let scan = || [act("1-push"), act("2-scan")].concat();
    let whole = play(&mut pipeline().await, scan()).await;
    let mut setting = setting();
    assert!(setting.template.contains("BatchSize: 1000"));
    for size in ["BatchSize: 1000", "BatchSize: 100"] {
        setting.template = setting.template.replace(size, "BatchSize: 1");
    }
    let outcome = play(&mut pipeline_tests::pipeline_with(setting).await, scan()).await;
    assert_eq!(outcome.images, whole.images);
    assert_eq!(outcome.alerts, whole.alerts);
    assert_eq!(sums(&outcome), sums(&whole));
}

#[tokio::test]
async fn a_duplicate_writes_nothing_and_announces_nothing() {
    let mut pipeline = pipeline().await;
    play(&mut pipeline, [act("1-push"), act("2-scan")].concat()).await;
    let before = pipeline.calls();
    let outcome = play(&mut pipeline, [act("2-scan"), act("1-push")].concat()).await;
    let reads = ["dynamodb:GetItem", "inspector2:ListFindings"];
    for (action, count) in outcome.calls {
        assert!(
            reads.contains(&action.as_str()) || before[&action] == count,
            "{action} was called by a duplicate"
        );
    }
}

/// The measure is real data, where it is at hand: eleven scans of Inspector as one stream.
#[tokio::test]
async fn real_scans_end_the_same_in_any_order() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let Some(stream) = stream(&shared, &[]) else {
        eprintln!("skipped: no stream.py and scans in {}", shared.display());
        return;
    };
    let mut setting = setting();
    "123456789012".clone_into(&mut setting.account);
    "eu-central-1".clone_into(&mut setting.region);
    setting.policy = pipeline_tests::file("tests/pipeline/strict-policy.yaml");
    let whole =
        play(&mut pipeline_tests::pipeline_with(setting.clone()).await, read_text("stream", &stream)).await;
    assert_eq!(whole.images.len(), 11);
    let findings: u64 = whole.images.iter().flat_map(|image| image.findings.values()).sum();
    assert_eq!(findings, 813);
    let quarantined =
        whole.images.iter().filter(|image| image.tags.iter().any(|tag| tag.starts_with("quarantine-")));
    assert!(quarantined.count() > 3, "the policy is too lenient to prove anything");
    for seed in ["7", "8"] {
        let arguments = ["--shuffle", seed, "--duplicate", "0.5"];
        let stream = stream_of(&shared, &arguments);
        let outcome: Outcome =
            play(&mut pipeline_tests::pipeline_with(setting.clone()).await, read_text("stream", &stream))
                .await;
        assert_eq!(outcome.images, whole.images, "seed {seed}");
        assert_eq!(outcome.alerts.len(), whole.alerts.len(), "seed {seed}");
        assert_eq!(sums(&outcome), sums(&whole), "seed {seed}");
    }
}

/// The same scans, pushed as BuildKit does: the tag is on an index, and the findings are about the untagged images in it.
#[tokio::test]
async fn real_scans_of_indexes_come_to_the_same_in_any_order() {
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared");
    let Some(plain) = stream(&shared, &[]) else {
        eprintln!("skipped: no stream.py and scans in {}", shared.display());
        return;
    };
    let mut setting = setting();
    "123456789012".clone_into(&mut setting.account);
    "eu-central-1".clone_into(&mut setting.region);
    setting.policy = pipeline_tests::file("tests/pipeline/strict-policy.yaml");
    let of = async |events: &[u8]| {
        play(&mut pipeline_tests::pipeline_with(setting.clone()).await, read_text("stream", events)).await
    };
    // What people see: the tags that they deploy, the verdict, the counts, and whether our mark is on.
    let seen = |outcome: &Outcome| {
        let of_image = |image: &ImageOutcome| {
            let mark = format!("quarantine-{}", &image.digest["sha256:".len()..][..12]);
            let (ours, theirs): (Vec<String>, Vec<String>) =
                image.tags.iter().cloned().partition(|tag| *tag == mark);
            let findings: u64 = image.findings.values().sum();
            (image.repository.clone(), theirs, image.verdict, findings, ours.len())
        };
        let mut images: Vec<_> = outcome.images.iter().map(of_image).collect();
        images.sort();
        let mut subjects: Vec<String> = outcome.alerts.iter().map(|alert| alert.subject.clone()).collect();
        subjects.sort();
        (images, subjects)
    };
    let expected = seen(&of(&plain).await);
    for platforms in ["linux/amd64", "linux/amd64,linux/arm64"] {
        for order in [&[][..], &["--shuffle", "7", "--duplicate", "0.5"]] {
            let arguments = [&["--buildx", platforms][..], order].concat();
            let outcome = of(&stream_of(&shared, &arguments)).await;
            assert_eq!(seen(&outcome), expected, "{arguments:?}");
            let named = outcome.images.iter().all(|image| image.platforms.join(",") == platforms);
            assert!(named, "{arguments:?}: {:?}", outcome.images);
        }
    }
}

fn stream(shared: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    shared.join("tools/stream.py").exists().then(|| stream_of(shared, arguments))
}

fn stream_of(shared: &Path, arguments: &[&str]) -> Vec<u8> {
    let mut scans: Vec<_> =
        std::fs::read_dir(shared.join("scans")).unwrap().map(|entry| entry.unwrap().path()).collect();
    scans.sort();
    let output = Command::new("python3")
        .arg(shared.join("tools/stream.py"))
        .args(scans)
        .args(arguments)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}
