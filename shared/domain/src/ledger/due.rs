//! Which images have to be judged because a ledger has changed, and whether an index has to tell those that it contains.
//! Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::{Facts, Ledger};
use crate::image::Digest;
use crate::verdict::Verdict;

/// How long after its push an image is looked at. A first scan takes minutes.
const FIRST_LOOK: SignedDuration = SignedDuration::from_mins(15);

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

    /// When an image is to be looked at first that was pushed and not judged yet, or is back: nothing may come of it by
    /// itself. Those who know the policy say when it is due after that.
    pub fn first_look(&self, before: &Facts) -> Option<Timestamp> {
        let is_new = self.announced.policy.is_none() || before.is_gone();
        let since =
            self.facts.present_at.max(self.facts.pushed_at).filter(|_| is_new && self.facts.is_root())?;
        since.checked_add(FIRST_LOOK).ok()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ledger::{Evidence, Link};
    use crate::manifest::{Child, ChildKind, Contents};
    use crate::samples::{finding, image, ledger, listing, second};

    fn index_digest() -> Digest {
        format!("sha256:{}", "f".repeat(64)).try_into().unwrap()
    }

    fn contained(at: i64, ended: bool) -> Evidence {
        let link = Link { at: second(at), kind: ChildKind::Image, ended };
        Evidence::ContainedIn { index: index_digest(), link }
    }

    fn tagged(at: i64, tags: &[&str]) -> Evidence {
        Evidence::Tagged { at: second(at), tags: tags.iter().map(|tag| (*tag).to_owned()).collect() }
    }

    fn contents() -> Evidence {
        let child =
            Child { digest: index_digest(), kind: ChildKind::Image, platform: None, os_version: None };
        Evidence::Contents(Contents { children: vec![child], left_out: 0 })
    }

    /// What is due after one more piece of evidence.
    fn due(mut ledger: Ledger, evidence: Evidence) -> BTreeSet<Digest> {
        let before = ledger.facts.clone();
        ledger.merge(evidence);
        ledger.due_since(&before)
    }

    fn own() -> BTreeSet<Digest> {
        [image().digest].into()
    }

    #[test]
    fn index_that_is_read_gone_or_back_is_due_and_has_news_for_its_children() {
        let read = || ledger([tagged(1, &["1.0"]), contents()]);
        assert_eq!(due(ledger([tagged(1, &["1.0"])]), contents()), own());
        assert_eq!(due(read(), Evidence::Gone { at: second(2) }), own());
        let mut gone = read();
        gone.merge(Evidence::Gone { at: second(2) });
        assert_eq!(due(gone.clone(), tagged(3, &["1.0"])), own());
        for (ledger, nothing) in [
            (read(), contents()),
            (read(), tagged(5, &["1.0", "1.1"])),
            (read(), Evidence::Gone { at: second(0) }),
            (gone, Evidence::Gone { at: second(9) }),
        ] {
            assert_eq!(due(ledger, nothing.clone()), BTreeSet::new(), "{nothing:?}");
        }
    }

    #[test]
    fn index_within_one_makes_that_due_when_it_is_read() {
        let inner = ledger([tagged(1, &["1.0"]), contained(1, false)]);
        assert_eq!(due(inner, contents()), [image().digest, index_digest()].into());
    }

    #[test]
    fn part_is_due_when_it_becomes_a_root_and_there_is_something_to_judge() {
        let failed = Evidence::ScanFailed { source: crate::finding::Source::Basic, at: second(1) };
        for (evidence, expected) in [
            (listing(1, vec![finding("a", 1)]), own()),
            (failed, own()),
            (Evidence::Findings(vec![finding("a", 1)]), BTreeSet::new()),
        ] {
            let part = ledger([contained(1, false), evidence]);
            assert_eq!(due(part.clone(), contained(2, true)), expected);
            assert_eq!(due(part, tagged(2, &["part"])), expected);
        }
        let image = ledger([listing(1, vec![])]);
        assert_eq!(due(image, Evidence::Gone { at: second(2) }), BTreeSet::new(), "only indexes tell");
    }

    #[test]
    fn image_is_due_when_it_becomes_a_part_and_something_was_said_of_it() {
        let mut said = ledger([listing(1, vec![]), contained(1, true)]);
        assert_eq!(due(said.clone(), contained(2, false)), BTreeSet::new());
        said.announced.verdict = Verdict::Clear;
        assert_eq!(due(said.clone(), contained(2, false)), own());
        said.announced = crate::ledger::Announced { quarantined: true, ..Default::default() };
        assert_eq!(due(said, contained(2, false)), own());
    }
}
