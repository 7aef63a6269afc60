//! One event on its way in.

use std::collections::BTreeMap;

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

/// The account and the region that received a stream: those in most of its envelopes.
pub fn receiver(deliveries: &[Delivery]) -> Option<(String, String)> {
    let mut counts: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for event in deliveries.iter().filter_map(|delivery| delivery.event.as_ref().ok()) {
        let text = |name: &str| event.get(name).and_then(Value::as_str);
        if let (Some(account), Some(region)) = (text("account"), text("region")) {
            *counts.entry((account, region)).or_default() += 1;
        }
    }
    let ((account, region), _) = counts.into_iter().max_by_key(|(_, count)| *count)?;
    Some((account.to_owned(), region.to_owned()))
}
