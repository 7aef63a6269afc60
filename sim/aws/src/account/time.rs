//! Time comes only from the caller, so that a run can be repeated.

use std::sync::Arc;

use jiff::Timestamp;

/// Returns the current time in milliseconds since 1970-01-01T00:00:00Z.
pub type TimeSource = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Formats a time as `EventBridge` does: `2026-11-21T11:17:00Z`, whole seconds.
///
/// A time outside the years -9999 to 9999 becomes 1970.
pub(crate) fn iso_seconds(milliseconds: i64) -> String {
    Timestamp::from_millisecond(milliseconds)
        .unwrap_or(Timestamp::UNIX_EPOCH)
        .strftime("%Y-%m-%dT%H:%M:%SZ")
        .to_string()
}

/// The timestamp format of AWS's JSON protocols: seconds since 1970, with a fraction.
#[allow(clippy::cast_precision_loss)] // Milliseconds of this era fit a double's 53 bits.
pub(crate) fn epoch_seconds(milliseconds: i64) -> f64 {
    milliseconds as f64 / 1000.0
}
