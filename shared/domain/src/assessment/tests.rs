use std::collections::BTreeMap;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use serde_json::{Value, json};

use super::*;
use crate::event::{ActionType, ImageAction, PutImage};
use crate::finding::{Finding, Fix, KnownExploited, Package, Severity, Source, Status};
use crate::ledger::{Evidence, Exploitation, Ledger};
use crate::policy::Policy;
use crate::provenance::{Origin, Who};
use crate::samples::{
    closed, coverage, finding, image, ledger, listing, policy, report, second, strict, used,
};

/// Assesses as the function does, and keeps what was announced. The id has no say in anything.
fn announce(ledger: &mut Ledger, policy: &Policy, now: i64) -> Option<Assessment> {
    let Assessed { assessment, announced } = assess(&*ledger, 1, policy, second(now))?;
    ledger.announced = announced;
    Some(assessment)
}

fn waiving(vulnerability: &str) -> Policy {
    policy(&format!(
        "
rules: [{{ id: critical, match: {{ severity: [CRITICAL] }}, then: [alert, quarantine] }}]
waivers: [{{ vulnerability: {vulnerability}, reason: not reachable, owner: shop, expires: 2031-06-01 }}]
"
    ))
}

fn exploited(vulnerability: &str) -> Evidence {
    let known = Some(KnownExploited { added: Some(second(3)), due: None });
    Evidence::Exploitation([(vulnerability.to_owned(), Exploitation { asked_at: second(4), known })].into())
}

fn of(severity: Severity, id: &str, updated: i64) -> Finding {
    Finding { severity, ..finding(id, updated) }
}

#[test]
fn nothing_is_said_while_the_first_scan_is_pending() {
    let ledger = ledger([report(finding("a", 1)), report(finding("b", 1))]);
    assert_eq!(judge(&ledger, &strict(), second(5)).verdict, Verdict::Pending);
    assert_eq!(assess(&ledger, 1, &strict(), second(5)), None);
}

#[test]
fn first_assessment_counts_what_is_open_and_says_why() {
    let pushed = Evidence::Action(ImageAction {
        image: image(),
        action: ActionType::Push,
        tag: Some("1.0".to_owned()),
        media_type: Some("type/a".to_owned()),
        artifact_media_type: None,
        at: second(0),
    });
    let put = Evidence::Put(PutImage {
        image: image(),
        tag: None,
        media_type: None,
        pusher: Pusher {
            arn: "arn:aws:iam::111122223333:user/Mary".to_owned(),
            provider: None,
            service: None,
        },
        from: Origin::default(),
        at: second(0),
    });
    let findings = vec![finding("a", 1), of(Severity::Low, "b", 1), of(Severity::Low, "c", 1)];
    let ledger = ledger([pushed, put, listing(10, findings)]);
    let policy = policy(
        "
rules: [{ id: critical, match: { severity: [CRITICAL] }, then: [alert, quarantine] }]
repositories: [{ match: ['prod/*'], environment: production, owner: shop }]
",
    );
    let said = assess(&ledger, 7, &policy, second(12)).unwrap().assessment;
    assert_eq!(said.schema, 1);
    assert_eq!(said.id, format!("{}#7", image()), "the version under which it is stored");
    assert_eq!((said.verdict, said.previous), (Verdict::Quarantine, Verdict::Pending));
    assert!(said.is_first() && said.is_quarantined() && !said.is_released());
    assert_eq!(said.at, second(12));
    assert_eq!(
        said.scan,
        Some(Scan { source: Source::Inspector, completed_at: second(10), latency_ms: Some(10_000) })
    );
    assert_eq!(said.open, [(Severity::Critical, 1), (Severity::Low, 2)].into());
    assert_eq!(said.changes.opened, said.open);
    assert!(said.changes.closed.is_empty());
    assert_eq!(said.changes.reasons, 1);
    assert_eq!(said.reasons.len(), 1);
    let reason = &said.reasons[0];
    assert_eq!(
        (reason.finding.vulnerability.as_str(), &reason.change),
        ("CVE-a", &Some(Change::NewlyMatched))
    );
    assert_eq!(reason.rules, ["critical"]);
    assert_eq!(reason.then, [Action::Alert, Action::Quarantine].into());
    assert_eq!(reason.quarantine_from, Some(second(0)));
    assert_eq!(said.image.id, image());
    assert_eq!(said.image.tags, ["1.0"]);
    assert_eq!(said.image.pushed_at, Some(second(0)));
    assert_eq!(said.image.pusher.unwrap().who(), Who::User("Mary"));
    assert_eq!(said.image.media_type.as_deref(), Some("type/a"));
    assert_eq!(said.image.environment.as_deref(), Some("production"));
    assert_eq!(said.image.owner.as_deref(), Some("shop"));
}

#[test]
fn clear_image_is_announced_once() {
    let mut ledger = ledger([listing(1, vec![])]);
    let said = announce(&mut ledger, &strict(), 2).unwrap();
    assert_eq!((said.verdict, said.changes), (Verdict::Clear, Changes::default()));
    assert_eq!(announce(&mut ledger, &strict(), 3), None);
}

#[test]
fn nothing_new_is_not_announced_and_changes_nothing() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1), of(Severity::Low, "b", 1)])]);
    announce(&mut ledger, &strict(), 2).unwrap();
    assert_eq!(announce(&mut ledger, &strict(), 3), None);
    // A newer report that says the same is evidence, but no news.
    let before = ledger.clone();
    assert!(ledger.merge(report(finding("a", 5))));
    assert_eq!(announce(&mut ledger, &strict(), 6), None);
    assert_eq!(ledger.announced, before.announced);
}

#[test]
fn end_of_another_scan_is_announced_once_though_nothing_changed() {
    let mut ledger = ledger([listing(1, vec![])]);
    announce(&mut ledger, &strict(), 2).unwrap();
    ledger.merge(listing(10, vec![]));
    let said = announce(&mut ledger, &strict(), 11).unwrap();
    assert_eq!(said.scan.unwrap().completed_at, second(10));
    assert_eq!(announce(&mut ledger, &strict(), 12), None);
    ledger.merge(listing(5, vec![]));
    assert_eq!(announce(&mut ledger, &strict(), 13), None, "an older scan is no news");
}

#[test]
fn newly_waived_findings_are_counted_once() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1), finding("b", 1)])]);
    let before = announce(&mut ledger, &strict(), 2).unwrap();
    assert_eq!((before.waived, before.changes.waived.len()), (0, 0));
    let said = announce(&mut ledger, &waiving("CVE-a"), 3).unwrap();
    assert_eq!(said.changes.waived, [(Severity::Critical, 1)].into());
    assert_eq!(said.changes.opened, BTreeMap::new());
    assert_eq!((said.waived, said.open[&Severity::Critical]), (1, 2), "waived ones are among the open ones");
    assert_eq!(said.verdict, Verdict::Quarantine, "the other one is not waived");
    assert_eq!(
        said.excused,
        [Excused {
            vulnerability: "CVE-a".to_owned(),
            severity: Severity::Critical,
            reason: "not reachable".to_owned(),
            owner: Some("shop".to_owned()),
            expires: Some("2031-06-01".parse().unwrap()),
        }]
    );
    assert_eq!(announce(&mut ledger, &waiving("CVE-a"), 4), None);
    ledger.merge(report(of(Severity::Low, "c", 5)));
    let later = announce(&mut ledger, &waiving("CVE-a"), 6).unwrap();
    assert_eq!((later.waived, later.changes.waived), (1, BTreeMap::new()));
}

#[test]
fn end_of_a_waiver_makes_the_finding_matched_anew_and_not_opened() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    assert_eq!(announce(&mut ledger, &waiving("CVE-a"), 2).unwrap().verdict, Verdict::Clear);
    let said = announce(&mut ledger, &strict(), 3).unwrap();
    assert_eq!((said.verdict, said.previous), (Verdict::Quarantine, Verdict::Clear));
    assert_eq!(said.reasons[0].change, Some(Change::NewlyMatched));
    assert!(said.changes.opened.is_empty());
}

#[test]
fn closed_findings_are_counted_by_the_minutes_that_they_took() {
    let open = vec![finding("a", 1), finding("b", 1), of(Severity::Low, "c", 1)];
    let mut ledger = ledger([listing(1, open)]);
    announce(&mut ledger, &strict(), 2).unwrap();
    // First seen at second 0: 119 seconds are one whole minute, 600 are ten.
    ledger.merge(report(closed("a", 119)));
    ledger.merge(report(Finding { severity: Severity::Low, ..closed("c", 600) }));
    ledger.merge(coverage(1_200, true));
    let said = announce(&mut ledger, &strict(), 1_201).unwrap();
    assert_eq!(
        said.changes.closed,
        [(Severity::Critical, [(1, 1)].into()), (Severity::Low, [(10, 1)].into())].into()
    );
    assert_eq!(said.open, [(Severity::Critical, 1)].into());
    assert_eq!(said.verdict, Verdict::Quarantine);

    ledger.merge(listing(300_000, vec![]));
    let released = announce(&mut ledger, &strict(), 300_001).unwrap();
    assert_eq!(released.changes.closed, [(Severity::Critical, [(5_000, 1)].into())].into());
    assert!(released.is_released());
    assert!(released.open.is_empty() && released.reasons.is_empty());
}

#[test]
fn closed_finding_of_an_uncovered_image_is_not_counted_as_closed() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    announce(&mut ledger, &strict(), 2).unwrap();
    ledger.merge(report(closed("a", 60)));
    ledger.merge(coverage(61, false));
    assert_eq!(announce(&mut ledger, &strict(), 62), None);
}

#[test]
fn severity_that_rose_is_said_with_what_it_was() {
    let policy = policy("rules: [{ id: r, match: { severity_at_least: LOW }, then: [alert] }]");
    let mut ledger = ledger([listing(1, vec![of(Severity::Medium, "a", 1)])]);
    announce(&mut ledger, &policy, 2).unwrap();
    ledger.merge(report(of(Severity::Critical, "a", 3)));
    let said = announce(&mut ledger, &policy, 4).unwrap();
    assert_eq!(said.reasons[0].change, Some(Change::SeverityRose { from: Severity::Medium }));
    ledger.merge(report(of(Severity::Low, "a", 5)));
    assert_eq!(announce(&mut ledger, &policy, 6), None, "what fell is no news");
    ledger.merge(report(of(Severity::Medium, "a", 7)));
    assert_eq!(
        announce(&mut ledger, &policy, 8),
        None,
        "it was announced as critical, and as nothing less since"
    );
}

#[test]
fn finding_that_became_known_exploited_is_news_once() {
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    announce(&mut ledger, &strict(), 2).unwrap();
    ledger.merge(exploited("CVE-a"));
    let said = announce(&mut ledger, &strict(), 5).unwrap();
    assert_eq!(said.reasons[0].change, Some(Change::BecameKnownExploited));
    assert_eq!(said.reasons[0].finding.known_exploited.unwrap().added, Some(second(3)));
    assert_eq!((said.verdict, said.previous), (Verdict::Quarantine, Verdict::Quarantine));
    assert_eq!(announce(&mut ledger, &strict(), 6), None);
}

#[test]
fn end_of_a_grace_is_announced_without_a_changed_reason() {
    let policy = policy(
        "rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert, quarantine], grace_days: 1 }]",
    );
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    let first = announce(&mut ledger, &policy, 2).unwrap();
    assert_eq!((first.verdict, first.reasons[0].quarantine_from), (Verdict::Clear, Some(second(86_400))));
    assert!(first.reasons[0].then.contains(&Action::Quarantine));
    assert_eq!(announce(&mut ledger, &policy, 86_399), None);
    let said = announce(&mut ledger, &policy, 86_400).unwrap();
    assert!(said.is_quarantined());
    assert_eq!((said.changes.reasons, &said.reasons[0].change), (0, &None));
}

#[test]
fn strictest_mode_of_the_rules_that_quarantine_now_is_announced_and_its_change_too() {
    let rules = |first: &str| {
        policy(&format!(
            "
rules:
  - {{ id: all, match: {{ severity: [CRITICAL] }}, then: [quarantine]{first} }}
  - {{ id: later, match: {{ severity: [CRITICAL] }}, then: [quarantine], quarantine_mode: archive, grace_days: 1 }}
"
        ))
    };
    let mut ledger = ledger([listing(2, vec![finding("a", 1)])]);
    let first = announce(&mut ledger, &rules(", quarantine_mode: untag"), 3).unwrap();
    assert_eq!(first.quarantine_mode, Some(Mode::Untag), "the other rule's grace has not ended");
    assert_eq!(ledger.announced.quarantined_by.as_ref(), Some(&first.id));
    assert_eq!(announce(&mut ledger, &rules(", quarantine_mode: untag"), 4), None);
    let milder = announce(&mut ledger, &rules(""), 5).unwrap();
    assert_eq!((milder.quarantine_mode, milder.is_quarantined()), (None, false));
    let stricter = announce(&mut ledger, &rules(""), 100_000).unwrap();
    assert_eq!(stricter.quarantine_mode, Some(Mode::Archive));
    ledger.merge(report(closed("a", 100_001)));
    ledger.merge(coverage(100_700, true));
    let released = announce(&mut ledger, &rules(""), 100_701).unwrap();
    assert_eq!(
        (released.is_released(), released.quarantine_mode),
        (true, Some(Mode::Archive)),
        "how far it went"
    );
    assert_eq!((&ledger.announced.quarantined_by, ledger.announced.quarantine_mode), (&None, None));
}

#[test]
fn reason_that_quarantines_is_not_left_out_for_harmless_new_ones() {
    let policy = policy(
        "
rules:
  - { id: grace, match: { severity: [HIGH] }, then: [quarantine], grace_days: 1 }
  - { id: all, match: { severity_at_least: LOW }, then: [alert] }
",
    );
    let mut ledger = ledger([listing(1, vec![of(Severity::High, "old", 1)])]);
    assert_eq!(announce(&mut ledger, &policy, 2).unwrap().verdict, Verdict::Clear);
    let new: Vec<Finding> = (0..2_000).map(|n| of(Severity::Low, &format!("low-{n}"), 3)).collect();
    for finding in new {
        ledger.merge(report(finding));
    }
    ledger.merge(report(of(Severity::Critical, "worst", 3)));
    let said = announce(&mut ledger, &policy, 86_400).unwrap();
    assert!(said.is_quarantined() && said.more_reasons > 0);
    assert_eq!(said.reasons[0].finding.vulnerability, "CVE-old");
    assert_eq!(said.reasons[1].finding.vulnerability, "CVE-worst", "then what is new, the worst first");
    // Where the verdict is no news, what changed is.
    ledger.merge(report(of(Severity::Low, "newest", 86_401)));
    let said = announce(&mut ledger, &policy, 86_402).unwrap();
    assert_eq!(said.reasons[0].finding.vulnerability, "CVE-newest");
}

#[test]
fn how_bad_the_reasons_are_does_not_depend_on_which_had_room() {
    let policy = policy(
        "
rules:
  - { id: medium, match: { severity: [MEDIUM] }, then: [quarantine], grace_days: 1 }
  - { id: high, match: { severity_at_least: HIGH }, then: [alert] }
",
    );
    let medium = (0..2_000).map(|n| of(Severity::Medium, &format!("m-{n}"), 1)).collect();
    let mut ledger = ledger([listing(1, medium)]);
    announce(&mut ledger, &policy, 2).unwrap();
    ledger.merge(report(of(Severity::Critical, "new", 3)));
    let said = announce(&mut ledger, &policy, 86_400).unwrap();
    assert!(said.is_quarantined());
    assert!(
        said.reasons.iter().all(|reason| reason.finding.severity == Severity::Medium),
        "it fills them all"
    );
    let worst = Worst {
        all: Some(Severity::Critical),
        changed: Some(Severity::Critical),
        quarantining: Some(Severity::Medium),
    };
    assert_eq!(said.worst, worst);
}

#[test]
fn version_is_a_number() {
    let ledger = ledger([listing(1, vec![])]);
    for version in [0, 9, 10, u64::MAX] {
        assert_eq!(assess(&ledger, version, &strict(), second(2)).unwrap().assessment.version(), version);
    }
}

#[test]
fn rule_that_overrides_a_waiver_says_which() {
    let policy = policy(
        "
rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert], overrides_waivers: true }]
waivers: [{ vulnerability: CVE-a, reason: not reachable, owner: shop, expires: 2031-06-01 }]
",
    );
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    let said = announce(&mut ledger, &policy, 2).unwrap();
    assert_eq!(said.reasons[0].overrides.as_ref().unwrap().reason, "not reachable");
    assert_eq!((said.waived, said.excused.len()), (0, 0));
}

#[test]
fn reasons_are_changed_ones_first_then_the_exploited_then_the_worst() {
    let policy = policy("rules: [{ id: r, match: { severity_at_least: LOW }, then: [alert] }]");
    let rated = |severity, id: &str, score: f64, updated| Finding {
        score: Some(score.into()),
        ..of(severity, id, updated)
    };
    let mut ledger = ledger([listing(
        1,
        vec![rated(Severity::Critical, "old", 10.0, 1), rated(Severity::Low, "old-low", 1.0, 1)],
    )]);
    announce(&mut ledger, &policy, 2).unwrap();
    for finding in [
        rated(Severity::High, "low-score", 7.1, 3),
        rated(Severity::High, "high-score", 8.9, 3),
        rated(Severity::Low, "exploited", 2.0, 3),
        rated("APOCALYPTIC".into(), "unknown", 1.0, 3),
    ] {
        ledger.merge(report(finding));
    }
    ledger.merge(exploited("CVE-exploited"));
    let said = announce(&mut ledger, &policy, 5).unwrap();
    let order: Vec<_> = said.reasons.iter().map(|reason| reason.finding.finding.as_str()).collect();
    assert_eq!(order, ["exploited", "unknown", "high-score", "low-score", "old", "old-low"]);
    assert_eq!(said.changes.reasons, 4);
}

#[test]
fn ten_thousand_reasons_fit_into_an_event_the_worst_first_and_the_rest_counted() {
    let severities = [Severity::Low, Severity::Critical, Severity::Medium, Severity::High];
    let packages: Vec<Package> = (0..300)
        .map(|n| Package::new(&format!("package-{n}"), "1.2.3-4ubuntu5", Some("1.2.3-4ubuntu6")))
        .collect();
    let findings: Vec<Finding> = (0..10_000_usize)
        .map(|n| Finding {
            packages: packages[..n % 300].to_vec(),
            first_seen: second(-60 * i64::try_from(n).unwrap()),
            ..of(severities[n % 4].clone(), &format!("{n:05}"), 1)
        })
        .collect();
    let policy = policy("rules: [{ id: r, match: { severity_at_least: LOW }, then: [alert, quarantine] }]");
    let mut ledger = ledger([listing(1, findings)]);
    let said = announce(&mut ledger, &policy, 2).unwrap();
    assert!(serde_json::to_vec(&said).unwrap().len() < 256 * 1024);
    assert_eq!(said.reasons.len() as u64 + said.more_reasons, 10_000);
    assert_eq!(said.changes.reasons, 10_000);
    assert!(said.reasons.len() > 50, "{} reasons are no use", said.reasons.len());
    assert!(said.reasons.iter().all(|reason| reason.finding.severity == Severity::Critical));
    let many = said.reasons.iter().find(|reason| reason.finding.more_packages > 0).unwrap();
    assert_eq!(many.finding.packages.len(), 5);
    let number: usize = many.finding.finding.parse().unwrap();
    assert_eq!(many.finding.more_packages, (number % 300 - 5) as u64);

    // All of them closed, each after another number of minutes, is the largest list of changes.
    ledger.merge(listing(300_000, vec![]));
    let released = announce(&mut ledger, &policy, 300_001).unwrap();
    let closed: u64 = released.changes.closed.values().flat_map(BTreeMap::values).sum();
    assert_eq!(closed, 10_000);
    assert!(serde_json::to_vec(&released).unwrap().len() < 256 * 1024);
}

#[test]
fn ten_thousand_excuses_fit_into_an_event_and_the_rest_is_counted() {
    let findings = (0..10_000).map(|n| finding(&format!("{n:05}"), 1)).collect();
    let policy = policy(&format!(
        "
rules: [{{ id: r, match: {{ severity: [CRITICAL] }}, then: [alert] }}]
waivers: [{{ repositories: ['*'], reason: {}, owner: o, expires: 2031-06-01 }}]
",
        "long ".repeat(200)
    ));
    let said = announce(&mut ledger([listing(1, findings)]), &policy, 2).unwrap();
    assert_eq!(said.waived, 10_000);
    assert_eq!(said.excused.len() as u64 + said.more_excused, 10_000);
    assert!(!said.excused.is_empty());
    assert!(serde_json::to_vec(&said).unwrap().len() < 256 * 1024);
}

fn rich() -> Assessment {
    let findings = vec![
        Finding {
            score: Some(9.8.into()),
            epss: Some(0.000_45.into()),
            exploit: Some(true),
            packages: vec![Package::new("openssl", "1.0", Some("1.1"))],
            ..finding("a", 1)
        },
        of("APOCALYPTIC".into(), "b", 1),
        finding("c", 1),
    ];
    let mut ledger = ledger([listing(1, findings), exploited("CVE-a")]);
    announce(&mut ledger, &waiving("CVE-c"), 5).unwrap()
}

fn event(detail: &Value) -> String {
    json!({ "detail-type": DETAIL_TYPE, "source": EVENT_SOURCE, "detail": detail }).to_string()
}

#[test]
fn assessment_is_read_back_from_its_event_unchanged() {
    let said = rich();
    let detail = serde_json::to_value(&said).unwrap();
    assert_eq!(detail["schema"], 1);
    assert_eq!(detail["image"]["repository"], "prod/cart", "the identity stands flat in the image");
    assert_eq!(detail["open"]["APOCALYPTIC"], 1);
    assert_eq!(detail["reasons"][0]["vulnerability"], "CVE-a");
    assert_eq!(Assessment::from_event(&event(&detail)).unwrap(), said);
}

#[test]
fn assessment_of_an_unknown_schema_is_refused_by_its_number() {
    let mut detail = serde_json::to_value(rich()).unwrap();
    detail["schema"] = json!(2);
    assert!(matches!(Assessment::from_event(&event(&detail)), Err(AnnouncementError::Schema(2, SCHEMA))));
    // Also where nothing else of it is known.
    assert!(matches!(
        Assessment::from_event(&event(&json!({ "schema": 99 }))),
        Err(AnnouncementError::Schema(99, SCHEMA))
    ));
}

#[test]
fn what_is_no_announcement_is_refused() {
    let mut broken = serde_json::to_value(rich()).unwrap();
    broken["verdict"] = json!("fine");
    for json in
        [String::new(), "{}".to_owned(), event(&json!({})), event(&json!({ "schema": 1 })), event(&broken)]
    {
        assert!(matches!(Assessment::from_event(&json), Err(AnnouncementError::Json(_))), "{json}");
    }
}

#[test]
fn unknown_keys_of_an_announcement_are_ignored() {
    let said = rich();
    let mut detail = serde_json::to_value(&said).unwrap();
    detail["brand_new"] = json!(1);
    detail["image"]["brand_new"] = json!(1);
    detail["reasons"][0]["brand_new"] = json!(1);
    assert_eq!(Assessment::from_event(&event(&detail)).unwrap(), said);
}

#[test]
fn release_is_said_also_after_a_scan_that_failed_in_between() {
    let mut ledger = ledger([listing(10, vec![finding("a", 1)])]);
    assert!(announce(&mut ledger, &strict(), 11).unwrap().is_quarantined());
    ledger.merge(Evidence::ScanFailed { source: Source::Inspector, at: second(20) });
    ledger.merge(report(closed("a", 21)));
    ledger.merge(coverage(700, true));
    let failed = announce(&mut ledger, &strict(), 701).unwrap();
    assert_eq!(failed.verdict, Verdict::Unscannable);
    assert!(!failed.is_released() && failed.was_quarantined);
    ledger.merge(listing(740, vec![]));
    let released = announce(&mut ledger, &strict(), 741).unwrap();
    assert!(released.is_released(), "{released:?}");
    assert!(!ledger.announced.quarantined);
}

proptest! {
    /// Whoever adds up what was opened and closed knows how many are open.
    #[test]
    fn opened_minus_closed_is_what_is_open(
        steps in vec(
            (
                vec((0_u8..6, select(vec![Status::Active, Status::Suppressed, Status::Closed]), 0_usize..3), 0..5),
                select(vec!["report", "listing", "covered", "uncovered", "failed"]),
                any::<bool>(),
            ),
            1..20,
        ),
    ) {
        let severities = [Severity::Low, Severity::High, Severity::Critical];
        let mut ledger = Ledger::new(image());
        let (mut opened, mut closed) = (0, 0);
        let mut last = None;
        for (now, (reports, what, waived)) in (1_i64..).zip(steps) {
            let now = now * 900;
            let findings: Vec<Finding> = reports
                .into_iter()
                .map(|(id, status, severity)| Finding {
                    status,
                    ..of(severities[severity].clone(), &id.to_string(), now)
                })
                .collect();
            match what {
                "listing" => {
                    ledger.merge(listing(now, findings));
                }
                "failed" => {
                    ledger.merge(Evidence::ScanFailed { source: Source::Inspector, at: second(now) });
                }
                "covered" | "uncovered" => {
                    ledger.merge(coverage(now, what == "covered"));
                }
                _ => findings.into_iter().for_each(|finding| {
                    ledger.merge(report(finding));
                }),
            }
            let policy = if waived { waiving("CVE-1") } else { strict() };
            if let Some(said) = announce(&mut ledger, &policy, now + 1) {
                opened += said.changes.opened.values().sum::<u64>();
                closed += said.changes.closed.values().flat_map(BTreeMap::values).sum::<u64>();
                let open = said.open.values().sum::<u64>();
                prop_assert_eq!(opened - closed, open);
                last = Some(open);
            }
        }
        // What was not announced since changed nothing about that.
        let facts = &ledger.facts;
        let open = facts.findings.values().filter(|entry| facts.standing(entry).is_open()).count();
        if let Some(last) = last {
            prop_assert_eq!(last, open as u64);
        }
    }
}

#[test]
fn finding_that_a_silent_rule_matched_is_news_when_a_rule_that_alerts_matches_it_too() {
    let silent = "{ id: silent, match: { severity: [CRITICAL] }, then: [quarantine], grace_days: 30 }";
    let loud = "{ id: loud, match: { epss_at_least: 0.1 }, then: [alert] }";
    let policy = policy(&format!("rules: [{silent}, {loud}]"));
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    announce(&mut ledger, &policy, 2).unwrap();
    ledger.merge(report(Finding { epss: Some(0.95.into()), ..finding("a", 5) }));
    let said = announce(&mut ledger, &policy, 6).unwrap();
    assert_eq!(said.reasons[0].change, Some(Change::NewlyMatched));
    assert_eq!(said.reasons[0].then, [Action::Alert, Action::Quarantine].into());
    assert_eq!(announce(&mut ledger, &policy, 7), None, "once");
}

#[test]
fn finding_that_an_alert_was_about_is_news_when_its_grace_begins() {
    let policy = policy(
        "
rules:
  - { id: any, match: { severity: [CRITICAL] }, then: [alert] }
  - { id: fixable, match: { fix_available: true }, then: [quarantine], grace_days: 30 }
",
    );
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    announce(&mut ledger, &policy, 2).unwrap();
    ledger.merge(report(Finding { fix: Fix::Yes, ..finding("a", 5) }));
    let said = announce(&mut ledger, &policy, 6).unwrap();
    assert_eq!(said.reasons[0].change, Some(Change::NewlyMatched));
    assert!(said.reasons[0].quarantine_from.is_some());
}

const DAY: i64 = 86_400;

/// The same vulnerability in the same package, under one of several ids.
fn under(id: &str, updated: i64) -> Finding {
    Finding {
        vulnerability: "CVE-1".to_owned(),
        packages: vec![Package::new("openssl", "1.0", Some("1.1"))],
        first_seen: second(updated),
        ..finding(id, updated)
    }
}

fn graced() -> Policy {
    policy("rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert, quarantine], grace_days: 2 }]")
}

/// An image in quarantine is deleted and pushed again: Inspector closes its findings, and finds them anew.
fn pushed_again(newly_listed: Vec<Finding>) -> Ledger {
    let mut ledger = ledger([listing(1, vec![under("old", 1)])]);
    announce(&mut ledger, &graced(), 2).unwrap();
    assert!(announce(&mut ledger, &graced(), 3 * DAY).unwrap().is_quarantined());
    ledger.merge(report(Finding { status: Status::Closed, ..under("old", 4 * DAY) }));
    ledger.merge(coverage(4 * DAY + 900, false));
    assert_eq!(announce(&mut ledger, &graced(), 4 * DAY + 901), None);
    ledger.merge(listing(5 * DAY, newly_listed));
    ledger
}

#[test]
fn image_that_is_deleted_and_pushed_again_is_not_laundered() {
    let mut ledger = pushed_again(vec![under("new", 5 * DAY)]);
    let said = announce(&mut ledger, &graced(), 5 * DAY + 1).unwrap();
    assert_eq!((said.verdict, said.previous), (Verdict::Quarantine, Verdict::Quarantine), "no new grace");
    assert_eq!(said.changes, Changes::default(), "nothing was opened, closed or newly matched");
    assert_eq!(said.open, [(Severity::Critical, 1)].into());
    assert_eq!(said.reasons[0].finding.first_seen, second(1));
    assert_eq!(said.reasons[0].quarantine_from, Some(second(1 + 2 * DAY)));
}

#[test]
fn what_is_found_anew_before_the_old_ids_are_resolved_is_counted_once() {
    let mut ledger = ledger([listing(1, vec![under("old", 1)])]);
    announce(&mut ledger, &graced(), 3 * DAY).unwrap();
    ledger.merge(report(Finding { status: Status::Closed, ..under("old", 4 * DAY) }));
    ledger.merge(report(under("new", 4 * DAY + 5)));
    assert_eq!(announce(&mut ledger, &graced(), 4 * DAY + 6), None, "the same vulnerability as before");
    assert_eq!(judge(&ledger, &graced(), second(4 * DAY + 6)).verdict, Verdict::Quarantine);
    // Another package of the old finding is not among the new ones: that may be open still.
    let both = vec![Package::new("openssl", "1.0", None), Package::new("zlib", "1", None)];
    ledger.merge(report(Finding { packages: both, status: Status::Closed, ..under("old", 4 * DAY + 7) }));
    let policy = graced();
    let rows = judge(&ledger, &policy, second(4 * DAY + 8)).rows;
    assert_eq!(rows.iter().filter(|row| row.standing.is_open()).count(), 2);
}

#[test]
fn vulnerability_that_is_fixed_after_the_second_push_took_its_whole_time() {
    let mut ledger = pushed_again(vec![under("new", 5 * DAY)]);
    announce(&mut ledger, &graced(), 5 * DAY + 1).unwrap();
    ledger.merge(listing(9 * DAY, vec![]));
    let said = announce(&mut ledger, &graced(), 9 * DAY + 1).unwrap();
    assert!(said.is_released());
    let minutes = (9 * DAY - 1) / 60;
    assert_eq!(said.changes.closed, [(Severity::Critical, [(minutes, 1)].into())].into());
}

#[test]
fn vulnerability_that_the_second_push_does_not_have_is_closed() {
    let other = Finding { packages: vec![Package::new("zlib", "1", None)], ..under("new", 5 * DAY) };
    let said = announce(&mut pushed_again(vec![other]), &graced(), 5 * DAY + 1).unwrap();
    assert_eq!(said.changes.closed.len(), 1, "the same vulnerability in another package is another finding");
    assert_eq!(said.changes.opened.len(), 1);
}

#[test]
fn all_that_was_said_of_a_predecessor_was_said_of_its_successor() {
    let policy = policy(
        "
rules: [{ id: r, match: { known_exploited: true }, then: [alert, quarantine], overrides_waivers: true }]
waivers: [{ vulnerability: CVE-1, reason: r, owner: o, expires: 2031-06-01 }]
",
    );
    let successor = || listing(5 * DAY, vec![under("new", 5 * DAY)]);
    let gone = || report(Finding { status: Status::Closed, ..under("old", 4 * DAY) });
    let mut waived = ledger([listing(1, vec![under("old", 1)])]);
    assert_eq!(announce(&mut waived, &policy, 2).unwrap().changes.waived.len(), 1);
    waived.merge(gone());
    waived.merge(successor());
    assert_eq!(announce(&mut waived, &policy, 5 * DAY + 1).unwrap().changes, Changes::default());
    let mut told = ledger([listing(1, vec![under("old", 1)]), exploited("CVE-1")]);
    assert_eq!(announce(&mut told, &policy, 5).unwrap().changes.reasons, 1);
    told.merge(gone());
    told.merge(successor());
    let said = announce(&mut told, &policy, 5 * DAY + 1).unwrap();
    assert_eq!((said.changes.reasons, &said.reasons[0].change), (0, &None), "known to be exploited before");
}

#[test]
fn nothing_is_said_of_an_image_that_is_gone() {
    let mut ledger = ledger([Evidence::Gone { at: second(5) }, listing(1, vec![finding("a", 1)])]);
    assert_eq!(announce(&mut ledger, &strict(), 6), None);
    ledger.merge(Evidence::Tagged { at: second(7), tags: vec![] });
    assert!(announce(&mut ledger, &strict(), 8).unwrap().is_quarantined(), "it was pushed again");
}

#[test]
fn latency_is_that_of_the_first_scan_on_push() {
    let latency = |pushed: i64, scans: &[i64]| {
        let at = second(pushed);
        let mut ledger = ledger([Evidence::Described { pushed_at: at, media_type: None }]);
        let mut latencies = Vec::new();
        for scan in scans {
            ledger.merge(listing(*scan, vec![]));
            latencies.push(announce(&mut ledger, &strict(), *scan).unwrap().scan.unwrap().latency_ms);
        }
        latencies
    };
    assert_eq!(latency(0, &[90, 180]), [Some(90_000), None], "a rescan says nothing of it");
    assert_eq!(latency(0, &[DAY]), [Some(DAY * 1000)]);
    assert_eq!(latency(0, &[DAY + 1]), [None], "scanning was switched on long after the push");
}

#[test]
fn use_of_an_image_is_announced_and_decides_where_a_rule_asks_for_it() {
    let policy = policy("rules: [{ id: r, match: { in_use: true }, then: [alert, quarantine] }]");
    let mut ledger = ledger([listing(1, vec![finding("a", 1)])]);
    assert_eq!(judge(&ledger, &policy, second(2)).verdict, Verdict::Clear);
    assert!(may_quarantine(&ledger, &policy, second(2)), "it may run");
    assert!(
        !may_quarantine(&self::ledger([listing(1, vec![])]), &policy, second(2)),
        "nothing to quarantine"
    );
    ledger.merge(used(2, Some(3)));
    let said = announce(&mut ledger, &policy, 3).unwrap();
    assert_eq!(said.verdict, Verdict::Quarantine);
    let in_use = said.image.in_use.unwrap();
    assert_eq!((in_use.count, in_use.as_of), (3, second(2)));
    let json = serde_json::to_value(&said).unwrap();
    assert_eq!(json["image"]["in_use"], json!({"count": 3, "as_of": "2031-01-01T00:00:02Z"}));
}

#[test]
fn use_of_an_index_is_never_known() {
    let described =
        Evidence::Described { pushed_at: second(0), media_type: Some(crate::manifest::OCI_INDEX.to_owned()) };
    let ledger = ledger([used(2, Some(3)), described]);
    assert_eq!(ledger.facts.in_use(), None);
}
