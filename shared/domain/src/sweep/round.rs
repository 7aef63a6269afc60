//! One time through the images that are due.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::image::ImageId;

/// All images that are due by a moment, each of which is sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// What is due by then.
    pub until: Timestamp,
    /// The shard that is read.
    pub shard: u8,
    /// The last image of it that was sent.
    pub after: Option<(i64, ImageId)>,
}

impl Round {
    pub fn new(until: Timestamp) -> Self {
        Self { until, shard: 0, after: None }
    }

    /// What is left after a page that ended there; `None` if nothing is.
    pub fn after_page(self, next: Option<(i64, ImageId)>, shards: u8) -> Option<Self> {
        match next {
            Some(_) => Some(Self { after: next, ..self }),
            None if self.shard + 1 < shards => Some(Self { shard: self.shard + 1, after: None, ..self }),
            None => None,
        }
    }
}
