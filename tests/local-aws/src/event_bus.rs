//! Amazon `EventBridge`: buses that take events. `EventBridge` API reference, `PutEvents`.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::answer::ApiError;
use crate::emissions::{Announcement, Emissions, Home};
use crate::guarded::Guarded;
use crate::parameters::Parameters;

const ENTRIES: usize = 10;
/// The user guide's "Calculating `PutEvents` event entry size": the request must be smaller than 1 MB.
const REQUEST_BYTES: usize = 1024 * 1024;
const TIME_BYTES: usize = 14;

#[derive(Default)]
struct State {
    buses: BTreeSet<String>,
    failing_entries: u64,
}

/// The buses. Everything that they take appears in `LocalAws::take_events`.
#[derive(Clone)]
pub struct EventBus {
    home: Home,
    emissions: Emissions,
    state: Guarded<State>,
}

/// Why one entry of a request was not taken, while others were.
#[derive(Debug, thiserror::Error)]
enum EntryError {
    #[error("Parameter {0} is not valid. Reason: {0} is a required argument.")]
    Missing(&'static str),
    #[error("Detail is malformed.")]
    MalformedDetail,
    #[error("Not authorized for the source.")]
    ReservedSource,
    #[error("An injected failure of this entry")]
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

impl EventBus {
    pub(crate) fn new(home: Home, emissions: Emissions) -> Self {
        Self { home, emissions, state: Guarded::default() }
    }

    /// Creates a bus beside `default`, by name or ARN.
    pub fn create_bus(&self, name: &str) {
        self.state.with(|state| state.buses.insert(name_of(name).to_owned()));
    }

    /// Lets the next so many entries fail with `InternalFailure`, each within an answer of HTTP 200.
    pub fn fail_entries(&self, count: u64) {
        self.state.with(|state| state.failing_entries = count);
    }

    pub(crate) fn answer(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        if operation != "PutEvents" {
            return Err(ApiError::unknown_operation(&format!("events:{operation}")));
        }
        let entries = Parameters(body).list("Entries");
        if entries.is_empty() || entries.len() > ENTRIES {
            return Err(refused(format!("Entries must have 1 to {ENTRIES} members")));
        }
        if entries.iter().map(size).sum::<usize>() >= REQUEST_BYTES {
            return Err(refused("Total size of the entries in the request is over the limit.".to_owned()));
        }
        for entry in entries {
            self.check_bus(bus_of(Parameters(entry)))?;
        }
        let answers: Vec<_> = entries.iter().map(|entry| self.put(Parameters(entry))).collect();
        let failed = answers.iter().filter(|answer| answer.is_err()).count();
        let entries: Vec<_> = answers
            .into_iter()
            .map(|answer| match answer {
                Ok(id) => json!({"EventId": id}),
                Err(error) => json!({"ErrorCode": error.code(), "ErrorMessage": error.to_string()}),
            })
            .collect();
        Ok(json!({"FailedEntryCount": failed, "Entries": entries}))
    }

    fn check_bus(&self, bus: &str) -> Result<(), ApiError> {
        if bus == "default" || self.state.with(|state| state.buses.contains(bus)) {
            return Ok(());
        }
        let message = format!("Event bus {bus} does not exist in {}.", self.home.region);
        Err(ApiError::refused("ResourceNotFoundException", message))
    }

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
        Ok(self.emissions.emit(&Announcement {
            bus: bus_of(entry),
            source,
            detail_type,
            account: &self.home.account,
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

fn refused(message: String) -> ApiError {
    ApiError::refused("ValidationException", message)
}
