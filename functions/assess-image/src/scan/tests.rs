use domain::event::{ActionType, ImageAction};
use domain::ledger::Evidence;

use domain::samples::{self, image, second};

use super::*;

fn finding(id: &str, status: Status, updated: i64) -> Finding {
    Finding { status, ..samples::finding(id, updated) }
}

const END: i64 = 100;

fn listed(count: usize, status: Status, updated: i64) -> Vec<Finding> {
    (0..count).map(|n| finding(&format!("{status:?}-{updated}-{n}"), status, updated)).collect()
}

fn exactly(total: u64, listed: &[Finding]) -> bool {
    agrees(Total::Exactly(total), second(END), listed)
}

#[test]
fn listing_agrees_with_the_total_that_the_scan_stated() {
    let three = listed(3, Status::Active, END);
    assert!(exactly(3, &three));
    assert!(!exactly(4, &three), "not all of them are listed yet");
    assert!(!exactly(2, &three), "more were surely open than the scan says");
    assert!(exactly(0, &[]));
    assert!(!exactly(1, &[]));
}

#[test]
fn finding_that_changed_since_the_scan_may_or_may_not_have_been_counted() {
    for status in [Status::Active, Status::Suppressed, Status::Closed] {
        let findings = [listed(2, Status::Active, END), listed(1, status, END + 1)].concat();
        assert!(exactly(2, &findings), "{status:?} may be new");
        assert!(exactly(3, &findings), "{status:?} may have been open");
        assert!(!exactly(1, &findings));
        assert!(!exactly(4, &findings));
    }
}

#[test]
fn finding_that_closed_before_the_scan_ended_was_not_counted() {
    let findings = [listed(2, Status::Active, 1), listed(5, Status::Closed, END)].concat();
    assert!(exactly(2, &findings));
    assert!(!exactly(3, &findings));
}

#[test]
fn suppressed_finding_may_or_may_not_have_been_counted() {
    let findings = [listed(2, Status::Active, 1), listed(1, Status::Suppressed, 1)].concat();
    assert!(exactly(2, &findings) && exactly(3, &findings));
    assert!(!exactly(1, &findings) && !exactly(4, &findings));
}

#[test]
fn lower_bound_is_met_by_as_many_or_more() {
    let three = listed(3, Status::Active, 1);
    let at_least = |total| agrees(Total::AtLeast(total), second(END), &three);
    assert!(at_least(0) && at_least(3));
    assert!(!at_least(4));
}

fn scan(source: Source, outcome: ScanOutcome, at: i64) -> Event {
    Event::Scan(ScanReport { image: image(), source, outcome, tags: vec![], at: second(at) })
}

const COMPLETE: ScanOutcome = ScanOutcome::Complete(Total::Exactly(1));

#[test]
fn newest_scan_of_each_source_counts_whatever_the_order() {
    let events = |order: [i64; 3]| {
        let mut events: Vec<Event> = order.map(|at| scan(Source::Inspector, COMPLETE, at)).into();
        events.push(scan(Source::Basic, ScanOutcome::Failed, 2));
        events
    };
    for order in [[1, 5, 3], [5, 3, 1], [1, 3, 5]] {
        let events = events(order);
        let newest = newest(&events);
        assert_eq!(newest.len(), 2);
        assert_eq!(newest[&(Source::Inspector, false)].at, second(5));
        assert_eq!(newest[&(Source::Basic, true)].outcome, ScanOutcome::Failed);
    }
}

#[test]
fn complete_and_failed_scans_of_a_source_count_each_whatever_their_order() {
    for outcomes in [[COMPLETE, ScanOutcome::Failed], [ScanOutcome::Failed, COMPLETE]] {
        let events = outcomes.map(|outcome| scan(Source::Basic, outcome, 1));
        let newest = newest(&events);
        assert_eq!(newest[&(Source::Basic, false)].outcome, COMPLETE);
        assert_eq!(newest[&(Source::Basic, true)].outcome, ScanOutcome::Failed);
    }
}

#[test]
fn batch_without_scans_has_no_newest() {
    let report = FindingReport {
        image: image(),
        finding: finding("a", Status::Active, 1),
        tags: vec![],
        pushed_at: None,
    };
    assert!(newest(&[Event::Finding(Box::new(report))]).is_empty());
}

fn reports(updated: &[i64]) -> Vec<FindingReport> {
    updated
        .iter()
        .map(|at| FindingReport {
            image: image(),
            finding: finding("a", Status::Active, *at),
            tags: vec![],
            pushed_at: None,
        })
        .collect()
}

/// A ledger of an image that was pushed at second 0.
fn pushed() -> Ledger {
    let mut ledger = Ledger::new(image());
    ledger.merge(Evidence::Action(ImageAction {
        image: image(),
        action: ActionType::Push,
        tag: None,
        media_type: None,
        at: second(0),
    }));
    ledger
}

const MINUTE: i64 = 60;

#[test]
fn findings_soon_after_the_push_belong_to_the_first_scan() {
    let at = |updated: &[i64], overdue| adopted_at(&pushed(), reports(updated).iter(), overdue);
    // Half an hour, unless the policy says when a scan is overdue.
    assert_eq!(at(&[1, 30 * MINUTE], None), None);
    assert_eq!(at(&[1, 30 * MINUTE + 1], None), Some(second(1)));
    assert_eq!(at(&[10 * MINUTE], Some(10)), None);
    assert_eq!(at(&[10 * MINUTE + 1], Some(10)), Some(second(-20 * MINUTE + 1)));
    assert_eq!(at(&[], None), None);
}

#[test]
fn adoption_is_dated_half_an_hour_before_the_first_of_the_late_findings() {
    let reports = reports(&[5, 9_000, 7_000]);
    assert_eq!(adopted_at(&pushed(), reports.iter(), None), Some(second(7_000 - 30 * MINUTE)));
    assert_eq!(adopted_at(&pushed(), reports.iter().rev(), None), Some(second(7_000 - 30 * MINUTE)));
}

#[test]
fn image_of_which_every_finding_is_closed_is_at_its_end() {
    let active = reports(&[9_000]);
    let mut closed = active.clone();
    closed[0].finding.status = Status::Closed;
    assert!(is_alive(active.iter(), &listed(3, Status::Closed, 1)));
    assert!(is_alive(closed.iter(), &listed(1, Status::Active, 1)));
    assert!(is_alive(closed.iter(), &listed(1, Status::Suppressed, 1)));
    assert!(!is_alive(closed.iter(), &listed(3, Status::Closed, 1)));
    assert!(!is_alive(closed.iter(), &[]));
}

#[test]
fn scan_without_a_total_has_found_at_least_what_was_reported_before_it() {
    let mut ledger = Ledger::new(image());
    for (status, updated) in [(Status::Active, 1), (Status::Active, END), (Status::Closed, 1)] {
        let findings = listed(1, status, updated);
        ledger.merge(Evidence::Findings(findings));
    }
    ledger.merge(Evidence::Findings(listed(4, Status::Active, END + 1)));
    let report =
        |source| ScanReport { image: image(), source, outcome: COMPLETE, tags: vec![], at: second(END) };
    let inspector = report(Source::Inspector);
    assert_eq!(expected(Total::AtLeast(0), &inspector, &ledger), Total::AtLeast(2));
    assert_eq!(expected(Total::AtLeast(7), &inspector, &ledger), Total::AtLeast(7));
    assert_eq!(expected(Total::Exactly(0), &inspector, &ledger), Total::Exactly(0));
    assert_eq!(expected(Total::AtLeast(0), &report(Source::Basic), &ledger), Total::AtLeast(0));
    let (source, at) = (Source::Inspector, second(END + 1));
    ledger.merge(Evidence::Listing { source, at, scanned: false, findings: vec![], tags: vec![] });
    assert_eq!(expected(Total::AtLeast(0), &inspector, &ledger), Total::AtLeast(0), "a listing said more");
}

#[test]
fn image_of_which_no_push_is_known_is_adopted_with_its_first_finding() {
    assert_eq!(adopted_at(&Ledger::new(image()), reports(&[1]).iter(), None), Some(second(1 - 30 * MINUTE)));
}

#[test]
fn image_whose_scan_has_ended_is_not_adopted() {
    let ended = Evidence::Listing {
        source: Source::Inspector,
        at: second(1),
        scanned: true,
        findings: vec![],
        tags: vec![],
    };
    for evidence in [ended, Evidence::ScanFailed { source: Source::Basic, at: second(1) }] {
        let mut ledger = pushed();
        ledger.merge(evidence);
        assert_eq!(adopted_at(&ledger, reports(&[9_000]).iter(), None), None);
    }
}
