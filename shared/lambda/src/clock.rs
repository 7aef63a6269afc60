//! The source of the current time.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;

/// The machine's clock in production; a fixed one where a run must be repeatable.
#[derive(Debug, Clone)]
pub enum Clock {
    System,
    /// Epoch milliseconds, which the owner of the counter moves.
    Set(Arc<AtomicI64>),
}

impl Clock {
    /// A clock that stands still.
    pub fn set_to(now: Timestamp) -> Self {
        Self::Set(Arc::new(AtomicI64::new(now.as_millisecond())))
    }

    /// The time in whole milliseconds, as AWS gives it.
    pub fn now(&self) -> Timestamp {
        match self {
            Self::System => domain::time::whole_milliseconds(Timestamp::now()),
            Self::Set(millis) => {
                Timestamp::from_millisecond(millis.load(Ordering::SeqCst)).unwrap_or_default()
            }
        }
    }
}
