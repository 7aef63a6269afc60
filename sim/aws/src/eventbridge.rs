//! Amazon `EventBridge`: buses that accept events. `EventBridge` API reference, `PutEvents`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::account::Account;
use crate::account::events::{Event, EventLog};
use crate::shared::Shared;
use crate::wire::error::ApiError;
use crate::wire::parameters::Parameters;

const ENTRIES: usize = 10;
/// User guide, "Calculating `PutEvents` event entry size": the request must be smaller than 1 MB.
const REQUEST_BYTES: usize = 1024 * 1024;
const TIME_BYTES: usize = 14;

#[derive(Default)]
struct State {
    buses: BTreeSet<String>,
    failing_entries: u64,
}

/// The events that the buses accept appear in `SimulatedAws::take_events`.
#[derive(Clone)]
pub struct EventBridge {
    account: Account,
    events: EventLog,
    state: Shared<State>,
}

/// Why one entry of a request failed.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error("Parameter {0} is not valid. Reason: {0} is a required argument.")]
    Missing(&'static str),
    #[error("Detail is malformed.")]
    MalformedDetail,
    #[error("Not authorized for the source.")]
    ReservedSource,
    #[error("injected failure of this entry")]
    Internal,
}

impl EntryError {
    fn code(&self) -> &'static str {
        match self {
            Self::Missing(_) => "InvalidArgument",
            Self::MalformedDetail => "MalformedDetail",
            Self::ReservedSource => "NotAuthorizedForSourceException",
            Self::Internal => "InternalFailure",
        }
    }
}

impl EventBridge {
    pub(crate) fn new(account: Account, events: EventLog) -> Self {
        Self { account, events, state: Shared::default() }
    }

    /// Creates a bus in addition to `default`, by name or ARN.
    pub fn create_bus(&self, name: &str) {
        self.state.with(|state| state.buses.insert(name_of(name).to_owned()));
    }

    /// Makes the next so many entries fail with `InternalFailure`, in a response of HTTP 200.
    pub fn fail_entries(&self, count: u64) {
        self.state.with(|state| state.failing_entries = count);
    }

    pub(crate) fn handle(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        if operation != "PutEvents" {
            return Err(ApiError::unknown_operation(&format!("events:{operation}")));
        }
        let entries = Parameters(body).list("Entries");
        if entries.is_empty() || entries.len() > ENTRIES {
            return Err(ApiError::validation(format!("Entries must have 1 to {ENTRIES} members")));
        }
        if entries.iter().map(size).sum::<usize>() >= REQUEST_BYTES {
            return Err(ApiError::validation("Total size of the entries in the request is over the limit."));
        }
        let results: Vec<_> = entries.iter().map(|entry| self.put(Parameters(entry))).collect();
        let failed = results.iter().filter(|result| result.is_err()).count();
        let entries: Vec<_> = results
            .into_iter()
            .map(|result| match result {
                Ok(id) => json!({"EventId": id}),
                Err(error) => json!({"ErrorCode": error.code(), "ErrorMessage": error.to_string()}),
            })
            .collect();
        Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn exists(&self, bus: &str) -> bool {
        bus == "default" || self.state.with(|state| state.buses.contains(bus))
    }

    /// Returns the event's id. As in AWS, an event for a bus that does not exist is accepted and lost.
    fn put(&self, entry: Parameters<'_>) -> Result<String, EntryError> {
        let required =
            |name| entry.text(name).filter(|text| !text.is_empty()).ok_or(EntryError::Missing(name));
        let source = required("Source")?;
        let detail_type = required("DetailType")?;
        let detail = required("Detail")?;
        if source.starts_with("aws.") {
            return Err(EntryError::ReservedSource);
        }
        let detail: Value =
            serde_json::from_str(detail).ok().filter(Value::is_object).ok_or(EntryError::MalformedDetail)?;
        let fails = self.state.with(|state| {
            let fails = state.failing_entries > 0;
            state.failing_entries = state.failing_entries.saturating_sub(1);
            fails
        });
        if fails {
            return Err(EntryError::Internal);
        }
        #[allow(clippy::cast_possible_truncation)]
        // Milliseconds of this era are far from the end of 64 bits.
        let time =
            entry.0.get("Time").and_then(Value::as_f64).map(|seconds| (seconds * 1000.0).round() as i64);
        let bus = bus_of(entry);
        if !self.exists(bus) {
            return Ok(self.account.next_identifier());
        }
        Ok(self.events.emit(&Event {
            bus,
            source,
            detail_type,
            account: &self.account.id,
            time,
            resources: entry.texts("Resources").into_iter().map(str::to_owned).collect(),
            detail,
        }))
    }
}

fn bus_of(entry: Parameters<'_>) -> &str {
    entry.text("EventBusName").map_or("default", name_of)
}

/// The name in `arn:aws:events:<region>:<account>:event-bus/<name>`, or the name itself.
fn name_of(name_or_arn: &str) -> &str {
    name_or_arn.split_once(":event-bus/").map_or(name_or_arn, |(_, name)| name)
}

fn size(entry: &Value) -> usize {
    let entry = Parameters(entry);
    let texts = ["Source", "DetailType", "Detail"].into_iter().filter_map(|name| entry.text(name));
    let resources = entry.texts("Resources");
    let time = if entry.0.get("Time").is_some() { TIME_BYTES } else { 0 };
    time + texts.chain(resources).map(str::len).sum::<usize>()
}
