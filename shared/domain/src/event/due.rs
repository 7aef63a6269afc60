//! "Image Due": our own message that an image has to be judged, because something changed that its own events do not
//! say. It has the form of an EventBridge event, but goes to a queue directly.

use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Envelope, Event, EventError};
use crate::assessment::EVENT_SOURCE;
use crate::image::ImageId;

/// Its `detail-type`.
pub(super) const DETAIL_TYPE: &str = "Image Due";

/// An image that has to be judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDue {
    #[serde(flatten)]
    pub image: ImageId,
}

impl ImageDue {
    /// The message, as [`Event::parse`] reads it.
    pub fn message(&self) -> String {
        json!({ "source": EVENT_SOURCE, "detail-type": DETAIL_TYPE, "detail": self }).to_string()
    }
}

pub(super) fn image_due(envelope: &Envelope) -> Result<Event, EventError> {
    Ok(Event::Due(envelope.detail()?))
}
