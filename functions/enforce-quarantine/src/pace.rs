//! ECR takes ten `PutImage` a second from everybody in the account. Enforcement takes no more than its share.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/service-quotas.html>

use std::num::NonZeroU32;
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::{Instant, sleep_until};

/// How many invocations run at the same time, as in template.yaml. Each takes its part of the share.
const INVOCATIONS: u32 = 2;

/// How many writes a second all invocations make together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct WritesPerSecond(NonZeroU32);

impl Default for WritesPerSecond {
    fn default() -> Self {
        Self(NonZeroU32::MIN.saturating_add(2))
    }
}

impl FromStr for WritesPerSecond {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let number = text.parse().map_err(|_| format!("`{text}` is not a number: expected 1 or more"))?;
        Ok(Self(number))
    }
}

/// Spaces the writes of this invocation evenly. The first one does not wait.
#[derive(Debug)]
pub(crate) struct Pace {
    gap: Duration,
    next: Mutex<Option<Instant>>,
}

impl Pace {
    pub(crate) fn new(WritesPerSecond(share): WritesPerSecond) -> Self {
        Self { gap: Duration::from_secs(INVOCATIONS.into()) / share.get(), next: Mutex::new(None) }
    }

    /// Waits for the turn of one write.
    pub(crate) async fn turn(&self) {
        let turn = {
            let mut next = self.next.lock().await;
            let now = Instant::now();
            let turn = next.map_or(now, |next| next.max(now));
            *next = Some(turn + self.gap);
            turn
        };
        sleep_until(turn).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn writes_keep_to_the_share_and_the_first_does_not_wait() {
        let pace = Pace::new("4".parse().unwrap());
        let begin = Instant::now();
        pace.turn().await;
        assert_eq!(begin.elapsed(), Duration::ZERO);
        for _ in 0..20 {
            pace.turn().await;
        }
        // Half of four a second, for there are two invocations.
        assert_eq!(begin.elapsed(), Duration::from_secs(10));
    }

    #[test]
    fn share_that_is_no_number_is_refused_and_the_template_has_as_many_invocations() {
        assert!("0".parse::<WritesPerSecond>().is_err() && "x".parse::<WritesPerSecond>().is_err());
        let template = include_str!("../../../template.yaml");
        let mapping = template.split("  EnforceQuarantineEvents:").nth(1).unwrap();
        let mapping = mapping.split("\n\n").next().unwrap();
        assert!(mapping.contains(&format!("MaximumConcurrency: {INVOCATIONS}")), "{mapping}");
    }
}
