use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::finding::{Fix, Package, Severity, Status};

const FINDING: &str = include_str!("fixtures/inspector2_finding.json");
const SCAN: &str = include_str!("fixtures/inspector2_scan.json");
const BASIC_SCAN: &str = include_str!("fixtures/ecr_image_scan.json");
const ACTION: &str = include_str!("fixtures/ecr_image_action.json");
const PUT_IMAGE: &str = include_str!("fixtures/cloudtrail_put_image.json");
const DELETION: &str = include_str!("fixtures/cloudtrail_batch_delete_image.json");
const RESTORE: &str = include_str!("fixtures/cloudtrail_update_image_storage_class.json");
const RESTORED: &str = include_str!("fixtures/ecr_image_action_restored.json");
const ALL: [&str; 8] = [FINDING, SCAN, BASIC_SCAN, ACTION, PUT_IMAGE, DELETION, RESTORE, RESTORED];

/// The image that all fixtures are about.
fn cart() -> ImageId {
    ImageId {
        account: "111122223333".to_owned(),
        region: "eu-west-1".to_owned(),
        repository: "shop/cart".to_owned(),
        digest: "sha256:aaaaaaaaaaaaaaaabbbbbbbbbbbbbbbbccccccccccccccccdddddddddddddddd"
            .to_owned()
            .try_into()
            .unwrap(),
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn edited(fixture: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut event: Value = serde_json::from_str(fixture).unwrap();
    edit(&mut event);
    event.to_string()
}

/// The fixture with a value set at a JSON pointer whose parent exists.
fn with(fixture: &str, pointer: &str, value: Value) -> String {
    edited(fixture, |event| {
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        event.pointer_mut(parent).unwrap()[key] = value;
    })
}

/// The fixture without the values at these JSON pointers.
fn without(fixture: &str, pointers: &[&str]) -> String {
    edited(fixture, |event| {
        for pointer in pointers {
            let (parent, key) = pointer.rsplit_once('/').unwrap();
            let removed = event.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key);
            assert!(removed.is_some(), "{pointer} is not in the fixture");
        }
    })
}

fn finding(json: &str) -> FindingReport {
    match Event::parse(json) {
        Ok(Event::Finding(report)) => *report,
        other => panic!("no finding: {other:?}"),
    }
}

fn scan_of(json: &str) -> ScanReport {
    match Event::parse(json) {
        Ok(Event::Scan(report)) => report,
        other => panic!("no scan: {other:?}"),
    }
}

fn action(json: &str) -> ImageAction {
    match Event::parse(json) {
        Ok(Event::ImageAction(action)) => action,
        other => panic!("no image action: {other:?}"),
    }
}

fn put(json: &str) -> PutImage {
    match Event::parse(json) {
        Ok(Event::PutImage(put)) => put,
        other => panic!("no PutImage: {other:?}"),
    }
}

fn deletion(json: &str) -> Deletion {
    match Event::parse(json) {
        Ok(Event::Deletion(deletion)) => deletion,
        other => panic!("no deletion: {other:?}"),
    }
}

fn storage_change(json: &str) -> StorageChange {
    match Event::parse(json) {
        Ok(Event::StorageChange(change)) => change,
        other => panic!("no change of the storage class: {other:?}"),
    }
}

/// The id, the field and the reason of the error.
fn refused(json: &str) -> (String, String, String) {
    match Event::parse(json) {
        Err(EventError::Field { id, field, reason }) => (id, field, reason),
        other => panic!("not refused for a field: {other:?}"),
    }
}

fn is_foreign(json: &str) -> bool {
    matches!(Event::parse(json), Ok(Event::Foreign(_)))
}

const IMAGE: &str = "/detail/resources/0/details/awsEcrContainerImage";

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
fn unknown_keys_are_ignored_everywhere() {
    for fixture in ALL {
        let json = edited(fixture, |event| {
            event["detail.resources.tags.team"] = json!("stray");
            event["detail"]["brand-new"] = json!([{ "deep": [1, null] }]);
        });
        assert_eq!(Event::parse(&json).unwrap(), Event::parse(fixture).unwrap());
    }
}

#[test]
fn events_without_an_envelope_version_are_read() {
    for fixture in ALL {
        assert_eq!(Event::parse(&without(fixture, &["/version"])).unwrap(), Event::parse(fixture).unwrap());
    }
}

#[test]
fn push_is_read_with_tag_and_time() {
    assert_eq!(
        action(ACTION),
        ImageAction {
            image: cart(),
            action: ActionType::Push,
            tag: Some("2.7".to_owned()),
            media_type: None,
            artifact_media_type: None,
            at: at("2031-03-03T07:00:00Z"),
        }
    );
    let delete = with(ACTION, "/detail/action-type", json!("DELETE"));
    assert_eq!(action(&delete).action, ActionType::Delete);
}

#[test]
fn absent_tag_and_empty_tag_are_no_tag() {
    assert_eq!(action(&without(ACTION, &["/detail/image-tag"])).tag, None);
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!(""))).tag, None);
    assert_eq!(put(&with(PUT_IMAGE, "/detail/responseElements/image/imageId/imageTag", json!(""))).tag, None);
}

#[test]
fn media_type_of_a_push_is_read_where_it_is_stated() {
    let json = with(ACTION, "/detail/manifest-media-type", json!("application/vnd.oci.image.index.v1+json"));
    assert_eq!(action(&json).media_type.as_deref(), Some("application/vnd.oci.image.index.v1+json"));
    assert_eq!(action(&json).artifact_media_type, None);
    let json = with(ACTION, "/detail/artifact-media-type", json!("application/vnd.cncf.notary.signature"));
    assert_eq!(action(&json).artifact_media_type.as_deref(), Some("application/vnd.cncf.notary.signature"));
}

#[test]
fn unknown_and_failed_actions_are_foreign() {
    assert!(is_foreign(&with(ACTION, "/detail/action-type", json!("SOMETHING_NEW"))));
    assert!(is_foreign(&with(RESTORED, "/detail/result", json!("FAILURE"))));
    assert!(is_foreign(&with(ACTION, "/detail/result", json!("FAILURE"))));
}

#[test]
fn impossible_time_is_an_error_only_where_the_time_matters() {
    let leap = json!("2023-02-29T00:00:00Z");
    let (id, field, reason) = refused(&with(ACTION, "/time", leap.clone()));
    assert_eq!((id.as_str(), field.as_str()), ("90050000-0000-4000-8000-000000000004", "time"));
    assert!(reason.contains("2023-02-29"), "{reason}");
    assert_eq!(refused(&with(SCAN, "/time", leap.clone())).1, "time");
    let foreign = edited(ACTION, |event| {
        event["detail-type"] = json!("ECR Pull Through Cache Action");
        event["time"] = leap.clone();
    });
    assert!(is_foreign(&foreign));
    assert_eq!(finding(&with(FINDING, "/time", leap)), finding(FINDING));
}

#[test]
fn put_image_says_who_pushed_and_who_vouched() {
    let PutImage { image, tag, media_type, pusher, from, at: pushed } = put(PUT_IMAGE);
    assert_eq!(image, cart());
    assert_eq!(tag.as_deref(), Some("2.7"));
    assert_eq!(media_type.as_deref(), Some("application/vnd.oci.image.manifest.v1+json"));
    assert_eq!(pusher.arn, "arn:aws:sts::111122223333:assumed-role/shop-ci/run-42");
    assert_eq!(from, Origin::default());
    assert_eq!(pusher.provider.as_deref(), Some("ci.example.com"));
    // The time of the call, and not of its delivery.
    assert_eq!(pushed, at("2031-03-03T07:00:00Z"));
}

#[test]
fn put_image_of_a_user_has_no_provider_and_of_nobody_an_unknown_pusher() {
    let user = with(
        PUT_IMAGE,
        "/detail/userIdentity",
        json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Mary" }),
    );
    let arn = "arn:aws:iam::111122223333:user/Mary".to_owned();
    assert_eq!(put(&user).pusher, Pusher { arn, provider: None, service: None });
    let nobody = without(PUT_IMAGE, &["/detail/userIdentity"]);
    assert_eq!(put(&nobody).pusher, Pusher::unknown());
    assert_eq!(
        put(&with(PUT_IMAGE, "/detail/userIdentity", json!({ "type": "Unknown" }))).pusher,
        Pusher::unknown()
    );
}

#[test]
fn each_kind_of_identity_names_whom_it_can() {
    for (identity, words) in [
        (
            json!({ "type": "Root", "arn": "arn:aws:iam::111122223333:root" }),
            "the root user of account 111122223333",
        ),
        (
            json!({ "type": "FederatedUser", "arn": "arn:aws:sts::111122223333:federated-user/Bob", "principalId": "111122223333:Bob" }),
            "the federated user Bob",
        ),
        (
            json!({ "type": "AWSService", "invokedBy": "replication.ecr.amazonaws.com" }),
            "the AWS service replication.ecr.amazonaws.com",
        ),
        (
            json!({ "accountId": "111122223333", "invokedBy": "AWS Internal" }),
            "somebody whom CloudTrail does not name",
        ),
        (
            json!({ "type": "AWSAccount", "principalId": "AROAMADEUP:deploy", "accountId": "444455556666" }),
            "AROAMADEUP:deploy",
        ),
        (
            json!({
                "type": "SAMLUser", "principalId": "AROAMADEUP:Bob", "userName": "Bob",
                "identityProvider": "arn:aws:iam::111122223333:saml-provider/Corporate",
            }),
            "AROAMADEUP:Bob",
        ),
        // Docker pushes through ECR, whoever it is that pushes.
        (
            json!({ "type": "IAMUser", "arn": "arn:aws:iam::111122223333:user/Mary", "invokedBy": "ecr.amazonaws.com" }),
            "the IAM user Mary",
        ),
    ] {
        let pusher = put(&with(PUT_IMAGE, "/detail/userIdentity", identity)).pusher;
        assert_eq!(pusher.who().to_string(), words);
        assert_eq!(pusher.provider.as_deref(), (words == "AROAMADEUP:Bob").then_some("Corporate"));
    }
}

#[test]
fn deletion_names_each_image_once_with_what_was_taken_of_it() {
    let Deletion { removals, actor } = deletion(DELETION);
    let tags = |names: [&str; 2]| BTreeSet::from(names.map(str::to_owned));
    let other: ImageId = ImageId { digest: removals[0].image.digest.clone(), ..cart() };
    assert_eq!(
        other.digest.as_str(),
        "sha256:1111111111111111222222222222222233333333333333334444444444444444"
    );
    assert_eq!(
        removals,
        [
            Removal { image: other, tags: tags(["1.9", "old"]), whole: true },
            Removal { image: cart(), tags: tags(["2.6", "2.7"]), whole: false },
        ]
    );
    assert_eq!(actor.who.who().to_string(), "the IAM user Mary");
    assert_eq!(actor.from.address.as_deref(), Some("198.51.100.7"));
    assert_eq!(actor.from.agent.as_deref(), Some("aws-cli/2.31.0"));
    assert_eq!(actor.at, at("2031-03-04T09:30:00Z"));
    assert_eq!(Event::parse(DELETION).unwrap().images().count(), 2);
}

#[test]
fn deletion_of_an_untagged_image_has_no_tags_and_a_deletion_of_nothing_is_foreign() {
    let digest = cart().digest.to_string();
    let untagged = with(DELETION, "/detail/requestParameters/imageIds", json!([{ "imageDigest": digest }]));
    let untagged = with(&untagged, "/detail/responseElements/imageIds", json!([{ "imageDigest": digest }]));
    let removals = deletion(&untagged).removals;
    assert_eq!(removals, [Removal { image: cart(), tags: BTreeSet::new(), whole: true }]);
    assert!(is_foreign(&with(DELETION, "/detail/responseElements/imageIds", json!([]))));
    assert!(is_foreign(&with(DELETION, "/detail/errorCode", json!("RepositoryNotFoundException"))));
}

#[test]
fn change_of_the_storage_class_is_read_from_the_call_and_from_its_end() {
    let asked = storage_change(RESTORE);
    assert_eq!((&asked.image, asked.class, asked.activated_at), (&cart(), StorageClass::Standard, None));
    assert_eq!(
        asked.actor.unwrap().who.who().to_string(),
        "mary@example.com (IAM Identity Center, Developer)"
    );
    let done = storage_change(RESTORED);
    assert_eq!((&done.image, done.class, done.actor), (&cart(), StorageClass::Standard, None));
    assert_eq!(done.activated_at, Some(at("2031-03-04T10:11:58.74Z")));
    let archived = without(RESTORED, &["/detail/last-activated-at"]);
    let archived = with(&archived, "/detail/target-storage-class", json!("ARCHIVE"));
    assert_eq!(storage_change(&archived).class, StorageClass::Archive);
    // The API has the members of the image in the response itself.
    let flat = edited(RESTORE, |event| {
        event["detail"]["responseElements"] = event["detail"]["responseElements"]["image"].clone();
    });
    assert_eq!(storage_change(&flat), storage_change(RESTORE));
}

#[test]
fn unknown_storage_class_is_an_error_that_names_it() {
    for (fixture, pointer, named) in [
        (RESTORED, "/detail/target-storage-class", "detail.target-storage-class"),
        (
            RESTORE,
            "/detail/requestParameters/targetStorageClass",
            "detail.requestParameters.targetStorageClass",
        ),
    ] {
        let (_, field, reason) = refused(&with(fixture, pointer, json!("GLACIER")));
        assert_eq!((field.as_str(), reason.as_str()), (named, "unknown storage class \"GLACIER\""));
    }
    assert_eq!(refused(&without(RESTORED, &["/detail/target-storage-class"])).2, "missing");
}

#[test]
fn federation_attributes_of_any_shape_are_ignored() {
    let pointer = "/detail/userIdentity/sessionContext/webIdFederationData/attributes";
    for attributes in [json!({}), json!("text"), json!(null), json!({ "sub": ["a"] })] {
        assert_eq!(put(&with(PUT_IMAGE, pointer, attributes)), put(PUT_IMAGE));
    }
}

#[test]
fn stated_media_type_counts_more_than_the_manifest_and_an_unreadable_manifest_says_nothing() {
    let stated = with(PUT_IMAGE, "/detail/requestParameters/imageManifestMediaType", json!("stated/type"));
    assert_eq!(put(&stated).media_type.as_deref(), Some("stated/type"));
    let broken = with(PUT_IMAGE, "/detail/requestParameters/imageManifest", json!("{not json"));
    assert_eq!(put(&broken).media_type, None);
}

#[test]
fn refused_put_image_and_other_calls_are_foreign() {
    let refused = edited(PUT_IMAGE, |event| {
        event["detail"]["errorCode"] = json!("ImageAlreadyExistsException");
        event["detail"]["responseElements"] = Value::Null;
    });
    assert!(is_foreign(&refused));
    assert!(is_foreign(&with(PUT_IMAGE, "/detail/eventName", json!("BatchGetImage"))));
}

#[test]
fn put_image_that_succeeded_without_a_result_is_an_error() {
    let (_, field, _) = refused(&with(PUT_IMAGE, "/detail/responseElements", Value::Null));
    assert_eq!(field, "detail.responseElements.image");
}

#[test]
fn bare_cloudtrail_record_is_foreign() {
    let event: Value = serde_json::from_str(PUT_IMAGE).unwrap();
    assert!(is_foreign(&event["detail"].to_string()));
}

#[test]
fn event_without_a_type_is_an_error_and_of_an_unknown_type_foreign() {
    assert_eq!(refused(&without(ACTION, &["/detail-type"])).1, "detail-type");
    assert_eq!(refused("{}"), ("(none)".to_owned(), "detail-type".to_owned(), "missing".to_owned()));
    assert!(is_foreign(&with(ACTION, "/detail-type", json!("ECR Replication Action"))));
}

#[test]
fn event_without_a_detail_is_an_error() {
    for fixture in ALL {
        assert_eq!(refused(&without(fixture, &["/detail"])).1, "detail");
    }
}

#[test]
fn field_of_a_wrong_type_is_named_by_its_path() {
    let (_, field, _) = refused(&with(FINDING, "/detail/resources/0/type", json!(7)));
    assert_eq!(field, "detail.resources[0].type");
    assert_eq!(refused(&with(SCAN, "/detail/image-digest", json!([]))).1, "detail.image-digest");
    assert_eq!(refused(&without(SCAN, &["/detail/image-digest"])).1, "detail.image-digest");
}

#[test]
fn truncated_json_is_an_error_at_every_length() {
    for fixture in ALL {
        let whole = fixture.trim_end();
        for end in 0..whole.len() {
            assert!(matches!(Event::parse(&whole[..end]), Err(EventError::Json(_))), "cut at {end}");
        }
    }
}

#[test]
fn event_of_ten_megabytes_is_read_and_not_kept() {
    let json = with(FINDING, "/detail/description", json!("x".repeat(10_000_000)));
    assert_eq!(finding(&json), finding(FINDING));
    let json =
        with(FINDING, "/detail/packageVulnerabilityDetails/vulnerabilityId", json!("x".repeat(10_000_000)));
    assert_eq!(finding(&json).finding.vulnerability.len(), 256);
}

#[test]
fn hostile_digests_are_refused_wherever_they_stand() {
    for (fixture, pointer, named) in [
        (
            FINDING,
            "/detail/resources/0/details/awsEcrContainerImage/imageHash",
            "detail.resources.details.awsEcrContainerImage.imageHash",
        ),
        (SCAN, "/detail/image-digest", "detail.image-digest"),
        (BASIC_SCAN, "/detail/image-digest", "detail.image-digest"),
        (ACTION, "/detail/image-digest", "detail.image-digest"),
        (
            PUT_IMAGE,
            "/detail/responseElements/image/imageId/imageDigest",
            "detail.responseElements.image.imageId.imageDigest",
        ),
        (
            DELETION,
            "/detail/responseElements/imageIds/3/imageDigest",
            "detail.responseElements.imageIds.imageDigest",
        ),
        (
            RESTORE,
            "/detail/responseElements/image/imageId/imageDigest",
            "detail.responseElements.image.imageId.imageDigest",
        ),
    ] {
        for hostile in ["", "latest", "sha256:", "sha256:../../../etc", "sha256:aa\n", "SHA256:aa"] {
            assert_eq!(refused(&with(fixture, pointer, json!(hostile))).1, named, "{hostile:?}");
        }
        let endless = json!(format!("sha256:{}", "a".repeat(100_000)));
        let (_, field, reason) = refused(&with(fixture, pointer, endless));
        assert_eq!(field, named);
        assert!(reason.len() < 200, "the reason must not repeat all of it");
    }
}

#[test]
fn arn_of_no_repository_is_refused() {
    assert_eq!(
        refused(&with(SCAN, "/detail/repository-name", json!("arn:aws:s3:::bucket"))).1,
        "detail.repository-name"
    );
}

#[test]
fn control_characters_do_not_get_into_a_finding() {
    let json = edited(FINDING, |event| {
        event["detail"]["packageVulnerabilityDetails"]["vulnerabilityId"] = json!("CVE\n-\u{1b}[31m1");
    });
    assert_eq!(finding(&json).finding.vulnerability, "CVE-[31m1");
}

/// The recorded events that say nothing of findings or pushes of an ECR image.
const FOREIGN: [&str; 19] = [
    "cloudtrail_eventbridge_putimage_error.json",
    "cloudtrail_record_batchgetimage.json",
    "cloudtrail_record_lifecycle_policyexecution.json",
    "cloudtrail_record_putimage.json",
    "ecr_pull_through_cache_action.json",
    "ecr_referrer_action_restore.json",
    "ecr_replication_failed.json",
    "ecr_replication_success.json",
    "ecr_scan_resource_change.json",
    "inspector2_coverage_ec2.json",
    "inspector2_coverage_ecr_archived.json",
    "inspector2_coverage_ecr_unsupported.json",
    "inspector2_finding_azure_image.json",
    "inspector2_finding_ec2_closed.json",
    "inspector2_finding_lambda_code.json",
    "inspector2_finding_network.json",
    "inspector2_ondemand_scan_complete.json",
    "inspector2_scan_ec2.json",
    "inspector2_scan_lambda.json",
];

/// Reads every event of a folder of recorded ones that a developer may keep beside the workspace.
#[test]
fn names_that_aws_gives_to_nothing_are_refused_and_not_taken_for_another_image() {
    for name in
        ["shop/cart\u{202e}", "shop/\u{200b}cart", "shop/cart\u{2028}", "shop/c\u{430}rt", "shop cart", ""]
    {
        let container = "/detail/resources/0/details/awsEcrContainerImage/repositoryName";
        let put = "/detail/responseElements/image/repositoryName";
        for (fixture, pointer) in [
            (ACTION, "/detail/repository-name"),
            (BASIC_SCAN, "/detail/repository-name"),
            (FINDING, container),
            (PUT_IMAGE, put),
            (DELETION, "/detail/requestParameters/repositoryName"),
            (RESTORED, "/detail/repository-name"),
        ] {
            let (_, field, reason) = refused(&with(fixture, pointer, json!(name)));
            assert_eq!(field, "detail", "{pointer}");
            assert!(reason.starts_with("not an image"), "{reason}");
            assert!(reason.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' '), "{reason}");
        }
    }
    for pointer in ["/account", "/region"] {
        refused(&with(ACTION, pointer, json!("eu-west\u{2069}-1")));
    }
}

#[test]
fn what_an_event_quotes_is_made_safe_to_show() {
    let hostile = "1\u{202e}.0\u{2028}";
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!(hostile))).tag.as_deref(), Some("1.0"));
    assert_eq!(action(&with(ACTION, "/detail/image-tag", json!("\u{200b}"))).tag, None);
    let typed = with(ACTION, "/detail/manifest-media-type", json!(hostile));
    assert_eq!(action(&typed).media_type.as_deref(), Some("1.0"));
    let typed = with(PUT_IMAGE, "/detail/requestParameters/imageManifestMediaType", json!(hostile));
    assert_eq!(put(&typed).media_type.as_deref(), Some("1.0"));
    let error = Event::parse(&with(
        &with(SCAN, "/id", json!(hostile)),
        "/detail/finding-severity-counts",
        json!({ hostile: hostile }),
    ));
    let text = error.unwrap_err().to_string();
    assert!(text.contains("1.0") && !text.contains(['\u{202e}', '\u{2028}']), "{text}");
}

#[test]
fn recorded_events_are_all_understood() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/events");
    let Ok(files) = std::fs::read_dir(&folder) else {
        println!("skipped: there are no recorded events in {}", folder.display());
        return;
    };
    let mut foreign = BTreeSet::new();
    for file in files {
        let path = file.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if name == "INDEX.json" {
            continue;
        }
        let text = std::fs::read_to_string(&path).unwrap();
        let read: Value = serde_json::from_str(&text).unwrap();
        let events = match read["Records"].as_array() {
            Some(messages) => {
                messages.iter().map(|message| message["body"].as_str().unwrap().to_owned()).collect()
            }
            None => vec![text],
        };
        for event in events {
            match Event::parse(&event) {
                Ok(Event::Foreign(_)) => {
                    foreign.insert(name.clone());
                }
                Ok(event) => assert!(event.images().next().is_some(), "{name}"),
                Err(error) => panic!("{name}: {error}"),
            }
        }
    }
    assert_eq!(foreign, FOREIGN.map(str::to_owned).into());
}
