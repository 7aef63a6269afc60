//! A finding: one vulnerability in one image, the same type from whichever source it came.

mod inspector;
mod severity;

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::text::sanitize;

pub use inspector::{FindingError, InspectorFinding, InspectorPackage};
pub use severity::Severity;

/// Who found it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// Amazon Inspector: ECR enhanced scanning.
    Inspector,
    /// ECR basic scanning.
    Basic,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Inspector => "Amazon Inspector",
            Self::Basic => "ECR basic scanning",
        })
    }
}

/// What its source says of it. The order is the one in which a tie between two reports of the same moment is
/// decided: the more open one is believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Status {
    /// No longer reported. That is not the same as fixed: findings also close when their image is archived,
    /// deleted or no longer scanned.
    Closed,
    /// Hidden by a suppression rule in Inspector.
    Suppressed,
    /// There.
    Active,
}

impl Status {
    /// Reads Inspector's name of a status; an unknown one is for the caller to refuse.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "ACTIVE" => Some(Self::Active),
            "SUPPRESSED" => Some(Self::Suppressed),
            "CLOSED" => Some(Self::Closed),
            _ => None,
        }
    }
}

/// Whether an update fixes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fix {
    /// The source does not say.
    Unknown,
    No,
    /// For some of the packages.
    Partial,
    /// For all of the packages.
    Yes,
}

impl Fix {
    /// Reads `YES`, `NO`, `PARTIAL`; anything else is unknown.
    pub fn from_name(name: Option<&str>) -> Self {
        match name {
            Some("YES") => Self::Yes,
            Some("NO") => Self::No,
            Some("PARTIAL") => Self::Partial,
            _ => Self::Unknown,
        }
    }
}

/// A CVSS base score in tenths, 0 to 100: exact, so that equal scores compare equal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Score(u8);

/// The probability that it will be exploited within 30 days (FIRST's EPSS), in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "f64", into = "f64")]
pub struct Epss(u32);

// The clamps make the casts exact.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
mod fixed_point {
    use super::{Epss, Score};

    impl From<f64> for Score {
        fn from(score: f64) -> Self {
            Self((score.clamp(0.0, 10.0) * 10.0).round() as u8)
        }
    }

    impl From<f64> for Epss {
        fn from(probability: f64) -> Self {
            Self((probability.clamp(0.0, 1.0) * 1e6).round() as u32)
        }
    }
}

impl Score {
    /// The score in tenths.
    pub fn tenths(self) -> u8 {
        self.0
    }

    /// A score of so many tenths; more than 100 is 100.
    pub fn from_tenths(tenths: u8) -> Self {
        Self(tenths.min(100))
    }
}

impl Epss {
    /// The probability in millionths.
    pub fn millionths(self) -> u32 {
        self.0
    }

    /// A probability of so many millionths; more than a million is a million.
    pub const fn from_millionths(millionths: u32) -> Self {
        Self(if millionths < 1_000_000 { millionths } else { 1_000_000 })
    }
}

impl From<Score> for f64 {
    fn from(score: Score) -> Self {
        Self::from(score.0) / 10.0
    }
}

impl From<Epss> for f64 {
    fn from(epss: Epss) -> Self {
        Self::from(epss.0) / 1e6
    }
}

/// An installed package that is vulnerable.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Package {
    pub name: String,
    /// The version that is installed.
    pub version: String,
    /// The first version without the vulnerability, where one exists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_in: Option<String>,
}

impl Package {
    /// A package whose texts are sanitized. Inspector writes an absent fix also as `NotAvailable`.
    pub fn new(name: &str, version: &str, fixed_in: Option<&str>) -> Self {
        let fixed_in = fixed_in.map(sanitize).filter(|v| !v.is_empty() && v != "NotAvailable");
        Self { name: sanitize(name), version: sanitize(version), fixed_in }
    }
}

/// One vulnerability in one image.
///
/// The derived order is the one of last-writer-wins: of two reports of the same finding the greater is
/// believed. The fields stand in the order in which they decide.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// When its source last changed it.
    pub updated_at: Timestamp,
    /// What its source says of it.
    pub status: Status,
    /// How bad it is.
    pub severity: Severity,
    /// The finding's ARN; for basic scanning, which gives none, a name made of what identifies it.
    pub id: String,
    /// Who found it.
    pub source: Source,
    /// `CVE-…`, `GHSA-…`; where the source names none, the type of the finding.
    pub vulnerability: String,
    pub score: Option<Score>,
    pub epss: Option<Epss>,
    /// Whether exploit code is known to exist; `None` where the source does not say.
    pub exploit: Option<bool>,
    /// Whether an update fixes it.
    pub fix: Fix,
    pub packages: Vec<Package>,
    /// When it was last seen in this image.
    pub last_seen: Timestamp,
    /// When it was first seen in this image. The last to decide, because merging keeps the earliest.
    pub first_seen: Timestamp,
}

/// What CISA's catalogue of known exploited vulnerabilities says of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct KnownExploited {
    /// When it was added to the catalogue.
    pub added: Option<Timestamp>,
    /// Until when US agencies must have fixed it.
    pub due: Option<Timestamp>,
}

impl Finding {
    /// The join of two reports of the same finding: the newer one, first seen when either says so earliest
    /// (basic scanning dates a finding anew with every scan).
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let first_seen = self.first_seen.min(other.first_seen);
        Self { first_seen, ..self.max(other) }
    }

    /// Whether an update fixes it at least in part: the source says so, or names a fixed version.
    pub fn has_fix(&self) -> bool {
        matches!(self.fix, Fix::Yes | Fix::Partial)
            || self.packages.iter().any(|package| package.fixed_in.is_some())
    }
}
