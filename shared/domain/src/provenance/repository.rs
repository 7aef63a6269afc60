//! What the tags of an ECR repository say of its images: whose they are, where they run, how much depends on them.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-using-tags.html>

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::text::sanitize;

/// For how long what the tags said holds. No event of ECR's says that a tag has changed.
const HOLDS: SignedDuration = SignedDuration::from_hours(6);

/// What the tags of a repository say. Whoever may tag the repository writes them.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RepositoryTags {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub criticality: Option<String>,
}

/// The tags of a repository as they were at a certain time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagsAsOf {
    pub at: Timestamp,
    pub tags: RepositoryTags,
}

/// The keys of the tags that are read; one that is absent is not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TagKeys {
    pub owner: Option<String>,
    pub environment: Option<String>,
    pub criticality: Option<String>,
}

impl TagKeys {
    /// Whether any tag is read at all.
    pub fn any(&self) -> bool {
        [&self.owner, &self.environment, &self.criticality].iter().any(|key| key.is_some())
    }

    /// What tags with these keys and values say. An empty value says nothing.
    pub fn read<'a>(&self, tags: impl IntoIterator<Item = (&'a str, &'a str)>) -> RepositoryTags {
        let mut said = RepositoryTags::default();
        for (key, value) in tags {
            let value = sanitize(value.trim());
            let places = [
                (&self.owner, &mut said.owner),
                (&self.environment, &mut said.environment),
                (&self.criticality, &mut said.criticality),
            ];
            for (wanted, place) in places {
                if wanted.as_deref() == Some(key) && !value.is_empty() {
                    *place = Some(value.clone());
                }
            }
        }
        said
    }
}

impl TagsAsOf {
    /// Whether the registry need not be asked again yet.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.at.checked_add(HOLDS).is_ok_and(|end| now < end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn keys() -> TagKeys {
        let key = |name: &str| Some(name.to_owned());
        TagKeys { owner: key("owner"), environment: key("env"), criticality: None }
    }

    #[test]
    fn tags_with_the_configured_keys_are_read_and_no_others() {
        let said = keys().read([
            ("env", "production"),
            ("Owner", "x"),
            ("criticality", "high"),
            ("owner", " shop "),
        ]);
        assert_eq!(
            (said.owner.as_deref(), said.environment.as_deref(), said.criticality),
            (Some("shop"), Some("production"), None)
        );
    }

    #[test]
    fn one_tag_may_say_several_things_and_an_empty_one_says_nothing() {
        let team = Some("team".to_owned());
        let keys = TagKeys { owner: team.clone(), environment: team, criticality: Some("c".to_owned()) };
        let said = keys.read([("team", "shop"), ("c", " \u{200b}")]);
        assert_eq!(
            (said.owner, said.environment, said.criticality),
            (Some("shop".into()), Some("shop".into()), None)
        );
        assert!(keys.any() && !TagKeys::default().any());
    }

    #[test]
    fn what_the_tags_said_holds_for_six_hours() {
        let at = Timestamp::UNIX_EPOCH;
        let known = TagsAsOf { at, tags: RepositoryTags::default() };
        assert!(known.holds(at + SignedDuration::from_mins(359)));
        assert!(!known.holds(at + SignedDuration::from_mins(360)));
    }

    proptest! {
        #[test]
        fn hostile_values_are_made_safe(value in any::<String>(), key in "owner|env|x") {
            let said = keys().read([(key.as_str(), value.as_str())]);
            for text in [said.owner, said.environment, said.criticality].into_iter().flatten() {
                prop_assert!(!text.is_empty() && text.chars().count() <= 256);
                prop_assert_eq!(sanitize(&text), text.clone());
            }
        }
    }
}
