//! One event on its way in.

use jiff::Timestamp;
use serde_json::Value;

/// One line of input: an event, or something that EventBridge would never have delivered.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// Where it stood, as `events.jsonl:17`.
    pub origin: String,
    /// The event.
    pub event: Result<Value, Unreadable>,
}

/// Why a line is no event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable(pub String);

impl Delivery {
    /// When the event says that it happened; for a finding, when it was updated.
    pub fn time(&self) -> Option<Timestamp> {
        let event = self.event.as_ref().ok()?;
        event.get("time")?.as_str().and_then(|text| domain::time::parse(text).ok())
    }
}
