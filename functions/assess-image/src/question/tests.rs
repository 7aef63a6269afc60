use domain::finding::{Finding, KnownExploited, Severity, Source, Status};
use domain::ledger::Evidence;

use domain::samples::{self, image, second};

use super::*;

fn finding(id: &str, status: Status, updated: i64) -> Finding {
    Finding { status, ..samples::finding(id, updated) }
}

fn policy() -> Policy {
    let text = "rules: [{ id: r, match: { known_exploited: true, severity_at_least: HIGH }, then: [alert] }]";
    Policy::read_deployed(text, "policy.yaml").unwrap()
}

fn scanned(findings: Vec<Finding>) -> Ledger {
    let mut ledger = Ledger::new(image());
    let source = Source::Inspector;
    ledger.merge(Evidence::Listing { source, at: second(1), scanned: true, findings, tags: vec![] });
    ledger
}

fn critical(id: &str) -> Finding {
    finding(id, Status::Active, 1)
}

fn asked(ledger: &Ledger, now: i64) -> Vec<String> {
    open_questions(ledger, &policy(), second(now))
        .into_iter()
        .map(|(vulnerability, _)| vulnerability)
        .collect()
}

fn answer(ledger: &mut Ledger, vulnerability: &str, at: i64, known: Option<KnownExploited>) {
    let answer = Exploitation { asked_at: second(at), known };
    ledger.merge(Evidence::Exploitation([(vulnerability.to_owned(), answer)].into()));
}

#[test]
fn each_vulnerability_is_asked_about_once_with_one_of_its_findings() {
    let same = Finding { vulnerability: "CVE-a".to_owned(), ..critical("z") };
    let ledger = scanned(vec![critical("b"), same, critical("a")]);
    let questions = open_questions(&ledger, &policy(), second(2));
    assert_eq!(questions, [("CVE-a".to_owned(), "a".to_owned()), ("CVE-b".to_owned(), "b".to_owned())]);
}

#[test]
fn only_what_could_change_the_outcome_is_asked() {
    let low = Finding { severity: Severity::Low, ..critical("low") };
    let unexploited = Finding { exploit: Some(false), epss: Some(0.001.into()), ..critical("unexploited") };
    let basic = Finding { source: Source::Basic, ..critical("basic") };
    assert_eq!(asked(&scanned(vec![low, unexploited, basic, critical("a")]), 2), ["CVE-a"]);
}

#[test]
fn resolved_finding_is_not_asked_about() {
    let mut ledger = scanned(vec![critical("a")]);
    let source = Source::Inspector;
    ledger.merge(Evidence::Listing {
        source,
        at: second(300_000),
        scanned: true,
        findings: vec![],
        tags: vec![],
    });
    assert!(asked(&ledger, 300_001).is_empty());
}

#[test]
fn no_is_asked_again_after_a_day_and_yes_never() {
    const DAY: i64 = 86_400;
    let mut ledger = scanned(vec![critical("a"), critical("b")]);
    answer(&mut ledger, "CVE-a", 10, None);
    answer(&mut ledger, "CVE-b", 10, Some(KnownExploited { added: None, due: None }));
    assert!(asked(&ledger, 10).is_empty());
    assert!(asked(&ledger, 10 + DAY - 1).is_empty());
    assert_eq!(asked(&ledger, 10 + DAY), ["CVE-a"]);
    assert_eq!(asked(&ledger, 10 + 1_000 * DAY), ["CVE-a"]);
}

const DAY: i64 = 86_400;

fn quarantining(condition: &str) -> Policy {
    let text = format!("rules: [{{ id: r, match: {{ {condition} }}, then: [quarantine] }}]");
    Policy::read_deployed(&text, "policy.yaml").unwrap()
}

#[test]
fn use_is_asked_for_once_a_day_and_only_where_quarantine_is_near() {
    let due =
        |ledger: &Ledger, condition: &str, now| usage_is_due(ledger, &quarantining(condition), second(now));
    let mut ledger = scanned(vec![critical("a")]);
    assert!(due(&ledger, "severity: [CRITICAL]", 2));
    assert!(!due(&ledger, "severity: [LOW]", 2), "no quarantine is near");
    assert!(due(&ledger, "severity: [CRITICAL], in_use: true", 2), "the answer may quarantine it");
    assert!(due(&ledger, "severity: [CRITICAL], in_use: false", 2));
    ledger.merge(samples::coverage(10, true));
    assert!(!due(&ledger, "severity: [CRITICAL]", 9 + DAY));
    assert!(due(&ledger, "severity: [CRITICAL]", 10 + DAY));
    ledger.announced.verdict = Verdict::Quarantine;
    assert!(!due(&ledger, "severity: [CRITICAL]", 10 + DAY), "it is under quarantine");
}

#[test]
fn answer_of_another_image_counts_while_it_holds() {
    let ledger = scanned(vec![critical("a"), critical("b"), critical("c")]);
    let exploited = Some(KnownExploited { added: None, due: None });
    let answers = BTreeMap::from([
        ("CVE-a".to_owned(), Exploitation { asked_at: second(10), known: None }),
        ("CVE-b".to_owned(), Exploitation { asked_at: second(10), known: exploited }),
    ]);
    let after = |now: i64| {
        let questions = open_questions(&ledger, &policy(), second(now));
        let (answers, left) = answered(&ledger, questions, answers.clone(), second(now));
        let left: Vec<String> = left.into_iter().map(|(vulnerability, _)| vulnerability).collect();
        (answers.into_keys().collect::<Vec<_>>(), left)
    };
    let names = |names: &[&str]| -> Vec<String> { names.iter().map(|&name| name.to_owned()).collect() };
    assert_eq!(after(10 + DAY - 1), (names(&["CVE-a", "CVE-b"]), names(&["CVE-c"])));
    assert_eq!(after(10 + DAY), (names(&["CVE-b"]), names(&["CVE-a", "CVE-c"])));
}

#[test]
fn answer_of_another_image_that_is_older_than_the_ledgers_own_does_not_count() {
    let mut ledger = scanned(vec![critical("a")]);
    answer(&mut ledger, "CVE-a", 20, None);
    let exploited = Some(KnownExploited { added: None, due: None });
    for (asked_at, counts) in [(10, false), (30, true)] {
        let questions = open_questions(&ledger, &policy(), second(20 + DAY));
        assert_eq!(questions.len(), 1);
        let shared = Exploitation { asked_at: second(asked_at), known: exploited };
        let shared = BTreeMap::from([("CVE-a".to_owned(), shared)]);
        let (answers, left) = answered(&ledger, questions, shared, second(20 + DAY));
        assert_eq!((answers.len(), left.len()), if counts { (1, 0) } else { (0, 1) }, "asked at {asked_at}");
    }
}
