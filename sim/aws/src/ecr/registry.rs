//! The repositories and rules of all accounts.

use std::collections::BTreeMap;

use super::error::EcrError;
use super::manifest::digest_of;
use super::mutability::Mutability;
use super::repository::{Push, Repository};
use super::rules::{CacheRule, SeedReplicationRule, SeedScanning};

#[derive(Debug, Default)]
pub(crate) struct Registries {
    /// By registry (an account id) and name.
    pub(crate) repositories: BTreeMap<(String, String), Repository>,
    /// By registry and prefix.
    pub(crate) cache_rules: BTreeMap<(String, String), CacheRule>,
    /// By registry.
    pub(crate) replication: BTreeMap<String, Vec<SeedReplicationRule>>,
    /// By registry.
    pub(crate) scanning: BTreeMap<String, SeedScanning>,
    /// From the digest of a stand-in's bytes to the digest that it stands for.
    stand_ins: BTreeMap<String, String>,
}

impl Registries {
    pub(crate) fn repository(&mut self, registry: &str, name: &str) -> Result<&mut Repository, EcrError> {
        self.repositories.get_mut(&(registry.to_owned(), name.to_owned())).ok_or_else(|| {
            EcrError::RepositoryNotFound { registry: registry.to_owned(), repository: name.to_owned() }
        })
    }

    /// Creates a mutable repository if there is none of that name.
    pub(crate) fn repository_or_new(&mut self, registry: &str, name: &str, now: i64) -> &mut Repository {
        self.repositories
            .entry((registry.to_owned(), name.to_owned()))
            .or_insert_with(|| Repository::new(name, Mutability::Mutable, now))
    }

    pub(crate) fn put(
        &mut self,
        registry: &str,
        name: &str,
        push: Push<'_>,
        now: i64,
    ) -> Result<(String, String), EcrError> {
        let stands_for = self.stand_ins.get(&digest_of(push.manifest)).cloned();
        let push = Push { stands_for: stands_for.as_deref(), ..push };
        self.repository(registry, name)?.put(push, now)
    }

    pub(crate) fn remember_stand_in(&mut self, manifest: &str, digest: &str) {
        self.stand_ins.insert(digest_of(manifest), digest.to_owned());
    }
}
