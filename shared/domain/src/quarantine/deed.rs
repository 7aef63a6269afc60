//! An act of enforcement that is under way. It is noted, then written into the history, then done; so a crash in between
//! finds it in the notes and writes the same entry again.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// How many parts a deed names; the others are counted. An image has up to 1,000 tags, and the notes of all of them
/// must fit into one item beside it.
const PARTS: usize = 100;

/// What kind of act it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DeedKind {
    /// The registry is made to agree with a verdict that quarantines.
    Quarantined,
    /// The registry is made to agree with a verdict that does not.
    Released,
    /// The hourly limit holds the image back.
    Held,
    /// A person let it go on.
    Resumed,
    /// It went with its last tag, and was put into the registry again.
    PutBack,
}

/// An act that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deed {
    pub at: Timestamp,
    /// The version of the notes that has it, which tells it from others of the same image.
    pub number: u64,
    pub kind: DeedKind,
    /// Its parts, in the order in which they are done.
    pub done: Vec<String>,
    /// How many parts were left out.
    #[serde(default)]
    pub more: u64,
    pub why: String,
}

impl Deed {
    pub fn new(kind: DeedKind, at: Timestamp, number: u64, mut done: Vec<String>, why: String) -> Self {
        let more = done.len().saturating_sub(PARTS) as u64;
        done.truncate(PARTS);
        Self { at, number, kind, done, more, why }
    }

    /// Whether it is this that was begun, of which some may be done already.
    pub fn covers(&self, kind: DeedKind, left: &[String]) -> bool {
        self.kind == kind && left.iter().all(|part| self.more > 0 || self.done.contains(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::second;

    fn parts(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn rest_of_a_deed_is_the_same_deed_and_anything_else_is_another() {
        let deed = Deed::new(DeedKind::Quarantined, second(0), 3, parts(&["a", "b"]), "why".to_owned());
        assert!(deed.covers(DeedKind::Quarantined, &parts(&["b"])));
        assert!(deed.covers(DeedKind::Quarantined, &parts(&["a", "b"])));
        assert!(!deed.covers(DeedKind::Quarantined, &parts(&["b", "c"])));
        assert!(!deed.covers(DeedKind::Released, &parts(&["b"])));
    }

    #[test]
    fn deed_of_a_thousand_tags_counts_what_it_leaves_out() {
        let done = (0..1_000).map(|tag| tag.to_string()).collect();
        let deed = Deed::new(DeedKind::Quarantined, second(0), 1, done, String::new());
        assert_eq!((deed.done.len(), deed.more), (100, 900));
        assert!(deed.covers(DeedKind::Quarantined, &parts(&["999"])), "it may be one of those left out");
    }
}
