use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;
use crate::finding::{Epss, Finding, Fix, KnownExploited, Package, Status};
use crate::judgement::judge;
use crate::ledger::{Evidence, Exploitation, Ledger};
use crate::samples::{finding, image, ledger, listing, policy, second};
use crate::verdict::Verdict;

const RULE: &str = "rules: [{ id: r, match: { severity: [CRITICAL] }, then: [alert] }]\n";

fn read(text: &str) -> Result<Policy, PolicyError> {
    Policy::read(text, "some/policy.yaml", "2031-01-01".parse().unwrap())
}

/// The error of a policy that must be refused; its text begins with the file, the line and the column.
fn refused(text: &str) -> PolicyError {
    let error = read(text).expect_err(text);
    let place = format!("some/policy.yaml:{}:{}: ", error.line, error.column);
    assert!(error.to_string().starts_with(&place), "{error}");
    assert!(!error.reason.is_empty());
    error
}

#[track_caller]
fn refused_at(line: u64, says: &str, text: &str) {
    let error = refused(text);
    assert!(error.reason.contains(says), "{error}");
    assert_eq!(error.line, line, "{error}");
    assert!(error.column > 0, "{error}");
}

#[test]
fn the_whole_form_is_read() {
    let policy = policy(
        "
rules:
  - id: all
    match:
      known_exploited: true
      severity: [HIGH, CRITICAL]
      severity_at_least: MEDIUM
      score_at_least: 7.5
      epss_at_least: 0.1
      exploit_available: true
      fix_available: false
      repositories: ['prod/*']
      vulnerabilities: ['CVE-*']
      packages: [openssl]
    then: [alert, quarantine]
    grace_days: 2
    overrides_waivers: true
waivers:
  - { vulnerability: CVE-1, package: p, repositories: [a], digest: 'sha256:ab', reason: why, owner: me, expires: 2031-01-01 }
unscanned: { after_minutes: 30, then: [alert] }
repositories:
  - { match: ['prod/*'], environment: production, owner: shop }
  - { match: ['*'], owner: platform }
",
    );
    let rule = &policy.rules[0];
    assert_eq!((rule.id.as_str(), rule.grace_days, rule.overrides_waivers), ("all", 2, true));
    assert_eq!(rule.then, [Action::Alert, Action::Quarantine].into());
    assert_eq!(rule.condition.score_at_least.unwrap().tenths(), 75);
    assert_eq!(rule.condition.epss_at_least.unwrap().millionths(), 100_000);
    assert_eq!(policy.waivers[0].expires, "2031-01-01".parse().unwrap());
    assert_eq!(policy.unscanned.as_ref().unwrap().after_minutes, 30);
    assert_eq!(policy.ownership("prod/a/b"), (Some("production"), Some("shop")));
    assert_eq!(policy.ownership("test/a"), (None, Some("platform")));
    assert_eq!(self::policy(RULE).ownership("test/a"), (None, None));
}

#[test]
fn unknown_key_is_refused_where_it_stands() {
    refused_at(2, "waiver", &format!("{RULE}waiver: []\n"));
    refused_at(
        4,
        "severty",
        "
rules:
  - id: r
    match: { severty: [CRITICAL] }
    then: [alert]
",
    );
    refused_at(
        6,
        "grace",
        "
rules:
  - id: r
    match: { severity: [CRITICAL] }
    then: [quarantine]
    grace: 2
",
    );
}

#[test]
fn bad_values_are_refused_with_their_line() {
    let with =
        |condition: &str| format!("rules:\n  - id: r\n    match: {{ {condition} }}\n    then: [alert]\n");
    refused_at(3, "CRITCAL", &with("severity: [CRITCAL]"));
    refused_at(3, "critical", &with("severity_at_least: critical"));
    refused_at(3, "1.5", &with("epss_at_least: 1.5"));
    refused_at(3, "-0.1", &with("epss_at_least: -0.1"));
    refused_at(3, "11", &with("score_at_least: 11"));
    refused(&with("epss_at_least: .nan"));
    refused(&with("known_exploited: maybe"));
    refused_at(3, "a[", &with("repositories: ['a[']"));
    refused_at(3, "empty list", &with("repositories: []"));
    refused_at(3, "empty pattern", &with("packages: ['']"));
    refused_at(1, "blok", "rules: [{ id: r, match: { severity: [HIGH] }, then: [alert, blok] }]");
    refused("rules: [{ id: r, match: { severity: [HIGH] }, then: [quarantine], grace_days: -1 }]");
    refused(&format!("{RULE}unscanned: {{ after_minutes: soon, then: [alert] }}"));
}

#[test]
fn rules_that_make_no_sense_are_refused_with_their_line() {
    let second = |rule: &str| {
        format!("rules:\n  - {{ id: r, match: {{ severity: [HIGH] }}, then: [alert] }}\n  - {rule}\n")
    };
    refused_at(3, "\"r\" stands twice", &second("{ id: r, match: { severity: [LOW] }, then: [alert] }"));
    refused_at(3, "needs an action", &second("{ id: s, match: { severity: [LOW] }, then: [] }"));
    refused_at(3, "no condition", &second("{ id: s, match: {}, then: [alert] }"));
    refused_at(3, "no condition", &second("{ id: s, match: { severity: [] }, then: [alert] }"));
    refused_at(3, "needs an id", &second("{ id: ' ', match: { severity: [LOW] }, then: [alert] }"));
    refused_at(
        3,
        "grace_days",
        &second("{ id: s, match: { severity: [LOW] }, then: [alert], grace_days: 1 }"),
    );
    refused_at(2, "needs an action", &format!("{RULE}unscanned: {{ after_minutes: 3, then: [] }}"));
}

#[test]
fn incomplete_rules_are_refused_by_what_they_lack() {
    for (lacking, rule) in [
        ("id", "{ match: { severity: [LOW] }, then: [alert] }"),
        ("match", "{ id: r, then: [alert] }"),
        ("then", "{ id: r, match: { severity: [LOW] } }"),
    ] {
        let error = refused(&format!("rules: [{rule}]"));
        assert!(error.reason.contains(lacking), "{error}");
    }
}

#[test]
fn waiver_without_reason_owner_or_end_is_refused() {
    for (lacking, waiver) in [
        ("reason", "{ vulnerability: CVE-1, owner: o, expires: 2032-01-01 }"),
        ("owner", "{ vulnerability: CVE-1, reason: r, expires: 2032-01-01 }"),
        ("expires", "{ vulnerability: CVE-1, reason: r, owner: o }"),
        ("reason", "{ vulnerability: CVE-1, reason: ' ', owner: o, expires: 2032-01-01 }"),
        ("owner", "{ vulnerability: CVE-1, reason: r, owner: '', expires: 2032-01-01 }"),
        ("vulnerability", "{ reason: r, owner: o, expires: 2032-01-01 }"),
    ] {
        let error = refused(&format!("{RULE}waivers: [{waiver}]"));
        assert!(error.reason.contains(lacking), "{lacking}: {error}");
        assert_eq!(error.line, 2, "{error}");
    }
}

#[test]
fn expired_waiver_is_refused_on_the_line_of_its_expiry() {
    let text = "
rules:
  - { id: r, match: { severity: [HIGH] }, then: [alert] }
waivers:
  - vulnerability: CVE-1
    reason: r
    owner: o
    expires: 2031-01-01
  - vulnerability: CVE-2
    reason: r
    owner: o
    expires: 2030-12-31
";
    let error = refused(text);
    assert_eq!((error.line, error.column), (12, 14));
    assert_eq!(error.reason, "waiver expired on 2030-12-31");
    // In use it stays in use.
    assert_eq!(Policy::read_deployed(text, "policy.yaml").unwrap().waivers.len(), 2);
}

#[test]
fn impossible_expiry_is_refused() {
    refused(&format!("{RULE}waivers: [{{ vulnerability: C, reason: r, owner: o, expires: 2031-02-30 }}]"));
    refused(&format!("{RULE}waivers: [{{ vulnerability: C, reason: r, owner: o, expires: never }}]"));
}

#[test]
fn what_is_no_policy_is_refused() {
    for text in [
        "",
        "\n\n",
        "# nothing\n",
        "null",
        "[]",
        "hello",
        "{",
        "rules: [",
        "\u{0}\u{1}",
        "a: b: c",
        "\t- x",
        "{\"rules\": 1}",
        "rules: {}",
        "waivers: []",
    ] {
        refused(text);
    }
}

#[test]
fn key_that_stands_twice_is_refused() {
    refused(&format!("{RULE}{RULE}"));
}

#[test]
fn alias_bomb_is_an_error_and_no_hang() {
    let mut bomb =
        "a0: &a0 [CRITICAL,CRITICAL,CRITICAL,CRITICAL,CRITICAL,CRITICAL,CRITICAL,CRITICAL,CRITICAL]\n"
            .to_owned();
    for n in 1..30 {
        let before = n - 1;
        let aliases = vec![format!("*a{before}"); 9].join(",");
        writeln!(bomb, "a{n}: &a{n} [{aliases}]").unwrap();
    }
    for text in [
        format!("{bomb}{RULE}"),
        format!("{bomb}rules: [{{ id: r, match: {{ severity: *a29 }}, then: [alert] }}]"),
        format!("rules: {}{}", "[".repeat(100_000), "]".repeat(100_000)),
    ] {
        let started = Instant::now();
        refused(&text);
        assert!(started.elapsed() < Duration::from_secs(5));
    }
}

// Evaluation.

/// A scanned image with this finding.
fn scanned(finding: Finding) -> Ledger {
    ledger([listing(1, vec![finding])])
}

/// Whether a rule of only this condition matches a finding.
fn matches(condition: &str, finding: &Finding) -> bool {
    let policy = policy(&format!("rules: [{{ id: r, match: {{ {condition} }}, then: [alert] }}]"));
    let evaluation = policy.evaluate(&scanned(finding.clone()), second(2));
    assert!(evaluation.matches.len() <= 1);
    !evaluation.matches.is_empty()
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
    let unknown = Finding { severity: "APOCALYPTIC".into(), ..high };
    assert!(!matches("severity: [CRITICAL, HIGH, MEDIUM, LOW, INFORMATIONAL, UNTRIAGED]", &unknown));
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
        ledger.exploitation.clear();
        answer.map(|answer| ledger.merge(answer));
        let evaluation = policy.evaluate(&ledger, second(2));
        evaluation.matches.into_iter().map(|found| found.rule).collect::<Vec<_>>()
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
        let found = &judgement.evaluation.matches[0];
        assert!(found.alert, "the grace is for quarantine alone");
        assert_eq!(found.quarantine, Some(Deadline { from: second(end), reached }));
        let verdict = if reached { Verdict::Quarantine } else { Verdict::Clear };
        assert_eq!(judgement.verdict, verdict, "at {now}");
    }
}

#[test]
fn grace_beyond_the_end_of_time_never_ends() {
    let policy =
        policy("rules: [{ id: r, match: { severity: [CRITICAL] }, then: [quarantine], grace_days: 65535 }]");
    let late = Finding { first_seen: "9999-01-01T00:00:00Z".parse().unwrap(), ..finding("a", 1) };
    let evaluation = policy.evaluate(&scanned(late), second(2));
    assert!(!evaluation.matches[0].quarantine.unwrap().reached);
}

#[test]
fn rule_that_only_alerts_leaves_the_image_clear() {
    let policy = policy(RULE);
    let judgement = judge(&scanned(finding("a", 1)), &policy, second(2));
    assert_eq!(judgement.verdict, Verdict::Clear);
    assert_eq!(judgement.evaluation.matches[0].quarantine, None);
}

#[test]
fn every_matching_rule_is_named_in_the_order_of_the_file() {
    let policy = policy(
        "rules: [{ id: z, match: { severity: [CRITICAL] }, then: [alert] }, { id: a, match: { severity_at_least: LOW }, then: [quarantine] }]",
    );
    let evaluation = policy.evaluate(&scanned(finding("a", 1)), second(2));
    let rules: Vec<_> = evaluation.matches.iter().map(|found| (found.rule.as_str(), found.alert)).collect();
    assert_eq!(rules, [("z", true), ("a", false)]);
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
        let judgement = judge(&scanned(finding.clone()), &waiving(&waiver), second(2));
        let expected = if excuses { (Verdict::Clear, 0, 1) } else { (Verdict::Quarantine, 1, 0) };
        let evaluation = &judgement.evaluation;
        assert_eq!(
            (judgement.verdict, evaluation.matches.len(), evaluation.waived.len()),
            expected,
            "{waiver}"
        );
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
    let policy = policy(&format!(
        "{RULE}waivers: [{{ vulnerability: CVE-b, reason: r, owner: o, expires: 2031-06-01 }},
           {{ vulnerability: CVE-a, reason: r, owner: o, expires: 2031-06-01 }},
           {{ repositories: ['*'], reason: r, owner: o, expires: 2031-06-01 }}]"
    ));
    let evaluation = policy.evaluate(&scanned(finding("a", 1)), second(2));
    assert_eq!(evaluation.waived, [WaivedFinding { finding: "a".to_owned(), excuse: Excuse::Waiver(1) }]);
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
    let mut ledger = scanned(finding("a", 1));
    let before = policy.evaluate(&ledger, second(2));
    assert_eq!((before.matches.len(), before.waived.len()), (0, 1));
    ledger.merge(asked("CVE-a", Some(EXPLOITED)));
    let after = policy.evaluate(&ledger, second(2));
    assert_eq!(after.matches.len(), 1, "the rule that does not override still respects the waiver");
    assert_eq!(after.matches[0].rule, "exploited");
    assert_eq!(after.matches[0].overrides, Some(Excuse::Waiver(0)));
    assert!(after.waived.is_empty());
    assert_eq!(judge(&ledger, &policy, second(2)).verdict, Verdict::Quarantine);
}

#[test]
fn suppressed_finding_counts_as_waived_and_can_be_overridden() {
    let suppressed = || scanned(Finding { status: Status::Suppressed, ..finding("a", 1) });
    let respecting = crate::samples::strict().evaluate(&suppressed(), second(2));
    assert!(respecting.matches.is_empty());
    assert_eq!(respecting.waived, [WaivedFinding { finding: "a".to_owned(), excuse: Excuse::Suppression }]);
    let overriding = policy(
        "rules: [{ id: r, match: { severity: [CRITICAL] }, then: [quarantine], overrides_waivers: true }]",
    );
    let evaluation = overriding.evaluate(&suppressed(), second(2));
    assert_eq!(evaluation.matches[0].overrides, Some(Excuse::Suppression));
    assert!(evaluation.waived.is_empty());
}

#[test]
fn waived_finding_that_no_rule_would_match_is_counted_too() {
    let low = Finding { severity: Severity::Low, ..finding("a", 1) };
    let evaluation = waiving("vulnerability: CVE-a").evaluate(&scanned(low), second(2));
    assert_eq!(evaluation.waived.len(), 1);
}

#[test]
fn resolved_finding_is_neither_matched_nor_waived() {
    let ledger = ledger([listing(1, vec![finding("a", 1)]), listing(5, vec![])]);
    assert_eq!(crate::samples::strict().evaluate(&ledger, second(6)), Evaluation::default());
    assert_eq!(waiving("vulnerability: CVE-a").evaluate(&ledger, second(6)), Evaluation::default());
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
        policy.exploitation_matters(&scanned(finding.clone()), finding, second(2))
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
    assert!(overriding.exploitation_matters(&scanned(waived.clone()), &waived, second(2)));
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
