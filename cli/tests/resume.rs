//! `ecr-warden resume` against a simulated deployment.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, SocketAddr};
use std::process::Output;
use std::sync::Arc;

use aws::dynamodb::Enforcement;
use domain::image::ImageId;
use sim_aws::SimulatedAws;

const QUEUE: &str = "https://sqs.eu-west-1.amazonaws.com/210987654321/warden-enforce-quarantine";

fn image(digit: char) -> ImageId {
    format!("210987654321/eu-west-1/shop/cart@sha256:{}", digit.to_string().repeat(64)).parse().unwrap()
}

async fn resume(aws: &SimulatedAws, arguments: &[&str]) -> Output {
    let (address, _server) = aws.serve(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
    tokio::process::Command::new(env!("CARGO_BIN_EXE_ecr-warden"))
        .args(["resume", "--table", "ledgers", "--stack", "warden"])
        .args(arguments)
        .env("AWS_ENDPOINT_URL", format!("http://{address}"))
        .env("AWS_REGION", "eu-west-1")
        .env("AWS_ACCESS_KEY_ID", "AKID")
        .env("AWS_SECRET_ACCESS_KEY", "secret")
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn so_many_images_go_on_and_who_let_them_is_recorded() {
    let aws = SimulatedAws::new("210987654321", "eu-west-1", Arc::new(|| 1_900_000_000_000));
    aws.dynamodb().create_table("ledgers", "id").await;
    aws.sqs().create_queue(QUEUE);
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config().await);
    let memory = Enforcement::new(client, "ledgers".to_owned());

    let nothing = resume(&aws, &["1", "--why", "checked"]).await;
    assert_eq!(String::from_utf8_lossy(&nothing.stdout), "no image is held\n", "{nothing:?}");

    for digit in ['a', 'b', 'c'] {
        memory.hold(&image(digit)).await.unwrap();
    }
    let mut limit = memory.limit().await.unwrap();
    limit.value = limit.value.pause("2030-03-17T17:00:00Z".parse().unwrap());
    memory.store_limit(&mut limit).await.unwrap();
    let some = resume(&aws, &["2", "--why", "the rule is right", "--by", "ana"]).await;
    assert_eq!(String::from_utf8_lossy(&some.stdout), "2 of 3 images go on; 1 are still held\n", "{some:?}");
    let sent = aws.sqs().take_sent();
    assert_eq!(sent.len(), 2);
    assert!(sent.iter().all(|message| message.queue_url == QUEUE && message.body.contains("Quarantine Due")));
    let limit = memory.limit().await.unwrap().value;
    assert_eq!((limit.granted, limit.pause.is_some()), (2, true));
    let resumed = limit.resumed.first().unwrap();
    assert_eq!((resumed.by.as_str(), resumed.why.as_str()), ("ana", "the rule is right"));

    let all = resume(&aws, &["9", "--why", "all are"]).await;
    assert!(all.status.success(), "{all:?}");
    assert_eq!(memory.limit().await.unwrap().value.pause, None);
    let wrong = resume(&aws, &["0", "--why", "x"]).await;
    assert!(!wrong.status.success());
}

#[tokio::test]
async fn pause_without_an_image_that_is_held_any_more_ends_and_grants_nothing() {
    let aws = SimulatedAws::new("210987654321", "eu-west-1", Arc::new(|| 1_900_000_000_000));
    aws.dynamodb().create_table("ledgers", "id").await;
    aws.sqs().create_queue(QUEUE);
    let client = aws_sdk_dynamodb::Client::new(&aws.sdk_config().await);
    let memory = Enforcement::new(client, "ledgers".to_owned());
    let mut limit = memory.limit().await.unwrap();
    limit.value = limit.value.pause("2030-03-17T17:00:00Z".parse().unwrap());
    memory.store_limit(&mut limit).await.unwrap();
    let ended = resume(&aws, &["100", "--why", "the policy is corrected"]).await;
    assert_eq!(
        String::from_utf8_lossy(&ended.stdout),
        "no image is held any more; the pause is over\n",
        "{ended:?}"
    );
    let limit = memory.limit().await.unwrap().value;
    assert_eq!((limit.granted, limit.pause, limit.resumed.len()), (0, None, 1));
}
