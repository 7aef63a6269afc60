use proptest::prelude::*;

use super::*;
use crate::assessment::{Assessed, Assessment, Changes, assess, judge};
use crate::finding::{Finding, Package, Severity, Source};
use crate::history::{Entry, Happening};
use crate::image::{Digest, ImageId};
use crate::ledger::{CoverageAnswer, Evidence, Link};
use crate::manifest::{ChildKind, Contents, OCI_INDEX};
use crate::policy::Policy;
use crate::samples::{closed, coverage, finding, image, ledger, listing, policy, second, strict};
use crate::verdict::Verdict;

fn digest(fill: &str) -> Digest {
    format!("sha256:{}", fill.repeat(64)).try_into().unwrap()
}

/// An index of which it is known what it contains, tagged 1.0.
fn index() -> Ledger {
    let mut ledger = ledger([
        Evidence::Contents(Contents::default()),
        Evidence::Described { pushed_at: second(0), media_type: Some(OCI_INDEX.to_owned()) },
        Evidence::Tagged { at: second(0), tags: vec!["1.0".to_owned()] },
    ]);
    ledger.image = ImageId { digest: digest("f"), ..image() };
    ledger
}

fn platform(name: &str, fill: &str, evidence: Vec<Evidence>) -> Platform {
    let mut ledger = ledger(evidence);
    ledger.image = ImageId { digest: digest(fill), ..image() };
    Platform { name: name.to_owned(), ledger }
}

fn uncovered() -> Vec<Evidence> {
    let answer = CoverageAnswer { reason: "UNSUPPORTED_OS".to_owned(), ..CoverageAnswer::not_listed() };
    vec![Evidence::Coverage { at: second(5), answer }]
}

fn in_package(id: &str, package: &str) -> Finding {
    let packages = vec![Package::new(package, "1.0", Some("1.1"))];
    Finding { vulnerability: "CVE-1".to_owned(), packages, ..finding(id, 1) }
}

fn subject<'a>(ledger: &'a Ledger, platforms: &'a [Platform]) -> Subject<'a> {
    Subject { ledger, platforms, is_complete: true }
}

fn verdict_of(platforms: &[Platform]) -> Verdict {
    judge(subject(&index(), platforms), &strict(), second(100)).verdict
}

/// Announces as the function does.
fn announce(ledger: &mut Ledger, platforms: &[Platform], policy: &Policy, now: i64) -> Option<Assessment> {
    let Assessed { assessment, announced } = assess(subject(ledger, platforms), 1, policy, second(now))?;
    ledger.announced = announced;
    Some(assessment)
}

/// Evidence that leads to a verdict on one platform.
fn leading_to(verdict: Verdict, id: &str) -> Vec<Evidence> {
    match verdict {
        Verdict::Clear => vec![listing(2, vec![])],
        Verdict::Quarantine => vec![listing(2, vec![finding(id, 1)])],
        Verdict::Pending => vec![Evidence::Findings(vec![finding(id, 1)])],
        Verdict::Unscannable => vec![Evidence::ScanFailed { source: Source::Inspector, at: second(2) }],
    }
}

#[test]
fn an_index_is_as_bad_as_the_worst_of_its_platforms_and_pending_before_it_is_known() {
    use Verdict::{Clear, Pending, Quarantine, Unscannable};
    for (one, other, expected) in [
        (Clear, Clear, Clear),
        (Clear, Quarantine, Quarantine),
        (Pending, Quarantine, Quarantine),
        (Unscannable, Quarantine, Quarantine),
        (Clear, Pending, Pending),
        (Unscannable, Pending, Pending),
        (Clear, Unscannable, Unscannable),
        (Pending, Pending, Pending),
    ] {
        for (one, other) in [(one, other), (other, one)] {
            let platforms = [
                platform("linux/amd64", "a", leading_to(one, "a")),
                platform("linux/arm64", "b", leading_to(other, "b")),
            ];
            assert_eq!(verdict_of(&platforms), expected, "{one} and {other}");
        }
    }
}

#[test]
fn what_is_not_known_of_an_index_is_never_clear() {
    let clear = [platform("linux/amd64", "a", leading_to(Verdict::Clear, "a"))];
    let ledger = index();
    assert_eq!(judge(subject(&ledger, &clear), &strict(), second(9)).verdict, Verdict::Clear);
    let incomplete = Subject { is_complete: false, ..subject(&ledger, &clear) };
    assert_eq!(judge(incomplete, &strict(), second(9)).verdict, Verdict::Pending);
    assert_eq!(judge(subject(&ledger, &[]), &strict(), second(9)).verdict, Verdict::Pending, "no image");
    assert_eq!(judge(&ledger, &strict(), second(9)).verdict, Verdict::Pending, "nothing is known");
}

#[test]
fn a_platform_that_inspector_rules_out_is_unscannable_and_named_with_its_reason() {
    let platforms = [
        platform("linux/amd64", "a", leading_to(Verdict::Clear, "a")),
        platform("linux/riscv64", "b", uncovered()),
    ];
    let mut root = index();
    let said = announce(&mut root, &platforms, &strict(), 9).unwrap();
    assert_eq!(said.verdict, Verdict::Unscannable);
    assert_eq!(root.announced.unscanned.as_deref(), Some("UNSUPPORTED_OS"), "lists say it too");
    let [amd64, riscv64] = said.image.platforms.as_slice() else { panic!("{:?}", said.image) };
    assert_eq!((amd64.verdict, &amd64.unscanned), (Verdict::Clear, &None));
    assert_eq!(
        (riscv64.verdict, riscv64.unscanned.as_deref()),
        (Verdict::Unscannable, Some("UNSUPPORTED_OS"))
    );
    assert_eq!(riscv64.platform, "linux/riscv64");
    let archived = CoverageAnswer { reason: "IMAGE_ARCHIVED".to_owned(), ..CoverageAnswer::not_listed() };
    let archived = vec![Evidence::Coverage { at: second(5), answer: archived }];
    let platforms = [platforms[0].clone(), platform("linux/riscv64", "b", archived)];
    assert_eq!(verdict_of(&platforms), Verdict::Pending, "it is scanned when it comes out of the archive");
}

#[test]
fn a_vulnerability_of_several_platforms_is_one_and_as_bad_as_the_worst() {
    let high = Finding { severity: Severity::High, ..in_package("a", "openssl") };
    let critical = in_package("b", "openssl");
    let elsewhere = in_package("c", "libxml2");
    let platforms = [
        platform("linux/amd64", "a", vec![listing(2, vec![high, elsewhere])]),
        platform("linux/arm64", "b", vec![listing(2, vec![critical])]),
    ];
    let said = announce(&mut index(), &platforms, &strict(), 9).unwrap();
    assert_eq!(said.open, [(Severity::Critical, 2)].into());
    let told: Vec<(&str, Vec<String>)> = said
        .reasons
        .iter()
        .map(|reason| (reason.finding.packages[0].name.as_str(), reason.platforms.clone()))
        .collect();
    assert!(told.contains(&("openssl", vec![])), "on both: {told:?}");
    assert!(told.contains(&("libxml2", vec!["linux/amd64".to_owned()])), "on one: {told:?}");
}

#[test]
fn a_fix_on_one_platform_closes_nothing_and_on_both_it_closes_once() {
    let mut ledger = index();
    let found = |id| vec![listing(2, vec![in_package(id, "openssl")])];
    let mut platforms = [platform("linux/amd64", "a", found("a")), platform("linux/arm64", "b", found("b"))];
    let said = announce(&mut ledger, &platforms, &strict(), 9).unwrap();
    assert_eq!(said.changes.opened, [(Severity::Critical, 1)].into());
    platforms[0].ledger.merge(listing(2_000_000, vec![]));
    let said = announce(&mut ledger, &platforms, &strict(), 2_000_001).unwrap();
    assert_eq!((said.verdict, said.changes.closed.len()), (Verdict::Quarantine, 0));
    assert_eq!(said.reasons[0].platforms, ["linux/arm64"]);
    platforms[1].ledger.merge(listing(2_000_002, vec![]));
    let said = announce(&mut ledger, &platforms, &strict(), 2_000_003).unwrap();
    assert!(said.is_released());
    let closed = &said.changes.closed[&Severity::Critical];
    assert_eq!(closed.values().sum::<u64>(), 1, "{closed:?}");
}

#[test]
fn an_index_whose_only_finding_is_fixed_waits_for_its_other_platform_again() {
    let mut index = index();
    let found = vec![listing(2, vec![finding("a", 1)])];
    let fixed = [found.clone(), vec![listing(2_000_000, vec![])]].concat();
    let platforms =
        |evidence, other| [platform("linux/amd64", "a", evidence), platform("linux/arm64", "b", other)];
    let half = platforms(found, vec![]);
    assert_eq!(announce(&mut index, &half, &strict(), 100).unwrap().verdict, Verdict::Quarantine);
    let half = platforms(fixed.clone(), vec![]);
    let waits = announce(&mut index, &half, &strict(), 2_000_100).unwrap();
    assert_eq!((waits.verdict, waits.changes.closed.len(), waits.open.len()), (Verdict::Pending, 1, 0));
    assert!(!waits.is_released());
    assert_eq!(announce(&mut index, &half, &strict(), 2_000_100), None, "once");
    let whole = platforms(fixed, vec![listing(2_000_000, vec![])]);
    assert!(announce(&mut index, &whole, &strict(), 2_000_100).unwrap().is_released());
}

#[test]
fn what_was_said_of_one_platform_is_no_news_on_another() {
    let mut ledger = index();
    let found = vec![listing(2, vec![in_package("a", "openssl")])];
    let mut platforms =
        [platform("linux/amd64", "a", found), platform("linux/arm64", "b", leading_to(Verdict::Clear, "b"))];
    announce(&mut ledger, &platforms, &strict(), 9).unwrap();
    platforms[1].ledger.merge(Evidence::Findings(vec![in_package("b", "openssl")]));
    let said = announce(&mut ledger, &platforms, &strict(), 10).unwrap();
    assert_eq!(said.image.platforms[1].verdict, Verdict::Quarantine, "the platform's verdict is announced");
    assert!(said.changes == Changes::default() && !said.is_news());
    assert_eq!(announce(&mut ledger, &platforms, &strict(), 11), None);
}

#[test]
fn a_finding_whose_packages_are_stated_more_fully_is_no_news() {
    let mut ledger = index();
    let found = vec![listing(2, vec![in_package("a", "openssl")])];
    let mut platforms = [platform("linux/amd64", "a", found)];
    announce(&mut ledger, &platforms, &strict(), 9).unwrap();
    let mut more = Finding { updated_at: second(10), last_seen: second(10), ..in_package("a", "openssl") };
    more.packages.push(Package::new("libssl3", "1.0", Some("1.1")));
    platforms[0].ledger.merge(Evidence::Findings(vec![more]));
    assert_eq!(announce(&mut ledger, &platforms, &strict(), 11), None);
    let other = Finding { vulnerability: "CVE-2".to_owned(), ..in_package("b", "openssl") };
    platforms[0].ledger.merge(Evidence::Findings(vec![other]));
    let said = announce(&mut ledger, &platforms, &strict(), 12).unwrap();
    assert_eq!(said.changes.opened, [(Severity::Critical, 1)].into(), "another vulnerability is");
}

#[test]
fn a_rebuild_of_images_that_were_scanned_before_says_nothing_of_latency() {
    let scanned = |at| [platform("linux/amd64", "a", vec![listing(at, vec![])])];
    let mut pushed = index();
    pushed.facts.pushed_at = Some(second(60));
    let latency = |platforms: &[Platform]| {
        announce(&mut pushed.clone(), platforms, &strict(), 100).unwrap().scan.unwrap().latency_ms
    };
    assert_eq!(latency(&scanned(59)), None);
    assert_eq!(latency(&scanned(75)), Some(15_000));
}

#[test]
fn half_of_a_scan_is_told_of_no_platform() {
    let platforms = [
        platform("linux/amd64", "a", leading_to(Verdict::Quarantine, "a")),
        platform("linux/arm64", "b", leading_to(Verdict::Pending, "b")),
    ];
    let said = announce(&mut index(), &platforms, &strict(), 9).unwrap();
    assert_eq!((said.verdict, said.open.values().sum::<u64>()), (Verdict::Quarantine, 1));
}

#[test]
fn a_waiver_names_the_index_or_one_of_its_images() {
    let found = |id, fill, name| platform(name, fill, vec![listing(2, vec![in_package(id, "openssl")])]);
    let platforms = [found("a", "a", "linux/amd64"), found("b", "b", "linux/arm64")];
    let waiving = |digest: &Digest| {
        policy(&format!(
            "
rules: [{{ id: critical, match: {{ severity: [CRITICAL] }}, then: [alert, quarantine] }}]
waivers: [{{ digest: '{digest}', reason: not reachable, owner: shop, expires: 2031-06-01 }}]
"
        ))
    };
    let verdict = |digest: &Digest| {
        let judged = index();
        judge(subject(&judged, &platforms), &waiving(digest), second(9)).verdict
    };
    assert_eq!(verdict(&digest("f")), Verdict::Clear, "the index");
    assert_eq!(verdict(&digest("a")), Verdict::Quarantine, "one image excuses not the other");
}

#[test]
fn an_untagged_part_of_an_index_is_no_root_and_what_was_said_of_it_is_taken_back() {
    let mut part = ledger([listing(2, vec![finding("a", 1)])]);
    let Assessed { announced, .. } = assess(&part, 1, &strict(), second(3)).unwrap();
    part.announced = announced;
    part.merge(Evidence::ContainedIn {
        index: digest("f"),
        link: Link { at: second(4), kind: ChildKind::Image, ended: false },
    });
    let Assessed { assessment, announced } = assess(&part, 2, &strict(), second(5)).unwrap();
    assert!(assessment.superseded && !assessment.is_news() && !assessment.is_released());
    assert_eq!((assessment.verdict, assessment.previous), (Verdict::Pending, Verdict::Quarantine));
    let Happening::Assessed(remembered) = Entry::of(&assessment).what else { panic!("no announcement") };
    assert!(remembered.superseded && remembered.closed.values().sum::<u64>() == 1, "{remembered:?}");
    part.announced = announced;
    assert_eq!(assess(&part, 3, &strict(), second(6)), None, "once");
    part.merge(Evidence::Tagged { at: second(7), tags: vec!["1.0-amd64".to_owned()] });
    let Assessed { assessment, .. } = assess(&part, 4, &strict(), second(8)).unwrap();
    assert!(assessment.is_first() && assessment.is_quarantined(), "with a tag it is deployed by itself");
}

#[test]
fn attestations_and_other_artifacts_are_no_images_unless_somebody_scans_them() {
    let linked_by = |index, kind| Evidence::ContainedIn {
        index: digest(index),
        link: Link { at: second(4), kind, ended: false },
    };
    let linked = |kind| linked_by("f", kind);
    for kind in [ChildKind::Attestation, ChildKind::Other] {
        let mut attached = ledger([linked(kind)]);
        assert!(!attached.facts.is_image() && !attached.facts.is_root(), "{kind:?}");
        attached.merge(linked_by("e", ChildKind::Image));
        assert!(attached.facts.is_image(), "nothing is hidden by another word for it");
        let scanned = ledger([linked(kind), listing(2, vec![])]);
        assert!(scanned.facts.is_image(), "{kind:?}");
    }
}

proptest! {
    /// One platform with these findings is judged as the image itself would be.
    #[test]
    fn an_index_of_one_image_is_judged_as_that_image(
        severities in proptest::collection::vec(0_usize..4, 0..6),
        resolved in proptest::collection::vec(any::<bool>(), 6),
    ) {
        let severity = |n: usize| Severity::KNOWN[n].clone();
        let findings: Vec<Finding> = severities
            .iter()
            .enumerate()
            .map(|(n, level)| {
                let id = n.to_string();
                let report = if resolved[n] { closed(&id, 1) } else { finding(&id, 1) };
                Finding { severity: severity(*level), ..report }
            })
            .collect();
        let evidence = vec![listing(2, findings), coverage(0, true), coverage(900, true)];
        let alone = ledger(evidence.clone());
        let platforms = [platform("linux/amd64", "a", evidence)];
        let ledger = index();
        let (one, other) = (
            assess(&alone, 1, &strict(), second(1_000)).unwrap().assessment,
            assess(subject(&ledger, &platforms), 1, &strict(), second(1_000)).unwrap().assessment,
        );
        prop_assert_eq!(one.verdict, other.verdict);
        prop_assert_eq!(&one.open, &other.open);
        prop_assert_eq!(&one.changes, &other.changes);
        prop_assert_eq!(one.reasons.len(), other.reasons.len());
    }
}

#[test]
fn platform_that_is_scanned_before_another_one_that_was_told_is_announced() {
    let mut index = index();
    let late = platform("linux/amd64", "a", vec![listing(20, vec![finding("a", 1)])]);
    let unknown = platform("linux/arm64", "b", vec![]);
    let said = announce(&mut index, &[late.clone(), unknown], &strict(), 30).unwrap();
    assert_eq!(said.image.platforms[1].verdict, Verdict::Pending);
    // Its scan ended first and is told last; it found nothing.
    let platforms = [late, platform("linux/arm64", "b", vec![listing(10, vec![])])];
    let said = announce(&mut index, &platforms, &strict(), 40).unwrap();
    assert_eq!(said.image.platforms[1].verdict, Verdict::Clear);
    assert!(!said.is_news() && said.scan.is_none(), "people are told nothing new");
    assert_eq!(announce(&mut index, &platforms, &strict(), 50), None, "once");
    index.announced.platforms.clear();
    assert_eq!(announce(&mut index, &platforms, &strict(), 50), None, "what an earlier version said stands");
}

proptest! {
    #[test]
    fn last_announcement_shows_what_is_known_of_each_platform_in_any_order(
        scans in (proptest::collection::vec((0_usize..3, 1_i64..40, 0_usize..3), 0..8), 0_usize..3)
            .prop_flat_map(|(mut scans, what)| {
                scans.extend((0..3).map(|place| (place, 0, what)));
                (Just(scans.clone()), Just(scans).prop_shuffle())
            })
    ) {
        let last = |scans: Vec<(usize, i64, usize)>| {
            let mut index = index();
            let mut platforms = ["a", "b", "c"].map(|fill| platform(&format!("linux/{fill}"), fill, vec![]));
            let mut last = None;
            for (place, at, what) in scans {
                // What ended at one moment found the same.
                let evidence = match (what + place + usize::try_from(at).unwrap()) % 3 {
                    0 => Evidence::ScanFailed { source: Source::Inspector, at: second(at) },
                    1 => listing(at, vec![]),
                    _ => listing(at, vec![finding("a", at)]),
                };
                platforms[place].ledger.merge(evidence);
                last = announce(&mut index, &platforms, &strict(), 1_000).or(last);
            }
            (last.map(|last| (last.verdict, last.image.platforms)), platforms, index)
        };
        let (scans, shuffled) = scans;
        let distinct: BTreeSet<(usize, i64)> = scans.iter().map(|(place, at, _)| (*place, *at)).collect();
        prop_assume!(distinct.len() == scans.len());
        let (one, platforms, index) = last(scans);
        let (other, ..) = last(shuffled);
        prop_assert_eq!(&one, &other);
        if let Some((verdict, told)) = one {
            let policy = strict();
            let judged = judge(subject(&index, &platforms), &policy, second(1_000));
            let told: Vec<Verdict> = told.iter().map(|platform| platform.verdict).collect();
            prop_assert_eq!((verdict, told), (judged.verdict, judged.platforms));
        }
    }
}

#[test]
fn what_a_scanner_found_in_the_index_itself_is_judged_with_its_platforms() {
    let clean = || [platform("linux/amd64", "a", vec![listing(5, vec![])])];
    let mut index = index();
    index.merge(listing(6, vec![finding("own", 1)]));
    let said = announce(&mut index, &clean(), &strict(), 10).unwrap();
    assert_eq!(said.verdict, Verdict::Quarantine);
    let named: Vec<_> = said
        .image
        .platforms
        .iter()
        .map(|part| (part.platform.as_str(), &part.digest, part.verdict))
        .collect();
    assert_eq!(
        named,
        [
            ("linux/amd64", &digest("a"), Verdict::Clear),
            ("the index itself", &digest("f"), Verdict::Quarantine)
        ]
    );
    assert_eq!(said.reasons[0].platforms, ["the index itself"]);
    // An unscanned platform does not keep it back.
    let unscanned = [platform("linux/amd64", "a", vec![])];
    assert_eq!(judge(subject(&index, &unscanned), &strict(), second(10)).verdict, Verdict::Quarantine);
}

#[test]
fn index_that_no_scanner_looks_at_waits_for_nothing() {
    let clean = || [platform("linux/amd64", "a", vec![listing(5, vec![])])];
    let failed = Evidence::ScanFailed { source: Source::Basic, at: second(7) };
    for own in [vec![], vec![failed], vec![Evidence::Findings(vec![finding("half", 1)])]] {
        let mut index = index();
        for piece in own {
            index.merge(piece);
        }
        let said = announce(&mut index, &clean(), &strict(), 10).unwrap();
        assert_eq!((said.verdict, said.image.platforms.len()), (Verdict::Clear, 1));
    }
    // It answers for itself alone.
    let mut index = index();
    index.merge(listing(6, vec![]));
    let unscanned = [platform("linux/amd64", "a", vec![])];
    assert_eq!(judge(subject(&index, &unscanned), &strict(), second(10)).verdict, Verdict::Pending);
    assert_eq!(judge(subject(&index, &[]), &strict(), second(10)).verdict, Verdict::Pending);
}

#[test]
fn what_was_open_in_a_part_is_withdrawn_when_it_is_taken_back() {
    let low = Finding { severity: Severity::Low, ..finding("b", 1) };
    let mut part = ledger([listing(2, vec![finding("a", 1), low])]);
    let Assessed { assessment, announced } = assess(&part, 1, &strict(), second(3)).unwrap();
    let opened = assessment.changes.opened;
    assert_eq!(opened.len(), 2);
    part.announced = announced;
    let link = Link { at: second(4), kind: ChildKind::Image, ended: false };
    part.merge(Evidence::ContainedIn { index: digest("f"), link });
    let Assessed { assessment, .. } = assess(&part, 2, &strict(), second(5)).unwrap();
    assert_eq!(assessment.changes.withdrawn, opened);
    assert!(assessment.ends_quarantine() && !assessment.is_released());
}
