//! Why a ledger cannot be loaded or stored.

use domain::image::{ImageError, ImageId};
use domain::ledger::EncodingError;
use thiserror::Error;

use crate::AwsError;

/// Why a ledger cannot be loaded or stored.
#[derive(Debug, Error)]
pub enum LedgerError {
    #[error(transparent)]
    Aws(#[from] AwsError),
    #[error("ledger of {image}: {source}")]
    Encoding { image: Box<ImageId>, source: EncodingError },
    /// An attribute of the item is missing or invalid.
    #[error("ledger of {image}: attribute {attribute}: {reason}")]
    Attribute { image: Box<ImageId>, attribute: &'static str, reason: String },
    /// An item whose key names no image.
    #[error("ledger with the key {key:?}: {source}")]
    Key { key: String, source: ImageError },
    #[error("ledger of {image} is too large: {findings} findings in {bytes} bytes, DynamoDB takes 400 KB")]
    TooLarge { image: Box<ImageId>, findings: usize, bytes: usize },
    /// Other invocations kept storing newer versions.
    #[error("ledger of {image} changed during each of {attempts} attempts to store it")]
    Contention { image: Box<ImageId>, attempts: u32 },
}

impl LedgerError {
    /// The image whose ledger it is about.
    pub(super) fn into_image(self) -> Option<ImageId> {
        match self {
            Self::Aws(_) | Self::Key { .. } => None,
            Self::Encoding { image, .. }
            | Self::Attribute { image, .. }
            | Self::TooLarge { image, .. }
            | Self::Contention { image, .. } => Some(*image),
        }
    }

    /// Whether a retry may succeed.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Aws(error) => error.retryable,
            Self::Contention { .. } => true,
            Self::Encoding { .. } | Self::Attribute { .. } | Self::Key { .. } | Self::TooLarge { .. } => {
                false
            }
        }
    }
}

pub(super) fn wrong(image: &ImageId, attribute: &'static str, reason: impl Into<String>) -> LedgerError {
    LedgerError::Attribute { image: Box::new(image.clone()), attribute, reason: reason.into() }
}
