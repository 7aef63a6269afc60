//! Where an image comes from, whose it is and what runs it: all of it optional to know. What cannot be had is not said,
//! and changes no verdict.
#![allow(clippy::unwrap_used, clippy::expect_used)] // A test says what it expects by failing.

use std::time::Duration;

use domain::verdict::Verdict;
use pipeline_tests::buildx::{Manifest, REPOSITORY, minute};
use pipeline_tests::{
    QUARANTINED, act, announced, event, file, pipeline, pipeline_with, play, quarantined, rows, setting,
    stream,
};
use serde_json::json;
use sim_aws::{Fault, Nth};
use sim_pipeline::{Outcome, Pipeline};

const TAGS: &str = "tag:GetResources";
const CLUSTERS: &str = "inspector2:GetClustersForImage";
const ACCOUNT: &str = "210987654321";

/// A pipeline whose policy names no owner, with a tagged repository and something that runs the image.
async fn tagged() -> Pipeline {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/criticality-policy.yaml");
    let pipeline = pipeline_with(setting).await;
    let tags = [("owner", "team-cash"), ("environment", "staging"), ("criticality", "High"), ("x", "y")];
    pipeline.aws.ecr().tag_repository(ACCOUNT, "shop/checkout", &tags);
    run_it(&pipeline);
    pipeline
}

fn run_it(pipeline: &Pipeline) {
    let details = json!([{
        "lastInUse": 1_772_280_000,
        "runningUnitCount": 3,
        "stoppedUnitCount": 1,
        "clusterMetadata": { "awsEcsMetadataDetails": {
            "detailsGroup": "service:checkout", "taskDefinitionArn": "arn:aws:ecs:eu-west-1:210987654321:task-definition/c:1",
        }},
    }]);
    let cluster = "arn:aws:ecs:eu-west-1:210987654321:cluster/shop";
    pipeline.aws.inspector().seed_cluster(&quarantined().arn(), cluster, &details);
}

fn first_acts() -> Vec<sim_pipeline::Delivery> {
    [act("1-push"), act("2-scan")].concat()
}

fn alert(outcome: &Outcome) -> &sim_pipeline::AlertSent {
    outcome.alerts.iter().find(|alert| alert.subject.starts_with("QUARANTINE")).unwrap()
}

fn verdict(outcome: &Outcome) -> Verdict {
    outcome.images.iter().find(|image| image.digest == QUARANTINED).unwrap().verdict
}

#[tokio::test]
async fn tags_of_the_repository_say_whose_the_image_is_where_the_policy_does_not() {
    let mut pipeline = tagged().await;
    let outcome = play(&mut pipeline, first_acts()).await;
    let text = &alert(&outcome).text;
    assert!(text.contains("\nOwner    team-cash\nRuns in  staging\nRanked   criticality High\n"), "{text}");
    assert!(text.contains("\nRuns on  cluster shop, service:checkout: 3 running, 1 stopped\n"), "{text}");
    let row = &rows(&pipeline).await[&quarantined()];
    assert_eq!((row.owner.as_deref(), row.criticality.as_deref()), (Some("team-cash"), Some("High")));
    let said = announced(&pipeline, &quarantined()).await;
    assert_eq!(said.last().unwrap().criticality.as_deref(), Some("High"));
}

#[tokio::test]
async fn policy_wins_over_tags() {
    let mut pipeline = pipeline().await;
    let tags = [("owner", "somebody else"), ("environment", "elsewhere"), ("criticality", "low")];
    pipeline.aws.ecr().tag_repository(ACCOUNT, "shop/checkout", &tags);
    let outcome = play(&mut pipeline, first_acts()).await;
    let text = &alert(&outcome).text;
    assert!(text.contains("\nOwner    team-shop\nRuns in  production\nRanked   criticality low\n"), "{text}");
}

#[tokio::test]
async fn rule_about_criticality_matches_only_where_it_is_known() {
    // Of this policy only images of a high criticality come under quarantine.
    assert_eq!(verdict(&play(&mut tagged().await, first_acts()).await), Verdict::Quarantine);
    for tags in [&[][..], &[("criticality", "low")], &[("owner", "high")]] {
        let mut pipeline = tagged().await;
        pipeline.aws.ecr().tag_repository(ACCOUNT, "shop/checkout", tags);
        assert_eq!(verdict(&play(&mut pipeline, first_acts()).await), Verdict::Clear, "{tags:?}");
    }
}

#[tokio::test]
async fn criticality_of_an_index_is_that_of_its_repository() {
    let mut setting = setting();
    setting.policy = file("tests/pipeline/criticality-policy.yaml");
    for (criticality, expected) in [("high", Verdict::Quarantine), ("low", Verdict::Clear)] {
        let mut pipeline = pipeline_with(setting.clone()).await;
        pipeline.aws.ecr().tag_repository(ACCOUNT, REPOSITORY, &[("criticality", criticality)]);
        let image = Manifest::image("linux/amd64", "any");
        let index = Manifest::index(std::slice::from_ref(&image));
        let pushes = [image.push("", minute(0)), index.push("1.0", minute(0))].concat();
        let events = [pushes, image.scan(&["CVE-2026-1"], minute(1))].concat();
        let outcome = play(&mut pipeline, stream(events)).await;
        let root = outcome.images.iter().find(|image| !image.tags.is_empty()).unwrap();
        assert_eq!(root.verdict, expected, "{criticality}");
        assert_eq!(outcome.calls.get(CLUSTERS), None, "what runs an index is never known");
    }
}

#[tokio::test]
async fn many_images_of_a_repository_cost_one_call_and_no_keys_none() {
    let mut pipeline = pipeline().await;
    let outcome =
        play(&mut pipeline, [act("1-push"), act("2-scan"), act("3-again"), act("4-fix")].concat()).await;
    assert!(outcome.images.len() > 2);
    assert_eq!(outcome.calls[TAGS], 1);
    let mut setting = setting();
    for key in ["OwnerTagKey", "EnvironmentTagKey", "CriticalityTagKey"] {
        setting.parameters.insert(key.to_owned(), String::new());
    }
    let mut pipeline = pipeline_with(setting).await;
    let outcome = play(&mut pipeline, first_acts()).await;
    assert_eq!(outcome.calls.get(TAGS), None);
    let grants = pipeline.functions().flat_map(|function| &function.grants);
    assert!(grants.flat_map(|grant| &grant.actions).all(|action| action != TAGS));
}

#[tokio::test]
async fn what_runs_an_image_is_asked_once_when_it_comes_under_quarantine() {
    let mut pipeline = pipeline().await;
    let outcome = play(&mut pipeline, first_acts()).await;
    let quarantined =
        outcome.images.iter().filter(|image| image.verdict == Verdict::Quarantine).count() as u64;
    assert!(quarantined > 0);
    assert_eq!(outcome.calls[CLUSTERS], quarantined);
    assert!(!alert(&outcome).text.contains("Runs on"), "{}", alert(&outcome).text);
    let again = play(&mut pipeline, act("3-again")).await;
    assert_eq!(again.calls[CLUSTERS], quarantined);
}

/// Each source that is optional, in each way in which it can fail: the same verdicts, the same alerts but for what is not
/// known, and no dead letter.
#[tokio::test]
async fn what_is_optional_to_know_holds_nothing_back() {
    let mut calm = pipeline().await;
    run_it(&calm);
    let expected = play(&mut calm, first_acts()).await;
    assert!(alert(&expected).text.contains("Runs on"));
    for action in [TAGS, CLUSTERS] {
        for fault in [
            Fault::Denied,
            Fault::Throttle,
            Fault::ServerError,
            Fault::ResponseLost,
            Fault::Slow(Duration::from_mins(1)),
        ] {
            let mut pipeline = pipeline().await;
            run_it(&pipeline);
            let tags = [("owner", "x"), ("environment", "y"), ("criticality", "high")];
            pipeline.aws.ecr().tag_repository(ACCOUNT, "shop/checkout", &tags);
            pipeline.aws.faults().inject(action, fault, Nth::Always);
            let outcome = play(&mut pipeline, first_acts()).await;
            let when = format!("{action} {fault:?}");
            assert!(outcome.calls[action] > 0, "{when}");
            let verdicts = |outcome: &Outcome| -> Vec<_> {
                outcome.images.iter().map(|image| (image.digest.clone(), image.verdict)).collect()
            };
            assert_eq!(verdicts(&outcome), verdicts(&expected), "{when}");
            assert_eq!(outcome.alerts.len(), expected.alerts.len(), "{when}");
            assert_eq!(outcome.events.dead, 0, "{when}");
            let text = &alert(&outcome).text;
            let (belongs, runs) = (text.contains("Ranked"), text.contains("Runs on"));
            assert_eq!((belongs, runs), (action != TAGS, action != CLUSTERS), "{when}: {text}");
        }
    }
}

#[tokio::test]
async fn tags_that_could_not_be_read_are_read_with_the_next_evidence() {
    let mut pipeline = tagged().await;
    pipeline.aws.faults().inject(TAGS, Fault::Denied, Nth::Always);
    assert_eq!(verdict(&play(&mut pipeline, first_acts()).await), Verdict::Clear);
    pipeline.aws.faults().clear();
    let mut finding = event("2-scan", "Inspector2 Finding");
    finding["detail"]["updatedAt"] = "Tue Mar 03 09:00:00.000 UTC 2026".into();
    finding["detail"]["severity"] = "CRITICAL".into();
    finding["time"] = "2026-03-03T09:00:01Z".into();
    assert_eq!(verdict(&play(&mut pipeline, stream([finding])).await), Verdict::Quarantine);
}
