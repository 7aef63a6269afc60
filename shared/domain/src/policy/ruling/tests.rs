use super::*;
use crate::assessment::judge;
use crate::finding::{Fix, Package, Severity};
use crate::ledger::{Evidence, Exploitation, Ledger};
use crate::samples::{finding, image, ledger, listing, policy, second, strict};
use crate::verdict::Verdict;

/// A scanned image with this finding.
fn scanned(finding: Finding) -> Ledger {
    ledger([listing(1, vec![finding])])
}

/// What a policy says of a finding about whose exploitation nothing is known.
fn ruling<'p>(policy: &'p Policy, finding: &Finding) -> Ruling<'p> {
    policy.rule_on(Place::alone(&image()), finding, circumstances(finding), second(2))
}

fn circumstances(finding: &Finding) -> Circumstances {
    let suppressed = finding.status == Status::Suppressed;
    Circumstances { known_since: finding.first_seen, known_exploited: None, suppressed, in_use: None }
}

/// The rules that match, by id.
fn ids(ruling: &Ruling) -> Vec<String> {
    ruling.matches.iter().map(|found| found.rule.id.clone()).collect()
}

/// The vulnerability that the waiver names; `suppression` where Inspector hides the finding.
fn excuse(excuse: Option<Excuse>) -> Option<String> {
    excuse.map(|excuse| match excuse {
        Excuse::Waiver(waiver) => waiver.vulnerability.clone().unwrap_or_default(),
        Excuse::Suppression => "suppression".to_owned(),
    })
}

/// Whether a rule of only this condition matches a finding.
fn matches(condition: &str, finding: &Finding) -> bool {
    let policy = policy(&format!("rules: [{{ id: r, match: {{ {condition} }}, then: [alert] }}]"));
    !ruling(&policy, finding).matches.is_empty()
}

fn package(name: &str, fixed_in: Option<&str>) -> Package {
    Package::new(name, "1.0", fixed_in)
}

#[test]
fn severity_matches_what_is_listed_and_nothing_else() {
    let high = Finding { severity: Severity::High, ..finding("a", 1) };
    assert!(matches("severity: [HIGH]", &high));
    assert!(matches("severity: [CRITICAL, HIGH]", &high));
    assert!(!matches("severity: [CRITICAL]", &high));
}

#[test]
fn severity_that_is_not_known_may_be_any() {
    for name in ["APOCALYPTIC", ""] {
        let unknown = Finding { severity: name.into(), ..finding("a", 1) };
        assert!(matches("severity: [CRITICAL]", &unknown));
        assert!(matches("severity: [LOW]", &unknown));
        assert!(matches("severity_at_least: CRITICAL", &unknown));
    }
}

#[test]
fn severity_at_least_is_satisfied_by_it_by_worse_and_by_unknown() {
    for (severity, expected) in [
        ("LOW", false),
        ("MEDIUM", false),
        ("HIGH", true),
        ("CRITICAL", true),
        ("APOCALYPTIC", true),
        ("UNTRIAGED", false),
    ] {
        let finding = Finding { severity: severity.into(), ..finding("a", 1) };
        assert_eq!(matches("severity_at_least: HIGH", &finding), expected, "{severity}");
    }
    let unknown = Finding { severity: "APOCALYPTIC".into(), ..finding("a", 1) };
    assert!(matches("severity_at_least: CRITICAL", &unknown));
}

#[test]
fn bounds_are_inclusive_and_not_satisfied_by_silence() {
    let with = |score: Option<f64>, epss: Option<f64>| Finding {
        score: score.map(Into::into),
        epss: epss.map(Into::into),
        ..finding("a", 1)
    };
    assert!(matches("score_at_least: 7.0", &with(Some(7.0), None)));
    assert!(!matches("score_at_least: 7.0", &with(Some(6.9), None)));
    assert!(!matches("score_at_least: 0", &with(None, None)));
    assert!(matches("epss_at_least: 0.1", &with(None, Some(0.1))));
    assert!(!matches("epss_at_least: 0.1", &with(None, Some(0.099_999))));
    assert!(!matches("epss_at_least: 0", &with(None, None)));
}

#[test]
fn exploit_available_is_true_only_where_the_source_says_so() {
    let with = |exploit| Finding { exploit, ..finding("a", 1) };
    for (exploit, expected) in [(Some(true), true), (Some(false), false), (None, false)] {
        assert_eq!(matches("exploit_available: true", &with(exploit)), expected);
        assert_eq!(matches("exploit_available: false", &with(exploit)), !expected);
    }
}

#[test]
fn fix_is_available_where_the_source_says_so_or_names_a_version() {
    let with = |fix, packages| Finding { fix, packages, ..finding("a", 1) };
    for (finding, expected) in [
        (with(Fix::Yes, vec![]), true),
        (with(Fix::Partial, vec![]), true),
        (with(Fix::No, vec![package("a", None)]), false),
        (with(Fix::Unknown, vec![package("a", None)]), false),
        (with(Fix::Unknown, vec![package("a", None), package("b", Some("1.1"))]), true),
    ] {
        assert_eq!(matches("fix_available: true", &finding), expected, "{finding:?}");
        assert_eq!(matches("fix_available: false", &finding), !expected, "{finding:?}");
    }
}

#[test]
fn names_match_by_globs_in_which_a_star_passes_slashes() {
    let finding =
        Finding { packages: vec![package("libssl3", None), package("openssl", None)], ..finding("a", 1) };
    // The image is in prod/cart, the vulnerability is CVE-a.
    for (condition, expected) in [
        ("repositories: ['prod/*']", true),
        ("repositories: ['*']", true),
        ("repositories: ['*cart']", true),
        ("repositories: ['prod']", false),
        ("repositories: ['test/*', 'prod/cart']", true),
        ("vulnerabilities: ['CVE-*']", true),
        ("vulnerabilities: ['cve-*']", false),
        ("packages: [openssl]", true),
        ("packages: ['libssl*']", true),
        ("packages: ['ssl']", false),
    ] {
        assert_eq!(matches(condition, &finding), expected, "{condition}");
    }
}

#[test]
fn all_conditions_of_a_rule_must_hold() {
    let high = Finding { severity: Severity::High, exploit: Some(true), ..finding("a", 1) };
    assert!(matches("severity: [HIGH], exploit_available: true", &high));
    assert!(!matches("severity: [HIGH], exploit_available: false", &high));
    assert!(!matches("severity: [LOW], exploit_available: true", &high));
}

fn asked(vulnerability: &str, known: Option<KnownExploited>) -> Evidence {
    Evidence::Exploitation([(vulnerability.to_owned(), Exploitation { asked_at: second(1), known })].into())
}

const EXPLOITED: KnownExploited = KnownExploited { added: None, due: None };

#[test]
fn known_exploited_is_what_was_answered_and_silence_is_no() {
    let policy = policy(
        "rules: [{ id: yes, match: { known_exploited: true }, then: [alert] }, { id: no, match: { known_exploited: false }, then: [alert] }]",
    );
    let rule = |answer: Option<Evidence>| {
        let mut ledger = scanned(finding("a", 1));
        answer.map(|answer| ledger.merge(answer));
        let judgement = judge(&ledger, &policy, second(2));
        ids(judgement.rows[0].ruling.as_ref().unwrap())
    };
    assert_eq!(rule(Some(asked("CVE-a", Some(EXPLOITED)))), ["yes"]);
    assert_eq!(rule(Some(asked("CVE-a", None))), ["no"]);
    assert_eq!(rule(Some(asked("CVE-b", Some(EXPLOITED)))), ["no"]);
    assert_eq!(rule(None), ["no"]);
}

#[test]
fn grace_ends_so_many_days_after_the_finding_was_first_seen() {
    let policy = policy(
        "rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert, quarantine], grace_days: 2 }]",
    );
    let ledger = scanned(finding("a", 1));
    let end = 2 * 86_400;
    for (now, reached) in [(end - 1, false), (end, true), (end + 1, true)] {
        let judgement = judge(&ledger, &policy, second(now));
        let ruling = judgement.rows[0].ruling.as_ref().unwrap();
        assert!(ruling.asks_for(Action::Alert), "the grace is for quarantine alone");
        assert_eq!(ruling.quarantine_from(), Some(second(end)));
        let verdict = if reached { Verdict::Quarantine } else { Verdict::Clear };
        assert_eq!(judgement.verdict, verdict, "at {now}");
    }
}

#[test]
fn grace_beyond_the_end_of_time_never_ends() {
    let policy =
        policy("rules: [{ id: r, match: { severity: [CRITICAL] }, then: [quarantine], grace_days: 65535 }]");
    let late = Finding { first_seen: "9999-01-01T00:00:00Z".parse().unwrap(), ..finding("a", 1) };
    assert_eq!(ruling(&policy, &late).quarantine_from(), Some(Timestamp::MAX));
    assert_eq!(judge(&scanned(late), &policy, second(2)).verdict, Verdict::Clear);
}

#[test]
fn rule_that_only_alerts_leaves_the_image_clear() {
    let policy = policy("rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert] }]");
    assert_eq!(judge(&scanned(finding("a", 1)), &policy, second(2)).verdict, Verdict::Clear);
    let ruling = ruling(&policy, &finding("a", 1));
    assert_eq!((ids(&ruling), ruling.quarantine_from()), (vec!["r".to_owned()], None));
}

#[test]
fn every_matching_rule_is_named_in_the_order_of_the_file() {
    let policy = policy(
        "rules: [{ id: z, match: { severity: [CRITICAL] }, then: [alert] }, { id: a, match: { severity_at_least: LOW }, then: [quarantine] }]",
    );
    let ruling = ruling(&policy, &finding("a", 1));
    assert_eq!(ids(&ruling), ["z", "a"]);
    assert!(ruling.asks_for(Action::Alert) && ruling.asks_for(Action::Quarantine));
}

fn waiving(waiver: &str) -> Policy {
    policy(&format!(
        "
rules: [{{ id: critical, match: {{ severity: [CRITICAL] }}, then: [quarantine] }}]
waivers: [{{ {waiver}, reason: r, owner: o, expires: 2031-01-05 }}]
"
    ))
}

#[test]
fn waiver_excuses_by_each_of_its_keys_and_only_where_all_fit() {
    let finding = Finding { packages: vec![package("openssl", None)], ..finding("a", 1) };
    let digest = image().digest;
    for (waiver, excuses) in [
        ("vulnerability: CVE-a".to_owned(), true),
        ("vulnerability: CVE-b".to_owned(), false),
        ("vulnerability: CVE".to_owned(), false),
        ("package: openssl".to_owned(), true),
        ("package: ssl".to_owned(), false),
        ("repositories: ['prod/*']".to_owned(), true),
        ("repositories: ['test/*']".to_owned(), false),
        (format!("digest: '{digest}'"), true),
        ("digest: 'sha256:ffff'".to_owned(), false),
        ("vulnerability: CVE-a, repositories: ['prod/*']".to_owned(), true),
        ("vulnerability: CVE-a, repositories: ['test/*']".to_owned(), false),
        ("vulnerability: CVE-a, package: zlib".to_owned(), false),
    ] {
        let policy = waiving(&waiver);
        let expected = if excuses { (Verdict::Clear, 0, true) } else { (Verdict::Quarantine, 1, false) };
        let verdict = judge(&scanned(finding.clone()), &policy, second(2)).verdict;
        let ruling = ruling(&policy, &finding);
        assert_eq!((verdict, ruling.matches.len(), ruling.waived().is_some()), expected, "{waiver}");
    }
}

#[test]
fn waiver_of_a_package_does_not_excuse_a_finding_in_another_package_too() {
    let policy = waiving("package: openssl");
    for packages in [vec![], vec![package("openssl", None), package("zlib", None)]] {
        let finding = Finding { packages, ..finding("a", 1) };
        assert_eq!(judge(&scanned(finding), &policy, second(2)).verdict, Verdict::Quarantine);
    }
    let both = vec![package("openssl", None), package("openssl", Some("2"))];
    let finding = Finding { packages: both, ..finding("a", 1) };
    assert_eq!(judge(&scanned(finding), &policy, second(2)).verdict, Verdict::Clear);
}

#[test]
fn waiver_holds_to_the_end_of_its_last_day() {
    let policy = waiving("vulnerability: CVE-a");
    let ledger = scanned(finding("a", 1));
    let verdict = |now: &str| judge(&ledger, &policy, now.parse().unwrap()).verdict;
    assert_eq!(verdict("2031-01-05T23:59:59.999Z"), Verdict::Clear);
    assert_eq!(verdict("2031-01-06T00:00:00Z"), Verdict::Quarantine);
}

#[test]
fn first_waiver_that_fits_is_the_one_that_is_named() {
    let policy = policy(
        "
rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert] }]
waivers:
  - { vulnerability: CVE-b, reason: r, owner: o, expires: 2031-06-01 }
  - { vulnerability: CVE-a, reason: r, owner: o, expires: 2031-06-01 }
  - { repositories: ['*'], reason: r, owner: o, expires: 2031-06-01 }
",
    );
    assert_eq!(excuse(ruling(&policy, &finding("a", 1)).waived()).as_deref(), Some("CVE-a"));
}

#[test]
fn rule_that_overrides_waivers_matches_and_the_finding_counts_as_not_waived() {
    let policy = policy(
        "
rules:
  - { id: exploited, match: { known_exploited: true }, then: [quarantine], overrides_waivers: true }
  - { id: critical, match: { severity: [CRITICAL] }, then: [alert] }
waivers: [{ vulnerability: CVE-a, reason: r, owner: o, expires: 2031-06-01 }]
",
    );
    let finding = finding("a", 1);
    let before = ruling(&policy, &finding);
    assert_eq!((before.matches.len(), before.waived().is_some()), (0, true));
    let after = {
        let known_exploited = Some(EXPLOITED);
        policy.rule_on(
            Place::alone(&image()),
            &finding,
            Circumstances { known_exploited, ..circumstances(&finding) },
            second(2),
        )
    };
    assert_eq!(ids(&after), ["exploited"], "the rule that does not override still respects the waiver");
    assert_eq!(excuse(after.overridden()).as_deref(), Some("CVE-a"));
    assert!(after.waived().is_none());
    let ledger = ledger([listing(1, vec![finding]), asked("CVE-a", Some(EXPLOITED))]);
    assert_eq!(judge(&ledger, &policy, second(2)).verdict, Verdict::Quarantine);
}

#[test]
fn suppressed_finding_counts_as_waived_and_can_be_overridden() {
    let suppressed = Finding { status: Status::Suppressed, ..finding("a", 1) };
    let strict = strict();
    let respecting = ruling(&strict, &suppressed);
    assert!(respecting.matches.is_empty());
    assert_eq!(excuse(respecting.waived()).as_deref(), Some("suppression"));
    let overriding = policy(
        "rules: [{ id: r, match: { severity: [CRITICAL] }, then: [quarantine], overrides_waivers: true }]",
    );
    let ruling = ruling(&overriding, &suppressed);
    assert_eq!(excuse(ruling.overridden()).as_deref(), Some("suppression"));
    assert!(ruling.waived().is_none());
}

#[test]
fn waived_finding_that_no_rule_would_match_is_counted_too() {
    let low = Finding { severity: Severity::Low, ..finding("a", 1) };
    assert!(ruling(&waiving("vulnerability: CVE-a"), &low).waived().is_some());
}

#[test]
fn resolved_finding_is_neither_matched_nor_waived() {
    let ledger = ledger([listing(1, vec![finding("a", 1)]), listing(300_000, vec![])]);
    for policy in [strict(), waiving("vulnerability: CVE-a")] {
        let judgement = judge(&ledger, &policy, second(300_001));
        assert_eq!(judgement.rows.len(), 1);
        assert!(judgement.rows[0].ruling.is_none());
    }
}

#[test]
fn exploitation_matters_where_a_rule_asks_for_it_and_all_else_holds() {
    let matters = |rule: &str, finding: &Finding| {
        let policy = policy(&format!(
            "
rules: [{{ id: r, match: {{ {rule} }}, then: [alert] }}]
waivers: [{{ vulnerability: CVE-waived, reason: r, owner: o, expires: 2031-06-01 }}]
"
        ));
        policy.exploitation_matters(&image(), finding, second(2))
    };
    let critical = finding("a", 1);
    assert!(matters("known_exploited: true", &critical));
    assert!(matters("known_exploited: false", &critical));
    assert!(matters("known_exploited: true, severity: [CRITICAL]", &critical));
    assert!(!matters("known_exploited: true, severity: [LOW]", &critical));
    assert!(!matters("known_exploited: true, repositories: ['test/*']", &critical));
    assert!(!matters("severity: [CRITICAL]", &critical));
    let waived = finding("waived", 1);
    assert!(!matters("known_exploited: true", &waived));
    let overriding = policy(
        "rules: [{ id: r, match: { known_exploited: true }, then: [alert], overrides_waivers: true }]
waivers: [{ vulnerability: CVE-waived, reason: r, owner: o, expires: 2031-06-01 }]",
    );
    assert!(overriding.exploitation_matters(&image(), &waived, second(2)));
    // Nobody needs to ask only where Inspector knows of no exploit and EPSS expects none.
    for (exploit, epss, expected) in [
        (Some(false), Some(9_999), false),
        (Some(false), Some(10_000), true),
        (Some(false), None, true),
        (Some(true), Some(0), true),
        (None, Some(0), true),
    ] {
        let epss = epss.map(Epss::from_millionths);
        let finding = Finding { epss, exploit, ..finding("a", 1) };
        assert_eq!(matters("known_exploited: true", &finding), expected, "{exploit:?} {epss:?}");
    }
}

/// From when on the only rule of a policy quarantines a finding of second 0, in seconds, if it matches.
fn quarantines_from(rule: &str, in_use: Option<bool>) -> Option<i64> {
    let policy = policy(&format!("rules: [{{ id: r, then: [quarantine], {rule} }}]"));
    let finding = finding("a", 1);
    let ruling = policy.rule_on(
        Place::alone(&image()),
        &finding,
        Circumstances { in_use, ..circumstances(&finding) },
        second(2),
    );
    Some((ruling.quarantine_from()? - second(0)).get_seconds())
}

#[test]
fn use_that_is_not_known_satisfies_neither_true_nor_false() {
    for (wanted, known, holds) in [
        (true, Some(true), true),
        (true, Some(false), false),
        (true, None, false),
        (false, Some(true), false),
        (false, Some(false), true),
        (false, None, false),
    ] {
        let found = quarantines_from(&format!("match: {{ in_use: {wanted} }}"), known);
        assert_eq!(found.is_some(), holds, "{wanted} {known:?}");
    }
}

#[test]
fn image_in_use_has_a_grace_of_its_own_where_one_is_given() {
    const DAY: i64 = 86_400;
    let rule = "match: { severity: [CRITICAL] }, grace_days: 2, grace_days_in_use: 9";
    assert_eq!(quarantines_from(rule, Some(true)), Some(9 * DAY));
    assert_eq!(quarantines_from(rule, Some(false)), Some(2 * DAY));
    assert_eq!(quarantines_from(rule, None), Some(2 * DAY));
    let at_once = "match: { severity: [CRITICAL] }, grace_days: 2, grace_days_in_use: 0";
    assert_eq!(quarantines_from(at_once, Some(true)), Some(0));
    assert_eq!(quarantines_from("match: { severity: [CRITICAL] }, grace_days: 2", Some(true)), Some(2 * DAY));
}

#[test]
fn use_that_is_not_known_yet_keeps_no_question_back() {
    let policy = policy("rules: [{ id: r, match: { known_exploited: true, in_use: true }, then: [alert] }]");
    assert!(policy.exploitation_matters(&image(), &finding("a", 1), second(2)));
    assert!(policy.asks_for_usage() && !strict().asks_for_usage());
}

const WITHIN: &str = "remediate_within: { CRITICAL: 7, HIGH: 30 }\nrules: ";

/// Whether a rule that asks for findings that are overdue, or are not, matches one so many seconds after it became known.
fn overdue(wanted: bool, severity: &str, seconds: i64) -> bool {
    let rule = format!("{WITHIN}[{{ id: r, match: {{ overdue: {wanted} }}, then: [alert] }}]");
    let finding = Finding { severity: severity.into(), ..finding("a", 1) };
    let policy = policy(&rule);
    let ruling = policy.rule_on(Place::alone(&image()), &finding, circumstances(&finding), second(seconds));
    !ruling.matches.is_empty()
}

#[test]
fn finding_is_overdue_from_the_end_of_the_days_that_its_severity_has() {
    const DAY: i64 = 86_400;
    for (severity, days) in [("CRITICAL", 7), ("HIGH", 30)] {
        assert!(!overdue(true, severity, days * DAY - 1), "{severity}");
        assert!(overdue(false, severity, days * DAY - 1), "{severity}");
        assert!(overdue(true, severity, days * DAY), "{severity}");
        assert!(!overdue(false, severity, days * DAY), "{severity}");
    }
}

#[test]
fn finding_of_a_severity_without_a_time_is_never_overdue_and_of_an_unknown_one_like_the_worst() {
    let years = 10 * 365 * 86_400;
    for severity in ["MEDIUM", "UNTRIAGED"] {
        assert!(!overdue(true, severity, years) && overdue(false, severity, years), "{severity}");
    }
    for severity in ["APOCALYPTIC", ""] {
        assert!(
            !overdue(true, severity, 7 * 86_400 - 1) && overdue(true, severity, 7 * 86_400),
            "{severity:?}"
        );
    }
}

#[test]
fn moment_at_which_a_finding_becomes_overdue_is_known_beforehand() {
    let of = |policy: &Policy, severity: &str| policy.overdue_from(&severity.into(), second(5));
    let timed = policy(&format!("{WITHIN}[]"));
    assert_eq!(of(&timed, "CRITICAL"), Some(second(7 * 86_400 + 5)));
    assert_eq!(of(&timed, "HIGH"), Some(second(30 * 86_400 + 5)));
    assert_eq!(of(&timed, "LOW"), None);
    assert_eq!(of(&timed, "APOCALYPTIC"), of(&timed, "CRITICAL"));
    assert_eq!((of(&strict(), "CRITICAL"), of(&strict(), "APOCALYPTIC")), (None, None));
    assert_eq!(timed.overdue_from(&Severity::High, Timestamp::MAX), Some(Timestamp::MAX));
}

#[test]
fn exploitation_matters_to_a_finding_that_will_be_overdue() {
    let asks = |overdue: bool| {
        let rule =
            format!("[{{ id: r, match: {{ known_exploited: true, overdue: {overdue} }}, then: [alert] }}]");
        policy(&format!("{WITHIN}{rule}")).exploitation_matters(&image(), &finding("a", 1), second(2))
    };
    assert!(asks(true) && asks(false));
}
