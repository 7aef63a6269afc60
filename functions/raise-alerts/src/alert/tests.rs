use std::collections::BTreeSet;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::samples::{assessment, at_version, in_repository, reason, with};

fn kinds(batch: &[Assessment]) -> Vec<Kind> {
    alerts(batch).into_iter().map(|alert| alert.kind).collect()
}

fn unchanged(vulnerability: &str) -> Value {
    with(reason(vulnerability), &json!({ "/change": null }))
}

/// A change of an image in a repository: a vulnerability is newly matched.
fn hit(repository: &str, vulnerabilities: &[&str]) -> Assessment {
    let reasons = vulnerabilities.iter().map(|name| reason(name)).collect();
    in_repository(repository, assessment("clear", "quarantine", reasons, &json!({})))
}

#[test]
fn first_scan_is_told_where_it_quarantines_or_alerts_and_not_where_it_is_clear() {
    let scanned = |verdict, reasons| [assessment("pending", verdict, reasons, &json!({}))];
    assert_eq!(kinds(&scanned("quarantine", vec![reason("CVE-1")])), [Kind::FirstScan]);
    assert_eq!(kinds(&scanned("clear", vec![reason("CVE-1")])), [Kind::FirstScan]);
    assert_eq!(kinds(&scanned("clear", vec![])), []);
}

#[test]
fn reason_that_only_quarantines_later_is_not_told_before() {
    let silent = with(reason("CVE-1"), &json!({ "/then": ["quarantine"] }));
    assert_eq!(kinds(&[assessment("clear", "clear", vec![silent], &json!({}))]), []);
}

#[test]
fn known_reasons_are_not_told_again() {
    for verdict in ["clear", "quarantine", "unscannable"] {
        assert_eq!(kinds(&[assessment(verdict, verdict, vec![unchanged("CVE-1")], &json!({}))]), []);
    }
}

#[test]
fn change_of_one_image_is_one_alert_that_tells_the_changed_reasons() {
    let batch = [assessment("clear", "clear", vec![reason("CVE-2"), unchanged("CVE-1")], &json!({}))];
    let alerts = alerts(&batch);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].kind, Kind::Change);
    let told: Vec<_> = alerts[0].reasons().map(|reason| reason.finding.vulnerability.as_str()).collect();
    assert_eq!(told, ["CVE-2"]);
}

/// A known reason that quarantines from a day on.
fn grace(vulnerability: &str, severity: &str, from: &str) -> Value {
    let fields =
        json!({ "/change": null, "/severity": severity, "/then": ["quarantine"], "/quarantine_from": from });
    with(reason(vulnerability), &fields)
}

fn new(vulnerability: &str, severity: &str) -> Value {
    let fields = json!({ "/severity": severity, "/then": ["alert"], "/quarantine_from": null });
    with(reason(vulnerability), &fields)
}

fn names(alert: &Alert) -> Vec<&str> {
    alert.reasons().map(|reason| reason.finding.vulnerability.as_str()).collect()
}

const ENDED: &str = "2031-03-01T08:01:30Z";
const LATER: &str = "2031-03-01T08:01:31Z";

#[test]
fn quarantine_at_the_end_of_a_grace_tells_what_quarantines_and_what_is_new() {
    let known = with(unchanged("CVE-known"), &json!({ "/quarantine_from": null, "/then": ["alert"] }));
    let reasons = vec![
        new("CVE-new", "LOW"),
        grace("CVE-high", "HIGH", ENDED),
        grace("CVE-critical", "CRITICAL", ENDED),
        grace("CVE-later", "CRITICAL", LATER),
        known,
    ];
    let alerts = alerts(&[assessment("clear", "quarantine", reasons, &json!({}))]);
    assert_eq!((alerts.len(), alerts[0].kind), (1, Kind::Change));
    assert_eq!(names(&alerts[0]), ["CVE-critical", "CVE-high", "CVE-new"]);
    assert_eq!(alerts[0].severity(), Some(&Severity::Critical));
}

#[test]
fn worst_of_a_quarantine_is_one_that_quarantines() {
    let reasons = vec![new("CVE-new", "CRITICAL"), grace("CVE-high", "HIGH", ENDED)];
    let alert = &alerts(&[assessment("clear", "quarantine", reasons, &json!({}))])[0];
    assert_eq!(alert.worst().unwrap().finding.vulnerability, "CVE-high");
    assert_eq!(alert.severity(), Some(&Severity::Critical), "a filter for critical ones lets it through");
}

#[test]
fn image_that_stays_under_quarantine_is_told_of_what_is_new_alone() {
    let reasons = vec![grace("CVE-critical", "CRITICAL", ENDED), new("CVE-new", "LOW")];
    let alert = &alerts(&[assessment("quarantine", "quarantine", reasons, &json!({}))])[0];
    assert_eq!((names(alert), alert.severity()), (vec!["CVE-new"], Some(&Severity::Low)));
}

#[test]
fn severity_does_not_depend_on_what_had_room() {
    let severity = |previous: &str, verdict: &str| {
        let worst = json!({ "all": "CRITICAL", "changed": "LOW", "quarantining": "HIGH" });
        let fields = json!({ "/worst": worst, "/more_reasons": 9, "/changes/reasons": 4 });
        let batch = [assessment(previous, verdict, vec![new("CVE-1", "INFORMATIONAL")], &fields)];
        alerts(&batch)[0].severity().cloned().unwrap()
    };
    assert_eq!(severity("pending", "quarantine"), Severity::Critical, "a first scan tells all");
    assert_eq!(severity("clear", "quarantine"), Severity::High);
    assert_eq!(severity("quarantine", "quarantine"), Severity::Low);
}

#[test]
fn vulnerability_that_hit_three_images_is_one_alert() {
    let batch = [hit("a", &["CVE-1"]), hit("b", &["CVE-1"]), hit("c", &["CVE-1"])];
    let alerts = alerts(&batch);
    assert_eq!(alerts.len(), 1);
    assert_eq!(alerts[0].kind, Kind::Spread);
    assert!(batch.iter().all(|assessment| alerts[0].tells(assessment)));
    assert!(!alerts[0].tells(&hit("d", &["CVE-1"])));
}

#[test]
fn vulnerabilities_in_another_order_are_the_same_and_other_ones_are_not() {
    let batch = [hit("a", &["CVE-1", "CVE-2"]), hit("b", &["CVE-2", "CVE-1"]), hit("c", &["CVE-1"])];
    let alerts = alerts(&batch);
    let images: Vec<_> = alerts.iter().map(|alert| (alert.kind, alert.assessments.len())).collect();
    assert_eq!(images.len(), 2);
    assert!(images.contains(&(Kind::Spread, 2)) && images.contains(&(Kind::Change, 1)));
}

#[test]
fn first_scans_are_never_grouped() {
    let first = |repository| {
        in_repository(repository, assessment("pending", "quarantine", vec![reason("CVE-1")], &json!({})))
    };
    assert_eq!(kinds(&[first("a"), first("b"), first("c")]), [Kind::FirstScan; 3]);
}

#[test]
fn images_whose_changes_are_not_all_listed_are_never_grouped() {
    let partly = |repository| {
        let fields = json!({ "/changes/reasons": 900, "/more_reasons": 899 });
        in_repository(repository, assessment("clear", "quarantine", vec![reason("CVE-1")], &fields))
    };
    assert_eq!(kinds(&[partly("a"), partly("b")]), [Kind::Change; 2]);
}

#[test]
fn quarantines_are_grouped_by_what_quarantines() {
    let due = |repository, vulnerability| {
        let reasons = vec![grace(vulnerability, "HIGH", ENDED), new("CVE-new", "LOW")];
        in_repository(repository, assessment("clear", "quarantine", reasons, &json!({})))
    };
    assert_eq!(kinds(&[due("a", "CVE-1"), due("b", "CVE-1")]), [Kind::Spread]);
    assert_eq!(kinds(&[due("a", "CVE-1"), due("b", "CVE-2")]), [Kind::Change; 2]);
    let cut = |mut assessment: Assessment| {
        assessment.more_reasons = 1;
        assessment
    };
    assert_eq!(kinds(&[cut(due("a", "CVE-1")), due("b", "CVE-1")]), [Kind::Change; 2]);
}

fn told(alerts: &[Alert]) -> Vec<Vec<(&str, u64)>> {
    let each = |one: &Assessment| (one.image.id.repository.clone(), one.version());
    alerts
        .iter()
        .map(|alert| {
            let told = alert.assessments.iter().map(|one| (one.image.id.repository.as_str(), one.version()));
            assert_eq!(
                told.clone().count(),
                alert.assessments.iter().map(each).collect::<BTreeSet<_>>().len()
            );
            told.collect()
        })
        .collect()
}

#[test]
fn of_one_image_the_older_is_told_first() {
    let quarantined = at_version(9, hit("a", &["CVE-1"]));
    let released = at_version(10, in_repository("a", assessment("quarantine", "clear", vec![], &json!({}))));
    let again = at_version(11, hit("a", &["CVE-1"]));
    let elsewhere = hit("b", &["CVE-1"]);
    let sent = alerts(&[again, released, elsewhere, quarantined]);
    assert_eq!(told(&sent), [vec![("a", 9), ("b", 1)], vec![("a", 10)], vec![("a", 11)]]);
}

#[test]
fn image_announced_twice_is_one_image() {
    let batch =
        [at_version(2, hit("a", &["CVE-1"])), at_version(3, hit("a", &["CVE-1"])), hit("b", &["CVE-1"])];
    let sent = alerts(&batch);
    assert_eq!(told(&sent), [vec![("a", 2), ("b", 1)], vec![("a", 3)]]);
    assert_eq!(kinds(&batch[..2]), [Kind::Change; 2], "two announcements of one image are no spread");
}

proptest! {
    #[test]
    fn every_announcement_is_told_once_and_the_older_of_an_image_first(
        chosen in prop::collection::vec((0_usize..3, 1_u64..15, 0_usize..4), 0..20),
    ) {
        let mut seen = BTreeSet::new();
        let batch: Vec<Assessment> = chosen
            .into_iter()
            .filter(|(repository, version, _)| seen.insert((*repository, *version)))
            .map(|(repository, version, kind)| {
                let one = match kind {
                    0 => assessment("quarantine", "clear", vec![], &json!({})),
                    1 => assessment("clear", "unscannable", vec![], &json!({})),
                    2 => assessment("clear", "quarantine", vec![reason("CVE-1")], &json!({})),
                    _ => assessment("clear", "clear", vec![reason("CVE-2")], &json!({})),
                };
                at_version(version, in_repository(["a", "b", "c"][repository], one))
            })
            .collect();
        let sent = alerts(&batch);
        let told = told(&sent);
        prop_assert_eq!(told.iter().flatten().count(), batch.len());
        for repository in ["a", "b", "c"] {
            let versions: Vec<u64> =
                told.iter().flatten().filter(|(name, _)| *name == repository).map(|(_, version)| *version).collect();
            prop_assert!(versions.is_sorted_by(|a, b| a < b), "{:?}", versions);
        }
    }
}

#[test]
fn release_is_told_also_where_something_else_is_new() {
    assert_eq!(kinds(&[assessment("quarantine", "clear", vec![], &json!({}))]), [Kind::Released]);
    assert_eq!(
        kinds(&[assessment("quarantine", "clear", vec![reason("CVE-1")], &json!({}))]),
        [Kind::Released]
    );
}

#[test]
fn image_that_cannot_be_scanned_is_told_once() {
    for previous in ["pending", "clear", "quarantine"] {
        assert_eq!(kinds(&[assessment(previous, "unscannable", vec![], &json!({}))]), [Kind::Unscannable]);
    }
    assert_eq!(kinds(&[assessment("unscannable", "unscannable", vec![], &json!({}))]), []);
}

#[test]
fn every_assessment_is_in_at_most_one_alert() {
    let batch = [
        hit("a", &["CVE-1"]),
        hit("b", &["CVE-1"]),
        hit("c", &["CVE-2"]),
        in_repository("d", assessment("quarantine", "clear", vec![], &json!({}))),
        in_repository("e", assessment("pending", "clear", vec![], &json!({}))),
    ];
    let alerts = alerts(&batch);
    let told = |assessment: &Assessment| alerts.iter().filter(|alert| alert.tells(assessment)).count();
    assert_eq!(batch.iter().map(told).collect::<Vec<_>>(), [1, 1, 1, 1, 0]);
}

#[test]
fn alert_is_as_bad_as_the_worst_that_it_tells() {
    let high = with(reason("CVE-1"), &json!({ "/severity": "HIGH" }));
    let batch =
        [in_repository("a", assessment("clear", "clear", vec![high], &json!({}))), hit("b", &["CVE-1"])];
    let alert = &alerts(&batch)[0];
    assert_eq!((alert.kind, alert.verdict()), (Kind::Spread, Verdict::Quarantine));
    assert_eq!(alert.severity(), Some(&Severity::Critical));
}

#[test]
fn whatever_is_told_was_announced_as_news() {
    let verdicts = ["pending", "clear", "unscannable", "quarantine"];
    for previous in verdicts {
        for verdict in &verdicts[1..] {
            for was_quarantined in [false, true] {
                for reasons in [vec![], vec![unchanged("CVE-1")], vec![reason("CVE-2")]] {
                    let fields = json!({ "/was_quarantined": was_quarantined });
                    let assessment = assessment(previous, verdict, reasons, &fields);
                    assert!(kind(&assessment).is_none() || assessment.is_news(), "{assessment:?}");
                }
            }
        }
    }
}
