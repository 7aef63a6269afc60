//! The `EventBridge` events that the services send, kept until somebody takes them.

use serde_json::{Value, json};

use crate::clock::{Clock, iso_seconds};
use crate::guarded::Guarded;

/// One event on its way to the rules of a bus.
#[derive(Debug, Clone, PartialEq)]
pub struct Emitted {
    /// The name of the event bus; `default` for the events of AWS services.
    pub bus: String,
    /// The whole event: `version`, `id`, `detail-type`, `source`, `account`, `time`, `region`, `resources`, `detail`.
    pub event: Value,
}

/// Where and when everything in here happens.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) clock: Clock,
    identifiers: Guarded<u64>,
}

impl Home {
    pub(crate) fn new(account: &str, region: &str, clock: Clock) -> Self {
        Self { account: account.to_owned(), region: region.to_owned(), clock, identifiers: Guarded::new(0) }
    }

    /// The time now, in milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        (self.clock)()
    }

    /// A fresh identifier in the form of a UUID, counted and not drawn, so that a run can be repeated.
    pub(crate) fn next_identifier(&self) -> String {
        self.identifiers.with(|count| {
            *count += 1;
            format!("00000000-0000-4000-8000-{:012x}", *count)
        })
    }
}

/// What an event says, without the envelope that the bus adds.
pub(crate) struct Announcement<'a> {
    pub(crate) bus: &'a str,
    pub(crate) source: &'a str,
    pub(crate) detail_type: &'a str,
    pub(crate) account: &'a str,
    /// Milliseconds since 1970; now, unless the sender states a time.
    pub(crate) time: Option<i64>,
    pub(crate) resources: Vec<String>,
    pub(crate) detail: Value,
}

/// The log of events, oldest first.
#[derive(Clone)]
pub(crate) struct Emissions {
    home: Home,
    log: Guarded<Vec<Emitted>>,
}

impl Emissions {
    pub(crate) fn new(home: Home) -> Self {
        Self { home, log: Guarded::default() }
    }

    /// Wraps the announcement in the envelope of the "`EventBridge` events" page of the `EventBridge`
    /// user guide, and answers its id.
    pub(crate) fn emit(&self, announcement: &Announcement<'_>) -> String {
        let id = self.home.next_identifier();
        let event = json!({
            "version": "0",
            "id": id,
            "detail-type": announcement.detail_type,
            "source": announcement.source,
            "account": announcement.account,
            "time": iso_seconds(announcement.time.unwrap_or_else(|| self.home.now())),
            "region": self.home.region,
            "resources": announcement.resources,
            "detail": announcement.detail,
        });
        self.log.with(|log| log.push(Emitted { bus: announcement.bus.to_owned(), event }));
        id
    }

    pub(crate) fn take(&self) -> Vec<Emitted> {
        self.log.with(std::mem::take)
    }
}
