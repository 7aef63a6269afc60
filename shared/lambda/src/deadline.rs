//! When an invocation must have answered.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// How long before the end no new work starts: work in progress needs time for its retries.
const RESERVE: Duration = Duration::from_secs(15);

/// How long before the end work in progress is cut off, so that the function can still report what is done.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// The end of an invocation. Lambda kills a function that reaches it, and SQS then returns the whole batch, with the
/// messages that are done and those that were never processed; after five times, they are dead letters.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<SystemTime>);

impl Deadline {
    /// The deadline that Lambda states. One that is already over is ignored: `cargo lambda watch` states a duration of
    /// ten minutes instead of a time.
    pub fn of(context: &Context) -> Self {
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline));
        Self(end.filter(|end| *end > SystemTime::now()))
    }

    pub fn at(end: SystemTime) -> Self {
        Self(Some(end))
    }

    /// No deadline, for a caller that waits as long as it takes.
    pub fn never() -> Self {
        Self(None)
    }

    /// Does work if there is time to start it, for as long as there is time. Returns `None` if it was not started or not
    /// finished, so the work must be safe to cut off anywhere and to repeat.
    pub async fn limit<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let Some(end) = self.0 else { return Some(work.await) };
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::timeout(usable(left)?, work).await.ok()
    }
}

/// How much of the remaining time work may take; `None` if it must not start.
fn usable(left: Duration) -> Option<Duration> {
    (left > RESERVE).then(|| left.saturating_sub(LAST_WORDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_started(deadline: Deadline) -> bool {
        deadline.limit(async {}).await.is_some()
    }

    fn within(time: Duration) -> Deadline {
        Deadline::at(SystemTime::now() + time)
    }

    #[tokio::test]
    async fn no_work_starts_when_little_time_is_left() {
        assert!(!is_started(within(Duration::ZERO)).await);
        assert!(!is_started(within(RESERVE)).await);
        assert!(is_started(within(RESERVE * 2)).await);
        assert!(is_started(Deadline::never()).await);
    }

    #[test]
    fn work_is_cut_off_before_the_end() {
        assert_eq!(usable(Duration::from_mins(1)), Some(Duration::from_secs(57)));
        assert_eq!(usable(Duration::from_secs(16)), Some(Duration::from_secs(13)));
        assert_eq!(usable(Duration::from_secs(15)), None);
    }

    #[tokio::test]
    async fn lambda_states_the_deadline_in_epoch_milliseconds() {
        let of = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            Deadline::of(&context)
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let within = |time: Duration| of(u64::try_from((now + time).as_millis()).unwrap());
        assert!(!is_started(within(RESERVE / 2)).await);
        assert!(is_started(within(RESERVE * 2)).await);
        assert!(is_started(of(600_000)).await, "a duration, as cargo lambda watch states it");
    }
}
