//! The four forms in which AWS writes a time.

use std::fmt;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::tz::TimeZone;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer};
use thiserror::Error;

/// A text or number that is none of the forms that AWS uses.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("{0:?} is not a time in any form that AWS uses")]
pub struct TimeError(String);

/// Reads a time in any of the forms:
/// `Wed Sep 04 16:55:38.411 UTC 2024` (Inspector2 Finding events since 2024),
/// `Dec 3, 2021, 6:02:30 PM` (the same until 2023, always UTC),
/// `2024-09-04T16:55:38.411Z` (ISO 8601), and epoch seconds as a number (the Inspector API).
/// The result has whole milliseconds.
pub fn parse(text: &str) -> Result<Timestamp, TimeError> {
    let text = text.trim();
    let parsed = if text.starts_with(|first: char| first.is_ascii_alphabetic()) {
        in_words(text)
    } else {
        text.parse::<Timestamp>().ok()
    };
    parsed.map(whole_milliseconds).ok_or_else(|| TimeError(text.chars().take(60).collect()))
}

fn in_words(text: &str) -> Option<Timestamp> {
    // `strtime` knows no "UTC" literal as a zone before the year, so the formats name it as text.
    let read = |format: &str, text: &str| {
        let civil: DateTime = BrokenDownTime::parse(format, text).ok()?.to_datetime().ok()?;
        TimeZone::UTC.to_timestamp(civil).ok()
    };
    read("%a %b %d %H:%M:%S%.f UTC %Y", text)
        .or_else(|| read("%b %d, %Y, %I:%M:%S %p", &text.replace('\u{202f}', " ")))
}

/// Reads epoch seconds with a fraction, as the Inspector API sends them.
pub fn from_epoch_seconds(seconds: f64) -> Result<Timestamp, TimeError> {
    let wrong = || TimeError(seconds.to_string());
    if !seconds.is_finite() || seconds.abs() > 1e11 {
        return Err(wrong());
    }
    // The bound above keeps the product far inside of an i64.
    #[allow(clippy::cast_possible_truncation)]
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64).map_err(|_| wrong())
}

/// Cuts what is finer than a millisecond: the same moment must compare equal from whichever source it came.
pub fn whole_milliseconds(time: Timestamp) -> Timestamp {
    // The last second that there is has milliseconds which `from_millisecond` does not take.
    Timestamp::from_millisecond(time.as_millisecond())
        .or_else(|_| Timestamp::from_second(time.as_second()))
        .unwrap_or(time)
}

/// For `#[serde(deserialize_with)]` on an optional time field.
pub(crate) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    Ok(Option::<Written>::deserialize(deserializer)?.map(|Written(time)| time))
}

/// For `#[serde(deserialize_with)]` on a required time field.
pub(crate) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    Written::deserialize(deserializer).map(|Written(time)| time)
}

/// What AWS puts into a time field of an event: a text, or a number of seconds.
struct Written(Timestamp);

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Form)
    }
}

struct Form;

impl Visitor<'_> for Form {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a time as text or in seconds")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Written, E> {
        parse(text).map(Written).map_err(E::custom)
    }

    fn visit_f64<E: Error>(self, seconds: f64) -> Result<Written, E> {
        from_epoch_seconds(seconds).map(Written).map_err(E::custom)
    }

    // Seconds that are out of range are refused, whether the cast loses their last digits or not.
    #[allow(clippy::cast_precision_loss)]
    fn visit_u64<E: Error>(self, seconds: u64) -> Result<Written, E> {
        self.visit_f64(seconds as f64)
    }

    #[allow(clippy::cast_precision_loss)]
    fn visit_i64<E: Error>(self, seconds: i64) -> Result<Written, E> {
        self.visit_f64(seconds as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_forms_name_the_same_moment() {
        let moment: Timestamp = "2024-09-04T16:55:38.411Z".parse().unwrap();
        assert_eq!(parse("Wed Sep 04 16:55:38.411 UTC 2024").unwrap(), moment);
        assert_eq!(parse("2024-09-04T16:55:38.411Z").unwrap(), moment);
        assert_eq!(from_epoch_seconds(1_725_468_938.411).unwrap(), moment);
        let older: Timestamp = "2021-12-03T18:02:30Z".parse().unwrap();
        assert_eq!(parse("Dec 3, 2021, 6:02:30 PM").unwrap(), older);
        assert_eq!(parse("Dec 3, 2021, 6:02:30\u{202f}PM").unwrap(), older);
    }

    #[test]
    fn offsets_are_followed_and_the_finest_part_is_cut() {
        let moment: Timestamp = "2024-09-04T16:55:38.411Z".parse().unwrap();
        assert_eq!(parse("2024-09-04T18:55:38.411999+02:00").unwrap(), moment);
    }

    #[test]
    fn earliest_and_latest_time_can_be_stored_in_milliseconds() {
        for time in [Timestamp::MIN, Timestamp::MAX] {
            let whole = parse(&time.to_string()).unwrap();
            assert_eq!(Timestamp::from_millisecond(whole.as_millisecond()).unwrap(), whole);
            assert_eq!(whole.as_second(), time.as_second());
        }
    }

    #[test]
    fn nonsense_is_refused_and_quoted() {
        for wrong in ["", "yesterday", "Wed Feb 30 16:55:38.411 UTC 2024", "2023-02-29T00:00:00Z"] {
            assert_eq!(parse(wrong), Err(TimeError(wrong.into())));
        }
        assert!(from_epoch_seconds(f64::NAN).is_err());
        assert!(from_epoch_seconds(1e300).is_err());
    }
}
