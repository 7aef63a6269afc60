//! Which images have to be judged because a ledger has changed, and whether an index has to tell those that it contains.
//! Pure.

use std::collections::BTreeSet;

use super::{Facts, Ledger};
use crate::image::Digest;
use crate::verdict::Verdict;

impl Ledger {
    /// The images to be judged after a push or a deletion, or after news of an index that contains this one:
    /// - an index that has news for what it contains, with the indexes that contain it, if its contents are the news;
    /// - an image that became a root, if there is anything to judge;
    /// - one that ceased to be a root, if anything was said of it.
    ///
    /// An index that names itself has to tell what it contains before that ([`Facts::has_news_for_children`]).
    pub fn due_since(&self, before: &Facts) -> BTreeSet<Digest> {
        let facts = &self.facts;
        let mut due = BTreeSet::new();
        if facts.contents != before.contents {
            due.extend(facts.parents().cloned());
        }
        let matters = match (before.is_root(), facts.is_root()) {
            (false, true) => facts.is_index() || facts.is_scanned() || facts.has_failed_scan(),
            (true, false) => self.announced.verdict != Verdict::Pending || self.announced.quarantined,
            (true, true) | (false, false) => false,
        };
        if matters || facts.has_news_for_children(before) {
            due.insert(self.image.digest.clone());
        }
        due
    }
}

impl Facts {
    /// Whether an index has something to tell what it contains: it became known what that is, it was deleted, or it is
    /// back. Of one that is back no scan follows, for its images may not be pushed again.
    pub fn has_news_for_children(&self, before: &Self) -> bool {
        let turned = self.is_gone() != before.is_gone();
        self.contents != before.contents || turned && self.is_index()
    }
}
