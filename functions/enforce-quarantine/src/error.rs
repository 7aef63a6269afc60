//! Why the registry could not be made to agree with a verdict.

use aws::AwsError;
use aws::dynamodb::{LedgerError, NotesError};
use domain::assessment::AnnouncementError;
use domain::image::ImageId;
use lambda::batch::{Retry, Retryable};
use thiserror::Error;

/// How long to wait before looking again at an image that is being restored, in seconds. A restore takes up to 20 minutes.
const RESTORE_LOOK: u16 = 120;

#[derive(Debug, Error)]
pub enum QuarantineError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Notes(#[from] NotesError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The verdict changed under every one of the attempts to act on it.
    #[error("the verdict of {0} changed each time its tags had been made to agree with it")]
    Unsettled(Box<ImageId>),
    /// No failure: what is left to do is done when the image is active.
    #[error("{0} is being restored from the archive")]
    Restoring(Box<ImageId>),
    /// ECR says that the tag is there, and the image does not have it.
    #[error("{image} does not have the tag {tag} after it was put: another image has it, or it was removed")]
    NotThere { image: Box<ImageId>, tag: String },
    /// Its other tags went in the same moment. It has the quarantine tag now, and the next attempt decides about it.
    #[error("{0} was deleted with its last tag, because its other tags had gone by then, and was put back")]
    PutBack(Box<ImageId>),
    /// Its manifest is in the log.
    #[error("{image} was deleted with its last tag, and could not be put back")]
    Lost { image: Box<ImageId>, source: Box<QuarantineError> },
    /// An image that somebody gave our tag, and no other, in the moment in which that was removed.
    #[error("{image} was deleted with its last tag, one of {tags:?}, which somebody had moved to it")]
    OtherLost { image: Box<ImageId>, tags: Vec<String> },
}

impl QuarantineError {
    /// Whether there is no way to mark the image: it has as many tags as it can have, or another image has the mark.
    pub(crate) fn leaves_unmarked(&self) -> bool {
        match self {
            Self::NotThere { .. } => true,
            Self::Aws(error) => error.is("LimitExceeded"),
            _ => false,
        }
    }

    /// Whether somebody else changed what this invocation had read, so that it has to begin again.
    pub(crate) fn is_conflict(&self) -> bool {
        match self {
            Self::Notes(NotesError::Conflict(_)) => true,
            Self::Aws(error) => error.is("RepositoryNotFound"),
            _ => false,
        }
    }
}

impl Retryable for QuarantineError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Notes(error) => Retry::if_it_may_help(error.is_retryable()),
            Self::Aws(error) => error.retry(),
            Self::Restoring(_) => Retry::After(RESTORE_LOOK),
            Self::NotThere { .. } | Self::Unsettled(_) | Self::PutBack(_) => Retry::ByTheQueue,
            Self::Lost { .. } | Self::OtherLost { .. } => Retry::Never,
        }
    }
}

/// A message that cannot be read.
#[derive(Debug, Error)]
pub enum MessageError {
    #[error(transparent)]
    Announcement(#[from] AnnouncementError),
    #[error("message cannot be read: {0}")]
    Json(#[from] serde_json::Error),
}

impl Retryable for MessageError {
    fn retry(&self) -> Retry {
        Retry::Never
    }
}
