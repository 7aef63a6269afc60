//! The form that a tired person reads: what, where, how bad and why, the cure, who, what happened, what to do,
//! until when. Pure.

use std::fmt::Write as _;

use jiff::Timestamp;
use shared::assessment::{AssessedImage, Assessment, Change, Reason};
use shared::finding::{Fix, Package};
use shared::verdict::Action;
use shared::verdict::Verdict;

use crate::{Alert, Kind};

/// How many reasons, and how many images, the text lists at most; the rest is counted.
pub(crate) const LISTED: usize = 10;
/// How many excused findings it lists.
const EXCUSED: usize = 5;
/// How many tags of an image it names; an image can have a thousand.
const TAGS: usize = 10;
/// How many packages of a finding it names.
const PACKAGES: usize = 2;

/// What happened, in one word or two.
pub(crate) fn what(alert: &Alert, observes: bool) -> &'static str {
    match alert.kind {
        Kind::Released => "Released",
        Kind::Unscannable => "Not scannable",
        _ if alert.assessments.iter().any(Assessment::is_quarantined) && observes => "Would be quarantined",
        _ if alert.assessments.iter().any(Assessment::is_quarantined) => "QUARANTINE",
        Kind::Spread => "New vulnerability",
        Kind::FirstScan | Kind::Change => "Alert",
    }
}

/// Where, as people name an image: the repository and its tags.
pub(crate) fn place(image: &AssessedImage) -> String {
    match image.tags.as_slice() {
        [] => format!("{}@{}", image.id.repository, image.id.digest.short()),
        [tag] => format!("{}:{tag}", image.id.repository),
        [tag, more @ ..] => format!(
            "{}:{tag} (+{} tag{})",
            image.id.repository,
            more.len(),
            if more.len() == 1 { "" } else { "s" }
        ),
    }
}

/// The whole text.
pub(crate) fn text(alert: &Alert, observes: bool, may_repeat: bool, now: Timestamp, listed: usize) -> String {
    let mut text = String::new();
    headline(&mut text, alert, observes);
    text.push('\n');
    match alert.assessments.as_slice() {
        [one] => one_image(&mut text, alert, one, observes, now, listed),
        many => {
            reasons(&mut text, alert, now, listed);
            images(&mut text, many, listed);
            line(&mut text, "Image", &fate(alert, observes));
            line(&mut text, "To do", &to_do(alert));
        }
    }
    if may_repeat {
        text.push_str("\nThis may repeat an earlier alert: its delivery was interrupted and its outcome is not known.\n");
    }
    text
}

fn headline(text: &mut String, alert: &Alert, observes: bool) {
    let subject = match alert.assessments.as_slice() {
        [one] => place(&one.image),
        many => format!("{} images", many.len()),
    };
    let _ = match alert.kind {
        Kind::Released if observes => writeln!(text, "{subject} would be released from quarantine."),
        Kind::Released => writeln!(text, "{subject} is out of quarantine."),
        Kind::Unscannable => writeln!(text, "{subject} could not be scanned, so nobody knows what is in it."),
        _ if alert.assessments.iter().any(Assessment::is_quarantined) => {
            let quarantined = alert.assessments.iter().filter(|one| one.is_quarantined()).count();
            let all = alert.assessments.len();
            let of = if quarantined < all { format!("{quarantined} of ") } else { String::new() };
            let happened = if observes { "would be quarantined" } else { "quarantined" };
            writeln!(text, "{of}{subject}: {happened}, because the policy's rules match what was found.")
        }
        _ => writeln!(text, "{subject}: findings that the policy says you should know about."),
    };
}

fn one_image(
    text: &mut String,
    alert: &Alert,
    assessment: &Assessment,
    observes: bool,
    now: Timestamp,
    listed: usize,
) {
    reasons(text, alert, now, listed);
    let image = &assessment.image;
    line(text, "Where", &image.id.uri());
    if !image.tags.is_empty() {
        line(text, "Tags", &tags(image));
    }
    line(text, "Pushed", &pushed(image));
    if let Some(owner) = &image.owner {
        line(text, "Owner", owner);
    }
    if let Some(environment) = &image.environment {
        line(text, "Runs in", environment);
    }
    line(text, "Open", &counts(assessment));
    excused(text, assessment);
    line(text, "Image", &fate(alert, observes));
    line(text, "To do", &to_do(alert));
    if let Some(until) = until(alert, observes, now) {
        line(text, "Until", &until);
    }
}

/// The reasons, numbered, the worst first.
fn reasons(text: &mut String, alert: &Alert, now: Timestamp, listed: usize) {
    let all: Vec<&Reason> = alert.reasons().collect();
    if alert.kind == Kind::Released && !all.is_empty() {
        text.push_str("These still match a rule, but none that keeps the image back:\n");
    }
    // A vulnerability that hit many images is told once.
    let mut told = std::collections::BTreeSet::new();
    let distinct: Vec<&&Reason> = all.iter().filter(|reason| told.insert(key(reason))).collect();
    for (number, reason) in distinct.iter().take(listed).enumerate() {
        let _ = writeln!(text, "{:>2}. {}", number + 1, headline_of(reason));
        for package in reason.finding.packages.iter().take(PACKAGES) {
            let _ = writeln!(text, "    {}", cure(package, reason.finding.fix));
        }
        let more =
            reason.finding.packages.len().saturating_sub(PACKAGES) as u64 + reason.finding.more_packages;
        if more > 0 {
            let _ = writeln!(text, "    and {more} more packages");
        }
        let _ = writeln!(text, "    {}", rules(reason, now));
    }
    let left_out: u64 = alert.assessments.iter().map(|assessment| assessment.more_reasons).sum();
    let more = distinct.len().saturating_sub(listed) as u64 + left_out;
    if more > 0 {
        let _ = writeln!(text, "    and {more} more findings");
    }
    if !distinct.is_empty() {
        text.push('\n');
    }
}

fn key(reason: &Reason) -> (String, Vec<Package>) {
    (reason.finding.vulnerability.clone(), reason.finding.packages.clone())
}

fn headline_of(reason: &Reason) -> String {
    let finding = &reason.finding;
    let mut text = format!("{}  {}", finding.vulnerability, finding.severity);
    if let Some(score) = finding.score {
        let _ = write!(text, " {:.1}", f64::from(score));
    }
    if let Some(known) = finding.known_exploited {
        text.push_str(", EXPLOITED IN THE WILD");
        if let Some(added) = known.added {
            let _ = write!(text, " (CISA, {})", day(added));
        }
    } else if finding.exploit == Some(true) {
        text.push_str(", exploit code exists");
    }
    if let Some(epss) = finding.epss {
        let _ = write!(text, ", EPSS {:.1}%", f64::from(epss) * 100.0);
    }
    match &reason.change {
        Some(Change::BecameKnownExploited) => text.push_str(", newly known to be exploited"),
        Some(Change::SeverityRose { from }) => {
            let _ = write!(text, ", was {from}");
        }
        Some(Change::NewlyMatched) | None => {}
    }
    text
}

/// Which package in which version, and the version that cures it.
fn cure(package: &Package, fix: Fix) -> String {
    let Package { name, version, fixed_in } = package;
    match (fixed_in, fix) {
        (Some(fixed_in), _) => format!("{name} {version}: fixed in {fixed_in}"),
        (None, Fix::Yes | Fix::Partial) => {
            format!("{name} {version}: a fix exists, Inspector names no version")
        }
        (None, Fix::No) => format!("{name} {version}: no fix yet"),
        (None, Fix::Unknown) => format!("{name} {version}: not known whether a fix exists"),
    }
}

fn rules(reason: &Reason, now: Timestamp) -> String {
    let mut text = format!("rule {}", reason.rules.join(", "));
    if let Some(from) = reason.quarantine_from.filter(|from| *from > now) {
        let _ = write!(text, "; quarantine from {}", minute(from));
    }
    if let Some(excuse) = &reason.overrides {
        let _ = write!(text, "; overrides \"{}\"", excuse.reason);
    }
    text
}

fn images(text: &mut String, assessments: &[Assessment], listed: usize) {
    for assessment in assessments.iter().take(listed) {
        let image = &assessment.image;
        let owner = image.owner.as_ref().map(|owner| format!(", owner {owner}")).unwrap_or_default();
        let _ = writeln!(text, "  - {} [{}]{owner}", place(image), assessment.verdict);
    }
    if assessments.len() > listed {
        let _ = writeln!(text, "    and {} more images", assessments.len() - listed);
    }
    text.push('\n');
}

fn tags(image: &AssessedImage) -> String {
    let named = image.tags.iter().take(TAGS).map(String::as_str).collect::<Vec<_>>().join(", ");
    match image.tags.len().saturating_sub(TAGS) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

fn pushed(image: &AssessedImage) -> String {
    let by = image.pusher.as_ref().map(|pusher| {
        let provider =
            pusher.provider.as_ref().map(|provider| format!(" via {provider}")).unwrap_or_default();
        format!("by {}{provider}", pusher.name())
    });
    let at = image.pushed_at.map_or_else(|| "at an unknown time".to_owned(), minute);
    format!("{at} {}", by.unwrap_or_else(|| "(CloudTrail has not said by whom)".to_owned()))
}

fn counts(assessment: &Assessment) -> String {
    let counts: Vec<String> =
        assessment.open.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    let counts = match (counts.as_slice(), assessment.verdict) {
        ([], Verdict::Unscannable) => "not known".to_owned(),
        ([], _) => "no findings".to_owned(),
        (counts, _) => counts.join(", "),
    };
    match assessment.waived {
        0 => counts,
        waived => format!("{counts}; {waived} of them excused"),
    }
}

fn excused(text: &mut String, assessment: &Assessment) {
    for excused in assessment.excused.iter().take(EXCUSED) {
        let owner = excused.owner.as_deref().map(|owner| format!(" ({owner})")).unwrap_or_default();
        let until = excused.expires.map(|day| format!(", until {day}")).unwrap_or_default();
        line(
            text,
            "Excused",
            &format!("{} {}: {}{owner}{until}", excused.vulnerability, excused.severity, excused.reason),
        );
    }
    let more = assessment.excused.len().saturating_sub(EXCUSED) as u64 + assessment.more_excused;
    if more > 0 {
        line(text, "", &format!("and {more} more excused findings"));
    }
}

/// What happened to the image.
fn fate(alert: &Alert, observes: bool) -> String {
    if alert.assessments.len() > 1 && alert.verdict() == Verdict::Quarantine {
        return if observes {
            "those in quarantine would get the tag quarantine-<digest>; ecr-warden only observes, nothing was changed"
        } else {
            "those in quarantine get the tag quarantine-<digest>; their other tags stay, they can still be pulled"
        }
        .to_owned();
    }
    let (tag, untagged) = match alert.assessments.as_slice() {
        [one] => (one.image.id.quarantine_tag(), one.image.tags.is_empty()),
        _ => ("quarantine-<digest>".to_owned(), false),
    };
    match (alert.verdict(), observes) {
        (Verdict::Quarantine, true) => {
            format!("would get the tag {tag}; ecr-warden only observes, nothing was changed")
        }
        (Verdict::Quarantine, false) if untagged => {
            format!("gets the tag {tag}, its only one; it can still be pulled")
        }
        (Verdict::Quarantine, false) => {
            format!("gets the tag {tag}; its other tags stay, it can still be pulled")
        }
        (Verdict::Clear, false) if alert.kind == Kind::Released && untagged => {
            format!("keeps the tag {tag}, because it is its only one and ECR would delete the image with it")
        }
        (Verdict::Clear, true) if alert.kind == Kind::Released => {
            format!("would lose the tag {tag}; ecr-warden only observes, nothing was changed")
        }
        (Verdict::Clear, false) if alert.kind == Kind::Released => format!("loses the tag {tag}"),
        (Verdict::Clear, _) => "left as it is".to_owned(),
        (Verdict::Pending | Verdict::Unscannable, _) => "left as it is, not known to be clear".to_owned(),
    }
}

fn to_do(alert: &Alert) -> String {
    if alert.kind == Kind::Released {
        return "nothing; it may be deployed again".to_owned();
    }
    if alert.kind == Kind::Unscannable {
        return "see in the ECR console why the scan failed; an unsupported base image is the usual cause"
            .to_owned();
    }
    let fixable = alert.reasons().filter(|reason| has_fix(reason)).count();
    let waiver = "add a waiver with reason, owner and expiry to policy.yaml";
    match (fixable, alert.reasons().count()) {
        (0, _) => format!("no fix is published: remove the package, or {waiver}"),
        (some, all) if some == all => {
            "update the packages, rebuild, push; the new image is judged on its push".to_owned()
        }
        (some, all) => format!(
            "update what has a fix ({some} of {all}), rebuild, push; for the rest remove the package, or {waiver}"
        ),
    }
}

fn has_fix(reason: &Reason) -> bool {
    matches!(reason.finding.fix, Fix::Yes | Fix::Partial)
        || reason.finding.packages.iter().any(|package| package.fixed_in.is_some())
}

/// The first day on which something else happens.
fn until(alert: &Alert, observes: bool, now: Timestamp) -> Option<String> {
    let deadline = alert
        .reasons()
        .filter(|reason| reason.then.contains(&Action::Quarantine))
        .filter_map(|reason| reason.quarantine_from)
        .filter(|from| *from > now)
        .min();
    if alert.verdict() == Verdict::Quarantine {
        return Some(
            "no rule that quarantines matches it any more; a rebuilt image is judged by itself".to_owned(),
        );
    }
    let then = if observes { "would be quarantined" } else { "is quarantined" };
    deadline.map(|from| format!("{}; from then on the image {then} with the next news of it", minute(from)))
}

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "{label:<8} {value}");
}

fn minute(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}

fn day(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d").to_string()
}
