//! The rules of the caller's registry in this region: which repositories are caches, and which are replicated.

use aws_sdk_ecr::types::{
    ReplicationConfiguration, ReplicationDestination, ReplicationRule as Rule, RepositoryFilterType,
};
use domain::quarantine::{Destination, ReplicationRule};
use domain::text::sanitize;

use super::Registry;
use crate::AwsError;

/// The largest page of rules.
const RULES_PER_PAGE: i32 = 1000;

impl Registry {
    /// The repository prefixes of the pull-through cache rules.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribePullThroughCacheRules.html>
    pub async fn cache_prefixes(&self) -> Result<Vec<String>, AwsError> {
        let mut rules = self
            .client
            .describe_pull_through_cache_rules()
            .into_paginator()
            .page_size(RULES_PER_PAGE)
            .items()
            .send();
        let mut prefixes = Vec::new();
        while let Some(rule) = rules.next().await {
            let rule = rule.map_err(|error| AwsError::of("ecr:DescribePullThroughCacheRules", error))?;
            prefixes.extend(rule.ecr_repository_prefix().map(str::to_owned));
        }
        Ok(prefixes)
    }

    /// The rules by which ECR replicates repositories.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRegistry.html>
    pub async fn replication_rules(&self) -> Result<Vec<ReplicationRule>, AwsError> {
        let answer = self
            .client
            .describe_registry()
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeRegistry", error))?;
        let rules = answer.replication_configuration().map(ReplicationConfiguration::rules);
        Ok(rules.unwrap_or_default().iter().map(replication_rule).collect())
    }
}

/// A filter of a type that is not known here holds for no repository.
fn replication_rule(rule: &Rule) -> ReplicationRule {
    let destination = |destination: &ReplicationDestination| Destination {
        account: sanitize(destination.registry_id()),
        region: sanitize(destination.region()),
    };
    let filters = rule.repository_filters();
    let known = filters.iter().filter(|filter| *filter.filter_type() == RepositoryFilterType::PrefixMatch);
    let prefixes = known.map(|filter| filter.filter().to_owned()).collect();
    ReplicationRule {
        destinations: rule.destinations().iter().map(destination).collect(),
        prefixes: (!filters.is_empty()).then_some(prefixes),
    }
}
