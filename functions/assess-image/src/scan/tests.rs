use domain::ledger::Evidence;

use domain::samples::{self, image, second};

use super::*;

fn finding(id: &str, status: Status, updated: i64) -> Finding {
    Finding { status, ..samples::finding(id, updated) }
}

/// When the scan ended: long enough after second 0 for a list to be behind.
const END: i64 = 300_000;

fn listed(count: usize, status: Status, updated: i64) -> Vec<Finding> {
    (0..count).map(|n| finding(&format!("{status:?}-{updated}-{n}"), status, updated)).collect()
}

fn rated(severity: &str, findings: Vec<Finding>) -> Vec<Finding> {
    findings.into_iter().map(|finding| Finding { severity: severity.into(), ..finding }).collect()
}

fn counts(by_severity: &[(&str, u64)], total: impl Into<Option<u64>>) -> Counts {
    let by_severity = by_severity.iter().map(|(name, count)| ((*name).into(), *count)).collect();
    Counts { by_severity, total: total.into() }
}

fn agrees_with(counts: &Counts, found: &[Finding]) -> bool {
    agrees(counts, second(END), &found.iter().collect::<Vec<_>>())
}

/// Whether findings, critical ones if nothing else is said, can be all of a scan that states only a total.
fn exactly(total: u64, found: &[Finding]) -> bool {
    agrees_with(&counts(&[], total), found)
}

#[test]
fn findings_agree_with_the_total_that_the_scan_stated() {
    let three = listed(3, Status::Active, END);
    assert!(exactly(3, &three));
    assert!(!exactly(4, &three), "not all of them are listed yet");
    assert!(!exactly(2, &three), "more were open than the scan says");
    assert!(exactly(0, &[]));
    assert!(!exactly(1, &[]));
}

#[test]
fn each_severity_is_compared() {
    let found = [rated("CRITICAL", listed(1, Status::Active, 1)), rated("LOW", listed(2, Status::Active, 2))]
        .concat();
    let agree = |stated: &[(&str, u64)], total: Option<u64>| agrees_with(&counts(stated, total), &found);
    assert!(agree(&[("CRITICAL", 1), ("HIGH", 0)], Some(3)));
    assert!(agree(&[("CRITICAL", 1)], None), "what is not stated is not compared");
    assert!(agree(&[], None));
    assert!(!agree(&[("CRITICAL", 2)], Some(3)), "a critical one is missing, whatever the total");
    assert!(!agree(&[("CRITICAL", 0)], Some(3)));
    assert!(!agree(&[("CRITICAL", 1), ("HIGH", 1)], Some(3)));
    assert!(!agree(&[("CRITICAL", 1), ("LOW", 2)], Some(4)));
}

#[test]
fn suppressed_findings_are_all_counted_or_none() {
    let found = [listed(1, Status::Active, 1), listed(3, Status::Suppressed, 1)].concat();
    assert!(exactly(1, &found) && exactly(4, &found));
    assert!(!exactly(2, &found) && !exactly(3, &found), "one of three suppressed ones is none of ours");
    let lagging = listed(3, Status::Suppressed, 1);
    assert!(!agrees_with(&counts(&[("CRITICAL", 1)], 1), &lagging));
}

#[test]
fn finding_that_changed_since_the_scan_may_or_may_not_have_been_counted() {
    for status in [Status::Active, Status::Suppressed, Status::Closed] {
        let found = [listed(2, Status::Active, END), rated("LOW", listed(1, status, END + 1))].concat();
        assert!(exactly(2, &found), "{status:?} may be new");
        assert!(exactly(3, &found), "{status:?} may have been open");
        assert!(!exactly(1, &found));
        assert!(!exactly(4, &found));
        let agree = |stated: &[(&str, u64)], total| agrees_with(&counts(stated, total), &found);
        assert!(agree(&[("CRITICAL", 2), ("HIGH", 1)], 3), "its severity may have changed, too");
        assert!(!agree(&[("CRITICAL", 3), ("HIGH", 1)], 4), "but it is one");
        assert!(!agree(&[("CRITICAL", 3)], 2));
    }
}

#[test]
fn finding_that_closed_before_the_scan_ended_was_not_counted() {
    let found = [listed(2, Status::Active, 1), listed(5, Status::Closed, END)].concat();
    assert!(exactly(2, &found));
    assert!(!exactly(3, &found));
}

#[test]
fn counts_without_bounds_agree_with_nothing() {
    let largest = counts(&[("CRITICAL", u64::MAX), ("HIGH", u64::MAX)], u64::MAX);
    assert!(!agrees_with(&largest, &listed(3, Status::Active, END + 1)));
}

fn complete(source: Source) -> ScanReport {
    ScanReport { image: image(), source, outcome: complete_one(), tags: vec![], at: second(END) }
}

#[test]
fn what_was_reported_and_would_be_listed_if_it_had_closed_is_found_all_the_same() {
    const LISTED: i64 = domain::ledger::CLOSED_ARE_LISTED.as_secs();
    let mut ledger = Ledger::new(image());
    let basic = Finding { source: Source::Basic, ..finding("basic", Status::Active, END) };
    ledger.merge(Evidence::Findings(vec![
        finding("recent", Status::Active, END - LISTED),
        finding("suppressed", Status::Suppressed, END),
        finding("later", Status::Active, END + 1),
        finding("listed", Status::Active, END),
        finding("closed", Status::Closed, END),
        finding("old", Status::Active, END - LISTED - 1),
        basic,
    ]));
    let listed = [finding("listed", Status::Active, END)];
    let ids = |source| {
        let scan = complete(source);
        reported(&ledger, &scan, &listed).into_iter().map(|finding| finding.id.clone()).collect::<Vec<_>>()
    };
    assert_eq!(ids(Source::Inspector), ["later", "recent", "suppressed"]);
    assert_eq!(ids(Source::Basic), ["basic"]);
}

fn scan(source: Source, outcome: ScanOutcome, at: i64) -> Event {
    Event::Scan(ScanReport { image: image(), source, outcome, tags: vec![], at: second(at) })
}

fn complete_one() -> ScanOutcome {
    ScanOutcome::Complete(counts(&[], 1))
}

#[test]
fn newest_scan_of_each_source_counts_whatever_the_order() {
    let events = |order: [i64; 3]| {
        let mut events: Vec<Event> = order.map(|at| scan(Source::Inspector, complete_one(), at)).into();
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
    for outcomes in [[complete_one(), ScanOutcome::Failed], [ScanOutcome::Failed, complete_one()]] {
        let events = outcomes.map(|outcome| scan(Source::Basic, outcome, 1));
        let newest = newest(&events);
        assert_eq!(newest[&(Source::Basic, false)].outcome, complete_one());
        assert_eq!(newest[&(Source::Basic, true)].outcome, ScanOutcome::Failed);
    }
}

#[test]
fn batch_without_scans_has_no_newest() {
    let report = domain::event::FindingReport {
        image: image(),
        finding: finding("a", Status::Active, 1),
        tags: vec![],
        pushed_at: None,
    };
    assert!(newest(&[Event::Finding(Box::new(report))]).is_empty());
}
