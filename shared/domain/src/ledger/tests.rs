use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use proptest::sample::{Index, select};

use jiff::Timestamp;

use super::*;
use crate::assessment::{assess, judge};
use crate::event::{ActionType, FindingReport, ImageAction, PutImage};
use crate::finding::{Finding, Fix, KnownExploited, Package, Score, Source, Status};
use crate::ledger::facts::TAG_MARKS;
use crate::provenance::{Labels, Origin, Pusher, RepositoryTags, TagsAsOf};
use crate::samples::{
    self, closed, coverage, finding, image, ledger, listing, report, second, strict, verdict,
};
use crate::verdict::Verdict;

// Evidence of one image: few ids, few moments, few values, so that they collide often.

fn moment() -> impl Strategy<Value = Timestamp> {
    // Quarters of an hour and days: some are within a margin of each other, and some are not.
    prop_oneof![4 => (0_i64..12).prop_map(|quarter| quarter * 900), 1 => (0_i64..12).prop_map(|day| day * 86_400)]
        .prop_map(second)
}

/// Ids 0 to 2 are Inspector's, 3 and 4 are of basic scanning.
fn any_finding() -> impl Strategy<Value = Finding> {
    (
        0_usize..5,
        (moment(), moment(), moment()),
        select(vec![Status::Active, Status::Suppressed, Status::Closed]),
        select(vec!["LOW", "HIGH", "CRITICAL", "APOCALYPTIC"]),
        proptest::option::of((0_u8..=2).prop_map(|tenths| Score::from_tenths(tenths * 50))),
        proptest::option::of(select(vec!["1.1", "1.2"])),
        select(vec![Fix::Unknown, Fix::No, Fix::Yes]),
    )
        .prop_map(|(id, (updated_at, first_seen, last_seen), status, severity, score, fixed_in, fix)| {
            Finding {
                updated_at,
                status,
                severity: severity.into(),
                id: format!("finding-{id}"),
                source: if id < 3 { Source::Inspector } else { Source::Basic },
                vulnerability: format!("CVE-2031-{}", id % 4),
                score,
                epss: None,
                exploit: None,
                fix,
                packages: vec![Package::new("openssl", "1.0", fixed_in)],
                last_seen,
                first_seen,
            }
        })
}

fn any_tags() -> impl Strategy<Value = Vec<String>> {
    vec(select(vec!["latest", "1.0", "quarantine-ab12ab12ab12"]).prop_map(str::to_owned), 0..3)
}

fn any_tag() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(select(vec!["latest", "1.0", "quarantine-ab12ab12ab12"]).prop_map(str::to_owned))
}

fn any_source() -> impl Strategy<Value = Source> {
    select(vec![Source::Inspector, Source::Basic])
}

fn any_media_type() -> impl Strategy<Value = Option<String>> {
    proptest::option::of(select(vec!["type/a", "type/b"]).prop_map(str::to_owned))
}

fn any_evidence() -> impl Strategy<Value = Evidence> {
    let reported =
        (any_finding(), any_tags(), proptest::option::of(moment())).prop_map(|(finding, tags, pushed_at)| {
            Evidence::Finding(Box::new(FindingReport { image: image(), finding, tags, pushed_at }))
        });
    let listed = (any_source(), moment(), any::<bool>(), vec(any_finding(), 0..4), any_tags()).prop_map(
        |(source, at, scanned, mut findings, tags)| {
            findings.retain(|finding| finding.source == source);
            Evidence::Listing { source, at, scanned, findings, tags }
        },
    );
    let acted =
        (any::<bool>(), any_tag(), any_media_type(), moment()).prop_map(|(push, tag, media_type, at)| {
            let action = if push { ActionType::Push } else { ActionType::Delete };
            let artifact_media_type = None;
            Evidence::Action(ImageAction { image: image(), action, tag, media_type, artifact_media_type, at })
        });
    let put = (any_tag(), any_media_type(), select(vec!["mary", "ci"]), moment()).prop_map(
        |(tag, media_type, who, at)| {
            let pusher = Pusher { arn: who.to_owned(), provider: None, service: None };
            let from = Origin::default();
            Evidence::Put(PutImage { image: image(), tag, media_type, pusher, from, at })
        },
    );
    let covered = (moment(), any::<bool>(), select(vec!["SUCCESSFUL", "IMAGE_ARCHIVED"]), any::<bool>())
        .prop_map(|(at, covered, reason, by_event)| {
            let reason = reason.to_owned();
            let answer = CoverageAnswer { covered, reason, by_event, ..CoverageAnswer::not_listed() };
            Evidence::Coverage { at, answer }
        });
    let known = proptest::option::of(moment().prop_map(|at| KnownExploited { added: Some(at), due: None }));
    let answer = (moment(), known).prop_map(|(asked_at, known)| Exploitation { asked_at, known });
    let exploited = btree_map((0..4).prop_map(|n| format!("CVE-2031-{n}")), answer, 0..3);
    let said = select(vec![None, Some("high".to_owned())]);
    let repository = (moment(), said).prop_map(|(at, criticality)| {
        Evidence::RepositoryTags(TagsAsOf {
            at,
            tags: RepositoryTags { criticality, ..RepositoryTags::default() },
        })
    });
    let text = || select(vec![None, Some("a".to_owned()), Some("b".to_owned())]);
    let labelled = (text(), text())
        .prop_map(|(source, revision)| Evidence::Labels(Labels { source, revision, ..Labels::default() }));
    let gone = moment().prop_map(|at| Evidence::Gone { at });
    let tagged = (moment(), any_tags()).prop_map(|(at, tags)| Evidence::Tagged { at, tags });
    let withheld = (moment(), any_tags()).prop_map(|(at, tags)| Evidence::Withheld { at, tags });
    prop_oneof![
        4 => reported,
        1 => tagged,
        1 => withheld,
        1 => gone,
        3 => listed,
        1 => vec(any_finding(), 0..4).prop_map(Evidence::Findings),
        1 => (any_source(), moment()).prop_map(|(source, at)| Evidence::ScanFailed { source, at }),
        2 => acted,
        1 => put,
        1 => repository,
        1 => labelled,
        2 => covered,
        1 => exploited.prop_map(Evidence::Exploitation),
    ]
}

/// Evidence, and the same evidence in another order, some of it several times.
fn evidence_twice() -> impl Strategy<Value = (Vec<Evidence>, Vec<Evidence>)> {
    (vec(any_evidence(), 1..16), vec(any::<Index>(), 0..8)).prop_flat_map(|(evidence, repeated)| {
        let mut again = evidence.clone();
        again.extend(repeated.iter().map(|index| index.get(&evidence).clone()));
        (Just(evidence), Just(again).prop_shuffle())
    })
}

/// The ledger as somebody else loads it after it was stored.
fn stored(ledger: &Ledger) -> Ledger {
    let mut loaded = Ledger::new(ledger.image.clone());
    loaded.facts = serde_json::from_str(&serde_json::to_string(&ledger.facts).unwrap()).unwrap();
    decode(&encode(ledger).unwrap(), &mut loaded).unwrap();
    loaded
}

fn demanding() -> crate::policy::Policy {
    samples::policy(
        "
rules:
  - { id: exploited, match: { known_exploited: true }, then: [alert, quarantine], overrides_waivers: true }
  - { id: bad, match: { severity_at_least: HIGH, fix_available: true }, then: [quarantine], grace_days: 1 }
  - { id: all, match: { severity_at_least: UNTRIAGED }, then: [alert] }
waivers:
  - { vulnerability: CVE-2031-1, reason: r, owner: o, expires: 2031-06-01 }
",
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn order_and_repetition_do_not_matter(
        (evidence, again) in evidence_twice(),
        batches in vec(any::<bool>(), 24),
    ) {
        let expected = ledger(evidence);
        let mut other = Ledger::new(image());
        for (piece, batch_ends) in again.into_iter().zip(batches) {
            match piece {
                // What one batch has together comes one by one in another.
                Evidence::Findings(findings) if batch_ends => {
                    for finding in findings {
                        other.merge(Evidence::Findings(vec![finding]));
                    }
                }
                piece => {
                    other.merge(piece);
                }
            }
            if batch_ends {
                other = stored(&other);
            }
        }
        prop_assert_eq!(&other, &expected);
        for now in [second(0), second(90_000)] {
            let policy = demanding();
            prop_assert_eq!(judge(&other, &policy, now).verdict, judge(&expected, &policy, now).verdict);
            prop_assert_eq!(assess(&other, 1, &policy, now), assess(&expected, 1, &policy, now));
        }
    }

    #[test]
    fn merge_says_whether_it_changed_anything_and_never_does_twice(evidence in vec(any_evidence(), 1..16)) {
        let mut ledger = Ledger::new(image());
        for piece in &evidence {
            let before = ledger.clone();
            prop_assert_eq!(ledger.merge(piece.clone()), ledger != before);
            let after = ledger.clone();
            prop_assert!(!ledger.merge(piece.clone()), "the second time changes nothing");
            prop_assert_eq!(&ledger, &after);
        }
        let whole = ledger.clone();
        for piece in evidence {
            prop_assert!(!ledger.merge(piece), "late repetition changes nothing");
        }
        prop_assert_eq!(ledger, whole);
    }

    #[test]
    fn join_of_findings_is_commutative_associative_and_idempotent(
        a in any_finding(), b in any_finding(), c in any_finding(),
    ) {
        // Reports of the same finding have one id and one source.
        let named = |other: Finding| Finding { id: a.id.clone(), source: a.source, ..other };
        let (b, c) = (named(b), named(c));
        prop_assert_eq!(a.clone().join(b.clone()), b.clone().join(a.clone()));
        prop_assert_eq!(
            a.clone().join(b.clone()).join(c.clone()),
            a.clone().join(b.clone().join(c.clone()))
        );
        prop_assert_eq!(a.clone().join(a.clone()), a.clone());
        let joined = a.clone().join(b.clone());
        prop_assert_eq!(joined.updated_at, a.updated_at.max(b.updated_at));
        prop_assert_eq!(joined.first_seen, a.first_seen.min(b.first_seen));
    }
}

fn standing(ledger: &Ledger, id: &str) -> Standing {
    ledger.facts.standing(&ledger.facts.findings[id])
}

#[test]
fn newer_report_wins_whichever_comes_first() {
    for evidence in [[finding("a", 2), closed("a", 1)], [closed("a", 1), finding("a", 2)]] {
        let ledger = ledger(evidence.map(report));
        assert_eq!(ledger.facts.findings["a"].finding.status, Status::Active);
    }
}

#[test]
fn of_two_reports_of_the_same_moment_the_more_open_one_is_believed() {
    for evidence in [[finding("a", 1), closed("a", 1)], [closed("a", 1), finding("a", 1)]] {
        assert_eq!(ledger(evidence.map(report)).facts.findings["a"].finding.status, Status::Active);
    }
}

/// Seconds after which a list without counts is believed, and a "yes" about coverage.
const LAG: i64 = LISTING_LAG.as_secs();
const MARGIN: i64 = COVERAGE_MARGIN.as_secs();

#[test]
fn closed_finding_stands_until_coverage_vouches_for_it() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1)]), report(closed("a", 10))]);
    assert_eq!(standing(&ledger, "a"), Standing::Open);
    assert_eq!(verdict(&ledger), Verdict::Quarantine);
    assert_eq!(ledger.facts.coverage_question(), Some(second(10 + MARGIN)));

    ledger.merge(coverage(10 + MARGIN - 1, true));
    assert_eq!(standing(&ledger, "a"), Standing::Open, "a yes so soon after the closing may lag");
    assert_eq!(ledger.facts.coverage_question(), Some(second(10 + MARGIN)), "it is asked again");

    ledger.merge(coverage(10 + MARGIN, true));
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(10)));
    assert_eq!(verdict(&ledger), Verdict::Clear);
    assert_eq!(ledger.facts.coverage_question(), None);
}

#[test]
fn closed_finding_of_an_image_that_is_no_longer_covered_stays_open() {
    let no = 10 + MARGIN;
    let ledger = ledger([listing(1, vec![finding("a", 1)]), report(closed("a", 10)), coverage(no, false)]);
    assert_eq!(standing(&ledger, "a"), Standing::Open);
    assert_eq!(verdict(&ledger), Verdict::Quarantine);
    assert_eq!(ledger.facts.coverage_question(), Some(second(no + 86_400)), "a no is an answer for a day");
}

#[test]
fn scan_after_the_gap_answers_for_what_closed_in_it() {
    let scan = 10 + MARGIN;
    let archived = || vec![listing(1, vec![finding("a", 1)]), report(closed("a", 10)), coverage(11, false)];
    let mut restored = ledger(archived());
    restored.merge(coverage(scan + 5, true));
    assert_eq!(standing(&restored, "a"), Standing::Open, "covered again is not scanned again");
    restored.merge(listing(scan, vec![closed("a", 10)]));
    assert_eq!(standing(&restored, "a"), Standing::Resolved(second(10)));
    let mut too_soon = ledger(archived());
    too_soon.merge(listing(scan - 1, vec![closed("a", 10)]));
    assert_eq!(standing(&too_soon, "a"), Standing::Open, "that scan may have begun before");
}

#[test]
fn scan_that_inspector_names_without_announcing_it_is_asked_for_after_a_gap() {
    let scanned = 5_000;
    let named = |at: i64, covered| Evidence::Coverage {
        at: second(at),
        answer: CoverageAnswer {
            covered,
            reason: String::new(),
            scanned_at: Some(second(scanned)),
            ..CoverageAnswer::not_listed()
        },
    };
    let archived = || vec![listing(1, vec![finding("a", 1)]), report(closed("a", 10)), coverage(11, false)];
    let unlisted = |evidence: Vec<Evidence>, now| ledger(evidence).facts.unlisted_scan(second(now));
    let restored = || [archived(), vec![named(6_000, true)]].concat();
    assert_eq!(unlisted(restored(), scanned + LAG), Some(second(scanned)));
    assert_eq!(unlisted(restored(), scanned + LAG - 1), None, "its list may lag");
    assert_eq!(unlisted([archived(), vec![named(6_000, false)]].concat(), 90_000), None, "not covered");
    let known = [restored(), vec![listing(scanned, vec![closed("a", 10)])]].concat();
    assert_eq!(unlisted(known, 90_000), None, "it was announced after all");
    let later = vec![
        listing(1, vec![finding("a", 1)]),
        report(closed("a", scanned - MARGIN + 1)),
        named(6_000, true),
    ];
    assert_eq!(unlisted(later, 90_000), None, "it closed too late for that scan");
    assert_eq!(
        unlisted(vec![listing(1, vec![finding("a", 1)]), named(6_000, true)], 90_000),
        None,
        "nothing closed"
    );
}

#[test]
fn listing_that_was_only_asked_for_is_no_scan() {
    let asked = Evidence::Listing {
        source: Source::Inspector,
        at: second(300_000),
        scanned: false,
        findings: vec![],
        tags: vec![],
    };
    let mut ledger = ledger([report(finding("a", 1)), asked]);
    assert_eq!(standing(&ledger, "a"), Standing::Open, "gone, but nobody knows why");
    assert_eq!(ledger.facts.coverage_question(), Some(second(300_000 + MARGIN)));
    ledger.merge(coverage(300_000 + MARGIN, true));
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(300_000)));
}

#[test]
fn finding_that_a_newer_listing_lacks_is_resolved_when_that_scan_ended() {
    let ledger =
        ledger([listing(1, vec![finding("a", 1), finding("b", 1)]), listing(300_000, vec![finding("b", 1)])]);
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(300_000)));
    assert_eq!(standing(&ledger, "b"), Standing::Open);
}

#[test]
fn absence_from_a_list_says_nothing_of_what_it_would_have_as_closed() {
    const LISTED: i64 = CLOSED_ARE_LISTED.as_secs();
    let reported = |at: i64| ledger([listing(300_000, vec![]), report(finding("a", at))]);
    let older = reported(300_000 - LISTED - 1);
    assert_eq!(standing(&older, "a"), Standing::Resolved(second(300_000)));
    assert_eq!(verdict(&older), Verdict::Clear);
    for at in [300_000 - LISTED, 300_000, 300_001] {
        assert_eq!(standing(&reported(at), "a"), Standing::Open, "{at}");
        assert_eq!(verdict(&reported(at)), Verdict::Quarantine, "{at}");
    }
}

fn basic(id: &str, at: i64) -> Finding {
    Finding { source: Source::Basic, ..finding(id, at) }
}

fn basic_listing(at: i64, findings: Vec<Finding>) -> Evidence {
    Evidence::Listing { source: Source::Basic, at: second(at), scanned: true, findings, tags: vec![] }
}

#[test]
fn basic_scan_is_believed_at_once_for_its_own_findings() {
    let ledger = ledger([basic_listing(1, vec![basic("a", 1)]), basic_listing(2, vec![])]);
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(2)));
}

#[test]
fn clean_basic_scan_resolves_nothing_that_inspector_closed() {
    let switched_off = [listing(1, vec![finding("a", 1)]), report(closed("a", 10)), coverage(5_000, false)];
    let mut ledger = ledger(switched_off);
    ledger.merge(basic_listing(300_000, vec![]));
    assert_eq!(standing(&ledger, "a"), Standing::Open);
    assert_eq!(verdict(&ledger), Verdict::Quarantine);
}

#[test]
fn inspector_takes_over_from_basic_scanning_with_a_scan_of_its_own() {
    let mut ledger = ledger([basic_listing(10, vec![basic("a", 10)])]);
    ledger.merge(listing(10, vec![]));
    assert_eq!(standing(&ledger, "a"), Standing::Open, "not after it");
    ledger.merge(Evidence::Listing {
        source: Source::Inspector,
        at: second(11),
        scanned: false,
        findings: vec![],
        tags: vec![],
    });
    assert_eq!(standing(&ledger, "a"), Standing::Open, "a list is no scan");
    ledger.merge(listing(11, vec![]));
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(11)));
    ledger.merge(basic_listing(20, vec![basic("a", 20)]));
    assert_eq!(standing(&ledger, "a"), Standing::Open, "basic scanning is back");
}

#[test]
fn suppressed_finding_that_closes_with_its_image_stays_suppressed() {
    let suppressed = Finding { status: Status::Suppressed, ..finding("a", 1) };
    for evidence in [
        vec![listing(5, vec![suppressed.clone()]), report(closed("a", 10))],
        vec![report(closed("a", 10)), listing(5, vec![suppressed.clone()])],
    ] {
        assert_eq!(standing(&ledger(evidence.clone()), "a"), Standing::Suppressed);
        assert_eq!(verdict(&ledger(evidence)), Verdict::Clear);
    }
    let shown_since = [listing(5, vec![suppressed]), report(finding("a", 7)), report(closed("a", 10))];
    assert_eq!(standing(&ledger(shown_since), "a"), Standing::Open);
}

#[test]
fn image_is_gone_from_its_deletion_until_it_is_pushed_again() {
    let mut ledger = ledger([act(ActionType::Push, Some("1.0"), 1), act(ActionType::Delete, Some("1.0"), 5)]);
    assert!(!ledger.facts.is_gone(), "a tag was taken off");
    ledger.merge(act(ActionType::Delete, None, 5));
    assert!(ledger.facts.is_gone());
    ledger.merge(Evidence::Tagged { at: second(6), tags: vec![] });
    assert!(!ledger.facts.is_gone(), "the registry has it");
    ledger.merge(Evidence::Gone { at: second(7) });
    assert!(ledger.facts.is_gone());
    ledger.merge(act(ActionType::Push, None, 7));
    assert!(!ledger.facts.is_gone());
}

#[test]
fn listing_of_one_source_says_nothing_about_findings_of_the_other() {
    let ledger = ledger([report(finding("a", 1)), basic_listing(300_000, vec![])]);
    assert_eq!(standing(&ledger, "a"), Standing::Open);
}

#[test]
fn late_listing_of_an_older_scan_does_not_bring_a_resolved_finding_back() {
    let ledger = ledger([listing(300_000, vec![]), listing(5, vec![finding("a", 1)])]);
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(300_000)));
}

#[test]
fn two_answers_about_the_same_scan_add_up() {
    let ledger = ledger([listing(10, vec![finding("a", 1)]), listing(10, vec![finding("b", 1)])]);
    assert_eq!(standing(&ledger, "a"), Standing::Open);
    assert_eq!(standing(&ledger, "b"), Standing::Open);
}

#[test]
fn partial_listing_closes_nothing_and_ends_no_scan() {
    let ledger = ledger([listing(1, vec![finding("a", 1)]), Evidence::Findings(vec![finding("b", 20)])]);
    assert_eq!(standing(&ledger, "a"), Standing::Open);
    assert_eq!(standing(&ledger, "b"), Standing::Open);
    assert_eq!(ledger.facts.newest_scan(), Some((second(1), Source::Inspector)));
    let unscanned = samples::ledger([Evidence::Findings(vec![])]);
    assert!(!unscanned.facts.is_scanned());
}

#[test]
fn image_is_pending_until_its_first_scan_ends_whatever_was_found() {
    let mut ledger = ledger((0..50).map(|n| report(finding(&n.to_string(), n))));
    assert_eq!(verdict(&ledger), Verdict::Pending);
    ledger.merge(listing(60, (0..50).map(|n| finding(&n.to_string(), n)).collect()));
    assert_eq!(verdict(&ledger), Verdict::Quarantine);
}

#[test]
fn failed_scan_is_never_clear() {
    let failed = |at| Evidence::ScanFailed { source: Source::Basic, at: second(at) };
    assert_eq!(verdict(&ledger([failed(1)])), Verdict::Unscannable);
    assert_eq!(verdict(&ledger([listing(1, vec![]), failed(2)])), Verdict::Unscannable);
    // A newer scan ends it, also one of another source: a registry has either basic or enhanced scanning.
    let complete = Evidence::Listing {
        source: Source::Basic,
        at: second(3),
        scanned: true,
        findings: vec![],
        tags: vec![],
    };
    assert_eq!(verdict(&ledger([failed(2), complete])), Verdict::Clear);
    assert_eq!(verdict(&ledger([failed(2), listing(3, vec![])])), Verdict::Clear);
    assert_eq!(verdict(&ledger([failed(3), listing(2, vec![])])), Verdict::Unscannable);
    // What was found before goes on keeping the image back.
    assert_eq!(verdict(&ledger([listing(1, vec![finding("a", 1)]), failed(2)])), Verdict::Quarantine);
    assert_eq!(verdict(&ledger([report(finding("a", 1)), failed(2)])), Verdict::Quarantine);
}

#[test]
fn suppressed_finding_that_a_listing_lacks_is_resolved_and_else_suppressed() {
    let suppressed = Finding { status: Status::Suppressed, ..finding("a", 1) };
    let mut ledger = ledger([listing(5, vec![suppressed])]);
    assert_eq!(standing(&ledger, "a"), Standing::Suppressed);
    assert_eq!(judge(&ledger, &strict(), second(6)).verdict, Verdict::Clear);
    ledger.merge(listing(300_000, vec![]));
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(300_000)));
}

fn act(action: ActionType, tag: Option<&str>, at: i64) -> Evidence {
    Evidence::Action(ImageAction {
        image: image(),
        action,
        tag: tag.map(str::to_owned),
        media_type: None,
        artifact_media_type: None,
        at: second(at),
    })
}

#[test]
fn tag_is_on_the_image_until_a_newer_event_takes_it_off() {
    let mut ledger = ledger([
        act(ActionType::Push, Some("1.0"), 1),
        act(ActionType::Push, Some("latest"), 1),
        act(ActionType::Delete, Some("latest"), 2),
    ]);
    assert_eq!(ledger.facts.tags(), ["1.0"]);
    assert!(!ledger.merge(act(ActionType::Push, Some("latest"), 1)), "late news changes nothing");
    ledger.merge(act(ActionType::Push, Some("latest"), 2));
    assert_eq!(ledger.facts.tags(), ["1.0", "latest"], "of the same second the push is believed");
}

#[test]
fn image_whose_tag_quarantine_took_off_is_deployed_until_it_is_deleted_or_the_tag_is_not_its_own() {
    let withheld = |at| Evidence::Withheld { at: second(at), tags: vec!["1.0".to_owned()] };
    let named = |at| Evidence::Tagged { at: second(at), tags: Vec::new() };
    let facts = |rest: Vec<Evidence>| {
        let pushed = [act(ActionType::Push, Some("1.0"), 1)];
        let mut ledger = ledger(pushed.into_iter().chain(rest));
        // The event of the removal, which did not say whose it is.
        ledger.merge(act(ActionType::Delete, Some("1.0"), 2));
        (ledger.facts.tags().is_empty(), ledger.facts.is_deployed())
    };
    assert_eq!(facts(vec![]), (true, false));
    assert_eq!(facts(vec![withheld(2)]), (true, true));
    assert_eq!(facts(vec![named(3), withheld(3)]), (true, true), "the registry does not name it");
    assert_eq!(facts(vec![withheld(2), named(3)]), (true, false), "it went to another image");
    assert_eq!(facts(vec![withheld(2), act(ActionType::Delete, None, 3)]), (true, false));
    assert_eq!(facts(vec![withheld(2), act(ActionType::Push, Some("1.0"), 3)]), (false, true));
}

#[test]
fn deleted_image_has_only_tags_that_were_put_on_it_since() {
    let ledger = ledger([
        act(ActionType::Push, Some("1.0"), 1),
        act(ActionType::Delete, None, 5),
        act(ActionType::Push, Some("1.1"), 6),
    ]);
    assert_eq!(ledger.facts.tags(), ["1.1"]);
}

#[test]
fn quarantine_tags_are_no_fact_about_the_image() {
    let mut ledger = Ledger::new(image());
    ledger.merge(act(ActionType::Push, None, 1));
    assert!(!ledger.merge(act(ActionType::Delete, Some("quarantine-ab12ab12ab12"), 2)));
    assert!(ledger.facts.tags.is_empty());
}

#[test]
fn earliest_push_and_its_pusher_are_kept() {
    let put = |who: &str, at| {
        Evidence::Put(PutImage {
            image: image(),
            tag: None,
            media_type: None,
            pusher: Pusher { arn: who.to_owned(), provider: None, service: None },
            from: Origin::default(),
            at: second(at),
        })
    };
    let ledger = ledger([put("second", 5), put("first", 3), act(ActionType::Push, None, 4)]);
    assert_eq!(ledger.facts.pushed_at, Some(second(3)));
    assert_eq!(ledger.facts.pusher.unwrap().1.arn, "first");
}

#[test]
fn resolved_finding_stays_resolved_when_its_image_is_archived_later() {
    let yes = 20 + MARGIN;
    let mut ledger =
        ledger([listing(10, vec![finding("a", 1)]), report(closed("a", 20)), coverage(yes, true)]);
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(20)));
    assert!(ledger.merge(coverage(yes + 10, false)));
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(20)));
}

#[test]
fn what_an_earlier_version_resolved_stays_resolved() {
    let mut ledger = ledger([listing(10, vec![finding("a", 1)]), report(closed("a", 20))]);
    let json = serde_json::to_string(&ledger.facts).unwrap();
    let old = json.replacen('{', r#"{"coverage":{"at":"2031-01-01T00:00:20Z","active":true,"reason":"SUCCESSFUL"},"covered_at":"2031-01-01T00:00:20Z","#, 1);
    let facts: Facts = serde_json::from_str(&old).unwrap();
    ledger.facts.covered_at = facts.covered_at;
    assert_eq!(standing(&ledger, "a"), Standing::Resolved(second(20)));
    ledger.merge(report(closed("a", 21)));
    assert_eq!(standing(&ledger, "a"), Standing::Open, "but nothing that closed since");
}

proptest! {
    /// Whatever the order, the newest marks stay, so that no number of tags makes the ledger too large.
    #[test]
    fn only_the_newest_tags_are_remembered(
        marks in vec((0_usize..400, 0_i64..3_000, any::<bool>()), 300..600),
        places in vec(any::<Index>(), 600),
    ) {
        let evidence: Vec<Evidence> = marks
            .iter()
            .map(|(tag, at, push)| {
                act(if *push { ActionType::Push } else { ActionType::Delete }, Some(&format!("t{tag}")), *at)
            })
            .collect();
        let mut shuffled = evidence.clone();
        for (place, other) in places.iter().take(shuffled.len()).enumerate() {
            let other = other.index(shuffled.len());
            shuffled.swap(place, other);
        }
        let mut once = ledger(evidence.clone());
        let other = ledger(shuffled);
        // The earliest push is a fact of its own.
        prop_assert_eq!(&once.facts.tags, &other.facts.tags);
        prop_assert!(once.facts.tags.len() <= TAG_MARKS);
        for piece in evidence {
            prop_assert!(!once.merge(piece), "nothing is learnt twice");
        }
        let newest = marks.iter().map(|(_, at, _)| *at).max().map(second);
        prop_assert_eq!(once.facts.tags.values().map(|mark| mark.at).max(), newest);
    }
}

#[test]
fn tags_that_the_registry_does_not_name_are_gone() {
    let push = |tag, at| act(ActionType::Push, Some(tag), at);
    let tagged = Evidence::Tagged { at: second(5), tags: vec!["1.0".to_owned()] };
    let known = [push("1.0", 1), push("latest", 1), push("2.0", 7)];
    let ledger = ledger(known.into_iter().chain([tagged]));
    assert_eq!(ledger.facts.tags(), ["1.0", "2.0"], "latest has moved; 2.0 came later");
}
