//! Time, which only ever comes from the caller, so that a run can be repeated.

use std::sync::Arc;

use jiff::Timestamp;

/// Tells the time: milliseconds since 1970-01-01T00:00:00Z.
pub type Clock = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Writes a moment as `EventBridge` does: `2026-11-21T11:17:00Z`, whole seconds.
///
/// A moment that no calendar knows (before the year -9999 or after 9999) is written as 1970.
pub(crate) fn iso_seconds(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// Converts to the form that AWS's JSON protocols use for timestamps: seconds since 1970, with a fraction.
#[allow(clippy::cast_precision_loss)] // Milliseconds of this era fit a double's 53 bits.
pub(crate) fn epoch_seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
