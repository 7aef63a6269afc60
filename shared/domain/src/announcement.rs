//! What every event on our own bus has in common: it is ours, and its detail has a version.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use thiserror::Error;

/// The `source` of our events.
pub const EVENT_SOURCE: &str = "ecr-warden";

/// An announcement that cannot be read. No retry can help.
#[derive(Debug, Error)]
pub enum AnnouncementError {
    /// Not an event that we announce, or not in this version's form.
    #[error("announcement cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A form that this version does not know.
    #[error("announcement has schema {0}, this program reads {1}")]
    Schema(u32, u32),
}

#[derive(Deserialize)]
struct Announcement<D> {
    detail: D,
}

#[derive(Deserialize)]
struct Versioned {
    schema: u32,
}

/// The detail of an event, which must have this schema. The schema is read first: another one may have any form.
pub(crate) fn detail<T: DeserializeOwned>(json: &str, schema: u32) -> Result<T, AnnouncementError> {
    let Announcement { detail: Versioned { schema: stated } } = serde_json::from_str(json)?;
    if stated != schema {
        return Err(AnnouncementError::Schema(stated, schema));
    }
    Ok(serde_json::from_str::<Announcement<T>>(json)?.detail)
}
