//! What the code calls and what the template grants are the same list (invariant 10).
#![allow(clippy::unwrap_used)] // A test says what it expects by failing.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::SignedDuration;
use pipeline_tests::buildx::{Manifest, minute};
use pipeline_tests::{ACTS, QUARANTINED, act, event, pipeline, pipeline_with, play, setting, stream};
use serde_json::json;
use sim_aws::{Fault, Nth, ScanStatus, SeedScan};
use sim_pipeline::{Deployment, Pipeline, Setting};

/// What Lambda itself does with a function's role: it reads the queue and writes the logs.
const LAMBDA: [&str; 5] = [
    "logs:CreateLogStream",
    "logs:PutLogEvents",
    "sqs:DeleteMessage",
    "sqs:GetQueueAttributes",
    "sqs:ReceiveMessage",
];
/// Actions that AWS lets nobody narrow down to a resource; a condition has to do it where there is one.
/// Source: <https://docs.aws.amazon.com/service-authorization/latest/reference/reference_policies_actions-resources-contextkeys.html>.
const WITHOUT_RESOURCE: [&str; 9] = [
    "cloudwatch:PutMetricData",
    "ecr:DescribePullThroughCacheRules",
    "ecr:DescribeRegistry",
    "inspector2:BatchGetFindingDetails",
    "inspector2:GetClustersForImage",
    "inspector2:ListCoverage",
    "inspector2:ListCoverageStatistics",
    "inspector2:ListFindings",
    "tag:GetResources",
];

/// Everything that is called, by function, over runs that reach what a calm one does not: an index of which one platform
/// is scanned, invocations without time for their messages, a scan of an image whose push nobody announced, findings before
/// the word of who pushed, and answers of every service that get lost, so that what was done is done again.
async fn called() -> BTreeSet<(String, String)> {
    let mut pipeline = pipeline().await;
    let mut scan = event("2-scan", "Inspector2 Scan");
    scan["detail-type"] = json!("ECR Image Scan");
    scan["source"] = json!("aws.ecr");
    scan["detail"] = json!({
        "scan-status": "COMPLETE", "repository-name": "shop/checkout", "image-digest": QUARANTINED,
        "image-tags": ["1.4.0"], "finding-severity-counts": {},
    });
    pipeline.establish(&stream([scan.clone()]));
    let complete = SeedScan { status: ScanStatus::Complete, ..SeedScan::default() };
    pipeline.aws.ecr().seed_basic_scan("210987654321", "shop/checkout", QUARANTINED, complete);
    play(&mut pipeline, stream([scan])).await;
    play(&mut pipeline, act("2-scan")).await;
    let image = Manifest::image("linux/amd64", "any");
    let index = Manifest::index(std::slice::from_ref(&image));
    let pushes = [image.push("", minute(0)), index.push("1.0", minute(0))].concat();
    play(&mut pipeline, stream([pushes, image.scan(&[], minute(1))].concat())).await;
    for function in ["assess-image", "enforce-quarantine", "record-push", "sweep"] {
        pipeline.limit(function, 1, Duration::from_secs(5));
    }
    for name in ACTS {
        play(&mut pipeline, act(name)).await;
    }
    pipeline.pass_time(pipeline.time()).await.unwrap();
    let mut called: BTreeSet<_> = pipeline.aws.calls_by_caller().into_keys().collect();
    for action in pipeline.aws.calls().into_keys() {
        let mut pipeline = pipeline_tests::pipeline().await;
        pipeline.aws.faults().inject(&action, Fault::ResponseLost, Nth::Times(7));
        for name in ACTS {
            play(&mut pipeline, act(name)).await;
        }
        called.extend(pipeline.aws.calls_by_caller().into_keys());
    }
    // The stricter modes, one image that is held, a switch of the mode, and a release.
    let in_mode = |mode: &str| {
        let mut setting = setting();
        setting.parameters.insert("QuarantineMode".to_owned(), mode.to_owned());
        setting.parameters.insert("QuarantinesPerHour".to_owned(), "1".to_owned());
        setting.parameters.insert("UntagMutable".to_owned(), "true".to_owned());
        setting
    };
    for (mode, then) in [("untag", "archive"), ("archive", "untag")] {
        let mut pipeline = pipeline_with(in_mode(mode)).await;
        for name in ACTS {
            if name == "5-archived" {
                pipeline.redeploy(Deployment::read(in_mode(then)).unwrap()).unwrap();
            }
            play(&mut pipeline, act(name)).await;
        }
        called.extend(pipeline.aws.calls_by_caller().into_keys());
    }
    called.extend(swept().await);
    called
}

/// What is called where time passes: images that were there before are adopted, and told of; another policy is deployed.
async fn swept() -> Vec<(String, String)> {
    let now = "2026-04-30T23:50:00Z".parse().unwrap();
    let mut pipeline = pipeline_with(Setting { now, ..setting() }).await;
    pipeline.establish(&[act("1-push"), act("2-scan")].concat());
    pipeline.pass_time(now + SignedDuration::from_hours(3)).await.unwrap();
    let mut other = setting();
    other.parameters.insert("QuarantineAdopted".to_owned(), "true".to_owned());
    pipeline.redeploy(Deployment::read(other).unwrap()).unwrap();
    pipeline.pass_time(now + SignedDuration::from_hours(5)).await.unwrap();
    pipeline.aws.calls_by_caller().into_keys().collect()
}

#[tokio::test]
async fn calls_and_grants_are_the_same_list() {
    let called = called().await;
    for function in pipeline().await.functions() {
        let calls: BTreeSet<String> = called
            .iter()
            .filter(|(caller, _)| *caller == function.name)
            .map(|(_, action)| action.clone())
            .chain(LAMBDA.map(str::to_owned))
            .collect();
        let granted: BTreeSet<String> =
            function.grants.iter().flat_map(|grant| grant.actions.clone()).collect();
        assert_eq!(granted, calls, "{} is granted (left) and calls (right)", function.name);
    }
}

#[tokio::test]
async fn no_grant_is_wider_than_aws_makes_it() {
    let pipeline = pipeline().await;
    for function in pipeline.functions() {
        assert!(!function.grants.is_empty(), "{}: no grants were read", function.name);
        for grant in &function.grants {
            assert!(
                grant.actions.iter().all(|action| !action.contains('*')),
                "{}: an action is granted by a wildcard: {grant:?}",
                function.name
            );
            assert!(
                !grant.resources.contains("*")
                    || grant.actions.iter().all(|action| WITHOUT_RESOURCE.contains(&action.as_str())),
                "{}: {grant:?} could be narrowed down to a resource",
                function.name
            );
            assert!(
                !grant.actions.contains("cloudwatch:PutMetricData") || grant.conditional,
                "{}: metrics of every namespace may be published",
                function.name
            );
            assert!(
                !grant.actions.iter().any(|action| action.starts_with("dynamodb:")) || grant.conditional,
                "{}: items of other functions may be reached: {grant:?}",
                function.name
            );
            assert!(
                !grant.actions.contains("sqs:SendMessage")
                    || grant.resources.iter().all(|queue| {
                        queue.ends_with(&format!(":ecr-warden-{}", function.name))
                            || queue.ends_with(":ecr-warden-assess-roots")
                                && ["assess-image", "record-push"].contains(&function.name.as_str())
                            || queue.ends_with(":ecr-warden-assess-due")
                                && ["assess-image", "sweep"].contains(&function.name.as_str())
                            || queue.ends_with(":ecr-warden-enforce-quarantine")
                                && ["record-push", "sweep"].contains(&function.name.as_str())
                            || queue.ends_with(":ecr-warden-record-push") && function.name == "sweep"
                    }),
                "{}: messages may be sent to other queues than its own, and those of roots and quarantine: {grant:?}",
                function.name
            );
        }
    }
}

#[tokio::test]
async fn who_only_observes_may_touch_no_tag() {
    let mut setting = setting();
    setting.parameters.insert("QuarantineMode".to_owned(), "observe".to_owned());
    let may = |pipeline: &Pipeline| -> BTreeSet<String> {
        let enforcing = pipeline.functions().find(|function| function.name == "enforce-quarantine");
        let grants = enforcing.into_iter().flat_map(|function| function.grants.clone());
        grants.flat_map(|grant| grant.actions).filter(|action| action.starts_with("ecr:")).collect()
    };
    let observing = may(&pipeline_with(setting).await);
    let tagging = may(&pipeline().await);
    let tags = [
        "ecr:BatchDeleteImage",
        "ecr:BatchGetImage",
        "ecr:DescribePullThroughCacheRules",
        "ecr:DescribeRegistry",
        "ecr:DescribeRepositories",
        "ecr:PutImage",
        "ecr:UpdateImageStorageClass",
    ]
    .map(str::to_owned);
    assert_eq!(tagging.difference(&observing).cloned().collect::<Vec<_>>(), tags);
}

/// The resources of the statements about ECR: what is allowed, and what is denied.
fn repositories(function: &sim_delivery::Function) -> (BTreeSet<String>, BTreeSet<String>) {
    let of = |grants: &[sim_delivery::Grant]| {
        let about =
            |action: &String| action.starts_with("ecr:") && !WITHOUT_RESOURCE.contains(&action.as_str());
        let grants = grants.iter().filter(|grant| grant.actions.iter().any(about));
        grants.flat_map(|grant| grant.resources.clone()).collect()
    };
    (of(&function.grants), of(&function.denials))
}

#[tokio::test]
async fn roles_reach_the_repositories_that_are_judged_and_no_other() {
    let mut setting = setting();
    for (name, value) in [("Included", "prod/*,shared/base"), ("Excluded", "prod/sandbox/*")] {
        setting.parameters.insert(format!("Repositories{name}"), value.to_owned());
    }
    let arns = |globs: &[&str]| -> BTreeSet<String> {
        globs.iter().map(|glob| format!("arn:*:ecr:*:*:repository/{glob}")).collect()
    };
    let (narrow, wide) = (pipeline_with(setting).await, pipeline().await);
    for name in ["assess-image", "enforce-quarantine"] {
        let of = |pipeline: &Pipeline| {
            repositories(pipeline.functions().find(|function| function.name == name).unwrap())
        };
        assert_eq!(of(&narrow), (arns(&["prod/*", "shared/base"]), arns(&["prod/sandbox/*"])), "{name}");
        assert_eq!(of(&wide), (arns(&["*"]), arns(&[])), "{name}");
    }
    // The ARNs leave account and region open, and a condition does not.
    for grant in wide.functions().flat_map(|function| &function.grants) {
        assert!(
            grant.conditional
                || !grant.actions.iter().any(|action| action.starts_with("ecr:"))
                || grant.resources.iter().all(|arn| arn.starts_with("arn:aws:ecr:eu-west-1:210987654321:"))
                || grant.actions.iter().all(|action| WITHOUT_RESOURCE.contains(&action.as_str())),
            "{grant:?}"
        );
    }
}
