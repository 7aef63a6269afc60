//! Whether an image may come under quarantine now.

use jiff::{SignedDuration, Timestamp};

use super::{Mode, Notes};

/// For how long after its first push an image is new. What is new is never held back.
pub const NEW_FOR: SignedDuration = SignedDuration::from_hours(24);

/// What an image needs before more is done to it than was done before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It is under quarantine, and in no milder mode.
    Held,
    /// It comes under quarantine, or under a stricter one. That must be noted first.
    Free,
    /// The same, and it takes one of the places that the limit has in an hour.
    Slot,
}

/// What an image needs that is to be under quarantine in a mode. One that carries our mark without a note of ours was
/// marked before there were notes: to mark it again changes nothing.
pub fn claim(
    notes: &Notes,
    wanted: Mode,
    is_marked: bool,
    first_pushed: Option<Timestamp>,
    now: Timestamp,
) -> Claim {
    match notes.mode() {
        Some(in_force) if in_force >= wanted => Claim::Held,
        None if is_marked && wanted <= Mode::Tag => Claim::Free,
        _ if is_new(first_pushed, now) => Claim::Free,
        _ => Claim::Slot,
    }
}

/// Of an image whose push nobody knows it is not known that it is new.
pub fn is_new(first_pushed: Option<Timestamp>, now: Timestamp) -> bool {
    first_pushed.is_some_and(|pushed| now.duration_since(pushed) <= NEW_FOR)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quarantine::Note;
    use crate::samples::second;

    const DAY: i64 = 24 * 60 * 60;

    fn under(mode: Mode) -> Notes {
        let mut notes = Notes::default();
        notes.take(Note::Claimed { episode: "a#1".to_owned(), mode }, second(0));
        notes
    }

    #[test]
    fn new_image_takes_no_place_and_an_old_or_unknown_one_does() {
        let of = |pushed: Option<i64>, now: i64| {
            claim(&Notes::default(), Mode::Tag, false, pushed.map(second), second(now))
        };
        assert_eq!(of(Some(0), 1), Claim::Free);
        assert_eq!(of(Some(0), DAY), Claim::Free);
        assert_eq!(of(Some(0), DAY + 1), Claim::Slot);
        assert_eq!(of(None, 0), Claim::Slot);
    }

    #[test]
    fn what_is_under_quarantine_takes_a_place_only_for_a_stricter_mode() {
        for in_force in [Mode::Tag, Mode::Untag, Mode::Archive] {
            for wanted in [Mode::Tag, Mode::Untag, Mode::Archive] {
                let expected = if wanted > in_force { Claim::Slot } else { Claim::Held };
                for marked in [false, true] {
                    assert_eq!(claim(&under(in_force), wanted, marked, None, second(0)), expected);
                }
            }
        }
    }

    #[test]
    fn mark_from_before_there_were_notes_is_taken_over() {
        assert_eq!(claim(&Notes::default(), Mode::Tag, true, None, second(0)), Claim::Free);
        assert_eq!(claim(&Notes::default(), Mode::Archive, true, None, second(0)), Claim::Slot);
    }
}
