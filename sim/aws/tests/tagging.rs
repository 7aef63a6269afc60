//! The tags of repositories through the real client of the Resource Groups Tagging API.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::account;
use aws_sdk_resourcegroupstagging::Client;
use sim_aws::{Fault, Nth};

const ACCOUNT: &str = "111122223333";

fn arn(repository: &str) -> String {
    format!("arn:aws:ecr:eu-central-1:{ACCOUNT}:repository/{repository}")
}

#[tokio::test]
async fn tagged_repositories_are_returned_and_others_left_out() {
    let aws = account();
    aws.ecr().tag_repository(ACCOUNT, "prod/api", &[("owner", "team-shop"), ("env", "prod")]);
    aws.ecr().tag_repository(ACCOUNT, "bare", &[]);
    aws.ecr().tag_repository(ACCOUNT, "unasked", &[("owner", "x")]);
    let client = Client::new(&aws.sdk_config().await);
    let arns = [arn("prod/api"), arn("bare"), arn("missing"), "arn:aws:s3:::bucket".to_owned()];
    let answer = client.get_resources().set_resource_arn_list(Some(arns.into())).send().await.unwrap();
    let resources = answer.resource_tag_mapping_list();
    assert_eq!(resources.len(), 1);
    assert_eq!(resources[0].resource_arn().unwrap(), arn("prod/api"));
    let tags: Vec<_> = resources[0].tags().iter().map(|tag| (tag.key(), tag.value())).collect();
    assert_eq!(tags, [("env", "prod"), ("owner", "team-shop")]);
    assert_eq!(aws.calls()["tag:GetResources"], 1);
}

#[tokio::test]
async fn one_call_takes_a_hundred_arns_and_no_page_besides() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let arns = |count: usize| Some((0..count).map(|n| arn(&format!("r{n}"))).collect());
    assert!(client.get_resources().set_resource_arn_list(arns(100)).send().await.is_ok());
    for refused in [
        client.get_resources().set_resource_arn_list(arns(101)),
        client.get_resources().set_resource_arn_list(arns(1)).resources_per_page(10),
        client.get_resources().set_resource_arn_list(arns(1)).resource_type_filters("ecr:repository"),
    ] {
        let error = refused.send().await.unwrap_err().into_service_error();
        assert!(error.is_invalid_parameter_exception(), "{error:?}");
    }
}

#[tokio::test]
async fn throttling_and_failures_are_those_of_the_model() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let ask = || client.get_resources().resource_arn_list(arn("r")).send();
    aws.faults().inject("tag:GetResources", Fault::Throttle, Nth::Times(3));
    assert!(ask().await.unwrap_err().into_service_error().is_throttled_exception());
    aws.faults().clear();
    aws.faults().inject("tag:GetResources", Fault::ServerError, Nth::Times(3));
    assert!(ask().await.unwrap_err().into_service_error().is_internal_service_exception());
    assert_eq!(aws.calls()["tag:GetResources"], 6);
}
