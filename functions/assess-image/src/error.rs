//! What can go wrong while an image is assessed.

use aws::AwsError;
use aws::dynamodb::LedgerError;
use aws::inspector::FindingsError;
use domain::finding::Source;
use lambda::batch::Retryable;
use thiserror::Error;

/// Why an image could not be assessed.
#[derive(Debug, Error)]
pub enum AssessError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Findings(#[from] FindingsError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// A scan says that it is complete, but not all that it found can be listed yet.
    #[error("{from} reports {total} findings, of which {listed} are listed so far")]
    Incomplete { from: Source, total: String, listed: usize },
    #[error("the result of the basic scan is not available yet: its status is {0}")]
    ScanPending(String),
}

impl Retryable for AssessError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Findings(error) => error.is_retryable(),
            Self::Aws(error) => error.retryable,
            Self::Incomplete { .. } | Self::ScanPending(_) => true,
        }
    }
}
