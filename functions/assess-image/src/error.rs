//! What can go wrong while an image is assessed.

use shared::aws::{AwsError, FindingsError, LedgerError};
use shared::finding::Source;
use thiserror::Error;

/// Why an image could not be assessed.
#[derive(Debug, Error)]
pub enum AssessError {
    /// The ledger cannot be loaded or stored.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The findings cannot be had.
    #[error(transparent)]
    Findings(#[from] FindingsError),
    /// Another call failed.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// Others kept storing newer versions of the ledger.
    #[error("the ledger changed under every one of {0} attempts to store it")]
    Contention(u32),
    /// A scan says that it is complete, but not all that it found can be listed yet.
    #[error("{from} says {total} findings, of which {listed} are listed so far")]
    Incomplete {
        /// Whose scan.
        from: Source,
        /// How many there are said to be.
        total: String,
        /// How many were listed.
        listed: usize,
    },
    /// The invocation ends too soon for one more image.
    #[error("the function's time was nearly over before this image was done")]
    NoTimeLeft,
    /// The result of a scan is not there yet.
    #[error("the result of the basic scan is not there yet: {0}")]
    NotThereYet(String),
}

impl AssessError {
    /// Whether the same may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Findings(error) => error.is_retryable(),
            Self::Aws(error) => error.retryable,
            Self::Contention(_) | Self::Incomplete { .. } | Self::NotThereYet(_) | Self::NoTimeLeft => true,
        }
    }
}
