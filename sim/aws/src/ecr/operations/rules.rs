//! `DescribePullThroughCacheRules`, `DescribeRegistry` and `GetRegistryScanningConfiguration`.

use serde_json::{Value, json};

use super::request::requested_page;
use crate::account::time::epoch_seconds;
use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::rules::{CacheRule, SeedReplicationRule};
use crate::wire::pagination::write_page;
use crate::wire::parameters::Parameters;

impl Ecr {
    pub(super) fn describe_pull_through_cache_rules(
        &self,
        request: Parameters<'_>,
    ) -> Result<Value, EcrError> {
        let registry = request.text("registryId").unwrap_or(&self.account.id);
        let wanted = request.texts("ecrRepositoryPrefixes");
        self.registries.with(|registries| {
            let rules = &registries.cache_rules;
            if wanted.is_empty() {
                let mine = rules.iter().filter(|((owner, _), _)| owner == registry);
                let listing = mine.map(|((_, prefix), rule)| (prefix.clone(), view(registry, prefix, rule)));
                let page = requested_page(request, listing)?;
                return Ok(write_page("pullThroughCacheRules", page.items, page.next_token));
            }
            let found = wanted
                .iter()
                .map(|prefix| {
                    let rule = rules.get(&(registry.to_owned(), (*prefix).to_owned()));
                    rule.map(|rule| view(registry, prefix, rule)).ok_or_else(|| EcrError::CacheRuleNotFound {
                        registry: registry.to_owned(),
                        prefix: (*prefix).to_owned(),
                    })
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(json!({"pullThroughCacheRules": found}))
        })
    }

    /// A registry without a replication configuration has one without rules.
    pub(super) fn describe_registry(&self) -> Value {
        let registry = &self.account.id;
        let rules: Vec<Value> = self.registries.with(|registries| {
            let rules = registries.replication.get(registry);
            rules.map(|rules| rules.iter().map(SeedReplicationRule::write).collect()).unwrap_or_default()
        });
        json!({"registryId": registry, "replicationConfiguration": {"rules": rules}})
    }

    pub(super) fn get_registry_scanning_configuration(&self) -> Value {
        let registry = &self.account.id;
        let scanning = self.registries.with(|registries| registries.scanning.get(registry).cloned());
        json!({"registryId": registry, "scanningConfiguration": scanning.unwrap_or_default().write()})
    }
}

fn view(registry: &str, prefix: &str, rule: &CacheRule) -> Value {
    json!({
        "ecrRepositoryPrefix": prefix,
        "upstreamRegistryUrl": rule.upstream,
        "createdAt": epoch_seconds(rule.created_at),
        "updatedAt": epoch_seconds(rule.created_at),
        "registryId": registry,
    })
}
