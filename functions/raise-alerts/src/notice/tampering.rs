//! What an alert says of tampering with an image under quarantine.

use std::fmt::Write as _;

use domain::notice::{About, Aftermath, Notice};
use domain::provenance::Actor;
use domain::quarantine::tag;
use domain::text::sanitize;

use super::{about_image, minute, named};

/// The text; empty for a notice about anything else.
pub(super) fn text(notice: &Notice) -> String {
    let About::Tampered {
        image,
        mark_removed,
        tags,
        more_tags,
        restored,
        times,
        since,
        actors,
        repeated,
        aftermath,
        ..
    } = &notice.about
    else {
        return String::new();
    };
    let mark = tag(image);
    let mut done = Vec::new();
    let mut now = Vec::new();
    if *mark_removed {
        done.push(format!("the tag {mark} was taken off, or moved to another image"));
        now.push(format!("the tag {mark} is on again"));
    }
    if !tags.is_empty() {
        done.push(format!("tags that the quarantine keeps off were put on: {}", named(tags, *more_tags)));
        now.push("these tags are off again".to_owned());
    }
    if *restored {
        done.push("the archived image was restored or pushed again".to_owned());
        now.push("it can be pulled, and is archived again if the next scan finds the same".to_owned());
    }
    match aftermath {
        Aftermath::PutRight => {}
        Aftermath::Released => {
            now = vec!["the image has been released since: no quarantine rule matches any more".to_owned()];
        }
        Aftermath::Gone => now = vec!["the image has been deleted since".to_owned()],
    }
    let mut text = if actors.is_empty() {
        "Somebody changed an image that is under quarantine.\n\n".to_owned()
    } else {
        format!("An image that is under quarantine was changed by {}.\n\n", names(actors))
    };
    text.push_str(&about_image(image));
    let mut line = |label: &str, value: &str| {
        let _ = writeln!(text, "{label:<8} {value}");
    };
    line("What", &done.join("; "));
    if actors.is_empty() {
        line("Who", "not known: CloudTrail had not reported it when this was sent");
    }
    for actor in actors {
        line("Who", &described(actor));
    }
    if actors.is_empty() || *times > 1 {
        line(if *times > 1 { "Since" } else { "When" }, &minute(*since));
    }
    if *times > 1 || *repeated {
        let last = if *repeated { " since the last alert" } else { "" };
        line("Times", &format!("{times}{last}"));
    }
    line("Status", &now.join("; "));
    line(
        "To do",
        "an exemption is a waiver: add one with a reason, an owner and an expiry date to policy.yaml",
    );
    line("More", "further tampering within 24 hours is put right and counted, and reported in one alert");
    text
}

/// Who, from where, and when.
pub(super) fn described(actor: &Actor) -> String {
    let who = sanitize(&actor.who.who().to_string());
    let origin = origin(actor).map_or_else(String::new, |origin| format!(", from {origin}"));
    format!("{who}{origin}, {}", minute(actor.at))
}

fn names(actors: &[Actor]) -> String {
    let mut names: Vec<String> = actors.iter().map(|actor| sanitize(&actor.who.who().to_string())).collect();
    names.dedup();
    names.join(" and ")
}

/// From where, in words; `None` if CloudTrail states neither address nor program.
fn origin(actor: &Actor) -> Option<String> {
    let from = &actor.from;
    let agent = from.agent.as_deref().map(sanitize);
    match (from.address.as_deref().map(sanitize), agent) {
        (Some(address), Some(agent)) if address != agent => Some(format!("{address} ({agent})")),
        (Some(one), _) | (None, Some(one)) => Some(one),
        (None, None) => None,
    }
}
