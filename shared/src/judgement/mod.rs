//! Judging a ledger by the policy, and drawing up what is to be announced. Pure.

mod announcing;
mod comparison;

use jiff::Timestamp;

use crate::ledger::Ledger;
use crate::policy::{Evaluation, Policy};
use crate::verdict::Verdict;

pub use announcing::{assess, renew_tags};

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

#[cfg(test)]
mod tests;
