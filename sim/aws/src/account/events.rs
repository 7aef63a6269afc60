//! The `EventBridge` events that the services emit, kept until they are taken.

use serde_json::{Value, json};

use super::Account;
use super::time::iso_seconds;
use crate::shared::Shared;

/// An event on its way to the rules of a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct EmittedEvent {
    /// The name of the event bus; `default` for the events of AWS services.
    pub bus: String,
    /// The whole event: `version`, `id`, `detail-type`, `source`, `account`, `time`, `region`, `resources`, `detail`.
    pub event: Value,
}

/// An event without the envelope that the bus adds.
pub(crate) struct Event<'a> {
    pub(crate) bus: &'a str,
    pub(crate) source: &'a str,
    pub(crate) detail_type: &'a str,
    pub(crate) account: &'a str,
    /// Milliseconds since 1970; now, unless the sender states a time.
    pub(crate) time: Option<i64>,
    pub(crate) resources: Vec<String>,
    pub(crate) detail: Value,
}

#[derive(Clone)]
pub(crate) struct EventLog {
    account: Account,
    /// Oldest first.
    events: Shared<Vec<EmittedEvent>>,
}

impl EventLog {
    pub(crate) fn new(account: Account) -> Self {
        Self { account, events: Shared::default() }
    }

    /// Adds the envelope of the `EventBridge` user guide, "`EventBridge` events", and returns the event's id.
    pub(crate) fn emit(&self, event: &Event<'_>) -> String {
        let id = self.account.next_identifier();
        let envelope = json!({
            "version": "0",
            "id": id,
            "detail-type": event.detail_type,
            "source": event.source,
            "account": event.account,
            "time": iso_seconds(event.time.unwrap_or_else(|| self.account.now())),
            "region": self.account.region,
            "resources": event.resources,
            "detail": event.detail,
        });
        self.events.with(|events| events.push(EmittedEvent { bus: event.bus.to_owned(), event: envelope }));
        id
    }

    pub(crate) fn take(&self) -> Vec<EmittedEvent> {
        self.events.with(std::mem::take)
    }
}
