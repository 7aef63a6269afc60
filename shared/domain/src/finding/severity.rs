//! How bad a finding is.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A severity, ranked. Untriaged is the lowest: AWS says so of what nobody has judged yet. A value that this code does
/// not know ranks above all others, and so does a missing one: neither must ever be taken for harmless.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum Severity {
    /// Not judged by the vendor yet; basic scanning calls it UNDEFINED.
    Untriaged,
    Informational,
    Low,
    Medium,
    High,
    Critical,
    /// A value that AWS has introduced since.
    Unknown(String),
}

impl Severity {
    /// AWS's name of it.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Untriaged => "UNTRIAGED",
            Self::Informational => "INFORMATIONAL",
            Self::Low => "LOW",
            Self::Medium => "MEDIUM",
            Self::High => "HIGH",
            Self::Critical => "CRITICAL",
            Self::Unknown(name) => name,
        }
    }

    /// The severity of a finding whose source states none.
    pub fn missing() -> Self {
        Self::Unknown("UNKNOWN".to_owned())
    }

    /// The severities that AWS documents, the worst first.
    pub const KNOWN: [Self; 6] =
        [Self::Critical, Self::High, Self::Medium, Self::Low, Self::Informational, Self::Untriaged];
}

impl From<&str> for Severity {
    fn from(name: &str) -> Self {
        match name {
            // Basic scanning's name of it.
            "UNDEFINED" => Self::Untriaged,
            name => Self::KNOWN
                .into_iter()
                .find(|known| known.as_str() == name)
                .unwrap_or_else(|| Self::Unknown(crate::text::sanitize(name))),
        }
    }
}

impl From<String> for Severity {
    fn from(name: String) -> Self {
        Self::from(name.as_str())
    }
}

impl From<Severity> for String {
    fn from(severity: Severity) -> Self {
        severity.as_str().to_owned()
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn severities_rank_and_unknown_ones_rank_highest() {
        let names = ["UNTRIAGED", "INFORMATIONAL", "LOW", "MEDIUM", "HIGH", "CRITICAL", "CATASTROPHIC"];
        let ranked = names.map(Severity::from);
        assert!(ranked.is_sorted());
        assert_eq!(ranked.map(|s| s.to_string()), names);
        assert_eq!(Severity::from("UNDEFINED"), Severity::Untriaged);
        assert!(Severity::missing() > Severity::Critical);
    }
}
