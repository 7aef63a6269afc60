use domain::ledger::{Evidence, Link};
use domain::manifest::ChildKind;
use domain::samples::{coverage, ledger, second};

use super::*;

const DAY: i64 = 86_400;

/// A scan is overdue at second 100.
fn asked(evidence: Vec<Evidence>, now: i64) -> bool {
    is_to_be_asked(&ledger(evidence), Some(second(100)), second(now))
}

#[test]
fn root_is_asked_about_when_its_scan_is_overdue_and_a_day_later() {
    for (evidence, now, expected) in [
        (vec![], 99, false),
        (vec![], 100, true),
        (vec![coverage(99, false)], 100, true),
        (vec![coverage(100, false)], 101, false),
        (vec![coverage(100, false)], 100 + DAY, true),
    ] {
        assert_eq!(asked(evidence.clone(), now), expected, "{evidence:?} {now}");
    }
}

#[test]
fn part_of_an_index_is_asked_about_before_its_scan_is_overdue() {
    let index = format!("sha256:{}", "f".repeat(64)).try_into().unwrap();
    let link = Link { at: second(1), kind: ChildKind::Image, ended: false };
    let part = Evidence::ContainedIn { index, link };
    assert!(asked(vec![part.clone()], 50));
    assert!(!asked(vec![part, coverage(50, true)], 60));
}

#[test]
fn what_was_there_before_is_asked_about_at_once_and_daily() {
    let adopted = || Evidence::Adopted { at: second(0) };
    assert!(asked(vec![adopted()], 50));
    assert!(!asked(vec![adopted(), coverage(150, true)], 160));
    assert!(asked(vec![adopted(), coverage(150, true)], 150 + DAY));
}

#[test]
fn image_of_which_it_is_not_known_when_it_was_pushed_is_asked_about_daily() {
    let unknown = |evidence: Vec<Evidence>, now| is_to_be_asked(&ledger(evidence), None, second(now));
    assert!(unknown(vec![], 5));
    assert!(!unknown(vec![coverage(5, false)], 6));
    assert!(unknown(vec![coverage(5, false)], 5 + DAY));
}
