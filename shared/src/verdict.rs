//! The verdict on an image.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ledger::Ledger;
use crate::policy::{Evaluation, Policy};

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

/// A verdict and what led there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// What the policy says of each finding.
    pub evaluation: Evaluation,
}

/// Judges an image. Nothing is said of it before its first scan has ended, whatever was found until then:
/// half of a scan is no verdict. After that a failed scan is never "clear".
pub fn judge(ledger: &Ledger, policy: &Policy, now: Timestamp) -> Judgement {
    let evaluation = policy.evaluate(ledger, now);
    let kept_back =
        evaluation.matches.iter().any(|found| found.quarantine.is_some_and(|deadline| deadline.reached));
    let verdict = match (ledger.is_scanned(), ledger.has_failed_scan()) {
        (false, false) => Verdict::Pending,
        _ if kept_back => Verdict::Quarantine,
        (_, true) => Verdict::Unscannable,
        (true, false) => Verdict::Clear,
    };
    Judgement { verdict, evaluation }
}
