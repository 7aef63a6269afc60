use serde_json::{Value, json};

use super::*;
use crate::samples::{assessment, in_repository, reason, with};

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

#[test]
fn quarantine_at_the_end_of_a_grace_tells_all_reasons() {
    let batch = [assessment("clear", "quarantine", vec![unchanged("CVE-1"), unchanged("CVE-2")], &json!({}))];
    let alerts = alerts(&batch);
    assert_eq!((alerts.len(), alerts[0].kind), (1, Kind::Change));
    assert_eq!(alerts[0].reasons().count(), 2);
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
fn quarantines_without_a_changed_reason_are_never_grouped() {
    let due = |repository| {
        in_repository(repository, assessment("clear", "quarantine", vec![unchanged("CVE-1")], &json!({})))
    };
    assert_eq!(kinds(&[due("a"), due("b")]), [Kind::Change; 2]);
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
