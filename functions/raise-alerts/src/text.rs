//! The form that a tired person reads: what, where, how bad and why, the fix, who, what happened, what to do,
//! until when. Pure.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use domain::assessment::{AssessedImage, AssessedPlatform, Assessment, Change, Reason};
use domain::finding::{Fix, Package};
use domain::image::Digest;
use domain::ledger::{InUse, ScanReason};
use domain::provenance::Labels;
use domain::quarantine::Mode;
use domain::verdict::Verdict;
use jiff::Timestamp;

use crate::alert::Alert;
use crate::circumstances::Circumstances;
use crate::dates::{day, minute};
use crate::kind::Kind;
use crate::outlook;

/// How many reasons, and how many images, the text lists at most; the rest is counted.
pub(crate) const LISTED: usize = 10;
/// How many excused findings it lists.
const EXCUSED: usize = 5;
/// How many tags of an image it names; an image can have a thousand.
const TAGS: usize = 10;
/// How many platforms of an index it names.
const PLATFORMS: usize = 12;
/// How many packages of a finding it names.
const PACKAGES: usize = 2;

/// Said of what may have been sent before.
pub(crate) const MAY_REPEAT: &str =
    "\nThis may repeat an earlier alert: sending it was interrupted, and it may have arrived.\n";

/// What happened, in one word or two.
pub(crate) fn what(alert: &Alert, mode: Mode) -> &'static str {
    let quarantined = alert.assessments.iter().any(Assessment::is_quarantined);
    match (alert.kind, mode) {
        (Kind::Released, _) => "Released",
        (Kind::Unscannable, _) if alert.assessments.iter().all(|one| one.unscanned.is_some()) => {
            "Not scanned"
        }
        (Kind::Unscannable, _) => "Scan failed",
        (_, Mode::Observe) if quarantined => "Would be quarantined",
        (_, _) if quarantined => "QUARANTINE",
        (Kind::Spread, _) => "New vulnerability",
        (Kind::FirstScan | Kind::Change, _) => "Alert",
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

/// The whole text, with at most so many reasons and images.
pub(crate) fn text(alert: &Alert, circumstances: &Circumstances, listed: usize) -> String {
    let Circumstances { mode, may_repeat, now, .. } = *circumstances;
    let mut text = String::new();
    headline(&mut text, alert, mode);
    text.push('\n');
    reasons(&mut text, alert, now, listed);
    match alert.assessments.as_slice() {
        [one] => one_image(&mut text, one),
        many => images(&mut text, many, listed),
    }
    line(&mut text, "Status", &outlook::status(alert, circumstances));
    line(&mut text, "To do", &outlook::to_do(alert, mode));
    if let ([_], Some(until)) = (alert.assessments.as_slice(), outlook::until(alert, mode, now)) {
        line(&mut text, "Until", &until);
    }
    if may_repeat {
        text.push_str(MAY_REPEAT);
    }
    text
}

fn headline(text: &mut String, alert: &Alert, mode: Mode) {
    let subject = match alert.assessments.as_slice() {
        [one] => place(&one.image),
        many => format!("{} images", many.len()),
    };
    let quarantined = alert.assessments.iter().filter(|one| one.is_quarantined()).count();
    let all = alert.assessments.len();
    let _ = match (alert.kind, mode) {
        (Kind::Released, Mode::Observe) => writeln!(text, "{subject} would be released from quarantine."),
        (Kind::Released, _) => {
            let are = if all == 1 { "is" } else { "are" };
            writeln!(text, "{subject} {are} released from quarantine.")
        }
        (Kind::Unscannable, _) if alert.assessments.iter().any(|one| !one.image.platforms.is_empty()) => {
            writeln!(
                text,
                "{subject} could not be scanned on every platform, so not all vulnerabilities are known."
            )
        }
        (Kind::Unscannable, _) if alert.assessments.iter().all(|one| one.unscanned.is_some()) => {
            let (were, whose) = if all == 1 { ("was", "its") } else { ("were", "their") };
            let why = unscanned(alert);
            writeln!(
                text,
                "{subject} {were} not scanned in time, so {whose} vulnerabilities are not known: {why}."
            )
        }
        (Kind::Unscannable, _) => {
            writeln!(text, "{subject} could not be scanned, so its vulnerabilities are not known.")
        }
        _ if quarantined > 0 => {
            let of = if quarantined < all { format!("{quarantined} of ") } else { String::new() };
            let (are, whose) = if all == 1 { ("is", "its") } else { ("are", "their") };
            let are = if mode == Mode::Observe { "would be" } else { are };
            if alert.reasons().next().is_none() {
                let why = unscanned(alert);
                let _ =
                    writeln!(text, "{of}{subject} {are} quarantined, because no scan came in time: {why}.");
                return;
            }
            writeln!(
                text,
                "{of}{subject} {are} quarantined: {whose} findings match the policy's quarantine rules."
            )
        }
        (_, _) if all == 1 => writeln!(text, "{subject} has findings that the policy alerts on."),
        _ => writeln!(text, "{subject} have findings that the policy alerts on."),
    };
}

/// Why nothing has scanned images, in words.
fn unscanned(alert: &Alert) -> String {
    let codes = alert.assessments.iter().filter_map(|one| one.unscanned.as_deref());
    let words: BTreeSet<String> = codes.map(|code| ScanReason::read(code).words.to_string()).collect();
    words.into_iter().collect::<Vec<_>>().join("; ")
}

fn one_image(text: &mut String, assessment: &Assessment) {
    let image = &assessment.image;
    line(text, "Image", &image.id.uri());
    if !image.tags.is_empty() {
        line(text, "Tags", &tags(image));
    }
    platforms(text, image);
    line(text, "Pushed", &pushed(image));
    if let Some(url) = image.pusher.as_ref().and_then(|pusher| pusher.who().github_run()?.url()) {
        line(text, "Run", &url);
    }
    labels(text, &image.labels);
    if let Some(owner) = &image.owner {
        line(text, "Owner", owner);
    }
    if let Some(environment) = &image.environment {
        line(text, "Runs in", environment);
    }
    if let Some(criticality) = &image.criticality {
        line(text, "Ranked", &format!("criticality {criticality}"));
    }
    if let Some(in_use) = &image.in_use {
        line(text, "In use", &used(in_use));
    }
    workloads(text, image);
    line(text, "Open", &counts(assessment));
    excused(text, assessment);
}

/// The platforms of an index: all in one line where they stand alike, else one a line.
fn platforms(text: &mut String, image: &AssessedImage) {
    let alike = |one: &AssessedPlatform| (one.verdict, one.unscanned.clone());
    let Some(first) = image.platforms.first().map(alike) else { return };
    if image.platforms.iter().all(|platform| alike(platform) == first) {
        let named = image.platforms.iter().take(PLATFORMS).map(|one| one.platform.as_str());
        line(
            text,
            "Platform",
            &and_more(named.collect::<Vec<_>>().join(", "), image.platforms.len(), PLATFORMS),
        );
        return;
    }
    let mut sorted: Vec<&AssessedPlatform> = image.platforms.iter().collect();
    sorted.sort_by_key(|platform| std::cmp::Reverse(platform.verdict));
    for (number, platform) in sorted.into_iter().take(PLATFORMS).enumerate() {
        let label = if number == 0 { "Platform" } else { "" };
        line(text, label, &standing(platform));
    }
    if image.platforms.len() > PLATFORMS {
        line(text, "", &format!("and {} more", image.platforms.len() - PLATFORMS));
    }
}

fn standing(platform: &AssessedPlatform) -> String {
    let stands = match (&platform.unscanned, platform.verdict) {
        (Some(code), _) => {
            let ScanReason { words, code, .. } = ScanReason::read(code);
            format!("not scanned: {words} ({code})")
        }
        (None, Verdict::Unscannable) => "could not be scanned".to_owned(),
        (None, Verdict::Pending) => "not scanned yet".to_owned(),
        (None, verdict) => verdict.to_string(),
    };
    format!("{}: {stands}", platform.platform)
}

/// A list of which only so many were named.
fn and_more(named: String, all: usize, limit: usize) -> String {
    match all.saturating_sub(limit) {
        0 => named,
        more => format!("{named} and {more} more"),
    }
}

/// The reasons, numbered, the worst first.
fn reasons(text: &mut String, alert: &Alert, now: Timestamp, listed: usize) {
    let all: Vec<&Reason> = alert.reasons().collect();
    if alert.kind == Kind::Released && !all.is_empty() {
        text.push_str("These findings still match a rule, but none that quarantines:\n");
    }
    // A vulnerability that hit many images is told once.
    let mut told = std::collections::BTreeSet::new();
    let distinct: Vec<&&Reason> = all.iter().filter(|reason| told.insert(key(reason))).collect();
    for (number, reason) in distinct.iter().take(listed).enumerate() {
        let _ = writeln!(text, "{:>2}. {}", number + 1, headline_of(reason));
        for package in reason.finding.packages.iter().take(PACKAGES) {
            let _ = writeln!(text, "    {}", fix(package, reason.finding.fix));
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
            let _ = write!(text, ", raised from {from}");
        }
        Some(Change::NewlyMatched) | None => {}
    }
    text
}

/// Which package in which version, and the version that fixes it.
fn fix(package: &Package, fix: Fix) -> String {
    let Package { name, version, fixed_in } = package;
    match (fixed_in, fix) {
        (Some(fixed_in), _) => format!("{name} {version}: fixed in {fixed_in}"),
        (None, Fix::Yes | Fix::Partial) => {
            format!("{name} {version}: a fix exists, but Inspector names no version")
        }
        (None, Fix::No) => format!("{name} {version}: no fix yet"),
        (None, Fix::Unknown) => format!("{name} {version}: unknown whether a fix exists"),
    }
}

fn rules(reason: &Reason, now: Timestamp) -> String {
    let mut text = format!("rule {}", reason.rules.join(", "));
    if let Some(from) = reason.quarantine_from.filter(|from| *from > now) {
        let _ = write!(text, "; quarantine from {}", minute(from));
    }
    if !reason.platforms.is_empty() {
        let named =
            reason.platforms.iter().take(PLATFORMS).map(String::as_str).collect::<Vec<_>>().join(", ");
        let _ = write!(text, "; only in {}", and_more(named, reason.platforms.len(), PLATFORMS));
    }
    if let Some(excuse) = &reason.overrides {
        let _ = write!(text, "; overrides \"{}\"", excuse.reason);
    }
    text
}

fn images(text: &mut String, assessments: &[Assessment], listed: usize) {
    let stand = |one: &Assessment| one.image.platforms.iter().map(standing).collect::<Vec<_>>();
    let alike = assessments.iter().all(|one| stand(one) == stand(&assessments[0]));
    for assessment in assessments.iter().take(listed) {
        let image = &assessment.image;
        let named = if image.tags.is_empty() {
            place(image)
        } else {
            format!("{}:{}", image.id.repository, tags(image))
        };
        let owner = image.owner.as_ref().map(|owner| format!(", owner {owner}")).unwrap_or_default();
        let _ = writeln!(text, "  - {named} [{}]{owner}", assessment.verdict);
        if !alike {
            let platforms = image.platforms.iter().take(PLATFORMS).map(standing).collect::<Vec<_>>();
            if !platforms.is_empty() {
                let named = and_more(platforms.join("; "), image.platforms.len(), PLATFORMS);
                let _ = writeln!(text, "    {named}");
            }
        }
    }
    if assessments.len() > listed {
        let _ = writeln!(text, "    and {} more images", assessments.len() - listed);
    }
    if let Some(first) = assessments.first().filter(|first| alike && !first.image.platforms.is_empty()) {
        platforms(text, &first.image);
    }
    text.push('\n');
}

fn tags(image: &AssessedImage) -> String {
    let named = image.tags.iter().take(TAGS).map(String::as_str).collect::<Vec<_>>().join(", ");
    and_more(named, image.tags.len(), TAGS)
}

fn pushed(image: &AssessedImage) -> String {
    let at = image.pushed_at.map_or_else(|| "at an unknown time".to_owned(), minute);
    let by = match &image.pusher {
        Some(pusher) => pusher.who().to_string(),
        None => "somebody whom CloudTrail has not named yet".to_owned(),
    };
    format!("{at} by {by}")
}

/// What the image says of itself.
fn labels(text: &mut String, labels: &Labels) {
    if let Some(source) = both(labels.source.as_deref(), labels.short_revision(), "revision") {
        line(text, "Source", &source);
    }
    let digest = labels.base_digest.as_ref().map(Digest::short);
    if let Some(base) = both(labels.base_name.as_deref(), digest, "digest") {
        line(text, "Base", &base);
    }
    if let Some(created) = labels.created {
        line(text, "Built", &minute(created));
    }
}

/// A thing, and which version of it.
fn both(thing: Option<&str>, version: Option<&str>, kind: &str) -> Option<String> {
    match (thing, version) {
        (Some(thing), Some(version)) => Some(format!("{thing} @ {version}")),
        (None, Some(version)) => Some(format!("{kind} {version}")),
        (thing, None) => thing.map(str::to_owned),
    }
}

/// What runs the image, one a line.
fn workloads(text: &mut String, image: &AssessedImage) {
    for (number, workload) in image.workloads.iter().enumerate() {
        line(text, if number == 0 { "Runs on" } else { "" }, &workload.to_string());
    }
    if image.more_workloads > 0 {
        line(text, "", &format!("and {} more", image.more_workloads));
    }
}

fn used(in_use: &InUse) -> String {
    let last = in_use.last_at.map(day);
    match (in_use.count, last) {
        (0, None) => format!("no task or pod runs it (as of {})", day(in_use.as_of)),
        (0, Some(last)) => format!("no task or pod runs it; one last did on {last}"),
        (count, last) => {
            let tasks = if count == 1 { "task or pod" } else { "tasks and pods" };
            format!("by {count} {tasks}, last seen on {}", last.unwrap_or_else(|| day(in_use.as_of)))
        }
    }
}

fn counts(assessment: &Assessment) -> String {
    let counts: Vec<String> =
        assessment.open.iter().rev().map(|(severity, count)| format!("{count} {severity}")).collect();
    let counts = match (counts.as_slice(), assessment.verdict) {
        ([], Verdict::Unscannable) => "unknown".to_owned(),
        ([], _) => "no findings".to_owned(),
        (counts, _) => counts.join(", "),
    };
    match assessment.waived {
        0 => counts,
        waived => format!("{counts}; {waived} of these excused"),
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

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "{label:<8} {value}");
}
