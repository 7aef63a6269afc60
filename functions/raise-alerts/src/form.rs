//! The forms in which an alert goes out: subject, text, JSON and attributes. Pure.

use std::collections::{BTreeMap, BTreeSet};

use aws::sns::{Attribute, Notification};
use domain::assessment::{AssessedImage, Assessment, Reason};
use domain::finding::Severity;
use domain::quarantine::Mode;
use domain::verdict::Verdict;
use jiff::Timestamp;
use serde::Serialize;

use crate::alert::Alert;
use crate::circumstances::Circumstances;
use crate::kind::Kind;
use crate::text;

/// How many reasons and how many images the JSON form lists at most.
const LISTED: usize = 100;
/// SNS takes subjects of fewer than 100 characters.
pub(crate) const SUBJECT: usize = 99;

/// The JSON form, for programs.
#[derive(Serialize)]
struct Json<'a> {
    schema: u32,
    kind: &'static str,
    at: Timestamp,
    subject: &'a str,
    verdict: Verdict,
    severity: Option<&'a Severity>,
    may_repeat: bool,
    images: Vec<JsonImage<'a>>,
    more_images: usize,
    reasons: Vec<&'a Reason>,
    more_reasons: usize,
}

#[derive(Serialize)]
struct JsonImage<'a> {
    #[serde(flatten)]
    image: &'a AssessedImage,
    verdict: Verdict,
    previous: Verdict,
    assessment: &'a str,
    open: &'a BTreeMap<Severity, u64>,
    waived: u64,
}

/// An alert in all its forms, within what SNS takes: where it is too much, less is listed and more counted.
pub(crate) fn notification(alert: &Alert, circumstances: &Circumstances) -> Notification {
    let subject = subject(alert, circumstances.mode);
    let attributes = attributes(alert, circumstances.may_repeat);
    let mut listed = LISTED;
    loop {
        let notification = Notification {
            text: text::text(alert, circumstances, listed.min(text::LISTED)),
            json: json(alert, &subject, circumstances, listed),
            subject: subject.clone(),
            attributes: attributes.clone(),
        };
        if listed == 0 || fits(&notification) {
            return notification;
        }
        listed /= 2;
    }
}

/// Whether SNS takes it.
pub(crate) fn fits(notification: &Notification) -> bool {
    let attributes: usize = notification.attributes.iter().map(size).sum();
    notification.message().len() + attributes <= Notification::LARGEST
}

fn json(alert: &Alert, subject: &str, circumstances: &Circumstances, listed: usize) -> String {
    let reasons: Vec<&Reason> = alert.reasons().collect();
    let left_out: u64 = alert.assessments.iter().map(|assessment| assessment.more_reasons).sum();
    let form = Json {
        schema: 1,
        kind: match alert.kind {
            Kind::FirstScan => "first_scan",
            Kind::Change => "change",
            Kind::Spread => "spread",
            Kind::Released => "released",
            Kind::Unscannable => "unscannable",
        },
        at: circumstances.now,
        subject,
        verdict: alert.verdict(),
        severity: alert.severity(),
        may_repeat: circumstances.may_repeat,
        images: alert.assessments.iter().take(listed).map(json_image).collect(),
        more_images: alert.assessments.len().saturating_sub(listed),
        reasons: reasons.iter().take(listed).copied().collect(),
        more_reasons: reasons
            .len()
            .saturating_sub(listed)
            .saturating_add(usize::try_from(left_out).unwrap_or(usize::MAX)),
    };
    // The form has no map with a key that is not a text, which is all that can fail.
    serde_json::to_string(&form).unwrap_or_default()
}

fn json_image(assessment: &Assessment) -> JsonImage<'_> {
    JsonImage {
        image: &assessment.image,
        verdict: assessment.verdict,
        previous: assessment.previous,
        assessment: &assessment.id,
        open: &assessment.open,
        waived: assessment.waived,
    }
}

/// One line that says what happened where, and the worst of why.
fn subject(alert: &Alert, mode: Mode) -> String {
    let vulnerabilities: BTreeSet<&str> =
        alert.reasons().map(|reason| reason.finding.vulnerability.as_str()).collect();
    let why = alert.worst().map(|worst| {
        let others = match vulnerabilities.len() {
            0 | 1 => String::new(),
            n => format!(" +{} more", n - 1),
        };
        let exploited = if worst.finding.known_exploited.is_some() { " EXPLOITED" } else { "" };
        format!("{} {}{exploited}{others}", worst.finding.vulnerability, worst.finding.severity)
    });
    let place = match alert.assessments.as_slice() {
        [one] => text::place(&one.image),
        many => format!("{} images", many.len()),
    };
    let happened = text::what(alert, mode);
    let room = SUBJECT - happened.len() - 4 - why.as_ref().map_or(0, String::len).min(60);
    let place: String = place.chars().take(room.max(20)).collect();
    let line = match why.filter(|_| alert.kind != Kind::Released) {
        Some(why) => format!("{happened}: {place} - {why}"),
        None => format!("{happened}: {place}"),
    };
    one_line(&line)
}

/// A subject within what SNS takes: one line of ASCII, of fewer than 100 characters.
pub(crate) fn one_line(subject: &str) -> String {
    subject.chars().map(|c| if c.is_ascii_graphic() || c == ' ' { c } else { '?' }).take(SUBJECT).collect()
}

/// What an attribute adds to what SNS counts: its name, its type and its value.
fn size((name, attribute): (&String, &Attribute)) -> usize {
    let value = match attribute {
        Attribute::One(text) => text.len(),
        Attribute::Many(texts) => serde_json::json!(texts).to_string().len(),
    };
    name.len() + "String.Array".len() + value
}

/// For filter policies of subscriptions. Where the alert tells of several images, a filter matches any.
fn attributes(alert: &Alert, may_repeat: bool) -> BTreeMap<String, Attribute> {
    let each = |of: &dyn Fn(&AssessedImage) -> String| {
        let values: BTreeSet<String> =
            alert.assessments.iter().map(|assessment| of(&assessment.image)).collect();
        let mut values: Vec<String> = values.into_iter().collect();
        match values.len() {
            1 => Attribute::One(values.remove(0)),
            _ => Attribute::Many(values),
        }
    };
    // SNS takes no empty value.
    let or_none = |value: &Option<String>| {
        value.clone().filter(|value| !value.is_empty()).unwrap_or_else(|| "none".to_owned())
    };
    let severity = alert.severity().map(Severity::as_str).filter(|name| !name.is_empty());
    let severity = severity.unwrap_or("NONE").to_owned();
    let mut attributes = BTreeMap::from([
        ("severity".to_owned(), Attribute::One(severity)),
        ("verdict".to_owned(), Attribute::One(alert.verdict().to_string())),
        ("repository".to_owned(), each(&|image| image.id.repository.clone())),
        ("environment".to_owned(), each(&|image| or_none(&image.environment))),
        ("owner".to_owned(), each(&|image| or_none(&image.owner))),
        ("criticality".to_owned(), each(&|image| or_none(&image.criticality))),
    ]);
    if may_repeat {
        attributes.insert("may_repeat".to_owned(), Attribute::One("true".to_owned()));
    }
    attributes
}

#[cfg(test)]
mod tests;
