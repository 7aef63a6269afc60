//! What people read of images that no scan has reached in time, and of those that were there before.

use domain::quarantine::Mode;
use jiff::Timestamp;
use serde_json::json;

use crate::alerts;
use crate::circumstances::Circumstances;
use crate::form::notification;
use crate::samples::{assessment, reason};

/// Subject and text of the one alert.
fn told(
    previous: &str,
    verdict: &str,
    reasons: Vec<serde_json::Value>,
    fields: &serde_json::Value,
) -> String {
    let now: Timestamp = "2031-03-01T08:31:00Z".parse().unwrap();
    let circumstances = Circumstances { mode: Mode::Tag, untagged: false, may_repeat: false, now };
    let alerts = alerts(&[assessment(previous, verdict, reasons, fields)]);
    assert_eq!(alerts.len(), 1);
    let told = notification(&alerts[0], &circumstances);
    format!("{}\n{}", told.subject, told.text)
}

fn line<'a>(text: &'a str, label: &str) -> &'a str {
    text.lines().find(|line| line.starts_with(label)).unwrap_or_default()
}

const NOT_SUPPORTED: &str = "Inspector does not support its operating system, architecture or manifest type";
const BASE_IMAGE: &str = "build it on a base image that Inspector supports, and replace a release that has reached its end of life";

#[test]
fn image_that_was_not_scanned_in_time_is_told_with_the_reason_and_what_helps() {
    let text =
        told("pending", "unscannable", vec![], &json!({ "/unscanned": "UNSUPPORTED_OS", "/open": {} }));
    let (subject, rest) = text.split_once('\n').unwrap();
    assert!(subject.starts_with("Not scanned: prod/cart:2.7"), "{subject}");
    let first = format!(
        "prod/cart:2.7 was not scanned in time, so its vulnerabilities are not known: {NOT_SUPPORTED}."
    );
    assert_eq!(rest.lines().next().unwrap(), first);
    assert_eq!(line(&text, "To do"), format!("To do    {BASE_IMAGE}"));
}

#[test]
fn quarantine_of_an_image_that_was_not_scanned_in_time_does_not_speak_of_findings() {
    let text = told("pending", "quarantine", vec![], &json!({ "/unscanned": "UNSUPPORTED_OS", "/open": {} }));
    let (subject, rest) = text.split_once('\n').unwrap();
    assert!(subject.starts_with("QUARANTINE: prod/cart:2.7"), "{subject}");
    let first = format!("prod/cart:2.7 is quarantined, because no scan came in time: {NOT_SUPPORTED}.");
    assert_eq!(rest.lines().next().unwrap(), first);
    assert_eq!(line(&text, "To do"), format!("To do    {BASE_IMAGE}"));
    assert_eq!(line(&text, "Until"), "Until    a scan has ended");
}

#[test]
fn image_that_is_exempt_is_not_said_to_get_a_tag() {
    let text = told("clear", "quarantine", vec![reason("CVE-2031-1")], &json!({ "/exempt": true }));
    assert!(text.starts_with("Alert: prod/cart:2.7"), "{text}");
    assert!(
        line(&text, "Status").starts_with("Status   not changed: it was there before ecr-warden"),
        "{text}"
    );
    assert!(!text.contains("hourly limit"), "{text}");
}
