//! The verdict on an image.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an image stands. The order is from the least to the most severe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No scan has ended yet.
    #[default]
    Pending,
    /// Scanned, and no rule quarantines it.
    Clear,
    /// The newest scan failed.
    Unscannable,
    /// At least one rule quarantines it.
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
