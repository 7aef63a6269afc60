//! Questions whose answers are optional to know: nothing waits for them long, and nothing fails for them.

use std::error::Error;
use std::time::Duration;

use domain::text::with_causes;
use jiff::{SignedDuration, Timestamp};

/// How long an answer is waited for, with the retries of the call.
const PATIENCE: Duration = Duration::from_secs(2);

/// For how long nothing is asked after a failure: a missing permission must not cost a call for each image.
pub const PAUSE: SignedDuration = SignedDuration::from_mins(5);

/// Whether a kind of question is asked at all: not in the five minutes after one that failed.
#[derive(Debug, Default)]
pub struct Pause(Option<Timestamp>);

impl Pause {
    pub fn holds(&self, now: Timestamp) -> bool {
        self.0.and_then(|failed_at| failed_at.checked_add(PAUSE).ok()).is_some_and(|end| now < end)
    }

    /// Notes whether a question was answered.
    pub fn note(&mut self, answered: bool, now: Timestamp) {
        self.0 = (!answered).then_some(now);
    }
}

/// The answer to a question, if it comes at once. `what` is what is asked for, for the log.
pub async fn in_time<T, E: Error>(what: &str, question: impl Future<Output = Result<T, E>>) -> Option<T> {
    // Boxed, because a call is large and hardly ever made.
    match tokio::time::timeout(PATIENCE, Box::pin(question)).await {
        Ok(Ok(answer)) => Some(answer),
        Ok(Err(error)) => {
            tracing::warn!(what, reason = with_causes(&error), "cannot be had, and is left out");
            None
        }
        Err(_) => {
            tracing::warn!(what, "was not waited for, and is left out");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn answer_is_waited_for_two_seconds_and_no_longer() {
        let after = async |seconds| {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            Ok::<_, Infallible>(seconds)
        };
        assert_eq!(in_time("answer", after(1)).await, Some(1));
        assert_eq!(in_time("answer", after(3)).await, None);
        assert_eq!(in_time("answer", async { Err::<u8, _>(std::fmt::Error) }).await, None);
    }

    #[test]
    fn after_a_failure_nothing_is_asked_for_five_minutes() {
        let minute = |minutes| Timestamp::UNIX_EPOCH + SignedDuration::from_mins(minutes);
        let mut pause = Pause::default();
        assert!(!pause.holds(minute(0)));
        pause.note(false, minute(0));
        assert!(pause.holds(minute(4)) && !pause.holds(minute(5)));
        pause.note(true, minute(6));
        assert!(!pause.holds(minute(6)));
    }
}
