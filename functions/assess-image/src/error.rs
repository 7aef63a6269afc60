//! What can go wrong while an image is assessed.

use aws::AwsError;
use aws::dynamodb::LedgerError;
use aws::inspector::FindingsError;
use domain::event::Counts;
use domain::finding::Source;
use jiff::Timestamp;
use lambda::batch::Retryable;
use thiserror::Error;

/// Why an image could not be assessed, or not by all that there is to know of it.
#[derive(Debug, Error)]
pub enum AssessError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Findings(#[from] FindingsError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A scan says that it is complete, but what is listed cannot be all that it found.
    #[error("{from} reports {counts}, which does not agree with the {listed} that are listed so far")]
    Incomplete { from: Source, counts: Counts, listed: usize },
    #[error("the result of the basic scan is not available yet: its status is {0}")]
    ScanPending(String),
    /// The evidence is stored, but the next step must wait.
    #[error("{reason}; that can be told from {until}")]
    TooEarly { reason: &'static str, until: Timestamp },
}

impl Retryable for AssessError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Findings(error) => error.is_retryable(),
            Self::Aws(error) => error.retryable,
            Self::Incomplete { .. } | Self::ScanPending(_) | Self::TooEarly { .. } => true,
        }
    }
}
