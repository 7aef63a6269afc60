//! When an invocation must have answered.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;
use tokio::time::{Instant, timeout_at};

/// How long before the end no new work starts: work in progress needs time for its retries.
const RESERVE: Duration = Duration::from_secs(15);

/// How long before the end work in progress is cut off, so that what is left can be deferred.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// How long before the end the function stops deferring and answers.
const ANSWER: Duration = Duration::from_secs(1);

/// The end of an invocation. Lambda kills a function that reaches it, and SQS then returns the whole batch, with the
/// messages that are done and those that were never processed; after five times, they are dead letters.
#[derive(Debug, Clone, Copy)]
pub struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline that Lambda states. One that is already over is ignored: `cargo lambda watch` states a duration of
    /// ten minutes instead of a time.
    pub fn of(context: &Context) -> Self {
        let end = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(context.deadline));
        let left = end.and_then(|end| end.duration_since(SystemTime::now()).ok());
        left.map_or(Self(None), Self::within)
    }

    /// A deadline that is so far away.
    pub fn within(left: Duration) -> Self {
        Self(Instant::now().checked_add(left))
    }

    /// No deadline, for a caller that waits as long as it takes.
    pub fn never() -> Self {
        Self(None)
    }

    /// Does work if there is time to start it, for as long as there is time. Returns `None` if it was not started or not
    /// finished, so the work must be safe to cut off anywhere and to repeat.
    pub async fn limit<T>(self, work: impl Future<Output = T>) -> Option<T> {
        self.within_limits(RESERVE, LAST_WORDS, work).await
    }

    /// The same for what is done at the very end.
    pub async fn finish<T>(self, work: impl Future<Output = T>) -> Option<T> {
        self.within_limits(ANSWER, ANSWER, work).await
    }

    /// Starts work if more than `reserve` is left, and cuts it off when `rest` is left.
    async fn within_limits<T>(
        self,
        reserve: Duration,
        rest: Duration,
        work: impl Future<Output = T>,
    ) -> Option<T> {
        let Some(end) = self.0 else { return Some(work.await) };
        let left = end.saturating_duration_since(Instant::now());
        if left <= reserve {
            return None;
        }
        timeout_at(end.checked_sub(rest)?, work).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::time::sleep;

    async fn is_started(deadline: Deadline) -> bool {
        deadline.limit(async {}).await.is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn no_work_starts_when_little_time_is_left() {
        assert!(!is_started(Deadline::within(Duration::ZERO)).await);
        assert!(!is_started(Deadline::within(RESERVE)).await);
        assert!(is_started(Deadline::within(RESERVE * 2)).await);
        assert!(is_started(Deadline::never()).await);
    }

    #[tokio::test(start_paused = true)]
    async fn work_is_cut_off_before_the_end_and_what_is_left_still_has_time() {
        let begin = Instant::now();
        let deadline = Deadline::within(Duration::from_mins(1));
        assert!(deadline.limit(sleep(Duration::from_mins(2))).await.is_none());
        assert_eq!(begin.elapsed().as_secs(), 55);
        assert!(deadline.finish(sleep(Duration::from_secs(3))).await.is_some());
        assert!(deadline.finish(sleep(Duration::from_secs(3))).await.is_none());
        assert_eq!(begin.elapsed().as_secs(), 59);
        assert!(deadline.finish(async {}).await.is_none());
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
