//! How many images that were there before may come under quarantine in an hour. A policy, a feed or a catalogue that is
//! wrong must not take everything before a person has looked.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Mode;

/// Into how long pieces the hour is divided, in seconds. A piece counts as long as any of it is within the hour, so the
/// limit holds in every hour, whenever it begins.
const PIECE: i64 = 5 * 60;
/// For how long what a person let go on may come. Its messages are sent at once.
const GRANT_HOLDS: SignedDuration = SignedDuration::from_hours(24);
const HOUR: SignedDuration = SignedDuration::from_hours(1);
/// How many resumptions are remembered.
const REMEMBERED: usize = 20;

/// The state of the limit; one for a deployment.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limit {
    /// How many places were taken, by the beginning of the piece of an hour, in epoch seconds.
    pub taken: BTreeMap<i64, u32>,
    /// How many may come under quarantine besides, because a person said so.
    pub granted: u32,
    /// Nothing old comes under quarantine, except what is granted, until a person resumes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<Pause>,
    /// The newest resumptions.
    pub resumed: Vec<Resumed>,
    /// The deployment's mode that all images in quarantine were told of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mode: Option<Mode>,
}

/// The limit was reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pause {
    pub since: Timestamp,
    /// Whether it is sure that people will be told.
    pub told: bool,
}

/// A person let more images come under quarantine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resumed {
    pub at: Timestamp,
    pub by: String,
    pub why: String,
    pub images: u32,
}

impl Limit {
    /// Takes a place. `None` if there is none; the image is then to be held.
    #[must_use]
    pub fn take(&self, per_hour: u32, now: Timestamp) -> Option<Self> {
        let mut next = self.lapsed(now);
        let hour_ago = now.as_second() - HOUR.as_secs();
        next.taken.retain(|begin, _| begin + PIECE > hour_ago);
        let taken = next.taken.values().fold(0, |sum: u32, taken| sum.saturating_add(*taken));
        if next.pause.is_none() && taken < per_hour {
            *next.taken.entry(now.as_second() - now.as_second().rem_euclid(PIECE)).or_default() += 1;
        } else {
            next.granted = next.granted.checked_sub(1)?;
        }
        Some(next)
    }

    /// Without what a person granted too long ago. What is left of it was for images that did not need it.
    fn lapsed(&self, now: Timestamp) -> Self {
        let holds = self.resumed.last().is_some_and(|last| now.duration_since(last.at) <= GRANT_HOLDS);
        Self { granted: if holds { self.granted } else { 0 }, ..self.clone() }
    }

    /// An image is held: from now on all are, until a person resumes.
    #[must_use]
    pub fn pause(&self, now: Timestamp) -> Self {
        let mut next = self.clone();
        next.pause.get_or_insert(Pause { since: now, told: false });
        next
    }

    /// A person lets so many go on, of so many that are held. Where that is all, the pause is over.
    #[must_use]
    pub fn resume(&self, resumed: Resumed, held: usize) -> Self {
        let mut next = self.lapsed(resumed.at);
        let all = usize::try_from(resumed.images).is_ok_and(|images| images >= held);
        next.pause = if all { None } else { next.pause };
        next.granted = next.granted.max(resumed.images);
        next.resumed.push(resumed);
        let old = next.resumed.len().saturating_sub(REMEMBERED);
        next.resumed.drain(..old);
        next
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::samples::second;

    fn resumed(images: u32) -> Resumed {
        Resumed { at: second(0), by: "ana".to_owned(), why: "checked".to_owned(), images }
    }

    proptest! {
        #[test]
        fn no_hour_has_more_than_the_limit(
            steps in proptest::collection::vec(0_i64..900, 1..200),
            per_hour in 1_u32..8,
        ) {
            let (mut limit, mut now, mut taken) = (Limit::default(), 0, Vec::new());
            for step in steps {
                now += step;
                if let Some(next) = limit.take(per_hour, second(now)) {
                    limit = next;
                    taken.push(now);
                }
                let within = taken.iter().filter(|at| **at > now - 3600).count();
                prop_assert!(within <= per_hour as usize, "{taken:?}");
            }
            prop_assert!(!taken.is_empty());
            prop_assert!(limit.taken.len() <= 13, "it does not grow");
        }
    }

    #[test]
    fn pause_outlasts_the_hour_until_a_person_resumes() {
        let full = Limit::default().take(1, second(0)).unwrap();
        assert_eq!(full.take(1, second(10)), None);
        let paused = full.pause(second(10));
        assert_eq!(paused.pause(second(90)).pause.unwrap().since, second(10));
        assert_eq!(paused.take(1, second(36_000)), None, "nobody has looked yet");
        let some = paused.resume(resumed(2), 3);
        let (one, two) =
            (some.take(1, second(11)).unwrap(), some.take(1, second(11)).unwrap().take(1, second(12)));
        assert_eq!((one.granted, two.clone().unwrap().granted), (1, 0));
        assert_eq!(two.unwrap().take(1, second(36_000)), None, "one is still held");
        let all = paused.resume(resumed(3), 3);
        assert_eq!(all.pause, None);
        assert!(all.take(1, second(36_000)).is_some_and(|next| next.granted == 3), "the hour has room again");
    }

    #[test]
    fn place_counts_until_the_five_minutes_in_which_it_was_taken_have_left_the_hour() {
        let full = Limit::default().take(1, second(10)).unwrap();
        assert_eq!(full.take(1, second(3_600 + 299)), None);
        assert!(full.take(1, second(3_600 + 300)).is_some());
    }

    #[test]
    fn what_was_granted_lapses_after_a_day() {
        let granted = Limit::default().pause(second(0)).resume(resumed(1), 9);
        assert!(granted.take(1, second(24 * 3_600)).is_some());
        assert_eq!(granted.take(1, second(24 * 3_600 + 1)), None);
    }

    #[test]
    fn resuming_twice_by_mistake_grants_once() {
        assert_eq!(Limit::default().resume(resumed(5), 9).resume(resumed(5), 9).granted, 5);
    }
}
