//! Until when a function must have answered.

use std::time::{Duration, SystemTime};

use lambda_runtime::Context;

/// How long before the end nothing new is begun: what is under way then needs time, too, with its retries.
const RESERVE: Duration = Duration::from_secs(15);

/// How long before the end what is under way is cut off, so that the function can still say what is done.
const LAST_WORDS: Duration = Duration::from_secs(3);

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

    /// Does some work, if there is time to begin it, and for as long as there is time. `None` where it was not begun
    /// or not finished; so it must be work that can be cut off anywhere and done again.
    pub async fn limit<T>(self, work: impl Future<Output = T>) -> Option<T> {
        let Some(end) = self.0 else { return Some(work.await) };
        let left = end.duration_since(SystemTime::now()).unwrap_or_default();
        tokio::time::timeout(usable(left)?, work).await.ok()
    }
}

/// How much of the time that is left work may take; `None` where it must not begin.
fn usable(left: Duration) -> Option<Duration> {
    (left > RESERVE).then(|| left.saturating_sub(LAST_WORDS))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_begun(deadline: Deadline) -> bool {
        deadline.limit(async {}).await.is_some()
    }

    fn within(time: Duration) -> Deadline {
        Deadline::at(SystemTime::now() + time)
    }

    #[tokio::test]
    async fn nothing_is_begun_when_little_time_is_left() {
        assert!(!is_begun(within(Duration::ZERO)).await);
        assert!(!is_begun(within(RESERVE)).await);
        assert!(is_begun(within(RESERVE * 2)).await);
        assert!(is_begun(Deadline::never()).await);
    }

    #[test]
    fn what_is_begun_is_cut_off_before_the_end() {
        assert_eq!(usable(Duration::from_mins(1)), Some(Duration::from_secs(57)));
        assert_eq!(usable(Duration::from_secs(16)), Some(Duration::from_secs(13)));
        assert_eq!(usable(Duration::from_secs(15)), None);
    }

    #[tokio::test]
    async fn lambda_states_it_in_milliseconds_since_1970() {
        let of = |deadline| {
            let mut context = Context::default();
            context.deadline = deadline;
            Deadline::of(&context)
        };
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
        let within = |time: Duration| of(u64::try_from((now + time).as_millis()).unwrap());
        assert!(!is_begun(within(RESERVE / 2)).await);
        assert!(is_begun(within(RESERVE * 2)).await);
        assert!(is_begun(of(600_000)).await, "a span, as cargo lambda watch states it");
    }
}
