//! "Image Due": our own message that an image has to be judged, because something changed that its own events do not
//! say. It has the form of an EventBridge event, but goes to a queue directly.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{Envelope, Event, EventError};
use crate::assessment::EVENT_SOURCE;
use crate::image::ImageId;
use crate::ledger::{CoverageAnswer, Evidence};
use crate::policy::Fingerprint;

/// Its `detail-type`.
pub(super) const DETAIL_TYPE: &str = "Image Due";

/// An image that has to be judged, with what its sender has learnt of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImageDue {
    #[serde(flatten)]
    pub image: ImageId,
    /// By which policy it is to be judged, and since when that is wanted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<(Timestamp, Fingerprint)>,
    /// Since when its repository is watched, if it was pushed before that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_at: Option<Timestamp>,
    /// What the registry has of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<Registered>,
    /// What Inspector says of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<(Timestamp, CoverageAnswer)>,
    /// Whether findings of it are known to have changed of which the ledger does not know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    /// Whether the registry has other tags of it than the ledger, or does not have it any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub registry_differs: bool,
}

/// What the registry had of an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registered {
    pub at: Timestamp,
    pub tags: Vec<String>,
    pub pushed_at: Timestamp,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
}

impl ImageDue {
    /// An image of which nothing else is to be said.
    pub fn new(image: ImageId) -> Self {
        Self {
            image,
            policy: None,
            adopted_at: None,
            registered: None,
            coverage: None,
            unseen: false,
            registry_differs: false,
        }
    }

    /// The message, as [`Event::parse`] reads it.
    pub fn message(&self) -> String {
        json!({ "source": EVENT_SOURCE, "detail-type": DETAIL_TYPE, "detail": self }).to_string()
    }

    /// What its sender has learnt of the image, but for what Inspector says: of an image that was not scanned as far as events
    /// say, that has to be held against the list of its findings first.
    pub fn evidence(&self) -> impl Iterator<Item = Evidence> {
        let registered = self.registered.clone().map(|Registered { at, tags, pushed_at, media_type }| {
            [Evidence::Tagged { at, tags }, Evidence::Described { pushed_at, media_type }]
        });
        let adopted = self.adopted_at.map(|at| Evidence::Adopted { at });
        registered.into_iter().flatten().chain(adopted)
    }
}

pub(super) fn image_due(envelope: &Envelope) -> Result<Event, EventError> {
    Ok(Event::Due(Box::new(envelope.detail()?)))
}
