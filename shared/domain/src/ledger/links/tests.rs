use proptest::prelude::*;
use proptest::sample::select;

use super::*;
use crate::ledger::{Evidence, Ledger};
use crate::samples::{image, ledger, second};

const KINDS: [ChildKind; 4] = [ChildKind::Image, ChildKind::Index, ChildKind::Attestation, ChildKind::Other];

fn index(number: usize) -> Digest {
    format!("sha256:{number:064x}").try_into().unwrap()
}

fn told(number: usize, at: i64, ended: bool) -> Evidence {
    let link = Link { at: second(at), kind: ChildKind::Image, ended };
    Evidence::ContainedIn { index: index(number), link }
}

fn parents(ledger: &Ledger) -> Vec<Digest> {
    ledger.facts.parents().cloned().collect()
}

fn any_link() -> impl Strategy<Value = Link> {
    (0_i64..6, select(KINDS.to_vec()), any::<bool>()).prop_map(|(at, kind, ended)| Link {
        at: second(at),
        kind,
        ended,
    })
}

proptest! {
    #[test]
    fn join_is_commutative_associative_and_idempotent(a in any_link(), b in any_link(), c in any_link()) {
        prop_assert_eq!(a.join(b), b.join(a));
        prop_assert_eq!(a.join(b).join(c), a.join(b.join(c)));
        prop_assert_eq!(a.join(a), a);
        prop_assert_eq!(a.join(b).join(b), a.join(b));
    }

    #[test]
    fn order_and_repetition_of_links_do_not_matter(
        (links, again) in proptest::collection::vec((0_usize..5, any_link()), 1..12).prop_flat_map(|links| {
            let twice = [links.clone(), links.clone()].concat();
            (Just(links), Just(twice).prop_shuffle())
        })
    ) {
        let contained =
            |(number, link): (usize, Link)| Evidence::ContainedIn { index: index(number), link };
        let once = ledger(links.into_iter().map(contained));
        let mut shuffled = Ledger::new(image());
        for link in again {
            let before = shuffled.clone();
            let changed = shuffled.merge(contained(link));
            prop_assert_eq!(changed, shuffled != before);
        }
        prop_assert_eq!(once, shuffled);
    }

    /// What an index tells at any time after what it told before agrees with what it tells last.
    #[test]
    fn what_an_index_told_last_is_what_its_children_know(
        events in proptest::collection::vec((0_i64..8, any::<bool>()), 1..10),
        told in proptest::collection::vec(any::<bool>(), 10),
    ) {
        let mut index = Ledger::new(image());
        let mut child = Ledger::new(image());
        for ((at, present), tells) in events.into_iter().zip(told) {
            let before = index.facts.clone();
            index.merge(if present {
                Evidence::Tagged { at: second(at), tags: vec![] }
            } else {
                Evidence::Gone { at: second(at) }
            });
            if tells || before.is_gone() != index.facts.is_gone() || before == Facts::default() {
                let link = index.facts.link(ChildKind::Image);
                child.merge(Evidence::ContainedIn { index: image().digest, link });
            }
            prop_assert_eq!(child.facts.is_contained(), !index.facts.is_gone());
        }
    }
}

#[test]
fn link_ends_with_its_index_and_begins_again_with_it() {
    let mut child = ledger([told(1, 0, false), told(2, 0, false)]);
    assert_eq!(parents(&child), [index(1), index(2)]);
    child.merge(told(1, 5, true));
    assert_eq!(parents(&child), [index(2)]);
    child.merge(told(2, 6, true));
    assert!(child.facts.is_root() && child.facts.is_image() && !child.facts.is_contained());
    assert!(!child.merge(told(2, 5, false)), "older news");
    assert!(child.merge(told(2, 6, false)), "of the same second the push is believed");
    assert!(!child.facts.is_root());
    assert_eq!(parents(&child), [index(2)]);
}

#[test]
fn attestation_of_an_index_that_is_gone_is_still_no_image() {
    let link = Link { at: second(5), kind: ChildKind::Attestation, ended: true };
    let attached = ledger([Evidence::ContainedIn { index: index(1), link }]);
    assert!(!attached.facts.is_image() && !attached.facts.is_root());
}

#[test]
fn links_of_a_release_without_ends_are_read_and_stored_as_before() {
    let stored = r#"{"at":"2031-01-01T00:00:04Z","kind":"image"}"#;
    let link: Link = serde_json::from_str(stored).unwrap();
    assert_eq!(link, Link { at: second(4), kind: ChildKind::Image, ended: false });
    assert_eq!(serde_json::to_string(&link).unwrap(), stored, "what holds takes no more room");
}

#[test]
fn of_too_many_indexes_those_that_are_gone_are_forgotten_first_and_then_the_oldest() {
    let mut child = ledger((0..LINKS).map(|number| told(number, 100, false)));
    assert!(!child.merge(told(900, 200, true)), "one that nobody knew of is of no use");
    child.merge(told(3, 300, true));
    child.merge(told(901, 50, false));
    assert_eq!(child.facts.contained_in.len(), LINKS);
    assert!(!child.facts.contained_in.contains_key(&index(3)), "gone, though its end is the newest news");
    assert!(!child.merge(told(902, 1, false)), "older than all");
    assert!(child.merge(told(903, 101, false)));
    assert!(!parents(&child).contains(&index(901)), "the oldest");
    assert_eq!(parents(&child).len(), LINKS);
}
