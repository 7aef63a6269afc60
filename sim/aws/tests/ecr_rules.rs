//! The rules of a registry, through the real ECR client.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod account;

use account::{ACCOUNT, account};
use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{RepositoryFilterType, ScanFrequency, ScanType, ScanningRepositoryFilter};
use sim_aws::{Fault, Nth, SeedReplicationRule, SeedScanning};

#[tokio::test]
async fn cache_rules_are_listed_in_pages_and_by_prefix() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let all = client.describe_pull_through_cache_rules().send().await.unwrap();
    assert_eq!(all.pull_through_cache_rules(), []);
    for (registry, prefix, upstream) in [
        (ACCOUNT, "quay", "quay.io"),
        (ACCOUNT, "ecr-public", "public.ecr.aws"),
        (ACCOUNT, "ROOT", "registry-1.docker.io"),
        ("111122223333", "k8s", "registry.k8s.io"),
    ] {
        aws.ecr().seed_cache_rule(registry, prefix, upstream);
    }
    let pages = client.describe_pull_through_cache_rules().into_paginator().page_size(2).items().send();
    let rules = pages.collect::<Result<Vec<_>, _>>().await.unwrap();
    let listed: Vec<_> = rules.iter().filter_map(|rule| rule.ecr_repository_prefix()).collect();
    assert_eq!(listed, ["ROOT", "ecr-public", "quay"]);
    assert_eq!(aws.calls()["ecr:DescribePullThroughCacheRules"], 3);
    assert_eq!(rules[1].upstream_registry_url(), Some("public.ecr.aws"));
    assert_eq!(rules[1].registry_id(), Some(ACCOUNT));
    assert_eq!(rules[1].created_at().unwrap().secs(), account::NOW / 1000);

    let named =
        |prefix: &str| client.describe_pull_through_cache_rules().ecr_repository_prefixes(prefix).send();
    assert_eq!(named("quay").await.unwrap().pull_through_cache_rules().len(), 1);
    let missing = named("k8s").await.unwrap_err().into_service_error();
    assert!(missing.is_pull_through_cache_rule_not_found_exception(), "{missing:?}");
    let invalid = client.describe_pull_through_cache_rules().max_results(1001).send().await;
    assert!(invalid.unwrap_err().into_service_error().is_invalid_parameter_exception());
}

#[tokio::test]
async fn replication_rules_name_destinations_and_filters() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let described = client.describe_registry().send().await.unwrap();
    assert_eq!(described.registry_id(), Some(ACCOUNT));
    assert_eq!(described.replication_configuration().unwrap().rules(), []);
    let to = |region: &str| vec![(region.to_owned(), ACCOUNT.to_owned())];
    aws.ecr().seed_replication(
        ACCOUNT,
        vec![
            SeedReplicationRule { destinations: to("us-east-1"), prefixes: Vec::new() },
            SeedReplicationRule { destinations: to("eu-west-1"), prefixes: vec!["prod".to_owned()] },
        ],
    );
    let described = client.describe_registry().send().await.unwrap();
    let rules = described.replication_configuration().unwrap().rules();
    assert_eq!((rules.len(), rules[0].repository_filters().len()), (2, 0));
    assert_eq!(
        (rules[0].destinations()[0].region(), rules[0].destinations()[0].registry_id()),
        ("us-east-1", ACCOUNT)
    );
    let filter = &rules[1].repository_filters()[0];
    assert_eq!((filter.filter(), filter.filter_type()), ("prod", &RepositoryFilterType::PrefixMatch));

    aws.faults().inject("ecr:DescribeRegistry", Fault::Denied, Nth::Times(1));
    let denied = client.describe_registry().send().await.unwrap_err();
    assert_eq!(denied.into_service_error().meta().code(), Some("AccessDeniedException"));
}

#[tokio::test]
async fn a_registry_says_how_it_is_scanned() {
    let aws = account();
    let client = Client::new(&aws.sdk_config().await);
    let asked = || async {
        let answer = client.get_registry_scanning_configuration().send().await.unwrap();
        assert_eq!(answer.registry_id(), Some(ACCOUNT));
        answer.scanning_configuration().unwrap().clone()
    };
    let unset = asked().await;
    assert_eq!((unset.scan_type(), unset.rules().len()), (Some(&ScanType::Basic), 0));
    let rules = vec![("CONTINUOUS_SCAN".to_owned(), vec!["prod-*".to_owned(), "base".to_owned()])];
    aws.ecr().seed_scanning("111122223333", SeedScanning::default());
    aws.ecr().seed_scanning(ACCOUNT, SeedScanning { enhanced: true, rules });
    let enhanced = asked().await;
    assert_eq!(enhanced.scan_type(), Some(&ScanType::Enhanced));
    assert_eq!(enhanced.rules()[0].scan_frequency(), &ScanFrequency::ContinuousScan);
    let filters: Vec<_> =
        enhanced.rules()[0].repository_filters().iter().map(ScanningRepositoryFilter::filter).collect();
    assert_eq!(filters, ["prod-*", "base"]);
}
