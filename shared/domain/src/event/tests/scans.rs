//! Scans of Amazon Inspector and of ECR, and what they count.

use super::*;

#[test]
fn unknown_scan_status_is_an_error_that_names_event_field_and_value() {
    for (fixture, id) in
        [(SCAN, "5ca00000-0000-4000-8000-000000000002"), (BASIC_SCAN, "ba510000-0000-4000-8000-000000000003")]
    {
        let (event, field, reason) = refused(&with(fixture, "/detail/scan-status", json!("MAYBE")));
        assert_eq!((event.as_str(), field.as_str()), (id, "detail.scan-status"));
        assert!(reason.contains("MAYBE"), "{reason}");
    }
}

fn counts_of(json: &str) -> Counts {
    match scan_of(json).outcome {
        ScanOutcome::Complete(counts) => counts,
        ScanOutcome::Failed => panic!("the scan failed"),
    }
}

fn stated<const N: usize>(counts: [(&str, u64); N]) -> BTreeMap<Severity, u64> {
    counts.map(|(name, count)| (Severity::from(name), count)).into()
}

#[test]
fn inspector_scan_has_the_counts_that_it_states_and_no_others() {
    let scan = scan_of(SCAN);
    assert_eq!((scan.source, scan.at), (Source::Inspector, at("2031-03-03T07:06:30Z")));
    assert_eq!(scan.tags, ["2.7"]);
    let counts = counts_of(SCAN);
    assert_eq!(counts.by_severity, stated([("CRITICAL", 1), ("HIGH", 2), ("MEDIUM", 3)]));
    assert_eq!(counts.total, Some(11), "those of all severities, and not the sum");
    let json = without(SCAN, &["/detail/finding-severity-counts/TOTAL", "/version", "/detail/image-tags"]);
    assert_eq!(counts_of(&json), Counts { total: None, ..counts });
    let json = without(SCAN, &["/detail/finding-severity-counts"]);
    assert_eq!(counts_of(&json), Counts::default());
}

#[test]
fn counts_without_bounds_are_a_total_without_bounds() {
    let counts = json!({ "CRITICAL": u64::MAX, "HIGH": u64::MAX });
    let json = with(BASIC_SCAN, "/detail/finding-severity-counts", counts);
    assert_eq!(counts_of(&json).total, Some(u64::MAX));
}

#[test]
fn basic_scan_states_every_severity_for_what_it_leaves_out_is_none() {
    let scan = scan_of(BASIC_SCAN);
    assert_eq!(scan.source, Source::Basic);
    let none = stated([
        ("CRITICAL", 0),
        ("HIGH", 0),
        ("MEDIUM", 0),
        ("LOW", 0),
        ("INFORMATIONAL", 0),
        ("UNTRIAGED", 0),
    ]);
    assert_eq!(counts_of(BASIC_SCAN).total, Some(5));
    assert_eq!(counts_of(BASIC_SCAN).by_severity.values().sum::<u64>(), 5);
    let json = with(BASIC_SCAN, "/detail/finding-severity-counts", json!({}));
    assert_eq!(counts_of(&json), Counts { by_severity: none, total: Some(0) });
    let json = with(BASIC_SCAN, "/detail/finding-severity-counts", json!({ "UNDEFINED": 2, "WORSE": 1 }));
    let counts = counts_of(&json);
    assert_eq!((counts.by_severity[&Severity::Untriaged], counts.total), (2, Some(3)));
    assert_eq!(counts.by_severity[&Severity::from("WORSE")], 1);
    let json = without(BASIC_SCAN, &["/detail/finding-severity-counts"]);
    assert_eq!(counts_of(&json), Counts::default(), "nothing stated is nothing known");
}

#[test]
fn counts_are_written_as_people_read_them() {
    assert_eq!(counts_of(SCAN).to_string(), "11 findings (1 CRITICAL, 2 HIGH, 3 MEDIUM)");
    assert_eq!(Counts::default().to_string(), "findings without a total");
    assert_eq!(Counts { total: Some(0), ..Counts::default() }.to_string(), "0 findings");
}

#[test]
fn each_status_of_a_basic_scan_is_an_end_a_failure_or_no_news() {
    let of = |status: &str| with(BASIC_SCAN, "/detail/scan-status", json!(status));
    for status in
        ["FAILED", "UNSUPPORTED_IMAGE", "FINDINGS_UNAVAILABLE", "LIMIT_EXCEEDED", "IMAGE_SIZE_EXCEEDED"]
    {
        assert_eq!(scan_of(&of(status)).outcome, ScanOutcome::Failed, "{status}");
    }
    for status in ["IN_PROGRESS", "PENDING", "ACTIVE", "SCAN_ELIGIBILITY_EXPIRED", "IMAGE_ARCHIVED"] {
        assert!(is_foreign(&of(status)), "{status}");
    }
}

#[test]
fn failed_basic_scan_is_read_with_and_without_counts() {
    let failed = with(BASIC_SCAN, "/detail/scan-status", json!("FAILED"));
    for json in [without(&failed, &["/detail/finding-severity-counts"]), failed] {
        assert_eq!(scan_of(&json).outcome, ScanOutcome::Failed);
    }
}
