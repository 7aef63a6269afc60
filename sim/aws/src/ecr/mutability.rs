//! Whether a tag can be moved to another image.

use serde_json::{Value, json};

use super::error::EcrError;
use crate::wire::parameters::Parameters;

/// A repository's `imageTagMutability`, with its exclusion filters: up to five patterns in which `*`
/// stands for any characters (ECR user guide, "Preventing image tags from being overwritten").
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Mutability {
    #[default]
    Mutable,
    Immutable,
    /// Tags that match a filter cannot be moved.
    MutableWithExclusion(Vec<String>),
    /// Only tags that match a filter can be moved.
    ImmutableWithExclusion(Vec<String>),
}

impl Mutability {
    pub(crate) fn can_move(&self, tag: &str) -> bool {
        let excluded = |filters: &[String]| filters.iter().any(|filter| matches_wildcard(filter, tag));
        match self {
            Self::Mutable => true,
            Self::Immutable => false,
            Self::MutableWithExclusion(filters) => !excluded(filters),
            Self::ImmutableWithExclusion(filters) => excluded(filters),
        }
    }

    /// Reads `imageTagMutability` and `imageTagMutabilityExclusionFilters` of a request.
    pub(crate) fn read(request: Parameters<'_>) -> Result<Self, EcrError> {
        let filters = request
            .list("imageTagMutabilityExclusionFilters")
            .iter()
            .map(|filter| {
                let filter = Parameters(filter);
                let pattern = filter.text("filter").filter(|pattern| is_pattern(pattern));
                pattern
                    .filter(|_| filter.text("filterType") == Some("WILDCARD"))
                    .map(str::to_owned)
                    .ok_or_else(|| {
                        EcrError::invalid("imageTagMutabilityExclusionFilters", "[0-9a-zA-Z._*-]{1,128}")
                    })
            })
            .collect::<Result<Vec<_>, _>>()?;
        if filters.len() > 5 {
            return Err(EcrError::invalid("imageTagMutabilityExclusionFilters", "at most 5 filters"));
        }
        let mutability = request.text("imageTagMutability").unwrap_or("MUTABLE");
        match (mutability, filters.is_empty()) {
            ("MUTABLE", true) => Ok(Self::Mutable),
            ("IMMUTABLE", true) => Ok(Self::Immutable),
            ("MUTABLE_WITH_EXCLUSION", false) => Ok(Self::MutableWithExclusion(filters)),
            ("IMMUTABLE_WITH_EXCLUSION", false) => Ok(Self::ImmutableWithExclusion(filters)),
            _ => Err(EcrError::invalid(
                "imageTagMutability",
                "exclusion filters are required with MUTABLE_WITH_EXCLUSION and IMMUTABLE_WITH_EXCLUSION, \
                 and allowed with no other value",
            )),
        }
    }

    /// Adds both members to a response.
    pub(crate) fn write(&self, response: &mut Value) {
        let (name, filters) = match self {
            Self::Mutable => ("MUTABLE", None),
            Self::Immutable => ("IMMUTABLE", None),
            Self::MutableWithExclusion(filters) => ("MUTABLE_WITH_EXCLUSION", Some(filters)),
            Self::ImmutableWithExclusion(filters) => ("IMMUTABLE_WITH_EXCLUSION", Some(filters)),
        };
        response["imageTagMutability"] = json!(name);
        if let Some(filters) = filters {
            response["imageTagMutabilityExclusionFilters"] =
                filters.iter().map(|filter| json!({"filterType": "WILDCARD", "filter": filter})).collect();
        }
    }
}

fn is_pattern(pattern: &str) -> bool {
    (1..=128).contains(&pattern.len())
        && pattern.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._*-".contains(&byte))
}

fn matches_wildcard(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((start, rest)) => text.strip_prefix(start).is_some_and(|text| {
            (0..=text.len())
                .filter(|at| text.is_char_boundary(*at))
                .any(|at| matches_wildcard(rest, &text[at..]))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::matches_wildcard;

    #[test]
    fn wildcard_matches_any_characters() {
        assert!(matches_wildcard("quarantine-*", "quarantine-1"));
        assert!(matches_wildcard("*-rc*", "1.0-rc1"));
        assert!(matches_wildcard("a", "a"));
        assert!(!matches_wildcard("a", "ab"));
        assert!(!matches_wildcard("quarantine-*", "1.0"));
        assert!(!matches_wildcard("*-rc", "1.0-rc1"));
    }
}
