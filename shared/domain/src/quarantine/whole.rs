//! What became of what an image is a part of: whether it can be released with it, or has to be there for it.

use crate::verdict::Verdict;

/// An index that is deployed, as far as its parts depend on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// As announced last.
    pub verdict: Verdict,
    /// Whether the quarantine in force archives it.
    pub is_archived: bool,
}

impl Root {
    /// Whether nobody is to pull it. One that was not judged, or whose quarantine leaves it where it is, needs its parts.
    pub fn is_withdrawn(self) -> bool {
        self.verdict == Verdict::Quarantine && self.is_archived
    }
}

/// All that is deployed and contains an image.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whole {
    /// All of it is clear, and so is the image.
    Clear,
    /// Some of it can be pulled, and some is not clear.
    Pulled,
    /// None of it is to be pulled, or there is none.
    Withdrawn,
}

impl Whole {
    pub fn of(roots: &[Root]) -> Self {
        if roots.iter().all(|root| root.is_withdrawn()) {
            Self::Withdrawn
        } else if roots.iter().all(|root| root.verdict == Verdict::Clear) {
            Self::Clear
        } else {
            Self::Pulled
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn part_is_clear_with_all_that_contains_it_and_withdrawn_with_all_of_it() {
        let root = |verdict, is_archived| Root { verdict, is_archived };
        let clear = root(Verdict::Clear, false);
        let archived = root(Verdict::Quarantine, true);
        for (roots, expected) in [
            (vec![], Whole::Withdrawn),
            (vec![archived, archived], Whole::Withdrawn),
            (vec![clear, clear], Whole::Clear),
            (vec![clear, archived], Whole::Pulled),
            (vec![root(Verdict::Quarantine, false)], Whole::Pulled),
            (vec![root(Verdict::Pending, false), archived], Whole::Pulled),
            (vec![root(Verdict::Unscannable, true)], Whole::Pulled),
        ] {
            assert_eq!(Whole::of(&roots), expected, "{roots:?}");
        }
    }
}
