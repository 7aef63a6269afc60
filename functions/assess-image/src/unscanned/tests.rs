use domain::ledger::{Evidence, Link};
use domain::manifest::ChildKind;
use domain::samples::{coverage, ledger, second};

use super::*;

/// A scan is overdue at second 100.
fn asked(evidence: Vec<Evidence>, adoption: bool, now: i64) -> Ask {
    ask(&ledger(evidence), Some(second(100)), adoption, second(now))
}

#[test]
fn root_is_asked_about_when_its_scan_is_overdue_and_a_day_later() {
    const DAY: i64 = 86_400;
    for (evidence, now, expected) in [
        (vec![], 99, Ask::Nothing),
        (vec![], 100, Ask::Inspector),
        (vec![coverage(99, false)], 100, Ask::Inspector),
        (vec![coverage(100, false)], 101, Ask::Nothing),
        (vec![coverage(100, false)], 100 + DAY, Ask::Inspector),
    ] {
        assert_eq!(asked(evidence.clone(), false, now), expected, "{evidence:?} {now}");
    }
}

#[test]
fn part_of_an_index_is_asked_about_before_its_scan_is_overdue() {
    let index = format!("sha256:{}", "f".repeat(64)).try_into().unwrap();
    let link = Link { at: second(1), kind: ChildKind::Image, ended: false };
    let part = Evidence::ContainedIn { index, link };
    assert_eq!(asked(vec![part.clone()], false, 50), Ask::Inspector);
    assert_eq!(asked(vec![part, coverage(50, true)], false, 60), Ask::Nothing);
}

#[test]
fn what_is_adopted_is_not_asked_about_if_the_answer_came_with_it() {
    assert_eq!(asked(vec![coverage(200, true)], true, 300), Ask::Nobody);
    assert_eq!(asked(vec![], true, 300), Ask::Inspector);
    assert_eq!(asked(vec![], true, 50), Ask::Inspector);
}

#[test]
fn image_of_which_it_is_not_known_when_it_was_pushed_is_asked_about_daily() {
    let unknown = |evidence: Vec<Evidence>, now| ask(&ledger(evidence), None, false, second(now));
    assert_eq!(unknown(vec![], 5), Ask::Inspector);
    assert_eq!(unknown(vec![coverage(5, false)], 6), Ask::Nothing);
    assert_eq!(unknown(vec![coverage(5, false)], 5 + 86_400), Ask::Inspector);
}
