//! What goes wrong, as the real clients see it; and the same services over HTTP.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::net::SocketAddr;
use std::time::Duration;

use account::{ACCOUNT, RecordedAccount, account, digest_of, finding, manifest};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::error::SdkError;
use aws_sdk_ecr::operation::put_image::{PutImageError, PutImageOutput};
use sim_aws::{Fault, Mutability, Nth};
use tokio::time::timeout;

const SHORT: Duration = Duration::from_millis(50);

async fn registry() -> (RecordedAccount, Client) {
    let aws = account();
    aws.ecr().create_repository(ACCOUNT, "app", Mutability::Mutable);
    let client = Client::new(&aws.sdk_config().await);
    (aws, client)
}

async fn put(client: &Client, name: &str) -> Result<PutImageOutput, SdkError<PutImageError>> {
    client.put_image().repository_name("app").image_manifest(manifest(name)).send().await
}

#[tokio::test]
async fn throttled_call_is_retried_by_the_sdk() {
    let (aws, client) = registry().await;
    aws.faults().inject("ecr:PutImage", Fault::Throttle, Nth::Times(2));
    put(&client, "a").await.unwrap();
    assert_eq!(aws.calls()["ecr:PutImage"], 3);
    assert_eq!(aws.ecr().images().len(), 1);
    aws.faults().inject("ecr:PutImage", Fault::Throttle, Nth::Always);
    let error = put(&client, "b").await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("ThrottlingException"));
    assert_eq!((aws.calls()["ecr:PutImage"], aws.ecr().images().len()), (6, 1));
    aws.faults().clear();
    put(&client, "b").await.unwrap();
}

#[tokio::test]
async fn others_act_once_just_before_the_call() {
    let (aws, client) = registry().await;
    let registry = aws.ecr().clone();
    let others = move || registry.create_repository(ACCOUNT, "theirs", Mutability::Mutable);
    aws.faults().before("ecr:PutImage", 2, others);
    let repositories = async || {
        let answer = client.describe_repositories().send().await.unwrap();
        answer.repositories().iter().map(|one| one.repository_name().unwrap().to_owned()).collect::<Vec<_>>()
    };
    put(&client, "a").await.unwrap();
    assert_eq!(repositories().await, ["app"]);
    put(&client, "b").await.unwrap();
    assert_eq!(repositories().await, ["app", "theirs"]);
    aws.ecr().create_repository(ACCOUNT, "theirs", Mutability::Immutable);
    put(&client, "c").await.unwrap();
    let theirs = client.describe_repositories().repository_names("theirs").send().await.unwrap();
    let mutability = theirs.repositories()[0].image_tag_mutability().unwrap().as_str();
    assert_eq!(mutability, "IMMUTABLE", "they act once");
}

#[tokio::test]
async fn client_of_every_service_retries_after_throttling_failure_and_lost_response() {
    let (aws, _) = registry().await;
    aws.sns().create_topic("arn:aws:sns:eu-central-1:123456789012:alerts");
    aws.dynamodb().create_table("ledger", "image").await;
    aws.inspector().seed_finding(finding(1, "app", &digest_of("a")));
    let config = aws.sdk_config().await;
    for fault in [Fault::Throttle, Fault::ServerError, Fault::ResponseLost] {
        aws.faults().clear();
        aws.faults().inject("sns:Publish", fault, Nth::Call(1));
        aws.faults().inject("events:PutEvents", fault, Nth::Call(1));
        aws.faults().inject("cloudwatch:PutMetricData", fault, Nth::Call(1));
        aws.faults().inject("inspector2:ListFindings", fault, Nth::Call(1));
        aws.faults().inject("dynamodb:PutItem", fault, Nth::Call(1));
        let sns = aws_sdk_sns::Client::new(&config);
        sns.publish()
            .topic_arn("arn:aws:sns:eu-central-1:123456789012:alerts")
            .message("m")
            .send()
            .await
            .unwrap();
        let events = aws_sdk_eventbridge::Client::new(&config);
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder();
        let entry = entry.source("s").detail_type("t").detail("{}").build();
        events.put_events().entries(entry).send().await.unwrap();
        let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
        let datum = aws_sdk_cloudwatch::types::MetricDatum::builder().metric_name("m").value(1.0).build();
        cloudwatch.put_metric_data().namespace("n").metric_data(datum).send().await.unwrap();
        aws_sdk_inspector2::Client::new(&config).list_findings().send().await.unwrap();
        let image = aws_sdk_dynamodb::types::AttributeValue::S("a".to_owned());
        let dynamodb = aws_sdk_dynamodb::Client::new(&config);
        dynamodb.put_item().table_name("ledger").item("image", image).send().await.unwrap();
    }
    let calls: Vec<_> = aws.calls().into_iter().collect();
    let expected = [
        ("cloudwatch:PutMetricData", 6),
        ("dynamodb:PutItem", 6),
        ("events:PutEvents", 6),
        ("inspector2:ListFindings", 6),
        ("sns:Publish", 6),
    ];
    assert_eq!(calls, expected.map(|(action, count)| (action.to_owned(), count)));
    // Nothing happened where the service refused; it happened twice where only the response was lost.
    assert_eq!((aws.sns().published().len(), aws.cloudwatch().metric_data().len()), (4, 4));
}

#[tokio::test]
async fn inspector_says_when_to_retry() {
    let aws = account();
    aws.faults().inject("inspector2:ListFindings", Fault::Throttle, Nth::Always);
    let client = aws_sdk_inspector2::Client::new(&aws.sdk_config().await);
    let error = client.list_findings().send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("retry-after")), (429, Some("1")));
    assert!(error.into_service_error().is_throttling_exception());
}

#[tokio::test]
async fn call_with_a_lost_response_has_taken_effect() {
    let (aws, client) = registry().await;
    aws.faults().inject("ecr:PutImage", Fault::ResponseLost, Nth::Call(1));
    let error = put(&client, "a").await.unwrap_err().into_service_error();
    assert!(error.is_image_already_exists_exception(), "{error:?}");
    assert_eq!((aws.calls()["ecr:PutImage"], aws.ecr().images().len()), (2, 1));
}

#[tokio::test]
async fn crash_comes_after_the_effect_and_is_reported() {
    let (aws, client) = registry().await;
    aws.faults().inject("*", Fault::Crash, Nth::Call(2));
    client.describe_repositories().send().await.unwrap();
    assert!(timeout(SHORT, aws.faults().crashed()).await.is_err());
    assert!(timeout(SHORT, put(&client, "a")).await.is_err());
    timeout(SHORT, aws.faults().crashed()).await.unwrap();
    assert!(timeout(SHORT, aws.faults().crashed()).await.is_err());
    assert_eq!(aws.ecr().images().len(), 1);
    put(&client, "b").await.unwrap();
}

#[tokio::test]
async fn cleared_faults_forget_a_crash() {
    let (aws, client) = registry().await;
    aws.faults().inject("ecr:PutImage", Fault::Crash, Nth::Always);
    assert!(timeout(SHORT, put(&client, "a")).await.is_err());
    aws.faults().clear();
    assert!(timeout(SHORT, aws.faults().crashed()).await.is_err());
    put(&client, "b").await.unwrap();
}

#[tokio::test]
async fn faults_strike_only_matching_calls() {
    let (aws, client) = registry().await;
    aws.faults().inject("ecr:PutImage", Fault::ServerError, Nth::Every(2));
    for name in ["a", "b", "c"] {
        client.describe_repositories().send().await.unwrap();
        put(&client, name).await.unwrap();
    }
    assert_eq!(aws.calls()["ecr:PutImage"], 5);
    assert_eq!(aws.calls()["ecr:DescribeRepositories"], 3);
}

#[tokio::test]
async fn slow_call_takes_effect_after_its_delay() {
    let (aws, client) = registry().await;
    aws.faults().inject("ecr:PutImage", Fault::Slow(SHORT * 2), Nth::Call(1));
    assert!(timeout(SHORT, put(&client, "a")).await.is_err());
    assert!(aws.ecr().images().is_empty());
    put(&client, "a").await.unwrap();
}

#[tokio::test]
async fn unknown_operation_is_refused_by_name() {
    let (_aws, client) = registry().await;
    let error = client.delete_registry_policy().send().await.unwrap_err().into_service_error();
    assert_eq!(error.meta().code(), Some("UnknownOperationException"));
    assert!(error.meta().message().unwrap().contains("ecr:DeleteRegistryPolicy"));
}

#[tokio::test]
async fn services_respond_over_http() {
    let (aws, _) = registry().await;
    aws.dynamodb().create_table("ledger", "image").await;
    aws.inspector().seed_finding(finding(1, "app", &digest_of("a")));
    aws.sns().create_topic("arn:aws:sns:eu-central-1:123456789012:alerts");
    let (address, server) = aws.serve(SocketAddr::from(([127, 0, 0, 1], 0))).await.unwrap();
    let mut config = aws.sdk_config().await.into_builder().endpoint_url(format!("http://{address}"));
    config.set_http_client(None);
    let config = config.build();

    let client = Client::new(&config);
    aws.faults().inject("ecr:PutImage", Fault::ResponseLost, Nth::Call(1));
    let error = put(&client, "a").await.unwrap_err().into_service_error();
    assert!(error.is_image_already_exists_exception(), "{error:?}");
    assert_eq!(aws.ecr().images().len(), 1);
    let findings = aws_sdk_inspector2::Client::new(&config).list_findings().send().await.unwrap();
    assert_eq!(findings.findings().len(), 1);
    let data = (0..200).map(|number| {
        let name = format!("{number}{}", "x".repeat(200));
        aws_sdk_cloudwatch::types::MetricDatum::builder().metric_name(name).value(1.0).build()
    });
    let cloudwatch = aws_sdk_cloudwatch::Client::new(&config);
    cloudwatch.put_metric_data().namespace("n").set_metric_data(Some(data.collect())).send().await.unwrap();
    assert_eq!(aws.cloudwatch().metric_data().len(), 200);
    let sns = aws_sdk_sns::Client::new(&config);
    sns.publish()
        .topic_arn("arn:aws:sns:eu-central-1:123456789012:alerts")
        .message("m")
        .send()
        .await
        .unwrap();
    let image = aws_sdk_dynamodb::types::AttributeValue::S("a".to_owned());
    let dynamodb = aws_sdk_dynamodb::Client::new(&config);
    dynamodb.put_item().table_name("ledger").item("image", image).send().await.unwrap();
    server.abort();
}

#[tokio::test]
async fn address_that_other_machines_reach_is_refused() {
    let error = account().serve(SocketAddr::from(([0, 0, 0, 0], 0))).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::InvalidInput);
}
