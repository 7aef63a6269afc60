//! What the registry says of an image, as far as quarantine depends on it.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::Digest;

/// An image in the registry.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Registered {
    pub tags: Vec<String>,
    pub status: Status,
    /// When it was last restored, if it ever was.
    pub activated_at: Option<Timestamp>,
    pub mutability: Mutability,
    pub kind: RepositoryKind,
    /// What an index contains.
    pub children: Vec<Child>,
    /// An index that contains it and is not archived, if it is to be archived.
    pub needed_by: Option<Digest>,
}

/// The field `imageStatus` of the ECR API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Status {
    #[default]
    Active,
    /// It cannot be pulled, and a push restores it.
    Archived,
    /// It is being restored, which takes up to 20 minutes.
    Activating,
}

/// Where the images of a repository come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum RepositoryKind {
    #[default]
    Normal,
    /// The next pull fetches a tag again from upstream, so to take it off stops nobody.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/pull-through-cache.html>
    PullThroughCache,
}

/// An image in an index.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Child {
    pub digest: Digest,
    /// Whether an index or a tag that is clear needs it, too.
    pub used_by_others: bool,
}

/// Which tags of a repository ECR keeps from moving to another image. In a filter, `*` stands for any characters.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-tag-mutability.html>
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Mutability {
    #[default]
    Mutable,
    Immutable,
    /// Tags that match a filter cannot move.
    MutableExcept(Vec<String>),
    /// Only tags that match a filter can move.
    ImmutableExcept(Vec<String>),
}

impl Mutability {
    pub fn can_move(&self, tag: &str) -> bool {
        let excluded = |filters: &[String]| filters.iter().any(|filter| matches_wildcard(filter, tag));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::MutableExcept(filters) => !excluded(filters),
            Self::ImmutableExcept(filters) => excluded(filters),
        }
    }
}

fn matches_wildcard(filter: &str, tag: &str) -> bool {
    match filter.split_once('*') {
        None => filter == tag,
        Some((start, rest)) => tag.strip_prefix(start).is_some_and(|tag| {
            let mut ends = tag.char_indices().map(|(at, _)| at).chain([tag.len()]);
            ends.any(|at| matches_wildcard(rest, &tag[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_exclude_tags_from_what_holds_for_the_others() {
        let filters = || vec!["latest".to_owned(), "dev-*-x".to_owned()];
        let (mutable, immutable) =
            (Mutability::MutableExcept(filters()), Mutability::ImmutableExcept(filters()));
        for (tag, excluded) in
            [("latest", true), ("latest2", false), ("dev--x", true), ("dev-1-x", true), ("dev-1", false)]
        {
            assert_eq!(mutable.can_move(tag), !excluded, "{tag}");
            assert_eq!(immutable.can_move(tag), excluded, "{tag}");
        }
        assert!(Mutability::Mutable.can_move("1.0") && !Mutability::Immutable.can_move("1.0"));
    }
}
