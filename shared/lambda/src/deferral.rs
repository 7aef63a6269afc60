//! Messages that cannot be handled yet, though nothing is wrong with them: what they need is not there, or the
//! invocation has no time for them. The function sends each again to its own queue, with a delay, and lets the original
//! go as handled. So they do not use up the receives after which a message is a dead letter.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use aws::sqs::{DelayedMessage, Queue};
use aws_lambda_events::event::sqs::SqsMessage;

/// The attribute with the number of the attempt; a message without it is at its first.
const ATTEMPT: &str = "attempt";
/// The attribute that counts how often no time was left for the message.
const POSTPONED: &str = "postponed";

/// The last attempt. With the waits below it comes after 18 to 24 hours. Amazon states no time within which the
/// findings of a scan can be listed; it is usually seconds. What takes a day is not late but broken.
const LAST_ATTEMPT: u32 = 100;
/// The wait before the second attempt, in seconds. Each further wait is twice as long, up to the longest delay of SQS.
const FIRST_WAIT: u16 = 30;

/// By how many seconds messages are spread that wait for the same moment.
const SPREAD: u16 = 15;

/// How often a message may be postponed. Where every batch is full and an invocation has time for a tenth of it, as in
/// template.yaml, a message is postponed about ten times. One that never fits into an invocation reaches this after two
/// to four hours.
const MOST_POSTPONED: u32 = 100;
/// How long a message is postponed at least and at most, in seconds. Within this time a batch that was too much for one
/// invocation comes back in portions, which several invocations handle at the same time.
const POSTPONED_FOR: (u16, u16) = (5, 60);

/// Why a message is deferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// What it needs is not there yet.
    NotThereYet,
    /// What it needs is there in so many seconds.
    TooEarly(u16),
    /// No time was left in the invocation.
    NoTimeLeft,
}

/// How often a message was deferred, as its attributes say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deferrals {
    /// The number of this attempt; the first is 1.
    attempt: u32,
    /// How often no time was left for it. That is no attempt.
    pub(crate) postponed: u32,
}

impl Default for Deferrals {
    /// Those of a message that was never deferred.
    fn default() -> Self {
        Self { attempt: 1, postponed: 0 }
    }
}

impl Deferrals {
    /// What the attributes of a message say. Nobody else sends messages with these attributes, so what is unreadable is
    /// taken for the first attempt.
    pub(crate) fn of(message: &SqsMessage) -> Self {
        let number =
            |name: &str| message.message_attributes.get(name)?.string_value.as_ref()?.parse::<u32>().ok();
        let first = Self::default();
        Self {
            attempt: number(ATTEMPT).unwrap_or(first.attempt),
            postponed: number(POSTPONED).unwrap_or(first.postponed),
        }
    }

    /// The numbers of the message that is sent next; `None` if it was deferred often enough.
    pub(crate) fn next(self, cause: Cause) -> Option<Self> {
        match cause {
            Cause::NotThereYet | Cause::TooEarly(_) => {
                (self.attempt < LAST_ATTEMPT).then(|| Self { attempt: self.attempt + 1, ..self })
            }
            Cause::NoTimeLeft => {
                (self.postponed < MOST_POSTPONED).then(|| Self { postponed: self.postponed + 1, ..self })
            }
        }
    }

    /// How long that message is delayed, in seconds. The seed spreads messages that were deferred together; those of the
    /// same seed stay together.
    pub(crate) fn delay_seconds(self, cause: Cause, seed: &str) -> u16 {
        let (least, most) = match cause {
            // The last quarter of the wait is spread.
            Cause::NotThereYet => {
                let doublings = self.attempt.saturating_sub(2).min(15);
                let wait = u32::from(FIRST_WAIT) << doublings;
                let wait = u16::try_from(wait).unwrap_or(u16::MAX).min(Queue::LONGEST_DELAY);
                (wait - wait / 4, wait)
            }
            Cause::TooEarly(seconds) => {
                let until = |seconds: u16| seconds.min(Queue::LONGEST_DELAY);
                (until(seconds), until(seconds.saturating_add(SPREAD)))
            }
            Cause::NoTimeLeft => POSTPONED_FOR,
        };
        let mut hasher = DefaultHasher::new();
        (seed, self.attempt, self.postponed).hash(&mut hasher);
        let part = hasher.finish() % (u64::from(most - least) + 1);
        least + u16::try_from(part).unwrap_or_default()
    }

    /// The message that carries these numbers.
    pub(crate) fn message(self, body: String, delay_seconds: u16) -> DelayedMessage {
        let attributes = BTreeMap::from([(ATTEMPT, self.attempt), (POSTPONED, self.postponed)]);
        DelayedMessage { body, delay_seconds, attributes }
    }

    /// The number of the attempt.
    pub(crate) fn attempt(self) -> u32 {
        self.attempt
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All deferrals for one cause, each with its delay.
    fn all(cause: Cause, seed: &str) -> Vec<(Deferrals, u16)> {
        let next = |deferrals: &Deferrals| deferrals.next(cause);
        std::iter::successors(Deferrals::default().next(cause), next)
            .map(|deferrals| (deferrals, deferrals.delay_seconds(cause, seed)))
            .collect()
    }

    #[test]
    fn waits_grow_to_the_longest_that_sqs_allows() {
        let waits = all(Cause::NotThereYet, "a");
        for ((_, wait), most) in waits.iter().zip([30, 60, 120, 240, 480, 900, 900]) {
            assert!((most - most / 4..=most).contains(wait), "{wait} of {most}");
        }
        assert!(waits.iter().all(|(_, wait)| *wait <= 900));
    }

    #[test]
    fn what_is_too_early_comes_back_when_it_is_time_and_in_portions_of_what_sqs_allows() {
        let second = Deferrals { attempt: 2, postponed: 0 };
        for (wait, range) in [(0, 0..=15), (600, 600..=615), (890, 890..=900), (5_000, 900..=900)] {
            let delay = second.delay_seconds(Cause::TooEarly(wait), "a");
            assert!(range.contains(&delay), "{delay} for {wait}");
        }
        assert_eq!(all(Cause::TooEarly(1), "a").len(), LAST_ATTEMPT as usize - 1, "bounded, too");
    }

    #[test]
    fn the_last_attempt_comes_after_about_a_day() {
        for seed in ["a", "b", "c"] {
            let waits = all(Cause::NotThereYet, seed);
            assert_eq!(waits.last().unwrap().0, Deferrals { attempt: LAST_ATTEMPT, postponed: 0 });
            let hours = waits.iter().map(|(_, wait)| u32::from(*wait)).sum::<u32>() / 3600;
            assert!((18..=24).contains(&hours), "{hours}");
        }
    }

    #[test]
    fn what_was_deferred_together_does_not_come_back_together() {
        let second = Deferrals { attempt: 2, postponed: 1 };
        for (cause, most) in [(Cause::NotThereYet, 300), (Cause::NoTimeLeft, 60)] {
            let mut counts: BTreeMap<u16, u32> = BTreeMap::new();
            for message in 0..1_000 {
                *counts.entry(second.delay_seconds(cause, &message.to_string())).or_default() += 1;
            }
            assert!(counts.values().all(|count| *count < most), "{counts:?}");
        }
    }

    #[test]
    fn a_postponement_is_no_attempt_and_is_bounded_too() {
        let postponed = all(Cause::NoTimeLeft, "a");
        assert_eq!(postponed.len(), MOST_POSTPONED as usize);
        assert!(postponed.iter().all(|(deferrals, wait)| {
            deferrals.attempt == 1 && (POSTPONED_FOR.0..=POSTPONED_FOR.1).contains(wait)
        }));
    }

    #[test]
    fn a_message_carries_its_numbers_to_the_next_receipt() {
        let deferrals = Deferrals { attempt: 7, postponed: 3 };
        let sent = deferrals.message("{}".to_owned(), 5);
        let mut received = SqsMessage::default();
        for (name, value) in sent.attributes {
            let attribute = serde_json::json!({ "stringValue": value.to_string(), "dataType": "Number" });
            let attribute = serde_json::from_value(attribute).unwrap();
            received.message_attributes.insert(name.to_owned(), attribute);
        }
        assert_eq!(Deferrals::of(&received), deferrals);
        assert_eq!(Deferrals::of(&SqsMessage::default()), Deferrals { attempt: 1, postponed: 0 });
    }
}
