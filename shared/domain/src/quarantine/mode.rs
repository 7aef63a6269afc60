//! How far quarantine goes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// How far quarantine goes: the parameter `QuarantineMode`, and `quarantine_mode` of a rule. The order is from the
/// least to the strictest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// Say what would be done, and change nothing.
    #[default]
    Observe,
    /// Put the quarantine tag on.
    Tag,
    /// Put the quarantine tag on, and take the other tags off that ECR keeps from moving.
    Untag,
    /// Put the quarantine tag on, and archive the image.
    Archive,
}

impl Mode {
    pub const ALL: [Self; 4] = [Self::Observe, Self::Tag, Self::Untag, Self::Archive];

    /// The mode for an image: the strictest of the deployment's and of what its rules ask for. A deployment that observes
    /// changes nothing, whatever a rule asks for.
    #[must_use]
    pub fn with_rules(self, asked: Option<Self>) -> Self {
        match self {
            Self::Observe => Self::Observe,
            deployed => asked.map_or(deployed, |asked| asked.max(deployed)),
        }
    }
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|mode| mode.to_string() == name).ok_or_else(|| {
            format!("unknown quarantine mode `{name}`: expected `observe`, `tag`, `untag` or `archive`")
        })
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Observe => "observe",
            Self::Tag => "tag",
            Self::Untag => "untag",
            Self::Archive => "archive",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mode_is_read_back_as_it_is_written_and_an_unknown_one_is_named() {
        for mode in Mode::ALL {
            assert_eq!(mode.to_string().parse(), Ok(mode));
            assert_eq!(serde_json::to_string(&mode).unwrap(), format!("\"{mode}\""));
        }
        assert_eq!(
            "tags".parse::<Mode>(),
            Err("unknown quarantine mode `tags`: expected `observe`, `tag`, `untag` or `archive`".to_owned())
        );
    }

    #[test]
    fn strictest_mode_counts_unless_the_deployment_observes() {
        assert_eq!(Mode::Tag.with_rules(None), Mode::Tag);
        assert_eq!(Mode::Tag.with_rules(Some(Mode::Archive)), Mode::Archive);
        assert_eq!(Mode::Untag.with_rules(Some(Mode::Tag)), Mode::Untag);
        assert_eq!(Mode::Observe.with_rules(Some(Mode::Archive)), Mode::Observe);
    }
}
