//! The verdict on an image, and what follows from it.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is to be thought of an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Not scanned yet.
    #[default]
    Pending,
    /// Scanned, and no rule keeps it back.
    Clear,
    /// The newest scan could not be done.
    Unscannable,
    /// A rule keeps it back.
    Quarantine,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pending => "pending",
            Self::Clear => "clear",
            Self::Unscannable => "unscannable",
            Self::Quarantine => "quarantine",
        })
    }
}

/// What happens to an image with a matching finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Say it.
    Alert,
    /// Keep the image under a quarantine tag.
    Quarantine,
}
