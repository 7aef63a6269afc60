//! For how long the ledger of an image is kept that is gone. Pure.

use std::str::FromStr;

use jiff::{Timestamp, ToSpan};
use thiserror::Error;

use super::facts::Facts;

/// How many days the ledger of a deleted image is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    days: u16,
}

/// Why a text is no number of days.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("unknown number of days `{0}`: expected {least} to {most}", least = Retention::LEAST, most = Retention::MOST)]
pub struct RetentionError(String);

impl Retention {
    /// Longer than SQS keeps a message (14 days), so that no late event about an image finds its ledger gone.
    const LEAST: u16 = 30;
    const MOST: u16 = 3_650;

    /// When the ledger expires; `None` while the image is there, or is not known to be gone.
    pub fn end(self, facts: &Facts) -> Option<Timestamp> {
        let gone_at = facts.gone_at.filter(|_| facts.is_gone())?;
        // An overflow is a time far beyond all others; the latest one there is serves as well.
        Some(gone_at.checked_add((i64::from(self.days) * 24).hours()).unwrap_or(Timestamp::MAX))
    }
}

impl Default for Retention {
    fn default() -> Self {
        Self { days: 400 }
    }
}

impl FromStr for Retention {
    type Err = RetentionError;

    fn from_str(text: &str) -> Result<Self, RetentionError> {
        let days = text.parse().ok().filter(|days| (Self::LEAST..=Self::MOST).contains(days));
        days.map(|days| Self { days }).ok_or_else(|| RetentionError(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::ledger::Evidence;
    use crate::samples::{ledger, second};

    fn gone(at: i64) -> Evidence {
        Evidence::Gone { at: second(at) }
    }

    fn pushed(at: i64) -> Evidence {
        Evidence::Tagged { at: second(at), tags: Vec::new() }
    }

    #[test]
    fn ledger_of_a_gone_image_ends_so_many_days_after_it_went() {
        let retention: Retention = "30".parse().unwrap();
        let end = retention.end(&ledger([pushed(1), gone(5)]).facts);
        assert_eq!(end, Some(second(5) + SignedDuration::from_hours(30 * 24)));
    }

    #[test]
    fn ledger_of_an_image_that_is_there_has_no_end() {
        for evidence in [vec![], vec![pushed(1)], vec![gone(5), pushed(6)], vec![pushed(5), gone(5)]] {
            assert_eq!(Retention::default().end(&ledger(evidence.clone()).facts), None, "{evidence:?}");
        }
    }

    #[test]
    fn number_of_days_that_would_lose_late_events_is_refused() {
        for text in ["29", "3651", "-1", "", "soon"] {
            let error = text.parse::<Retention>().unwrap_err().to_string();
            assert_eq!(error, format!("unknown number of days `{text}`: expected 30 to 3650"));
        }
    }
}
