//! Where `template.yaml` of this repository sends the events of AWS.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may fail")]

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim_delivery::{Failed, Pseudo, Stack};

const ACCOUNT: &str = "123456789012";
const REGION: &str = "eu-central-1";
const MEMBER: &str = "210987654321";

fn stack() -> Stack {
    stack_in(ACCOUNT, REGION)
}

fn stack_in(account: &str, region: &str) -> Stack {
    let pseudo = Pseudo {
        account: account.to_owned(),
        region: region.to_owned(),
        stack_name: "ecr-warden".to_owned(),
    };
    Stack::load(&pipeline_tests::template(), &BTreeMap::new(), &pseudo).unwrap()
}

fn event(source: &str, kind: &str, detail: &Value) -> Value {
    json!({
        "version": "0", "source": source, "detail-type": kind, "account": ACCOUNT, "region": REGION,
        "resources": [], "detail": detail,
    })
}

fn repository(account: &str, region: &str) -> String {
    format!("arn:aws:ecr:{region}:{account}:repository/api")
}

fn finding_in(id: &str) -> Value {
    let resource = json!({"type": "AWS_ECR_CONTAINER_IMAGE", "id": id, "partition": "N/A", "region": "N/A"});
    event("aws.inspector2", "Inspector2 Finding", &json!({"resources": [resource]}))
}

fn scan_in(repository: &str) -> Value {
    let detail = json!({"scan-status": "INITIAL_SCAN_COMPLETE", "repository-name": repository});
    event("aws.inspector2", "Inspector2 Scan", &detail)
}

fn coverage_of(resource: &str) -> Value {
    let mut event = event("aws.inspector2", "Inspector2 Coverage", &json!({}));
    event["resources"] = json!([resource]);
    event
}

fn image_action(action: &str, result: &str, tag: Option<&str>) -> Value {
    let mut detail = json!({"result": result, "repository-name": "api", "image-digest": "sha256:1", "action-type": action});
    if let Some(tag) = tag {
        detail["image-tag"] = json!(tag);
    }
    event("aws.ecr", "ECR Image Action", &detail)
}

fn put_image(tag: Option<&str>, error: Option<&str>) -> Value {
    let mut detail = json!({"eventSource": "ecr.amazonaws.com", "eventName": "PutImage", "requestParameters": {"repositoryName": "api"}});
    if let Some(tag) = tag {
        detail["requestParameters"]["imageTag"] = json!(tag);
    }
    if let Some(error) = error {
        detail["errorCode"] = json!(error);
    }
    event("aws.ecr", "AWS API Call via CloudTrail", &detail)
}

fn storage_class(class: &str) -> Value {
    let mut event = image_action("UPDATE_STORAGE_CLASS", "SUCCESS", None);
    event["detail"]["target-storage-class"] = json!(class);
    event
}

/// A call, and by whom.
fn registry_call(name: &str, identity: &Value) -> Value {
    let detail = json!({
        "eventSource": "ecr.amazonaws.com", "eventName": name, "userIdentity": identity,
        "requestParameters": {"repositoryName": "api"},
    });
    event("aws.ecr", "AWS API Call via CloudTrail", &detail)
}

#[test]
fn calls_of_people_are_seen_and_those_of_enforce_quarantine_are_not() {
    let mut stack = stack();
    let enforcing = |function: &&sim_delivery::Function| function.name == "enforce-quarantine";
    let role = stack.functions().find(enforcing).unwrap().role.clone().unwrap();
    let session = |role: &str| {
        let issuer = json!({"type": "Role", "arn": format!("arn:aws:iam::{ACCOUNT}:role/{role}")});
        json!({"type": "AssumedRole", "sessionContext": {"sessionIssuer": issuer}})
    };
    let user = json!({"type": "IAMUser", "arn": format!("arn:aws:iam::{ACCOUNT}:user/mary")});
    for name in ["PutImage", "BatchDeleteImage", "UpdateImageStorageClass"] {
        for who in [&user, &session("developer"), &json!({"type": "AWSService"})] {
            let call = registry_call(name, who);
            assert_eq!(stack.route("default", &call, 0).queues, ["RecordPushQueue"], "{call}");
            let mut refused = call.clone();
            refused["detail"]["errorCode"] = json!("AccessDenied");
            assert_eq!(stack.route("default", &refused, 0).rules, Vec::<String>::new(), "{refused}");
        }
        let ours = registry_call(name, &session(&role));
        assert_eq!(stack.route("default", &ours, 0).rules, Vec::<String>::new(), "{ours}");
    }
    let read = registry_call("BatchGetImage", &user);
    assert_eq!(stack.route("default", &read, 0).rules, Vec::<String>::new());
}

fn finding(resource: &str) -> Value {
    event("aws.inspector2", "Inspector2 Finding", &json!({"resources": [{"type": resource, "id": "1"}]}))
}

#[test]
fn each_event_goes_to_the_function_that_wants_it() {
    let record_push = Some("RecordPushQueue");
    let assess_image = Some("AssessImageQueue");
    let cases = [
        (image_action("PUSH", "SUCCESS", Some("latest")), record_push),
        (image_action("PUSH", "SUCCESS", None), record_push),
        (image_action("DELETE", "SUCCESS", Some("latest")), record_push),
        (image_action("PUSH", "SUCCESS", Some("quarantine-latest")), None),
        (image_action("DELETE", "SUCCESS", Some("quarantine-latest")), record_push),
        (image_action("DELETE", "FAILURE", Some("quarantine-latest")), None),
        (image_action("DELETE", "SUCCESS", Some("released-from-quarantine-latest")), None),
        (image_action("PUSH", "FAILURE", Some("latest")), None),
        (image_action("UPDATE_STORAGE_CLASS", "SUCCESS", None), None),
        (storage_class("STANDARD"), record_push),
        (storage_class("ARCHIVE"), None),
        (put_image(Some("latest"), None), record_push),
        (put_image(None, None), record_push),
        (put_image(Some("quarantine-latest"), None), record_push),
        (put_image(Some("released-from-quarantine-latest"), None), None),
        (put_image(Some("latest"), Some("AccessDenied")), None),
        (finding("AWS_ECR_CONTAINER_IMAGE"), assess_image),
        (finding("AWS_EC2_INSTANCE"), None),
        (scan_in(&repository(ACCOUNT, REGION)), assess_image),
        (event("aws.inspector2", "Inspector2 Scan", &json!({"instance-id": "i-1"})), None),
        (event("aws.inspector2", "Inspector2 Coverage", &json!({})), None),
        (coverage_of("i-1"), None),
        (coverage_of(&format!("{}/sha256:1", repository(ACCOUNT, REGION))), assess_image),
        (event("aws.ecr", "ECR Image Scan", &json!({"scan-status": "FAILED"})), assess_image),
        (event("aws.ecr", "ECR Replication Action", &json!({"result": "SUCCESS"})), None),
        (event("someone.else", "ECR Image Scan", &json!({})), None),
    ];
    let mut stack = stack();
    for (event, expected) in cases {
        let routed = stack.route("default", &event, 0);
        assert_eq!(routed.queues, expected.into_iter().collect::<Vec<_>>(), "{event}");
        assert_eq!(routed.rules.len(), routed.queues.len(), "{event}");
    }
}

#[test]
fn findings_and_scans_in_other_registries_stay_outside() {
    let image = |account, region| format!("{}/sha256:1", repository(account, region));
    let mut stack = stack();
    // What an administrator of Inspector receives of a member has the administrator's envelope.
    for theirs in [
        finding_in(&image(MEMBER, REGION)),
        finding_in(&image(ACCOUNT, "us-east-1")),
        scan_in(&repository(MEMBER, REGION)),
        scan_in(&repository(ACCOUNT, "us-east-1")),
        coverage_of(&image(MEMBER, REGION)),
        coverage_of(&image(ACCOUNT, "us-east-1")),
    ] {
        assert_eq!(stack.route("default", &theirs, 0).rules, Vec::<String>::new(), "{theirs}");
    }
    // What does not say whose it is may be ours.
    for ours in [finding_in(&image(ACCOUNT, REGION)), finding_in("api"), scan_in("api")] {
        assert_eq!(stack.route("default", &ours, 0).queues, ["AssessImageQueue"], "{ours}");
    }
}

#[test]
fn events_that_another_account_or_region_has_passed_on_stay_outside() {
    let mut stack = stack();
    for ours in [
        image_action("PUSH", "SUCCESS", Some("latest")),
        put_image(Some("latest"), None),
        event("aws.ecr", "ECR Image Scan", &json!({"scan-status": "COMPLETE"})),
    ] {
        assert_eq!(stack.route("default", &ours, 0).queues.len(), 1, "{ours}");
        for (field, other) in [("account", MEMBER), ("region", "us-east-1")] {
            let mut theirs = ours.clone();
            theirs[field] = json!(other);
            assert_eq!(stack.route("default", &theirs, 0).rules, Vec::<String>::new(), "{theirs}");
        }
    }
}

fn call(source: &str, name: &str, request: &Value, response: &Value) -> Value {
    let detail = json!({
        "eventName": name, "sourceIPAddress": "192.0.2.1", "requestParameters": request,
        "responseElements": response,
    });
    event(source, "AWS API Call via CloudTrail", &detail)
}

#[test]
fn people_are_told_who_changes_a_rule_or_switches_a_function_off() {
    let function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:ecr-warden-assess-image");
    let other_function = format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:checkout");
    let (rule, mapping) = (json!({"name": "ecr-warden-basic-scans"}), json!({"functionArn": function}));
    let ours = [
        call("aws.events", "DisableRule", &rule, &json!(null)),
        call("aws.events", "PutRule", &rule, &json!(null)),
        call("aws.events", "DeleteRule", &rule, &json!(null)),
        call("aws.events", "RemoveTargets", &json!({"rule": "ecr-warden-basic-scans"}), &json!(null)),
        call("aws.lambda", "UpdateEventSourceMapping20150331", &json!({"enabled": false}), &mapping),
        call("aws.lambda", "DeleteEventSourceMapping20150331", &json!({}), &mapping),
        call(
            "aws.lambda",
            "PutFunctionConcurrency20171031",
            &json!({"functionName": function}),
            &json!(null),
        ),
        call(
            "aws.lambda",
            "PutFunctionConcurrency20171031",
            &json!({"functionName": "ecr-warden-assess-image"}),
            &json!(null),
        ),
    ];
    let mut stack = stack();
    for told in ours {
        let routed = stack.route("default", &told, 0);
        assert_eq!((routed.rules, routed.queues), (vec!["PipelineChanges".to_owned()], vec![]), "{told}");
        for (field, value) in
            [("sourceIPAddress", "cloudformation.amazonaws.com"), ("errorCode", "AccessDenied")]
        {
            let mut quiet = told.clone();
            quiet["detail"][field] = json!(value);
            assert_eq!(stack.route("default", &quiet, 0).rules, Vec::<String>::new(), "{quiet}");
        }
    }
    for others in [
        call("aws.events", "DisableRule", &json!({"name": "nightly"}), &json!(null)),
        call("aws.events", "EnableRule", &rule, &json!(null)),
        call(
            "aws.lambda",
            "UpdateEventSourceMapping20150331",
            &json!({}),
            &json!({"functionArn": other_function}),
        ),
    ] {
        assert_eq!(stack.route("default", &others, 0).rules, Vec::<String>::new(), "{others}");
    }
}

#[test]
fn an_assessment_reaches_all_reactors_and_only_on_our_bus() {
    let mut stack = stack();
    let assessed = event("ecr-warden", "Image Assessed", &json!({}));
    assert_eq!(stack.buses(), ["ecr-warden"]);
    let bus = stack.buses()[0].clone();
    let routed = stack.route(&bus, &assessed, 0);
    assert_eq!(routed.rules, ["ImageAssessed"]);
    let queues = ["PublishMetricsQueue", "RaiseAlertsQueue", "EnforceQuarantineQueue", "RecordHistoryQueue"];
    assert_eq!(routed.queues, queues);
    assert_eq!(stack.route("default", &assessed, 0).rules, Vec::<String>::new());
    let arn = "arn:aws:events:eu-central-1:123456789012:event-bus/ecr-warden";
    assert_eq!(stack.route(arn, &assessed, 0).queues.len(), 4);

    let notice = event("ecr-warden", "Notice", &json!({}));
    let routed = stack.route(&bus, &notice, 0);
    assert_eq!(
        (routed.rules, routed.queues),
        (vec!["Notices".to_owned()], vec!["RaiseAlertsQueue".to_owned()])
    );

    // The reactor without a batching window is first, then the others in turn.
    let mut order = Vec::new();
    while let Some(batch) = stack.next_batch(0) {
        order.push((batch.function.clone(), batch.records.len()));
        stack.finish(batch, Failed::None);
    }
    assert_eq!(order[0], ("enforce-quarantine".to_owned(), 2));
    assert_eq!(order.len(), 4);
}

#[test]
fn mappings_that_have_work_take_turns() {
    let mut stack = stack();
    for _ in 0..30 {
        stack.route("ecr-warden", &event("ecr-warden", "Image Assessed", &json!({})), 0);
    }
    for _ in 0..200 {
        stack.route("default", &image_action("PUSH", "SUCCESS", None), 0);
    }
    let mut order = Vec::new();
    while let Some(batch) = stack.next_batch(0) {
        order.push(format!("{} {}", batch.function, batch.records.len()));
        stack.finish(batch, Failed::None);
    }
    let turns = ["enforce-quarantine 10", "record-push 100"];
    assert_eq!(order[..5], [turns[0], turns[1], turns[0], turns[1], turns[0]]);
    // Only then do the windows of the others end.
    assert_eq!(order[5..], ["publish-metrics 30", "raise-alerts 30", "record-history 30"]);
}

#[test]
#[allow(clippy::too_many_lines)] // A list.
fn functions_find_in_their_environment_what_they_need() {
    let stack = stack();
    let functions: BTreeMap<&str, _> = stack.functions().map(|one| (one.name.as_str(), one)).collect();
    let wanted = [
        (
            "assess-image",
            vec![
                "CRITICALITY_TAG_KEY",
                "DEPLOYED_BY",
                "DUE_QUEUE_URL",
                "ENVIRONMENT_TAG_KEY",
                "EVENT_BUS_NAME",
                "GONE_RETENTION_DAYS",
                "OWNER_TAG_KEY",
                "PARTITION",
                "POLICY_FILE",
                "QUARANTINE_ADOPTED",
                "QUEUE_URL",
                "REGISTRY_ACCOUNT",
                "REPOSITORIES_EXCLUDED",
                "REPOSITORIES_INCLUDED",
                "ROOTS_QUEUE_URL",
                "TABLE_NAME",
            ],
        ),
        (
            "enforce-quarantine",
            vec![
                "EVENT_BUS_NAME",
                "HISTORY_TABLE_NAME",
                "QUARANTINES_PER_HOUR",
                "QUARANTINE_MODE",
                "QUARANTINE_UNTAGGED",
                "QUEUE_URL",
                "REGISTRY_WRITES_PER_SECOND",
                "TABLE_NAME",
                "UNTAG_MUTABLE",
            ],
        ),
        ("publish-metrics", vec!["METRIC_DIMENSIONS", "TABLE_NAME"]),
        ("raise-alerts", vec!["QUARANTINE_MODE", "QUARANTINE_UNTAGGED", "TABLE_NAME", "TOPIC_ARN"]),
        ("record-history", vec!["HISTORY_TABLE_NAME", "TABLE_NAME"]),
        (
            "record-push",
            vec![
                "ENFORCING_ROLE",
                "GONE_RETENTION_DAYS",
                "QUARANTINE_MODE",
                "QUARANTINE_QUEUE_URL",
                "QUEUE_URL",
                "REGISTRY_ACCOUNT",
                "REPOSITORIES_EXCLUDED",
                "REPOSITORIES_INCLUDED",
                "ROOTS_QUEUE_URL",
                "TABLE_NAME",
            ],
        ),
        (
            "sweep",
            vec![
                "ACCOUNT_ID",
                "ALERTS_TOPIC_ARN",
                "ASSESS_QUEUE_URL",
                "DEPLOYED_BY",
                "EVENT_BUS_NAME",
                "IMAGES_QUEUE_URL",
                "METRIC_NAMESPACE",
                "PARTITION",
                "POLICY_FILE",
                "PUSH_QUEUE_URL",
                "QUARANTINE_ADOPTED",
                "QUARANTINE_MODE",
                "QUARANTINE_QUEUE_URL",
                "QUEUE_URL",
                "REGISTRY_ACCOUNT",
                "REPOSITORIES_EXCLUDED",
                "REPOSITORIES_INCLUDED",
                "TABLE_NAME",
            ],
        ),
    ];
    assert_eq!(functions.len(), wanted.len());
    let table = |logical_id: &str| {
        stack.tables().iter().find(|table| table.logical_id == logical_id).unwrap().name.clone()
    };
    assert_eq!(functions["record-history"].environment["HISTORY_TABLE_NAME"], table("History"));
    assert_eq!(functions["record-push"].environment["GONE_RETENTION_DAYS"], "400");
    for (name, variables) in wanted {
        let environment = &functions[name].environment;
        assert_eq!(environment.keys().collect::<Vec<_>>(), variables, "{name}");
        assert_eq!(environment["TABLE_NAME"], table("Ledger"));
        // What a function defers comes back to it and to nobody else.
        if let Some(url) = environment.get("QUEUE_URL") {
            assert!(url.ends_with(&format!("/ecr-warden-{name}")), "{name} has the queue {url}");
        }
    }
    assert_eq!(functions["assess-image"].environment["EVENT_BUS_NAME"], stack.buses()[0]);
    for name in ["assess-image", "record-push"] {
        let url = &functions[name].environment["ROOTS_QUEUE_URL"];
        assert!(url.ends_with("/ecr-warden-assess-roots"), "{name} sends what is due to {url}");
    }
    let url = &functions["record-push"].environment["QUARANTINE_QUEUE_URL"];
    assert!(url.ends_with("/ecr-warden-enforce-quarantine"), "record-push sends what was seen to {url}");
    assert_eq!(functions["raise-alerts"].environment["TOPIC_ARN"], stack.topics()[0]);
    let enforcing = &functions["enforce-quarantine"].environment;
    assert_eq!(enforcing["EVENT_BUS_NAME"], stack.buses()[0]);
    let defaults = ["QUARANTINE_MODE", "QUARANTINES_PER_HOUR", "QUARANTINE_UNTAGGED", "UNTAG_MUTABLE"];
    assert_eq!(defaults.map(|name| enforcing[name].as_str()), ["observe", "20", "false", "false"]);
}

#[test]
fn the_sweep_finds_in_its_environment_whom_it_sends_to() {
    let stack = stack();
    let sweep = stack.functions().find(|function| function.name == "sweep").unwrap();
    let environment = &sweep.environment;
    assert_eq!(environment["EVENT_BUS_NAME"], stack.buses()[0]);
    assert_eq!(environment["ALERTS_TOPIC_ARN"], stack.topics()[0]);
    assert_eq!(environment["METRIC_NAMESPACE"], "EcrWarden/ecr-warden");
    assert!(environment["ASSESS_QUEUE_URL"].ends_with("/ecr-warden-assess-due"));
    assert!(environment["PUSH_QUEUE_URL"].ends_with("/ecr-warden-record-push"));
}

#[test]
fn topic_for_chat_is_there_and_used_where_it_is_wanted() {
    let pseudo = Pseudo {
        account: ACCOUNT.to_owned(),
        region: REGION.to_owned(),
        stack_name: "ecr-warden".to_owned(),
    };
    let wanted = BTreeMap::from([("ChatTopic".to_owned(), "true".to_owned())]);
    let chatting = Stack::load(&pipeline_tests::template(), &wanted, &pseudo).unwrap();
    let without = stack();
    let topics: Vec<&String> =
        chatting.topics().iter().filter(|arn| !without.topics().contains(arn)).collect();
    let [topic] = topics.as_slice() else { panic!("{topics:?}") };
    let function = chatting.functions().find(|function| function.name == "raise-alerts").unwrap();
    assert_eq!(&function.environment["CHAT_TOPIC_ARN"], *topic);
}

#[test]
fn every_mapping_reports_failures_and_waits_as_long_as_aws_advises() {
    let stack = stack();
    let timeouts: BTreeMap<&str, u32> =
        stack.functions().map(|one| (one.name.as_str(), one.timeout_seconds)).collect();
    // One queue a function, and assess-image has three.
    assert_eq!(stack.mappings().len(), timeouts.len() + 2);
    for mapping in stack.mappings() {
        assert!(mapping.reports_failures, "{}", mapping.logical_id);
        let advised = 6 * timeouts[mapping.function.as_str()] + mapping.batching_window_seconds;
        let declared = stack.visibility_timeout(&mapping.queue);
        assert_eq!(declared, Some(i64::from(advised) * 1_000), "{}", mapping.queue);
    }
}

/// Whole events as AWS documents them, one JSON file each, where they are at hand.
#[test]
fn documented_events_go_where_their_names_say() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/events");
    if !folder.exists() {
        println!("skipped: no documented events in {}", folder.display());
        return;
    }
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let Some(stem) = name.strip_suffix(".json") else { continue };
        let event: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        // Each is an event of another account, whose own stack it reaches.
        let text = |field: &str| event.get(field).and_then(Value::as_str).unwrap_or_default();
        let mut stack = stack_in(text("account"), text("region"));
        let expected: &[&str] = match stem {
            "ecr_image_action_delete"
            | "ecr_image_action_push"
            | "ecr_image_action_push_index"
            | "ecr_image_action_push_untagged_child"
            | "ecr_image_action_restore"
            | "cloudtrail_eventbridge_batchdeleteimage"
            | "cloudtrail_eventbridge_putimage"
            | "cloudtrail_eventbridge_putimage_assumed_role_oidc" => &["RecordPushQueue"],
            _ if stem.starts_with("inspector2_finding_ecr_")
                || stem.starts_with("inspector2_scan_ecr")
                || stem.starts_with("inspector2_coverage_ecr_")
                || stem.starts_with("ecr_image_scan_") =>
            {
                &["AssessImageQueue"]
            }
            _ => &[],
        };
        assert_eq!(stack.route("default", &event, 0).queues, expected, "{name}");
        seen += 1;
    }
    assert!(seen > 0, "the folder holds no events");
}
