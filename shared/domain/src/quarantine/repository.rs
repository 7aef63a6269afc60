//! What the rules of a registry say of a repository: whether it caches another registry, and where it is replicated to.

use std::collections::BTreeSet;
use std::fmt;

use super::registered::RepositoryKind;
use crate::image::ImageId;

/// The prefix of the rule for all repositories that no other rule is about.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_CreatePullThroughCacheRule.html>
const ALL_OTHERS: &str = "ROOT";

impl RepositoryKind {
    /// The kind of a repository, by the prefixes of the pull-through cache rules of its registry. ECR takes a prefix
    /// for one that ends in `/`.
    pub fn by_rules(prefixes: &[String], repository: &str) -> Self {
        let is_under = |prefix: &String| {
            let rest = repository.strip_prefix(prefix.trim_end_matches('/'));
            prefix == ALL_OTHERS || rest.is_some_and(|rest| rest.starts_with('/'))
        };
        if prefixes.iter().any(is_under) { Self::PullThroughCache } else { Self::Normal }
    }
}

/// A registry to which ECR replicates.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Destination {
    pub account: String,
    pub region: String,
}

impl Destination {
    /// The copy of an image there. It has the same repository and digest.
    pub fn copy_of(&self, image: &ImageId) -> ImageId {
        ImageId { account: self.account.clone(), region: self.region.clone(), ..image.clone() }
    }
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.account, self.region)
    }
}

/// A rule of a registry's replication configuration.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ReplicationRule.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReplicationRule {
    pub destinations: Vec<Destination>,
    /// What the names of the repositories begin with; `None` for all repositories.
    pub prefixes: Option<Vec<String>>,
}

/// Where ECR replicates an image to, besides where it is.
pub fn destinations(rules: &[ReplicationRule], image: &ImageId) -> BTreeSet<Destination> {
    let is_about = |rule: &&ReplicationRule| {
        let prefixes = rule.prefixes.as_ref();
        prefixes.is_none_or(|prefixes| prefixes.iter().any(|prefix| image.repository.starts_with(prefix)))
    };
    let elsewhere = |destination: &&Destination| destination.copy_of(image) != *image;
    let rules = rules.iter().filter(is_about);
    rules.flat_map(|rule| &rule.destinations).filter(elsewhere).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::image;

    fn prefixes(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn repository_is_a_cache_if_a_rule_has_its_first_parts_or_all() {
        for (rules, repository, cached) in [
            (&["ecr-public"][..], "ecr-public/nginx/nginx", true),
            (&["quay", "ecr-public/"], "ecr-public/nginx", true),
            (&["team/hub"], "team/hub/library/alpine", true),
            (&["team/hub"], "team/hubble/alpine", false),
            (&["ecr-public"], "ecr-public", false),
            (&["ecr-public"], "mine/ecr-public/nginx", false),
            (&["ROOT"], "shop/checkout", true),
            (&[], "shop/checkout", false),
        ] {
            let kind = RepositoryKind::by_rules(&prefixes(rules), repository);
            assert_eq!(kind == RepositoryKind::PullThroughCache, cached, "{rules:?} {repository}");
        }
    }

    #[test]
    fn image_is_replicated_by_the_rules_about_its_repository() {
        let to = |account: &str, region: &str| Destination {
            account: account.to_owned(),
            region: region.to_owned(),
        };
        let image = ImageId { repository: "prod/cart".to_owned(), ..image() };
        let here = to(&image.account, &image.region);
        let (backup, other) = (to(&image.account, "us-east-1"), to("444455556666", &image.region));
        let rule = |destinations: &[&Destination], names: Option<&[&str]>| ReplicationRule {
            destinations: destinations.iter().copied().cloned().collect(),
            prefixes: names.map(prefixes),
        };
        for (rules, expected) in [
            (vec![rule(&[&backup, &other], None)], vec![&other, &backup]),
            (vec![rule(&[&backup], Some(&["dev", "pro"]))], vec![&backup]),
            (vec![rule(&[&backup], Some(&["cart"]))], vec![]),
            (vec![rule(&[&backup], Some(&[]))], vec![]),
            (vec![rule(&[&here, &backup], None), rule(&[&backup], Some(&["prod/"]))], vec![&backup]),
            (vec![], vec![]),
        ] {
            let expected: BTreeSet<Destination> = expected.into_iter().cloned().collect();
            assert_eq!(destinations(&rules, &image), expected, "{rules:?}");
        }
        assert_eq!(other.copy_of(&image), ImageId { account: "444455556666".to_owned(), ..image });
    }
}
