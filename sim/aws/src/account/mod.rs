//! The account and region in which everything happens, its time, and its events.

pub(crate) mod events;
pub(crate) mod principals;
pub(crate) mod time;

use crate::shared::Shared;
use time::TimeSource;

#[derive(Clone)]
pub(crate) struct Account {
    pub(crate) id: String,
    pub(crate) region: String,
    time: TimeSource,
    identifiers: Shared<u64>,
}

impl Account {
    pub(crate) fn new(id: &str, region: &str, time: TimeSource) -> Self {
        Self { id: id.to_owned(), region: region.to_owned(), time, identifiers: Shared::default() }
    }

    /// Milliseconds since 1970.
    pub(crate) fn now(&self) -> i64 {
        (self.time)()
    }

    /// A new identifier in the form of a UUID. It is counted and not random, so that a run can be repeated.
    pub(crate) fn next_identifier(&self) -> String {
        self.identifiers.with(|count| {
            *count += 1;
            format!("00000000-0000-4000-8000-{:012x}", *count)
        })
    }
}
