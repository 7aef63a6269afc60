//! One time through the images that are due.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// All images that are due by a moment, each of which is sent once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Round {
    /// What is due by then.
    pub until: Timestamp,
    /// The shard that is read.
    pub shard: u8,
    /// Up to where it was.
    #[serde(default)]
    pub position: Option<Position>,
}

/// A place in the index of all images, in the table's own words: what stands there may be unreadable.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Position {
    /// The number by which it is sorted.
    pub due: String,
    pub id: String,
}

impl Round {
    pub fn new(until: Timestamp) -> Self {
        Self { until, shard: 0, position: None }
    }

    /// What is left after a page that ended there; `None` if nothing is.
    pub fn after_page(self, next: Option<Position>, shards: u8) -> Option<Self> {
        match next {
            Some(_) => Some(Self { position: next, ..self }),
            None if self.shard + 1 < shards => Some(Self { shard: self.shard + 1, position: None, ..self }),
            None => None,
        }
    }
}
