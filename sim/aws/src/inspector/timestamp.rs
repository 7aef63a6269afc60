//! The timestamp formats of Inspector.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde_json::Value;

/// Larger numbers are milliseconds: as seconds they would lie after the year 5138.
const LARGEST_SECONDS: f64 = 1e11;

/// Reads a timestamp in any of Inspector's formats, as seconds since 1970.
///
/// Events have had `Wed Sep 04 16:55:38.411 UTC 2024` (since 2024) and `Dec 3, 2021, 6:02:30 PM` (before),
/// findings about machine images have ISO 8601, and the API has seconds since 1970
/// (Inspector user guide, "`EventBridge` event schema"; Inspector2 API model).
pub(crate) fn seconds(timestamp: &Value) -> Option<f64> {
    match timestamp {
        Value::Number(number) => {
            let number = number.as_f64()?;
            Some(if number.abs() > LARGEST_SECONDS { number / 1000.0 } else { number })
        }
        Value::String(text) => from_text(text).map(|timestamp| {
            #[allow(clippy::cast_precision_loss)] // Milliseconds of this era fit a double's 53 bits.
            let milliseconds = timestamp.as_millisecond() as f64;
            milliseconds / 1000.0
        }),
        _ => None,
    }
}

fn from_text(text: &str) -> Option<Timestamp> {
    // Newer Java runtimes put a narrow space before AM and PM.
    let text = text.replace('\u{202f}', " ");
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp);
    }
    ["%a %b %d %H:%M:%S%.f UTC %Y", "%b %d, %Y, %I:%M:%S %p"]
        .iter()
        .find_map(|format| DateTime::strptime(format, &text).ok())
        .and_then(|timestamp| TimeZone::UTC.to_timestamp(timestamp).ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::seconds;

    #[test]
    fn every_timestamp_format_is_read() {
        assert_eq!(seconds(&json!("Wed Sep 04 16:55:38.411 UTC 2024")), Some(1_725_468_938.411));
        assert_eq!(seconds(&json!("Wed Sep 04 16:55:38 UTC 2024")), Some(1_725_468_938.0));
        assert_eq!(seconds(&json!("Dec 3, 2021, 6:02:30 PM")), Some(1_638_554_550.0));
        assert_eq!(seconds(&json!("Dec 3, 2021, 6:02:30\u{202f}PM")), Some(1_638_554_550.0));
        assert_eq!(seconds(&json!("Oct 16, 2019, 12:00:00 AM")), Some(1_571_184_000.0));
        assert_eq!(seconds(&json!("2024-09-04T16:55:38.411Z")), Some(1_725_468_938.411));
        assert_eq!(seconds(&json!(1_725_468_938.411)), Some(1_725_468_938.411));
        assert_eq!(seconds(&json!(1_725_468_938_411_u64)), Some(1_725_468_938.411));
        assert_eq!(seconds(&json!("yesterday")), None);
    }
}
