//! Quotas through the real clients, with a clock that the test moves.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use account::{NOW, RecordedAccount, account_with};
use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use sim_aws::Quota;

/// An account whose clock the test moves, for clients that attempt each call once.
async fn account() -> (RecordedAccount, Arc<AtomicI64>, SdkConfig) {
    let clock = Arc::new(AtomicI64::new(NOW));
    let time = Arc::clone(&clock);
    let aws = account_with(Arc::new(move || time.load(Ordering::SeqCst)));
    let config = aws.sdk_config().await.to_builder().retry_config(RetryConfig::disabled()).build();
    (aws, clock, config)
}

#[tokio::test]
async fn a_bucket_lets_its_burst_through_and_then_so_many_a_second() {
    let (aws, clock, config) = account().await;
    aws.quotas().set("inspector2:ListFindings", Quota { per_second: 2.0, burst: 3.0 });
    let client = aws_sdk_inspector2::Client::new(&config);
    let through = async |calls: usize| {
        let mut through = 0;
        for _ in 0..calls {
            through += usize::from(client.list_findings().send().await.is_ok());
        }
        through
    };
    assert_eq!(through(5).await, 3);
    clock.fetch_add(499, Ordering::SeqCst);
    assert_eq!(through(1).await, 0);
    clock.fetch_add(1, Ordering::SeqCst);
    assert_eq!(through(2).await, 1);
    clock.fetch_add(1_000, Ordering::SeqCst);
    assert_eq!(through(4).await, 2);
    // A long pause fills it, and no more than that.
    clock.fetch_add(60_000, Ordering::SeqCst);
    assert_eq!(through(5).await, 3);
    assert_eq!(aws.calls()["inspector2:ListFindings"], 17);
    assert_eq!(aws.quotas().throttled()["inspector2:ListFindings"], 17 - 9);
    // Another action has no quota.
    client.list_coverage().send().await.unwrap();
}

#[tokio::test]
async fn a_quota_of_a_service_is_shared_by_its_actions() {
    let (aws, clock, config) = account().await;
    aws.quotas().set("inspector2:*", Quota { per_second: 1.0, burst: 2.0 });
    aws.quotas().set("inspector2:ListCoverage", Quota { per_second: 100.0, burst: 1.0 });
    let client = aws_sdk_inspector2::Client::new(&config);
    client.list_coverage().send().await.unwrap();
    // What its own quota refuses takes nothing from the shared one.
    assert!(client.list_coverage().send().await.is_err());
    client.list_findings().send().await.unwrap();
    assert!(client.list_findings().send().await.is_err());
    clock.fetch_add(10, Ordering::SeqCst);
    assert!(client.list_coverage().send().await.is_err());
    aws_sdk_ecr::Client::new(&config).describe_registry().send().await.unwrap();
}

#[tokio::test]
async fn what_is_beyond_gets_the_error_of_the_service() {
    let (aws, _, config) = account().await;
    for service in ["inspector2", "ecr"] {
        aws.quotas().set(&format!("{service}:*"), Quota { per_second: 1.0, burst: 0.0 });
    }
    let error = aws_sdk_inspector2::Client::new(&config).list_findings().send().await.unwrap_err();
    let response = error.raw_response().unwrap();
    assert_eq!((response.status().as_u16(), response.headers().get("retry-after")), (429, Some("1")));
    assert!(error.into_service_error().is_throttling_exception());
    let error = aws_sdk_ecr::Client::new(&config).describe_registry().send().await.unwrap_err();
    assert_eq!(error.into_service_error().meta().code(), Some("ThrottlingException"));
}
