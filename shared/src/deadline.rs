//! Until when a function must have answered.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// How long before the end nothing new is begun: what is under way then needs time, too, with its retries.
const RESERVE: Duration = Duration::from_secs(15);

/// The end of an invocation. Lambda kills a function that runs into it, and SQS gives back the whole batch then,
/// with the messages that are done and those that were never looked at; five times, and they are dead letters.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<SystemTime>);

impl Deadline {
    /// An invocation's, as Lambda states it. One that is over as the invocation begins is none: `cargo lambda watch`
    /// states ten minutes and not a time.
    pub fn of(context: &Context) -> Self {
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline));
        Self(end.filter(|end| *end > SystemTime::now()))
    }

    /// At this time.
    pub fn at(end: SystemTime) -> Self {
        Self(Some(end))
    }

    /// None: nobody waits for the answer.
    pub fn never() -> Self {
        Self(None)
    }

    /// Whether it is too late to begin anything.
    pub fn is_near(self) -> bool {
        self.0.is_some_and(|end| SystemTime::now() + RESERVE >= end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(time: Duration) -> Deadline {
        Deadline::at(SystemTime::now() + time)
    }

    #[test]
    fn little_time_is_too_late_and_no_deadline_never_is() {
        assert!(within(Duration::ZERO).is_near());
        assert!(within(RESERVE).is_near());
        assert!(!within(RESERVE * 2).is_near());
        assert!(!Deadline::never().is_near());
    }

    #[test]
    fn lambda_states_it_in_milliseconds_since_1970() {
        let mut context = Context::default();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        context.deadline = u64::try_from((now + RESERVE / 2).as_millis()).unwrap();
        assert!(Deadline::of(&context).is_near());
        context.deadline = u64::try_from((now + RESERVE * 2).as_millis()).unwrap();
        assert!(!Deadline::of(&context).is_near());
        context.deadline = 600_000;
        assert!(!Deadline::of(&context).is_near(), "a span, as cargo lambda watch states it");
    }
}
