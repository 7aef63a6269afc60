//! Findings of Amazon Inspector.

use super::*;

#[test]
fn finding_is_read_with_all_that_it_says() {
    let FindingReport { image, finding, tags, pushed_at } = finding(FINDING);
    assert_eq!(image, cart());
    assert_eq!(tags, ["2.7", "stable"]);
    assert_eq!(pushed_at, Some(at("2031-03-03T07:00:00Z")));
    assert_eq!(
        finding,
        Finding {
            updated_at: at("2031-03-05T08:29:59.750Z"),
            status: Status::Active,
            severity: Severity::High,
            id: "arn:aws:inspector2:eu-west-1:111122223333:finding/0123456789abcdef0123456789abcdef"
                .to_owned(),
            source: Source::Inspector,
            vulnerability: "CVE-2031-10001".to_owned(),
            score: Some(crate::finding::Score::from_tenths(81)),
            epss: Some(crate::finding::Epss::from_millionths(12_340)),
            exploit: Some(true),
            fix: Fix::Partial,
            // Sorted, once each, the release joined to the version, no version where none is available.
            packages: vec![
                Package {
                    name: "alpha".to_owned(),
                    version: "1.4.2-3.el9".to_owned(),
                    fixed_in: Some("0:1.4.3-1.el9".to_owned()),
                },
                Package { name: "zeta".to_owned(), version: "2.0".to_owned(), fixed_in: None },
            ],
            last_seen: at("2031-03-05T08:29:58.500Z"),
            first_seen: at("2031-03-03T07:06:05.004Z"),
        }
    );
}

#[test]
fn repository_is_an_arn_in_an_inspector_scan_and_a_name_in_a_basic_one() {
    assert_eq!(scan_of(SCAN).image, cart());
    assert_eq!(scan_of(BASIC_SCAN).image, cart());
}

#[test]
fn repository_arn_says_the_region_and_the_account_better_than_the_envelope() {
    let json = edited(SCAN, |event| {
        event["account"] = json!("999900001111");
        event["region"] = json!("us-east-1");
    });
    assert_eq!(scan_of(&json).image, cart());
}

#[test]
fn updated_at_is_read_in_all_four_forms() {
    for (written, meant) in [
        (json!("Wed Mar 05 08:29:59.750 UTC 2031"), "2031-03-05T08:29:59.750Z"),
        (json!("Mar 5, 2031, 8:29:59 PM"), "2031-03-05T20:29:59Z"),
        (json!("2031-03-05T08:29:59.750Z"), "2031-03-05T08:29:59.750Z"),
        // 2031-03-05T00:00:00Z is 22,343 days after the epoch.
        (json!(22_343.0 * 86_400.0 + 0.25), "2031-03-05T00:00:00.250Z"),
    ] {
        let json = with(FINDING, "/detail/updatedAt", written.clone());
        assert_eq!(finding(&json).finding.updated_at, at(meant), "{written}");
    }
}

#[test]
fn unreadable_updated_at_is_an_error_that_names_it() {
    let (id, field, reason) = refused(&with(FINDING, "/detail/updatedAt", json!("soon")));
    assert_eq!((id.as_str(), field.as_str()), ("f1aa0000-0000-4000-8000-000000000001", "detail.updatedAt"));
    assert!(reason.contains("soon"), "{reason}");
}

#[test]
fn finding_with_none_of_the_optional_fields_is_read() {
    let json = without(
        FINDING,
        &[
            "/version",
            "/source",
            "/resources",
            "/time",
            "/detail/inspectorScore",
            "/detail/epss",
            "/detail/exploitAvailable",
            "/detail/fixAvailable",
            "/detail/firstObservedAt",
            "/detail/lastObservedAt",
            "/detail/severity",
            "/detail/packageVulnerabilityDetails",
            "/detail/resources/0/provider",
            "/detail/resources/0/details/awsEcrContainerImage/imageTags",
            "/detail/resources/0/details/awsEcrContainerImage/pushedAt",
        ],
    );
    let FindingReport { image, finding, tags, pushed_at } = finding(&json);
    assert_eq!(image, cart());
    assert_eq!((tags.len(), pushed_at), (0, None));
    assert_eq!((finding.score, finding.epss, finding.exploit), (None, None, None));
    assert_eq!((finding.fix, finding.severity), (Fix::Unknown, Severity::missing()));
    assert_eq!(finding.vulnerability, "PACKAGE_VULNERABILITY");
    assert!(finding.packages.is_empty());
    assert_eq!(finding.first_seen, finding.updated_at);
    assert_eq!(finding.last_seen, finding.updated_at);
}

#[test]
fn nulls_mean_the_same_as_absence() {
    let json = edited(FINDING, |event| {
        for key in ["inspectorScore", "epss", "exploitAvailable", "fixAvailable", "firstObservedAt"] {
            event["detail"][key] = Value::Null;
        }
    });
    let finding = finding(&json).finding;
    assert_eq!((finding.score, finding.epss, finding.exploit), (None, None, None));
    assert_eq!(finding.first_seen, finding.updated_at);
}

#[test]
fn region_that_is_not_available_comes_from_the_resource_id() {
    let json = edited(FINDING, |event| {
        event["detail"]["resources"][0]["partition"] = json!("N/A");
        event["detail"]["resources"][0]["region"] = json!("N/A");
    });
    assert_eq!(finding(&json).image, cart());
}

#[test]
fn finding_of_a_member_account_belongs_to_the_member() {
    let administrator = |event: &mut Value| event["account"] = json!("999900001111");
    assert_eq!(finding(&edited(FINDING, administrator)).image, cart());
    // Also where only `awsAccountId` says it.
    let json = edited(FINDING, |event| {
        administrator(event);
        event["detail"]["resources"][0]["id"] = json!("not-an-arn");
        let container = event.pointer_mut(IMAGE).unwrap();
        container.as_object_mut().unwrap().remove("registry");
    });
    assert_eq!(finding(&json).image, cart());
}

#[test]
fn unknown_severity_is_kept_by_its_name() {
    let json = with(FINDING, "/detail/severity", json!("APOCALYPTIC"));
    assert_eq!(finding(&json).finding.severity, Severity::Unknown("APOCALYPTIC".to_owned()));
}

#[test]
fn unknown_status_is_an_error_that_names_event_field_and_value() {
    let (id, field, reason) = refused(&with(FINDING, "/detail/status", json!("SNOOZED")));
    assert_eq!((id.as_str(), field.as_str()), ("f1aa0000-0000-4000-8000-000000000001", "detail.status"));
    assert!(reason.contains("SNOOZED"), "{reason}");
}

#[test]
fn every_documented_status_is_read() {
    for (name, status) in
        [("ACTIVE", Status::Active), ("SUPPRESSED", Status::Suppressed), ("CLOSED", Status::Closed)]
    {
        let json = with(FINDING, "/detail/status", json!(name));
        assert_eq!(finding(&json).finding.status, status);
    }
}

#[test]
fn scans_of_instances_and_functions_are_foreign() {
    for detail in [
        json!({"scan-status": "INITIAL_SCAN_COMPLETE", "instance-id": "i-0made0up",
               "finding-severity-counts": {"CRITICAL": 0, "TOTAL": 0}}),
        json!({"scan-status": "INITIAL_SCAN_COMPLETE", "version": "1.0",
               "function-name": "made-up", "finding-severity-counts": {"TOTAL": 3}}),
    ] {
        assert!(is_foreign(&with(SCAN, "/detail", detail)));
    }
}

#[test]
fn findings_of_other_resources_are_foreign_whatever_their_shape() {
    for (kind, provider) in [
        ("AWS_EC2_INSTANCE", "AWS"),
        ("AWS_LAMBDA_FUNCTION", "AWS"),
        ("CODE_REPOSITORY", "AWS"),
        ("AZURE_CONTAINER_IMAGE", "AZURE"),
    ] {
        let json = edited(FINDING, |event| {
            event["detail"]["resources"] =
                json!([{ "type": kind, "provider": provider, "id": "x", "details": {} }]);
        });
        assert!(is_foreign(&json), "{kind}");
        let other_shape = edited(&json, |event| {
            event["detail"]["updatedAt"] = json!({ "new": "form" });
            event["detail"]["status"] = json!("SNOOZED");
        });
        assert!(is_foreign(&other_shape), "{kind} of another shape");
    }
}

#[test]
fn finding_of_an_image_without_its_details_is_an_error_and_not_foreign() {
    let (_, field, _) = refused(&with(FINDING, "/detail/resources/0/details", json!({})));
    assert_eq!(field, "detail.resources.details.awsEcrContainerImage");
}

#[test]
fn control_characters_do_not_get_into_a_finding() {
    let json = edited(FINDING, |event| {
        event["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = json!("CVE\n-\u{1b}[31m1");
    });
    assert_eq!(finding(&json).finding.vulnerability, "CVE-[31m1");
}
