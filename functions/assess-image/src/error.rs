//! What can go wrong while an image is assessed.

use aws::AwsError;
use aws::dynamodb::{LedgerError, NotesError};
use aws::inspector::FindingsError;
use domain::event::Counts;
use domain::finding::Source;
use jiff::Timestamp;
use lambda::batch::{Retry, Retryable};
use thiserror::Error;

use crate::prompt::POLICY_TRIED_AFTER;

/// Why an image could not be assessed, or not by all that there is to know of it.
#[derive(Debug, Error)]
pub enum AssessError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Findings(#[from] FindingsError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Notes(#[from] NotesError),
    /// A scan says that it is complete, but what is listed cannot be all that it found.
    #[error("{from} reports {counts}, which does not agree with the {listed} that are listed so far")]
    Incomplete { from: Source, counts: Counts, listed: usize },
    #[error("the result of the basic scan is not available yet: its status is {0}")]
    ScanPending(String),
    /// The evidence is stored and judged, but what could not be asked may change that.
    #[error("a question must be asked again: {0}")]
    Unanswered(#[source] Box<Self>),
    /// The image is to be judged by a policy that this function does not have yet.
    #[error("a new policy was deployed, and this function does not have it yet")]
    PolicyToCome,
    /// The evidence is stored, but the next step must wait.
    #[error("{reason}; that can be told from {until}")]
    TooEarly {
        reason: &'static str,
        until: Timestamp,
        /// How many seconds from now that is.
        seconds: u16,
    },
}

impl AssessError {
    pub(crate) fn too_early(reason: &'static str, until: Timestamp, now: Timestamp) -> Self {
        let seconds = until.duration_since(now).as_secs().clamp(0, i64::from(u16::MAX - 1)) + 1;
        Self::TooEarly { reason, until, seconds: u16::try_from(seconds).unwrap_or(u16::MAX) }
    }
}

impl Retryable for AssessError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Aws(error) | Self::Findings(FindingsError::Aws(error)) if error.is_throttled() => {
                Retry::Later
            }
            Self::Findings(error) => Retry::if_it_may_help(error.is_retryable()),
            Self::Aws(error) => error.retry(),
            Self::Notes(error) => Retry::if_it_may_help(error.is_retryable()),
            Self::Unanswered(error) if error.retry() == Retry::Never => Retry::Never,
            Self::TooEarly { seconds, .. } => Retry::After(*seconds),
            Self::PolicyToCome => Retry::After(POLICY_TRIED_AFTER),
            Self::Unanswered(_) | Self::Incomplete { .. } | Self::ScanPending(_) => Retry::Later,
        }
    }
}
