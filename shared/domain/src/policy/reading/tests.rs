use std::fmt::Write as _;
use std::time::{Duration, Instant};

use super::*;
use crate::samples::policy;

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
    refused("rules: [{ id: r, match: { severity: [HIGH] }, then: [alert], grace_days_in_use: 1 }]");
    refused("rules: [{ id: r, match: { in_use: sometimes }, then: [alert] }]");
    refused(&format!("{RULE}unscanned: {{ after_minutes: soon, then: [alert] }}"));
}

#[test]
fn rules_that_make_no_sense_are_refused_with_their_line() {
    let second = |rule: &str| {
        format!("rules:\n  - {{ id: r, match: {{ severity: [HIGH] }}, then: [alert] }}\n  - {rule}\n")
    };
    refused_at(3, "`r` is defined twice", &second("{ id: r, match: { severity: [LOW] }, then: [alert] }"));
    refused_at(3, "has no action", &second("{ id: s, match: { severity: [LOW] }, then: [] }"));
    refused_at(3, "no condition", &second("{ id: s, match: {}, then: [alert] }"));
    refused_at(3, "no condition", &second("{ id: s, match: { severity: [] }, then: [alert] }"));
    refused_at(3, "without an id", &second("{ id: ' ', match: { severity: [LOW] }, then: [alert] }"));
    refused_at(
        3,
        "grace_days",
        &second("{ id: s, match: { severity: [LOW] }, then: [alert], grace_days: 1 }"),
    );
    refused_at(2, "has no action", &format!("{RULE}unscanned: {{ after_minutes: 3, then: [] }}"));
}

#[test]
fn quarantine_mode_of_a_rule_is_read_strictly() {
    let rule = |then: &str, mode: &str| {
        format!(
            "rules:\n  - {{ id: s, match: {{ severity: [LOW] }}, then: [{then}], quarantine_mode: {mode} }}\n"
        )
    };
    let read = policy(&rule("quarantine", "archive"));
    assert_eq!(read.rules[0].quarantine_mode, Some(crate::quarantine::Mode::Archive));
    refused_at(2, "never quarantines", &rule("alert", "tag"));
    refused_at(2, "changes nothing", &rule("quarantine", "observe"));
    refused_at(2, "delete", &rule("quarantine", "delete"));
}

#[test]
fn days_to_fix_findings_are_read_by_severity_and_strictly() {
    let read = policy(&format!("{RULE}remediate_within: {{ HIGH: 30, CRITICAL: 7 }}"));
    let days: Vec<(&str, u16)> =
        read.remediate_within.iter().map(|(severity, days)| (severity.as_str(), *days)).collect();
    assert_eq!(days, [("HIGH", 30), ("CRITICAL", 7)]);
    assert!(policy(RULE).remediate_within.is_empty());
    refused_at(2, "unknown severity `SEVERE`", &format!("{RULE}remediate_within: {{ SEVERE: 7 }}"));
    refused_at(3, "at least 1", &format!("{RULE}remediate_within:\n  CRITICAL: 0\n"));
    refused_at(2, "is empty", &format!("{RULE}remediate_within: {{}}"));
    refused(&format!("{RULE}remediate_within: {{ CRITICAL: -1 }}"));
    refused(&format!("{RULE}remediate_within: {{ CRITICAL: soon }}"));
    refused(&format!("{RULE}remediate_within: {{ CRITICAL: 7, CRITICAL: 9 }}"));
    refused(&format!("{RULE}remediate_within: 7"));
}

#[test]
fn rule_for_what_is_overdue_is_refused_where_nothing_can_be() {
    let rule = "rules:\n  - { id: late, match: { overdue: true }, then: [alert] }\n";
    refused_at(2, "rule `late` has `overdue`", rule);
    policy(&format!("{rule}remediate_within: {{ CRITICAL: 7 }}"));
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
    assert_eq!(error.reason, "waiver expired on 2030-12-31: remove it or renew it");
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
