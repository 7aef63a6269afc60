//! The rules of a registry: which repositories cache another registry, and where images are replicated to. They can be
//! listed; the simulation neither fetches from upstream nor replicates.

use serde_json::{Value, json};

use super::Ecr;

/// A pull-through cache rule.
#[derive(Debug, Clone)]
pub(crate) struct CacheRule {
    pub(crate) upstream: String,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
}

/// A rule of the replication configuration.
#[derive(Debug, Clone, Default)]
pub struct SeedReplicationRule {
    /// Regions with the account ids of the registries there.
    pub destinations: Vec<(String, String)>,
    /// What the names of repositories begin with; without any, the rule is about all.
    pub prefixes: Vec<String>,
}

/// How a registry is scanned.
#[derive(Debug, Clone, Default)]
pub struct SeedScanning {
    /// By Inspector, and not by ECR itself.
    pub enhanced: bool,
    /// The frequency of each rule, such as `CONTINUOUS_SCAN`, with the names of repositories, in which * matches any
    /// characters.
    pub rules: Vec<(String, Vec<String>)>,
}

impl SeedScanning {
    pub(crate) fn write(&self) -> Value {
        let rule = |(frequency, filters): &(String, Vec<String>)| {
            let filters = filters.iter().map(|filter| json!({"filter": filter, "filterType": "WILDCARD"}));
            json!({"scanFrequency": frequency, "repositoryFilters": filters.collect::<Vec<_>>()})
        };
        let rules: Vec<Value> = self.rules.iter().map(rule).collect();
        json!({"scanType": if self.enhanced { "ENHANCED" } else { "BASIC" }, "rules": rules})
    }
}

impl Ecr {
    /// Sets how a registry is scanned. Without this, it is scanned by ECR itself, and by no rule.
    pub fn seed_scanning(&self, registry: &str, scanning: SeedScanning) {
        self.registries.with(|registries| registries.scanning.insert(registry.to_owned(), scanning));
    }

    /// Adds a pull-through cache rule, or replaces that of the same prefix. `upstream` is the host of a registry.
    pub fn seed_cache_rule(&self, registry: &str, prefix: &str, upstream: &str) {
        let rule = CacheRule { upstream: upstream.to_owned(), created_at: self.account.now() };
        self.registries.with(|registries| {
            registries.cache_rules.insert((registry.to_owned(), prefix.to_owned()), rule);
        });
    }

    /// Sets the replication configuration.
    pub fn seed_replication(&self, registry: &str, rules: Vec<SeedReplicationRule>) {
        self.registries.with(|registries| {
            registries.replication.insert(registry.to_owned(), rules);
        });
    }
}

impl SeedReplicationRule {
    pub(crate) fn write(&self) -> Value {
        let destinations: Vec<Value> = self
            .destinations
            .iter()
            .map(|(region, registry)| json!({"region": region, "registryId": registry}))
            .collect();
        let filters: Vec<Value> = self
            .prefixes
            .iter()
            .map(|prefix| json!({"filter": prefix, "filterType": "PREFIX_MATCH"}))
            .collect();
        let mut rule = json!({"destinations": destinations});
        if !filters.is_empty() {
            rule["repositoryFilters"] = json!(filters);
        }
        rule
    }
}
