//! The command line: what it prints, what it refuses, and how it ends.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr)] // A test says what it expects by failing.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use pipeline_tests::event;
use serde_json::{Value, json};

fn run(arguments: &[&str], input: Option<&str>) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-warden"))
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.unwrap_or_default().to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(input.as_bytes()));
    let output = child.wait_with_output().unwrap();
    // A program that refuses its arguments does not read its input.
    let _ = writer.join().unwrap();
    output
}

fn outcome(arguments: &[&str], input: Option<&str>) -> Value {
    let output = run(arguments, input);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("one JSON object and nothing else")
}

fn story(file: &str) -> String {
    pipeline_tests::file("sim/pipeline/story").join(file).to_string_lossy().into_owned()
}

/// An empty folder of this test.
fn folder() -> PathBuf {
    let test = std::thread::current().name().unwrap().replace("::", "-");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("command").join(test);
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap();
    file.to_string_lossy().into_owned()
}

#[test]
fn the_story_is_told_the_same_twice() {
    let (first, second) = (run(&[], None), run(&[], None));
    assert!(first.status.success());
    assert_eq!(String::from_utf8_lossy(&first.stdout), String::from_utf8_lossy(&second.stdout));
    let text = String::from_utf8_lossy(&first.stdout).into_owned();
    for expected in
        ["Act 13.", "+ quarantine-7e6c2638cb94", "Subject: Released", "ImagesQuarantined", "0 dead"]
    {
        assert!(text.contains(expected), "{expected:?} is missing");
    }
    let told: u64 =
        text.lines().filter_map(|line| line.split_once(" calls to AWS: ")?.0.parse::<u64>().ok()).sum();
    assert!(text.contains(&format!("\nCalls to AWS: {told}\n")), "the acts told of {told} calls");
}

#[test]
fn reader_that_goes_away_stops_nothing() {
    let folder = folder();
    let mut child = Command::new(env!("CARGO_BIN_EXE_ecr-warden"))
        .args(["--out", &folder.as_path().to_string_lossy()])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    assert!(output.status.success());
    assert_eq!(std::fs::read_dir(folder.join("alerts")).unwrap().count(), 8);
}

#[test]
fn json_has_the_documented_form() {
    let outcome = outcome(&["--json"], None);
    let images = outcome["images"].as_array().unwrap();
    let place = |image: &Value| (image["repository"].to_string(), image["digest"].to_string());
    assert!(images.is_sorted_by_key(place));
    let image = images.iter().find(|image| image["digest"] == pipeline_tests::QUARANTINED).unwrap();
    assert_eq!(image["verdict"], "quarantine");
    assert_eq!(image["tags"], json!(["1.4.0", "quarantine-7e6c2638cb94"]));
    assert_eq!(image["findings"], json!({ "CRITICAL": 2, "HIGH": 2, "LOW": 1 }));
    assert_eq!(image["waived"], 1);
    assert!(
        image["reasons"]
            .as_array()
            .unwrap()
            .contains(&json!({"rule": "exploited-in-the-wild", "vulnerability": "CVE-2026-90017"}))
    );
    assert_eq!(outcome["alerts"].as_array().unwrap().len(), 8);
    assert!(outcome["alerts"][0]["attributes"]["severity"].is_string());
    assert!(outcome["metrics"][0]["sum"].is_number() && outcome["metrics"][0]["dimensions"].is_object());
    assert_eq!(outcome["events"], json!({ "handled": 78, "skipped": 1, "dead": 0 }));
    assert!(outcome["calls"]["ecr:PutImage"].is_u64());
}

#[test]
fn bad_lines_are_counted_and_stop_nothing() {
    let mut enormous = event("2-scan", "Inspector2 Finding");
    enormous["detail"]["description"] = "x".repeat(10 << 20).into();
    let mut elsewhere = event("2-scan", "Inspector2 Finding");
    elsewhere["detail"]["resources"] = json!([{ "type": "AWS_EC2_INSTANCE", "id": "i-0123456789abcdef0" }]);
    let mut unknown = event("2-scan", "Inspector2 Scan");
    unknown["id"] = "an-unknown-status".into();
    unknown["detail"]["scan-status"] = "ALMOST".into();
    let truncated = &event("1-push", "ECR Image Action").to_string()[..200];
    let good: String = ["1-push", "2-scan"]
        .map(|act| std::fs::read_to_string(story(&format!("{act}.jsonl"))).unwrap())
        .concat();
    let input = format!("{enormous}\n{truncated}\n{elsewhere}\n{unknown}\n{good}");

    let arguments =
        ["-", "--policy", &story("policy.yaml"), "--known-exploited", &story("known-exploited.json")];
    let outcome = outcome(&[&arguments[..], &["--json"]].concat(), Some(&input));
    assert_eq!(outcome["events"], json!({ "handled": 17, "skipped": 1, "dead": 3 }));
    assert_eq!(outcome["alerts"].as_array().unwrap().len(), 1);

    let output = run(&arguments, Some(&input));
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    for expected in [
        "-:1: 1048",
        "EventBridge delivers no event over 1048576",
        "-:2: not JSON",
        "event an-unknown-status: field detail.scan-status: unknown status \"ALMOST\"",
        "skipped    1  no rule wants it: Inspector2 Finding",
    ] {
        assert!(text.contains(expected), "{expected:?} is missing in\n{text}");
    }
}

#[test]
fn a_stream_is_played_in_the_account_and_region_that_received_most_of_it() {
    let mut elsewhere = event("1-push", "ECR Image Action");
    elsewhere["account"] = "999999999999".into();
    let stream = format!("{elsewhere}\n{}", std::fs::read_to_string(story("1-push.jsonl")).unwrap());
    let own = outcome(&["-", "--json"], Some(&stream));
    assert_eq!(own["events"], json!({ "handled": 8, "skipped": 1, "dead": 0 }));
    let other = outcome(&["-", "--json", "--account", "999999999999"], Some(&stream));
    assert_eq!(other["events"], json!({ "handled": 1, "skipped": 8, "dead": 0 }));
}

#[test]
fn a_policy_with_a_typing_error_is_refused_with_its_place() {
    let folder = folder();
    let policy = write(
        folder.as_path(),
        "policy.yaml",
        "rules:\n  - id: critical\n    match: { severty: [CRITICAL] }\n    then: [alert]\n",
    );
    let output = run(&[&story("1-push.jsonl"), "--policy", &policy, "--json"], None);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2));
    assert!(error.contains("policy.yaml:3:") && error.contains("severty"), "{error}");
    assert!(output.stdout.is_empty());
}

#[test]
fn what_cannot_be_read_is_refused_by_name() {
    for (arguments, expected) in [
        (vec!["no-such-file.jsonl"], "no-such-file.jsonl"),
        (vec!["-", "--policy", "no-such-policy.yaml"], "no-such-policy.yaml"),
        (vec!["-", "--parameter", "QuarantineMode=perhaps"], "QuarantineMode"),
    ] {
        let output = run(&arguments, Some(""));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(error.contains(expected), "{error}");
    }
}

fn time_passes(time: &str) -> String {
    json!({"detail-type": "Time Passes", "time": time}).to_string()
}

/// How often sweep ran. A run that has more to do than fits goes on a minute later, so it may be more than the schedule says.
fn sweeps(outcome: &Value) -> f64 {
    let metrics = outcome["metrics"].as_array().unwrap();
    metrics.iter().find(|metric| metric["name"] == "Sweeps").unwrap()["sum"].as_f64().unwrap()
}

#[test]
fn time_passes_where_a_stream_says_so() {
    let pushes = std::fs::read_to_string(story("1-push.jsonl")).unwrap();
    let until = |time| format!("{}\n{}\n", pushes.trim_end(), time_passes(time));
    // The pushes are at nine.
    let input = until("2026-03-02T10:00:00Z");
    let once = sweeps(&outcome(&["play", "-", "--json"], Some(&input)));
    assert!((4.0..8.0).contains(&once), "{once}");
    // In several files, and twice in one.
    let folder = folder();
    let first = write(&folder, "first.jsonl", &input);
    let [next, last] = ["2026-03-02T11:00:00Z", "2026-03-02T12:00:00Z"].map(time_passes);
    let second = write(&folder, "second.jsonl", &format!("{next}\n{last}\n"));
    let all = sweeps(&outcome(&["play", &first, &second, "--json"], None));
    assert!((all - once - 8.0).abs() < 0.5, "{all} {once}: there is nothing to go on with any more");
}

#[test]
fn time_that_cannot_pass_is_refused_with_its_place() {
    let folder = folder();
    for (time, reason) in [
        ("2026-03-01T00:00:00Z", "time cannot pass until 2026-03-01T00:00:00Z"),
        ("tomorrow", "expected a time such as \"2026-12-01T00:00:00Z\", found \"tomorrow\""),
    ] {
        let lines = [time_passes("2026-03-02T00:00:00Z"), time_passes(time)];
        let file = write(&folder, "events.jsonl", &lines.join("\n"));
        let output = run(&["play", &file], None);
        assert_eq!(output.status.code(), Some(2));
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(error.starts_with("error: events.jsonl:2: ") && error.contains(reason), "{error}");
        assert!(output.stdout.is_empty());
    }
}

#[test]
fn a_scan_result_is_played_directly_and_files_are_written() {
    let folder = folder();
    let scan = write(
        folder.as_path(),
        "shop_1.0.cdx.json",
        r#"{"sbom":{"metadata":{"timestamp":"2026-05-05T12:00:00Z"},
            "components":[{"bom-ref":"c1","name":"openssl","version":"3.0.1"}],
            "vulnerabilities":[{"id":"CVE-2026-7","bom-ref":"v1","affects":[{"ref":"c1"}],
              "ratings":[{"severity":"critical","score":9.8,"method":"CVSSv31","source":{"name":"NVD"}},
                         {"severity":"none","score":0.5,"source":{"name":"EPSS"}}],
              "properties":[{"name":"amazon:inspector:sbom_scanner:fixed_version:c1","value":"3.0.2"}]}]}}"#,
    );
    let out = folder.join("out");
    let outcome = outcome(&[&scan, "--json", "--out", &out.to_string_lossy()], None);
    let image = &outcome["images"][0];
    assert_eq!((&image["repository"], &image["findings"]), (&json!("shop"), &json!({ "CRITICAL": 1 })));
    assert_eq!(image["tags"], json!(["1.0"]));
    let alert = std::fs::read_to_string(out.join("alerts/0001.txt")).unwrap();
    assert!(alert.starts_with("Subject: ") && alert.contains("openssl 3.0.1: fixed in 3.0.2"), "{alert}");
    let written: Value = serde_json::from_slice(&std::fs::read(out.join("outcome.json")).unwrap()).unwrap();
    assert_eq!(written, outcome);
}

#[test]
fn a_file_that_only_claims_to_be_a_scan_result_is_refused() {
    let folder = folder();
    let scan = write(folder.as_path(), "broken.cdx.json", "{\"sbom\":{}}");
    let output = run(&[&scan], None);
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("missing field `vulnerabilities`"));
}
