use proptest::collection::vec;
use proptest::prelude::*;

use super::*;
use crate::samples::second;

const MARGIN: i64 = COVERAGE_MARGIN.as_secs();

fn answer(covered: bool) -> CoverageAnswer {
    CoverageAnswer { covered, reason: String::new(), ..CoverageAnswer::not_listed() }
}

fn coverage(answers: &[(i64, bool)]) -> Coverage {
    let mut coverage = Coverage::default();
    for (at, covered) in answers {
        coverage.merge(second(*at), answer(*covered));
    }
    coverage
}

/// Whether these answers resolve what closed at second 1,000.
fn vouches(answers: &[(i64, bool)]) -> bool {
    coverage(answers).vouches_for(second(1_000), None)
}

#[test]
fn a_yes_counts_only_a_margin_after_the_closing() {
    assert!(!vouches(&[]));
    assert!(!vouches(&[(999, true)]), "covered before it closed says nothing");
    assert!(!vouches(&[(1_000, true)]));
    assert!(!vouches(&[(1_000 + MARGIN - 1, true)]));
    assert!(vouches(&[(1_000 + MARGIN, true)]));
}

#[test]
fn a_no_between_the_closing_and_the_yes_is_a_gap() {
    let later = 1_000 + MARGIN;
    for no in [1_000, 1_001, later - 1] {
        assert!(!vouches(&[(no, false), (later, true)]), "{no}");
    }
    assert!(!vouches(&[(later, false), (later + 1, true)]));
    assert!(vouches(&[(later, true), (later + 1, false)]), "a later no unmakes nothing");
}

#[test]
fn what_closes_in_a_gap_is_not_resolved_by_the_end_of_the_gap() {
    let later = 1_000 + MARGIN;
    assert!(!vouches(&[(900, false), (later, true)]));
    assert!(vouches(&[(900, false), (950, true), (later, true)]), "the gap had ended before");
    let gap = coverage(&[(900, false), (later, true)]);
    assert!(gap.vouches_for(second(1_000), Some(second(950))), "a scan shows that, too");
    assert!(!gap.vouches_for(second(1_000), Some(second(850))), "one before the gap does not");
    assert!(!gap.vouches_for(second(1_000), Some(second(900))));
    assert!(!gap.vouches_for(second(1_000), Some(second(1_001))));
}

#[test]
fn of_two_answers_at_the_same_moment_the_no_is_believed() {
    for answers in [[(2_000, true), (2_000, false)], [(2_000, false), (2_000, true)]] {
        assert!(!vouches(&answers));
    }
}

#[test]
fn only_a_successful_active_one_is_covered() {
    let covered = |status, reason| CoverageAnswer::read(status, reason, None).covered;
    assert!(covered("ACTIVE", "SUCCESSFUL"));
    for (status, reason) in [
        ("ACTIVE", "PENDING_INITIAL_SCAN"),
        ("ACTIVE", "PENDING_REVIVAL_SCAN"),
        ("ACTIVE", "SCAN_IN_PROGRESS"),
        ("ACTIVE", "A_REASON_OF_NEXT_YEAR"),
        ("INACTIVE", "SUCCESSFUL"),
        ("INACTIVE", "IMAGE_ARCHIVED"),
    ] {
        assert!(!covered(status, reason), "{status} {reason}");
    }
}

#[test]
fn a_promise_is_told_from_an_end() {
    let promises = |reason| CoverageAnswer::read("ACTIVE", reason, None).promises_a_scan();
    assert!(
        promises("PENDING_INITIAL_SCAN") && promises("PENDING_REVIVAL_SCAN") && promises("SCAN_IN_PROGRESS")
    );
    assert!(!promises("PENDING_DISABLE") && !promises("SUCCESSFUL") && !promises("IMAGE_ARCHIVED"));
}

/// What vouches, said in another way: by looking at each pair of a closing and an answer.
fn vouches_by_definition(answers: &[(i64, bool)], closed: i64) -> bool {
    let no_between =
        |from: i64, until: i64| answers.iter().any(|(at, covered)| !covered && (from..=until).contains(at));
    let last_before =
        answers.iter().filter(|(at, _)| *at < closed).max_by_key(|(at, covered)| (*at, !covered));
    last_before.is_none_or(|(_, covered)| *covered)
        && answers.iter().any(|(at, covered)| *covered && *at >= closed + MARGIN && !no_between(closed, *at))
}

proptest! {
    #[test]
    fn vouching_is_as_defined(answers in vec((0_i64..4_000, any::<bool>()), 0..12), closed in 0_i64..4_000) {
        prop_assert_eq!(
            coverage(&answers).vouches_for(second(closed), None),
            vouches_by_definition(&answers, closed)
        );
    }

    /// Answers come in their order but for those of invocations that run at the same time. What is forgotten then
    /// makes nothing resolved that was not, and as long as there are not dozens of gaps nothing open either.
    #[test]
    fn forgetting_resolves_nothing(
        steps in vec((60_i64..90_000, prop::bool::weighted(0.7)), 1..300),
        closed in 0_i64..9_000_000,
    ) {
        let mut at = 0;
        let answers: Vec<(i64, bool)> = steps
            .iter()
            .map(|(step, covered)| {
                at += step;
                (at, *covered)
            })
            .collect();
        let kept = coverage(&answers);
        prop_assert!(kept.0.len() <= ANSWERS);
        let vouches = kept.vouches_for(second(closed), None);
        let defined = vouches_by_definition(&answers, closed);
        prop_assert!(defined || !vouches);
        let gaps = answers.windows(2).filter(|two| two[0].1 && !two[1].1).count();
        if gaps < 10 {
            prop_assert_eq!(vouches, defined);
        }
    }
}

#[test]
fn years_of_yes_lose_no_closing() {
    let answers: Vec<(i64, bool)> = (0..1_000).map(|day| (day * 86_400, true)).collect();
    let kept = coverage(&answers);
    assert_eq!(kept.0.len(), ANSWERS);
    assert!(kept.vouches_for(second(-5), None), "the oldest closing");
    assert_eq!(kept.newest().unwrap().0, second(999 * 86_400));
}

#[test]
fn ledger_that_never_asked_stores_nothing_of_it() {
    let mut facts = crate::ledger::Facts::default();
    let stored = |facts: &crate::ledger::Facts| serde_json::to_value(facts).unwrap();
    assert_eq!(stored(&facts).get("inspector_coverage"), None);
    facts.coverage.merge(second(1), answer(true));
    assert!(stored(&facts).get("inspector_coverage").is_some());
}

const LAG: i64 = USAGE_LAG.as_secs();

/// How many tasks and pods are known, where the newest answer states `count` so many seconds after a push at second 0.
fn in_use(at: i64, count: Option<u64>) -> Option<u64> {
    let usage = Usage { count, ..Usage::default() };
    let mut coverage = coverage(&[(1, true)]);
    coverage.merge(second(at), CoverageAnswer { usage, ..answer(true) });
    coverage.in_use(Some(second(0))).map(|in_use| in_use.count)
}

#[test]
fn image_that_runs_is_in_use_and_what_is_not_stated_is_not_known() {
    assert_eq!(in_use(2, Some(3)), Some(3));
    assert_eq!(in_use(LAG, None), None);
    assert_eq!(coverage(&[]).in_use(Some(second(0))), None);
}

#[test]
fn image_is_known_to_be_unused_once_its_use_must_have_been_collected() {
    assert_eq!(in_use(LAG - 1, Some(0)), None);
    assert_eq!(in_use(LAG, Some(0)), Some(0));
    let mut unused = Coverage::default();
    let usage = Usage { count: Some(0), ..Usage::default() };
    unused.merge(second(LAG), CoverageAnswer { usage, ..answer(true) });
    assert_eq!(unused.in_use(None), None, "nobody knows when it was pushed");
}

#[test]
fn answer_from_before_usage_was_read_is_still_read_and_says_nothing_of_it() {
    let old = r#"{"covered": true, "reason": "SUCCESSFUL"}"#;
    let read: CoverageAnswer = serde_json::from_str(old).unwrap();
    assert_eq!(read.usage, Usage::default());
    assert_eq!(serde_json::to_value(&read).unwrap(), serde_json::from_str::<serde_json::Value>(old).unwrap());
}

fn by_event(covered: bool) -> CoverageAnswer {
    CoverageAnswer { by_event: true, ..answer(covered) }
}

#[test]
fn event_is_an_answer_about_coverage_and_none_about_use() {
    let mut coverage = Coverage::default();
    let usage = Usage { count: Some(3), ..Usage::default() };
    coverage.merge(second(1), CoverageAnswer { usage, ..answer(true) });
    coverage.merge(second(100), by_event(false));
    assert_eq!(coverage.newest().map(|(at, answer)| (at, answer.covered)), Some((second(100), false)));
    assert_eq!(coverage.in_use(None).map(|in_use| in_use.count), Some(3));
    let holds = COVERAGE_HOLDS.as_secs();
    assert!(!coverage.is_outdated(second(holds + 99)) && coverage.usage_is_outdated(second(holds + 1)));
    assert!(!coverage.usage_is_outdated(second(holds)) && coverage.is_outdated(second(holds + 100)));
}

#[test]
fn event_that_says_that_scanning_stopped_is_a_gap_and_one_older_than_an_answer_changes_nothing_newer() {
    let later = 1_000 + MARGIN;
    let mut gap = coverage(&[(later, true)]);
    assert!(gap.vouches_for(second(1_000), None));
    assert!(gap.merge(second(900), by_event(false)) && !gap.merge(second(900), by_event(false)));
    assert!(!gap.vouches_for(second(1_000), None));
    assert_eq!(gap.newest().unwrap().0, second(later));
}

#[test]
fn event_reads_like_an_answer_and_says_that_it_is_none() {
    let report = |status: &str, reason: &str| CoverageReport {
        image: crate::samples::image(),
        status: status.to_owned(),
        reason: reason.to_owned(),
        at: second(1),
    };
    let yes = CoverageAnswer::reported(&report("ACTIVE", "SUCCESSFUL"));
    assert!(yes.covered && yes.by_event);
    let no = CoverageAnswer::reported(&report("INACTIVE", "UNSUPPORTED_OS"));
    assert!(!no.covered && no.rules_out_a_scan());
    let stored = serde_json::to_value(&no).unwrap();
    assert_eq!(stored["by_event"], true);
    assert_eq!(serde_json::from_value::<CoverageAnswer>(stored).unwrap(), no);
}
