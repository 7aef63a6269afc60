use domain::event::{ActionType, ImageAction};
use domain::ledger::Evidence;
use domain::samples::{self, image, listing, report, second};

use super::*;

const MINUTE: i64 = 60;
/// How long the answer waits after the first finding.
const LAG: i64 = LISTING_LAG.as_secs();

/// A ledger of an image that was pushed at second 0, with findings updated then.
fn pushed(updated: &[i64]) -> Ledger {
    let mut ledger = unpushed(updated);
    ledger.merge(Evidence::Action(ImageAction {
        image: image(),
        action: ActionType::Push,
        tag: None,
        media_type: None,
        artifact_media_type: None,
        at: second(0),
    }));
    ledger
}

fn unpushed(updated: &[i64]) -> Ledger {
    samples::ledger(updated.iter().map(|at| report(samples::finding(&at.to_string(), *at))))
}

/// What follows long after all of that.
fn at_last(ledger: &Ledger, overdue: Option<u32>) -> Adoption {
    adoption(ledger, overdue, second(1_000_000))
}

#[test]
fn findings_soon_after_the_push_belong_to_the_first_scan() {
    // Half an hour, unless the policy says when a scan is overdue.
    assert_eq!(at_last(&pushed(&[1, 30 * MINUTE]), None), Adoption::No);
    assert_eq!(at_last(&pushed(&[1, 30 * MINUTE + 1]), None), Adoption::AsOf(second(30 * MINUTE + 1)));
    assert_eq!(at_last(&pushed(&[10 * MINUTE]), Some(10)), Adoption::No);
    assert_eq!(at_last(&pushed(&[10 * MINUTE + 1]), Some(10)), Adoption::AsOf(second(10 * MINUTE + 1)));
    assert_eq!(at_last(&pushed(&[]), None), Adoption::No);
}

#[test]
fn adoption_waits_for_a_scan_that_may_be_under_way() {
    let ledger = pushed(&[5, 9_000, 7_000]);
    let settled = second(7_000 + LAG);
    assert_eq!(adoption(&ledger, None, second(7_000)), Adoption::WaitUntil(settled));
    assert_eq!(adoption(&ledger, None, second(7_000 + LAG - 1)), Adoption::WaitUntil(settled));
    assert_eq!(adoption(&ledger, None, settled), Adoption::AsOf(second(7_000)));
}

#[test]
fn finding_of_the_future_is_not_waited_for() {
    let of = |updated: i64| adoption(&pushed(&[updated]), None, second(9_000));
    assert_eq!(of(9_000 + LAG), Adoption::WaitUntil(second(9_000 + 2 * LAG)), "clocks differ");
    assert_eq!(of(9_000 + LAG + 1), Adoption::AsOf(second(9_000)));
}

#[test]
fn image_of_which_no_push_is_known_is_adopted_if_none_is_heard_of() {
    assert_eq!(adoption(&unpushed(&[1]), None, second(2)), Adoption::WaitUntil(second(1 + LAG)));
    assert_eq!(adoption(&pushed(&[1]), None, second(2)), Adoption::No, "the news of the push was late");
    assert_eq!(at_last(&unpushed(&[1]), None), Adoption::AsOf(second(1)));
}

#[test]
fn image_whose_scan_has_ended_and_one_that_is_gone_are_not_adopted() {
    for evidence in [
        listing(1, vec![]),
        Evidence::ScanFailed { source: Source::Basic, at: second(1) },
        Evidence::Gone { at: second(9_500) },
    ] {
        let mut ledger = pushed(&[9_000]);
        ledger.merge(evidence);
        assert_eq!(at_last(&ledger, None), Adoption::No);
    }
}

#[test]
fn findings_of_basic_scanning_are_those_of_a_scan() {
    let basic = Finding { source: Source::Basic, ..samples::finding("a", 9_000) };
    assert_eq!(at_last(&samples::ledger([report(basic)]), None), Adoption::No);
}

#[test]
fn image_of_which_every_finding_is_closed_is_at_its_end() {
    let reported = |status| {
        let finding = Finding { status, ..samples::finding("a", 1) };
        [FindingReport { image: image(), finding, tags: vec![], pushed_at: None }]
    };
    let listed = |status| [Finding { status, ..samples::finding("b", 1) }];
    let alive = |reported: &[FindingReport], listed: &[Finding]| is_alive(reported.iter(), listed);
    assert!(alive(&reported(Status::Active), &listed(Status::Closed)));
    assert!(alive(&reported(Status::Closed), &listed(Status::Active)));
    assert!(alive(&reported(Status::Closed), &listed(Status::Suppressed)));
    assert!(!alive(&reported(Status::Closed), &listed(Status::Closed)));
    assert!(!alive(&reported(Status::Closed), &[]));
}
