//! What can go wrong in a run.

use aws::AwsError;
use aws::dynamodb::{LedgerError, NotesError};
use lambda::batch::{Retry, Retryable};
use thiserror::Error;

/// Why a run could not do all that it should. What it remembers is what it did.
#[derive(Debug, Error)]
pub enum SweepError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error("what the sweep remembers: {0}")]
    Memory(#[from] NotesError),
}

impl SweepError {
    /// Whether AWS lets no more calls through for now.
    pub(crate) fn is_throttled(&self) -> bool {
        matches!(self, Self::Aws(error) if error.is_throttled())
    }

    /// Whether another run goes on from here.
    pub(crate) fn is_conflict(&self) -> bool {
        matches!(self, Self::Memory(NotesError::Conflict(_)))
    }
}

impl Retryable for SweepError {
    /// The schedule comes again in any case, but a run that failed is to be seen.
    fn retry(&self) -> Retry {
        match self {
            Self::Aws(error) => error.retry(),
            Self::Ledger(error) => error.retry(),
            Self::Memory(error) => Retry::if_it_may_help(error.is_retryable()),
        }
    }
}
