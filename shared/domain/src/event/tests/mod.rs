mod actions;
mod cloudtrail;
mod coverage;
mod findings;
mod hostile;
mod scans;

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use super::*;
use crate::finding::{Fix, Package, Severity, Status};

const FINDING: &str = include_str!("../fixtures/inspector2_finding.json");
const SCAN: &str = include_str!("../fixtures/inspector2_scan.json");
const BASIC_SCAN: &str = include_str!("../fixtures/ecr_image_scan.json");
const ACTION: &str = include_str!("../fixtures/ecr_image_action.json");
const PUT_IMAGE: &str = include_str!("../fixtures/cloudtrail_put_image.json");
const DELETION: &str = include_str!("../fixtures/cloudtrail_batch_delete_image.json");
const RESTORE: &str = include_str!("../fixtures/cloudtrail_update_image_storage_class.json");
const RESTORED: &str = include_str!("../fixtures/ecr_image_action_restored.json");
const COVERAGE: &str = include_str!("../fixtures/inspector2_coverage.json");
const ALL: [&str; 9] = [COVERAGE, FINDING, SCAN, BASIC_SCAN, ACTION, PUT_IMAGE, DELETION, RESTORE, RESTORED];

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

/// The fixture after an edit, with what happened last, where AWS writes it.
fn edited(fixture: &str, edit: impl FnOnce(&mut Value)) -> String {
    let mut event: Value = serde_json::from_str(fixture).unwrap();
    edit(&mut event);
    let Some(detail) = event.as_object_mut().and_then(|event| event.remove("detail")) else {
        return event.to_string();
    };
    let envelope = event.to_string();
    format!("{},\"detail\":{detail}}}", envelope.strip_suffix('}').unwrap())
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

/// The recorded events that say nothing of findings or pushes of an ECR image.
const FOREIGN: [&str; 17] = [
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
    "inspector2_finding_azure_image.json",
    "inspector2_finding_ec2_closed.json",
    "inspector2_finding_lambda_code.json",
    "inspector2_finding_network.json",
    "inspector2_ondemand_scan_complete.json",
    "inspector2_scan_ec2.json",
    "inspector2_scan_lambda.json",
];

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
