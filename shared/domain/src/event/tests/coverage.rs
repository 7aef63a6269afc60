//! Whether Amazon Inspector scans an image.

use super::*;

const STATUS: &str = "/detail/scanStatus/statusCodeValue";
const REASON: &str = "/detail/scanStatus/reason";

fn coverage(json: &str) -> CoverageReport {
    match Event::parse(json) {
        Ok(Event::Coverage(report)) => report,
        other => panic!("no coverage: {other:?}"),
    }
}

#[test]
fn coverage_is_that_of_the_image_in_the_envelope_at_the_time_of_the_detail() {
    let report = coverage(COVERAGE);
    assert_eq!(report.image, cart());
    assert_eq!((report.status.as_str(), report.reason.as_str()), ("INACTIVE", "UNSUPPORTED_OS"));
    assert_eq!(report.at, at("2031-03-03T07:20:01.665Z"));
    let untimed = without(COVERAGE, &["/detail/eventTimestamp", "/detail/scanType", "/version"]);
    assert_eq!(coverage(&untimed).at, at("2031-03-03T07:20:05Z"));
}

#[test]
fn coverage_of_anything_else_is_foreign() {
    for resources in
        [json!(["i-087d63509b8c97098"]), json!([]), json!(["arn:aws:lambda:eu-west-1:1:function:ecr:x"])]
    {
        assert!(is_foreign(&with(COVERAGE, "/resources", resources.clone())), "{resources}");
    }
    assert!(is_foreign(&with(COVERAGE, "/detail/scanType", json!("NETWORK"))));
}

#[test]
fn scan_that_is_running_is_no_gap_in_coverage() {
    let running = with(COVERAGE, REASON, json!("SCAN_IN_PROGRESS"));
    assert!(is_foreign(&with(&running, STATUS, json!("ACTIVE"))));
    assert_eq!(coverage(&running).reason, "SCAN_IN_PROGRESS", "an inactive one is none");
}

#[test]
fn coverage_of_what_may_be_an_image_and_cannot_be_read_is_an_error() {
    let image = "arn:aws:ecr:eu-west-1:111122223333:repository/shop/cart";
    for resources in [
        json!("text"),
        json!([7]),
        json!([image]),
        json!([format!("{image}/sha256:..")]),
        json!([format!("{image}/latest")]),
        json!([format!("{image}/sha256:aa"), format!("{image}/sha256:bb")]),
    ] {
        assert_eq!(refused(&with(COVERAGE, "/resources", resources.clone())).1, "resources", "{resources}");
    }
    assert_eq!(refused(&without(COVERAGE, &["/resources"])).1, "resources");
    refused(&without(COVERAGE, &["/detail/scanStatus"]));
    refused(&with(COVERAGE, STATUS, json!(7)));
    let hostile = json!(["arn:aws:ecr:eu-west-1:111122223333:repository/shop/c\u{430}rt/sha256:aa"]);
    assert_eq!(refused(&with(COVERAGE, "/resources", hostile)).1, "detail");
    assert_eq!(coverage(&with(COVERAGE, REASON, json!("A\u{202e}B\n"))).reason, "AB");
}

#[test]
fn resources_of_other_events_may_have_any_form() {
    for fixture in ALL.into_iter().filter(|fixture| *fixture != COVERAGE) {
        let odd = with(fixture, "/resources", json!({ "not": ["a", "list"] }));
        assert_eq!(Event::parse(&odd).unwrap(), Event::parse(fixture).unwrap());
    }
}
