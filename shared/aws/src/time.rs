//! Times as the SDK reads them from an API.

use aws_smithy_types::DateTime;
use jiff::Timestamp;

/// A time in whole milliseconds; `None` where it is out of range. An API writes a time as a double of seconds, in which
/// a millisecond may be a little less than itself, so it is rounded: the events state the same time exactly.
pub(crate) fn timestamp(time: &DateTime) -> Option<Timestamp> {
    let nanoseconds = i64::from(time.subsec_nanos()) + 500_000;
    Timestamp::from_millisecond(time.secs().checked_mul(1_000)?.checked_add(nanoseconds / 1_000_000)?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_of_an_api_is_the_one_that_the_event_states() {
        for millisecond in 1_725_468_938_000_i64..1_725_468_939_000 {
            #[allow(clippy::cast_precision_loss)] // As the API does it.
            let seconds = millisecond as f64 / 1_000.0;
            let read = timestamp(&DateTime::from_secs_f64(seconds)).unwrap();
            assert_eq!(read.as_millisecond(), millisecond);
        }
    }

    #[test]
    fn times_before_1970_are_rounded_the_same_way() {
        assert_eq!(timestamp(&DateTime::from_secs_and_nanos(-1, 999_600_000)).unwrap().as_millisecond(), 0);
        assert_eq!(
            timestamp(&DateTime::from_secs_and_nanos(-1, 250_000_000)).unwrap().as_millisecond(),
            -750
        );
        assert_eq!(timestamp(&DateTime::from_secs(i64::MAX)), None);
    }
}
