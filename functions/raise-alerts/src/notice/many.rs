//! The texts of notices about many images or waivers: what happened, to which of them, what to do, until when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use domain::finding::Severity;
use domain::ledger::ScanReason;
use domain::notice::{
    Adopted, ChangedImage, IdleRules, NamedImage, NoticedWaiver, OwnedWaivers, PolicyChanged, ScanningOff,
    UnscannedImages, WaiversEnded,
};
use domain::text::sanitize;
use jiff::Timestamp;

use crate::dates::{day, minute};

type Said = (String, String);

pub(super) fn adopted(about: &Adopted) -> Said {
    let Adopted { images, roots, open, would_quarantine, quarantine_adopted, worst, unreadable, .. } = about;
    let are = if *would_quarantine == 1 { "matches" } else { "match" };
    let mut text = format!(
        "ecr-warden has judged the {} that {} there before it. {roots} of them {} deployed by a tag or a digest of their \
         own.\n\n",
        counted(*images, "image"),
        if *images == 1 { "was" } else { "were" },
        if *roots == 1 { "is" } else { "are" },
    );
    if !worst.is_empty() {
        text.push_str("The worst:\n");
        for one in worst {
            let _ = writeln!(text, "  - {} [{}]: {}", name(&one.image), one.verdict, severities(&one.open));
        }
        text.push('\n');
    }
    if unreadable.count() > 0 {
        let _ = writeln!(text, "{} could not be judged:", counted(unreadable.count(), "image"));
        let lines =
            unreadable.named.iter().map(|one| format!("{}: {}", name(&one.image), sanitize(&one.because)));
        list(&mut text, lines, unreadable.more);
        text.push('\n');
    }
    let unread = unreadable.named.iter().map(|one| &one.image);
    location(&mut text, worst.iter().map(|one| &one.image).chain(unread));
    line(&mut text, "Open", &severities(open));
    let matching = format!("{} {are} the policy's quarantine rules", counted(*would_quarantine, "image"));
    let (status, to_do) = match (would_quarantine, quarantine_adopted) {
        (0, _) => (
            "no image matches the policy's quarantine rules".to_owned(),
            "see why images could not be judged, if any could not; new findings are told as they come",
        ),
        (_, true) => (
            format!("{matching} and may come under quarantine, because QuarantineAdopted is true"),
            "fix the worst first; an exemption is a waiver in policy.yaml",
        ),
        (_, false) => (
            format!("{matching}; none of them was changed, because QuarantineAdopted is false"),
            "go through the worst and correct policy.yaml where it goes too far; then deploy with QuarantineAdopted=true, if these images are to come under quarantine",
        ),
    };
    line(&mut text, "Status", &status);
    line(&mut text, "To do", to_do);
    period(&mut text, about.since, about.until);
    let subject = match would_quarantine {
        0 => format!("Adopted {}: none matches a quarantine rule", counted(*images, "image")),
        some => format!("Adopted {}: {some} {are} a quarantine rule", counted(*images, "image")),
    };
    (subject, text)
}

pub(super) fn policy_changed(about: &PolicyChanged) -> Said {
    let PolicyChanged { from, to, deployed_by, judged, changes, changed, .. } = about;
    let other = about.changed();
    let have = if other == 1 { "has" } else { "have" };
    let mut text = format!(
        "Another policy is in force, and {} judged by it. {other} of them {have} another verdict.\n\n",
        was(*judged, "image"),
    );
    for change in changes {
        let alike = |one: &&ChangedImage| (one.from, one.to) == (change.from, change.to);
        let named: Vec<String> = changed.named.iter().filter(alike).map(|one| name(&one.image)).collect();
        let more = change.images.saturating_sub(named.len() as u64);
        let _ = writeln!(text, "{}, from {} to {}:", counted(change.images, "image"), change.from, change.to);
        list(&mut text, named.into_iter(), more);
    }
    if !changes.is_empty() {
        text.push('\n');
    }
    location(&mut text, changed.named.iter().map(|one| &one.image));
    let before = from.as_deref().map_or_else(String::new, |from| format!(", before that {}", sanitize(from)));
    line(&mut text, "Policy", &format!("{}{before}", sanitize(to)));
    if let Some(who) = deployed_by {
        line(&mut text, "By", &sanitize(who));
    }
    if other > 0 {
        line(
            &mut text,
            "Status",
            "the quarantine follows these verdicts; of images that were there for more than a day it takes as many an hour as the limit allows",
        );
        line(
            &mut text,
            "To do",
            "if this is not what the change was meant to do: put the old policy.yaml back and deploy it",
        );
    } else {
        line(&mut text, "To do", "nothing");
    }
    period(&mut text, about.since, about.until);
    let subject = match other {
        0 => format!("Policy changed: no verdict changed in {}", counted(*judged, "image")),
        _ => format!("Policy changed: {other} of {} {have} another verdict", counted(*judged, "image")),
    };
    (subject, text)
}

pub(super) fn waivers_ending(about: &OwnedWaivers) -> Said {
    let OwnedWaivers { owner, waivers } = about;
    let count = waivers.count();
    let end = if count == 1 { "ends" } else { "end" };
    let mut text = format!(
        "{} of {} {end} within 7 days. On the day after its last day a waiver excuses nothing, and what it excused counts \
         again.\n\n",
        counted(count, "waiver"),
        sanitize(owner),
    );
    list(&mut text, waivers.named.iter().map(|one| waiver(one, "excuses")), waivers.more);
    text.push('\n');
    line(
        &mut text,
        "To do",
        "fix what they excuse, or give them a new last day in policy.yaml and deploy it, if the reason still holds",
    );
    let first = waivers.named.iter().map(|one| one.expires).min();
    if let Some(first) = first {
        line(&mut text, "Until", &format!("the end of {first} (UTC), the first of their last days"));
    }
    let until = first.map_or_else(String::new, |first| format!(", the first on {first}"));
    (format!("Waivers end: {count} of {}{until}", sanitize(owner)), text)
}

pub(super) fn waivers_ended(about: &WaiversEnded) -> Said {
    let WaiversEnded { owner, waivers, findings, images, quarantined } = about;
    let mut text = format!(
        "{} of {} {} ended. What {} excused counts again.\n\n",
        counted(waivers.count(), "waiver"),
        sanitize(owner),
        if waivers.count() == 1 { "has" } else { "have" },
        if waivers.count() == 1 { "it" } else { "they" },
    );
    list(&mut text, waivers.named.iter().map(|one| waiver(one, "excused")), waivers.more);
    text.push('\n');
    if quarantined.count() > 0 {
        text.push_str("Under quarantine with that:\n");
        list(&mut text, quarantined.named.iter().map(name), quarantined.more);
        text.push('\n');
    }
    location(&mut text, quarantined.named.iter());
    let count = if *findings == 1 { "counts" } else { "count" };
    let status = match (findings, quarantined.count()) {
        (0, _) => "nothing that they excused is still there".to_owned(),
        (_, 0) => format!(
            "{} in {} {count} again; no image came under quarantine",
            counted(*findings, "finding"),
            counted(*images, "image")
        ),
        (_, some) => format!(
            "{} in {} {count} again; {some} came under quarantine",
            counted(*findings, "finding"),
            counted(*images, "image")
        ),
    };
    line(&mut text, "Status", &status);
    let to_do = if *findings == 0 {
        "remove them from policy.yaml"
    } else {
        "fix these findings, or give the waivers a new last day in policy.yaml and deploy it, if the reason still holds"
    };
    line(&mut text, "To do", to_do);
    let then = match quarantined.count() {
        0 => format!("{} {count} again", counted(*findings, "finding")),
        some => format!("{} quarantined", counted(some, "image")),
    };
    (format!("Waivers ended: {} of {}, {then}", waivers.count(), sanitize(owner)), text)
}

pub(super) fn waivers_unused(about: &OwnedWaivers) -> Said {
    let OwnedWaivers { owner, waivers } = about;
    let count = waivers.count();
    let excuse = if count == 1 { "excuses" } else { "excuse" };
    let mut text =
        format!("{} of {} {excuse} nothing any more.\n\n", counted(count, "waiver"), sanitize(owner));
    list(&mut text, waivers.named.iter().map(unused), waivers.more);
    text.push('\n');
    line(
        &mut text,
        "To do",
        "remove them from policy.yaml: a waiver that is left there excuses what comes back",
    );
    (format!("Waivers without effect: {count} of {}", sanitize(owner)), text)
}

pub(super) fn unscanned(about: &UnscannedImages) -> Said {
    let UnscannedImages { after_minutes, groups } = about;
    let count: u64 = groups.iter().map(|group| group.images.count()).sum();
    let (have, their) = if count == 1 { ("has", "Its") } else { ("have", "Their") };
    let mut text = format!(
        "{} {have} not been scanned, though the push was more than {} ago. {their} vulnerabilities are not known.\n\n",
        counted(count, "image"),
        counted(u64::from(*after_minutes), "minute"),
    );
    for group in groups {
        let ScanReason { words, code, to_do, .. } = ScanReason::read(&group.reason);
        let _ = writeln!(text, "{}: {words} ({code})", counted(group.images.count(), "image"));
        list(&mut text, group.images.named.iter().map(name), group.images.more);
        let _ = writeln!(text, "    What helps: {to_do}\n");
    }
    location(&mut text, groups.iter().flat_map(|group| &group.images.named));
    line(
        &mut text,
        "Status",
        "not known to be clear; no quarantine tag is put on because of this alone, unless the policy says so under `unscanned`",
    );
    line(&mut text, "To do", "do what helps; each image is judged as soon as a scan ends");
    (format!("Not scanned: {}", counted(count, "image")), text)
}

pub(super) fn scanning_off(about: &ScanningOff) -> Said {
    let ScanningOff { reason, since, of, images } = about;
    let ScanReason { words, code, to_do, .. } = ScanReason::read(reason);
    let how_many = match images.count() {
        all if all >= *of => format!("all {}", counted(all, "image")),
        some => format!("{some} of {}", counted(*of, "image")),
    };
    let mut text = format!(
        "Inspector has stopped scanning {how_many} at once. Nobody finds new vulnerabilities in them.\n\n"
    );
    list(&mut text, images.named.iter().map(name), images.more);
    text.push('\n');
    location(&mut text, images.named.iter());
    line(&mut text, "Why", &format!("{words} ({code})"));
    line(&mut text, "Since", &minute(*since));
    line(
        &mut text,
        "Status",
        "verdicts stay as they were, and a finding that closes without a scan does not count as fixed",
    );
    line(&mut text, "To do", to_do);
    line(
        &mut text,
        "",
        "to see who did it, look in CloudTrail for PutRegistryScanningConfiguration (ECR) and Disable (Inspector)",
    );
    (format!("Scanning is off for {how_many}"), text)
}

pub(super) fn rule_idle(about: &IdleRules) -> Said {
    let IdleRules { days, rules } = about;
    let have = if rules.count() == 1 { "has" } else { "have" };
    let mut text =
        format!("{} {have} matched no finding for {days} days.\n\n", counted(rules.count(), "rule"));
    let lines = rules.named.iter().map(|rule| {
        let last = rule
            .last_matched
            .map_or_else(|| "never matched".to_owned(), |at| format!("last matched on {}", day(at)));
        format!("{}: {last}", sanitize(&rule.id))
    });
    list(&mut text, lines, rules.more);
    text.push('\n');
    line(
        &mut text,
        "To do",
        "look for a condition that nothing can satisfy, such as a repository that was renamed; if the rule is not needed, remove it from policy.yaml",
    );
    let first = rules.named.first().map_or_else(String::new, |rule| format!(": {}", sanitize(&rule.id)));
    (format!("{} {have} matched nothing for {days} days{first}", counted(rules.count(), "rule")), text)
}

/// The repository with the tags, or with the digest, and the owner.
fn name(named: &NamedImage) -> String {
    let NamedImage { image, tags, more_tags, owner } = named;
    let place = if tags.is_empty() {
        super::place(image)
    } else {
        let tags: Vec<String> = tags.iter().map(|tag| sanitize(tag)).collect();
        format!("{}:{}", image.repository, super::named(&tags, *more_tags))
    };
    let owner = owner.as_deref().map_or_else(String::new, |owner| format!(", owner {}", sanitize(owner)));
    format!("{place}{owner}")
}

/// What a waiver is for, how much that is, until when, and why.
fn waiver(waiver: &NoticedWaiver, excuses: &str) -> String {
    let until = waiver.expires;
    format!(
        "{}, until {until}, {excuses} findings in {}: {}",
        what(waiver),
        counted(waiver.images, "image"),
        sanitize(&waiver.reason)
    )
}

fn unused(waiver: &NoticedWaiver) -> String {
    format!("{}, until {}: {}", what(waiver), waiver.expires, sanitize(&waiver.reason))
}

fn what(waiver: &NoticedWaiver) -> String {
    let NoticedWaiver { vulnerability, package, repositories, digest, .. } = waiver;
    let mut text = vulnerability.as_deref().map_or_else(|| "everything".to_owned(), sanitize);
    if let Some(package) = package {
        let _ = write!(text, " in {}", sanitize(package));
    }
    if !repositories.is_empty() {
        let named: Vec<String> = repositories.iter().map(|pattern| sanitize(pattern)).collect();
        let _ = write!(text, " in {}", named.join(", "));
    }
    if let Some(digest) = digest {
        let _ = write!(text, " in {}", digest.short());
    }
    text
}

/// In which accounts and regions the images are.
fn location<'a>(text: &mut String, images: impl Iterator<Item = &'a NamedImage>) {
    let places: BTreeSet<(&str, &str)> =
        images.map(|named| (named.image.account.as_str(), named.image.region.as_str())).collect();
    for (number, (account, region)) in places.into_iter().enumerate() {
        line(text, if number == 0 { "Where" } else { "" }, &format!("account {account}, {region}"));
    }
}

fn period(text: &mut String, since: Timestamp, until: Timestamp) {
    line(text, "When", &format!("{} to {}", minute(since), minute(until)));
}

/// The worst first.
fn severities(open: &BTreeMap<Severity, u64>) -> String {
    let counted = open.iter().rev().filter(|(_, count)| **count > 0);
    let counted: Vec<String> = counted.map(|(severity, count)| format!("{count} {severity}")).collect();
    if counted.is_empty() { "no findings".to_owned() } else { counted.join(", ") }
}

fn list(text: &mut String, lines: impl Iterator<Item = String>, more: u64) {
    let mut named = false;
    for line in lines {
        named = true;
        let _ = writeln!(text, "  - {line}");
    }
    if more > 0 {
        let more = if named { format!("and {more} more") } else { format!("{more} that are not named here") };
        let _ = writeln!(text, "    {more}");
    }
}

fn line(text: &mut String, label: &str, value: &str) {
    let _ = writeln!(text, "{label:<8} {value}");
}

fn counted(count: u64, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

fn was(count: u64, noun: &str) -> String {
    format!("{} {}", counted(count, noun), if count == 1 { "was" } else { "were" })
}
