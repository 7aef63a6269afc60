//! What becomes of an image: what happens to it in the registry, what people should do, and when that changes. Pure.

use std::collections::BTreeSet;

use domain::assessment::{Assessment, Reason};
use domain::finding::Fix;
use domain::ledger::ScanReason;
use domain::policy::Action;
use domain::quarantine::{self, Mode, is_new};
use domain::verdict::Verdict;
use jiff::Timestamp;

use crate::alert::Alert;
use crate::circumstances::Circumstances;
use crate::dates::minute;
use crate::kind::Kind;

/// What happens to the image in the registry. Whether the hourly limit holds it back is not known yet.
pub(crate) fn status(alert: &Alert, circumstances: &Circumstances) -> String {
    let status = happens(alert, circumstances);
    let changes = |one: &&Assessment| {
        let is_marked = circumstances.untagged || !one.image.tags.is_empty();
        one.verdict == Verdict::Quarantine
            && !one.exempt
            && mode_of(one, circumstances.mode) != Mode::Observe
            && is_marked
    };
    let mut marked = alert.assessments.iter().filter(changes);
    let may_be_held = marked.any(|one| !is_new(one.image.pushed_at, circumstances.now));
    match alert.assessments.len() {
        _ if !may_be_held => status,
        1 => format!("{status}; unless the hourly limit holds it back; a notice then says so"),
        _ => format!("{status}; unless the hourly limit holds some of them back; a notice then says so"),
    }
}

fn happens(alert: &Alert, circumstances: &Circumstances) -> String {
    const EXEMPT: &str = "not changed: it was there before ecr-warden, and nothing that came later quarantines it; the parameter \
                          QuarantineAdopted decides about such images";
    const OBSERVED: &str = "nothing was changed, because the quarantine mode is observe";
    let deployed = circumstances.mode;
    let [one] = alert.assessments.as_slice() else {
        return match (alert.verdict(), deployed) {
            (Verdict::Quarantine, Mode::Observe) => {
                format!("quarantined images would get the tag quarantine-<digest>; {OBSERVED}")
            }
            (Verdict::Quarantine, _) => of_many(alert, deployed).to_owned(),
            _ => "not changed".to_owned(),
        };
    };
    let mode = mode_of(one, deployed);
    let (tag, released) = (quarantine::tag(&one.image.id), quarantine::released_tag(&one.image.id));
    let has_no_tag = one.image.tags.is_empty();
    match (alert.verdict(), mode) {
        (Verdict::Quarantine, _) if one.exempt => EXEMPT.to_owned(),
        (Verdict::Quarantine, _) if has_no_tag && !circumstances.untagged => {
            "not changed: it has no tag, and images without a tag are not marked".to_owned()
        }
        (Verdict::Quarantine, Mode::Observe) => format!("would get the tag {tag}; {OBSERVED}"),
        (Verdict::Quarantine, Mode::Archive) if one.image.platforms.is_empty() => {
            format!("gets the tag {tag} and is archived, so that nobody can pull it")
        }
        (Verdict::Quarantine, Mode::Archive) => {
            format!(
                "gets the tag {tag} and is archived, with the platforms that nothing else uses, so that nobody can pull it"
            )
        }
        (Verdict::Quarantine, Mode::Tag | Mode::Untag) if has_no_tag => {
            format!("gets the tag {tag} as its only tag and can still be pulled")
        }
        (Verdict::Quarantine, Mode::Tag) => {
            format!("gets the tag {tag}, keeps its other tags and can still be pulled")
        }
        (Verdict::Quarantine, Mode::Untag) => {
            format!(
                "gets the tag {tag}, loses its other tags that cannot move, and can still be pulled by digest"
            )
        }
        (Verdict::Clear, Mode::Observe) if alert.kind == Kind::Released => {
            format!("would lose the tag {tag} and get {released}; {OBSERVED}")
        }
        (Verdict::Clear, Mode::Tag) if alert.kind == Kind::Released => {
            format!("loses the tag {tag} and gets {released}")
        }
        (Verdict::Clear, Mode::Untag) if alert.kind == Kind::Released => {
            format!("gets back the tags that cannot move, loses the tag {tag} and gets {released}")
        }
        (Verdict::Clear, Mode::Archive) if alert.kind == Kind::Released => {
            format!(
                "is restored from the archive, if it was there; then it loses the tag {tag} and gets {released}"
            )
        }
        (Verdict::Clear, _) => "not changed".to_owned(),
        (Verdict::Pending | Verdict::Unscannable, _) => "not changed; it is not known to be clear".to_owned(),
    }
}

/// How far the quarantine of an image goes.
fn mode_of(assessment: &Assessment, deployed: Mode) -> Mode {
    deployed.with_rules(assessment.quarantine_mode)
}

fn of_many(alert: &Alert, deployed: Mode) -> &'static str {
    let quarantined = alert.assessments.iter().filter(|one| one.verdict == Verdict::Quarantine);
    let mut modes = quarantined.map(|one| mode_of(one, deployed));
    let first = modes.next().unwrap_or(deployed);
    match first {
        _ if modes.any(|mode| mode != first) => {
            "quarantined images get the tag quarantine-<digest>; by the rules that match, some lose other tags or are archived"
        }
        Mode::Observe | Mode::Tag => {
            "quarantined images get the tag quarantine-<digest>, keep their other tags and can still be pulled"
        }
        Mode::Untag => {
            "quarantined images get the tag quarantine-<digest>, lose other tags that cannot move, and can still be pulled by digest"
        }
        Mode::Archive => {
            "quarantined images get the tag quarantine-<digest> and are archived, so that nobody can pull them"
        }
    }
}

/// What people should do.
pub(crate) fn to_do(alert: &Alert, deployed: Mode) -> String {
    let archived = |one: &Assessment| mode_of(one, deployed) == Mode::Archive;
    if alert.kind == Kind::Released && alert.assessments.iter().any(archived) {
        return "nothing; the image may be deployed again when it is restored, within 20 minutes".to_owned();
    }
    if alert.kind == Kind::Released {
        return "nothing; the image may be deployed again".to_owned();
    }
    if alert.kind == Kind::Unscannable {
        let platforms = alert.assessments.iter().flat_map(|one| &one.image.platforms);
        let codes: BTreeSet<&str> = platforms.filter_map(|platform| platform.unscanned.as_deref()).collect();
        // Several codes can ask for the same.
        let helps: BTreeSet<&str> = codes.into_iter().map(|code| ScanReason::read(code).to_do).collect();
        if let Some(helps) = unscanned(alert) {
            return helps;
        }
        if !helps.is_empty() {
            let helps: Vec<&str> = helps.into_iter().collect();
            return format!("{}; or take the platform out of the build", helps.join("; "));
        }
        return "see in the ECR console why the scan failed; the usual cause is an unsupported base image"
            .to_owned();
    }
    if alert.reasons().next().is_none()
        && let Some(helps) = unscanned(alert)
    {
        return helps;
    }
    let fixable = alert.reasons().filter(|reason| has_fix(reason)).count();
    let waiver = "add a waiver with a reason, an owner and an expiry date to policy.yaml";
    match (fixable, alert.reasons().count()) {
        (0, _) => format!("no fix is published yet: remove the package, or {waiver}"),
        (some, all) if some == all => {
            "update the packages, rebuild and push; the new image is judged on push".to_owned()
        }
        (some, all) => format!(
            "update what has a fix ({some} of {all}), rebuild and push; for the rest remove the package, or {waiver}"
        ),
    }
}

/// What helps images that no scan has reached in time; `None` if there is none among them.
fn unscanned(alert: &Alert) -> Option<String> {
    let codes = alert.assessments.iter().filter_map(|one| one.unscanned.as_deref());
    let helps: BTreeSet<&str> = codes.map(|code| ScanReason::read(code).to_do).collect();
    (!helps.is_empty()).then(|| helps.into_iter().collect::<Vec<_>>().join("; "))
}

fn has_fix(reason: &Reason) -> bool {
    matches!(reason.finding.fix, Fix::Yes | Fix::Partial)
        || reason.finding.packages.iter().any(|package| package.fixed_in.is_some())
}

/// When this changes.
pub(crate) fn until(alert: &Alert, mode: Mode, now: Timestamp) -> Option<String> {
    let is_exempt = alert.assessments.iter().all(|one| one.exempt);
    if alert.verdict() == Verdict::Quarantine && !is_exempt && alert.reasons().next().is_none() {
        return Some("a scan has ended".to_owned());
    }
    if alert.verdict() == Verdict::Quarantine && !is_exempt {
        return Some("no quarantine rule matches any more; a rebuilt image is judged on its own".to_owned());
    }
    let grace_ends = alert
        .reasons()
        .filter(|reason| reason.then.contains(&Action::Quarantine))
        .filter_map(|reason| reason.quarantine_from)
        .filter(|from| *from > now)
        .min()?;
    let then = match mode {
        Mode::Observe => "would be quarantined",
        Mode::Tag | Mode::Untag | Mode::Archive => "is quarantined",
    };
    Some(format!("{}; within 15 minutes after that the image {then}", minute(grace_ends)))
}
