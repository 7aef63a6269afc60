use domain::finding::Source;
use domain::ledger::{Evidence, Link};
use domain::manifest::{ChildKind, Contents};
use domain::samples::{coverage, finding, image, ledger, listing, second};

use super::*;

const MINUTE: i64 = 60;

fn platform(name: &str, evidence: Vec<Evidence>) -> Platform {
    Platform { name: name.to_owned(), ledger: ledger(evidence) }
}

fn tagged() -> Evidence {
    Evidence::Tagged { at: second(0), tags: vec!["1.0".to_owned()] }
}

fn contained() -> Evidence {
    Evidence::ContainedIn {
        index: image().digest,
        link: Link { at: second(0), kind: ChildKind::Image, ended: false },
    }
}

#[test]
fn an_untagged_image_waits_five_minutes_from_when_it_could_be_judged() {
    let mut scanned = ledger([listing(1, vec![finding("a", 1)])]);
    let first = wait(&scanned, second(100)).unwrap();
    assert_eq!((first.since, first.until), (second(100), second(100 + 5 * MINUTE)));
    scanned.announced.waiting_since = Some(first.since);
    assert_eq!(wait(&scanned, second(200)), Some(first), "the end does not move");
    assert_eq!(wait(&scanned, second(100 + 5 * MINUTE)), None, "not longer");
}

#[test]
fn nothing_waits_that_has_no_reason_to() {
    let failed = Evidence::ScanFailed { source: Source::Inspector, at: second(1) };
    assert!(wait(&ledger([failed]), second(2)).is_some(), "a failed scan is to be told, too");
    let scanned = || listing(1, vec![]);
    for (evidence, why) in [
        (vec![scanned(), tagged()], "it has a tag"),
        (vec![scanned(), contained()], "its index is known"),
        (vec![scanned(), Evidence::Contents(Contents::default())], "it is an index"),
        (vec![Evidence::Findings(vec![finding("a", 1)])], "nothing is said of it yet"),
        (vec![scanned(), Evidence::Gone { at: second(2) }], "it is gone"),
    ] {
        assert_eq!(wait(&ledger(evidence), second(3)), None, "{why}");
    }
    let mut told = ledger([scanned()]);
    told.announced.verdict = Verdict::Clear;
    assert_eq!(wait(&told, second(3)), None, "people have heard of it");
    let mut ahead = ledger([scanned()]);
    ahead.announced.waiting_since = Some(second(1_000_000));
    assert_eq!(wait(&ahead, second(3)).unwrap().since, second(3), "a clock that was wrong is not waited for");
}

#[test]
fn scans_of_platforms_may_lie_half_an_hour_apart() {
    let scanned = platform("linux/amd64", vec![listing(10, vec![])]);
    let not = platform("linux/arm64", vec![]);
    let both = [scanned.clone(), not.clone()];
    let until = 10 + 30 * MINUTE;
    assert_eq!(missing(&both, second(20)), Missing::WaitUntil(second(until)));
    let Missing::Ask(asked) = missing(&both, second(until)) else { panic!("nobody is asked") };
    assert_eq!(asked.len(), 1);
    assert_eq!(
        missing(std::slice::from_ref(&not), second(until)),
        Missing::Nothing,
        "nothing is scanned at all"
    );
    assert_eq!(missing(&[scanned.clone(), scanned], second(until)), Missing::Nothing, "all are scanned");
}

#[test]
fn who_was_asked_is_not_asked_again_for_a_day() {
    const DAY: i64 = 24 * 60 * MINUTE;
    let scanned = platform("linux/amd64", vec![listing(10, vec![])]);
    let asked = platform("linux/arm64", vec![coverage(3_000, false)]);
    let both = [scanned, asked];
    assert_eq!(missing(&both, second(3_001)), Missing::Nothing);
    assert!(matches!(missing(&both, second(3_000 + DAY)), Missing::Ask(_)));
}

#[test]
fn a_scan_of_the_far_future_is_not_waited_for() {
    let scanned = platform("linux/amd64", vec![listing(100_000_000, vec![])]);
    let both = [scanned, platform("linux/arm64", vec![])];
    assert!(matches!(missing(&both, second(20)), Missing::Ask(_)));
}
