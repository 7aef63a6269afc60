//! Notices: what people should know besides the verdicts, each as an alert of its own.

mod copy;
mod many;
mod tampering;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use aws::dynamodb::Claim;
use aws::sns::{Attribute, Notification};
use aws_lambda_events::event::sqs::SqsEvent;
use domain::image::ImageId;
use domain::notice::{About, Notice};
use domain::quarantine::give_back_command;
use domain::text::sanitize;
use jiff::Timestamp;
use lambda::batch::{Report, messages};
use lambda::inbox::Busy;
use serde_json::json;

use crate::dates::minute;
use crate::text::MAY_REPEAT;
use crate::{RaiseAlerts, form};

/// The notices of a batch, and the rest.
pub(crate) fn split(mut event: SqsEvent) -> (SqsEvent, SqsEvent) {
    let is_notice = |body: &Option<String>| body.as_deref().is_some_and(Notice::is_event);
    let mut notices = SqsEvent::default();
    (notices.records, event.records) = event.records.into_iter().partition(|record| is_notice(&record.body));
    (notices, event)
}

impl RaiseAlerts {
    /// Sends each notice once, however often it comes.
    pub(crate) async fn tell(&self, event: SqsEvent, report: &mut Report) {
        let mut notices: BTreeMap<String, (Vec<String>, Notice)> = BTreeMap::new();
        for message in messages(event) {
            match Notice::from_event(&message.body) {
                Ok(notice) => {
                    let entry = notices.entry(notice.id.clone());
                    entry.or_insert_with(|| (Vec::new(), notice)).0.push(message.id);
                }
                Err(error) => report.fail([message.id], &error),
            }
        }
        let ids: Vec<String> = notices.keys().cloned().collect();
        let claims = self.claims.claim(&ids, self.clock.now()).await;
        for ((messages, notice), claim) in notices.into_values().zip(claims) {
            let after_a_crash = match claim {
                Ok(Claim::Ours { after_a_crash }) => after_a_crash,
                Ok(Claim::Done) => {
                    report.handled.extend(messages);
                    continue;
                }
                Ok(Claim::Taken) => {
                    report.fail(messages, &Busy);
                    continue;
                }
                Err(error) => {
                    report.fail(messages, &error);
                    continue;
                }
            };
            let thread = notice.image().map_or_else(|| kind(&notice).to_owned(), place);
            let image: Vec<ImageId> = notice.image().cloned().into_iter().collect();
            let sent = match self.send(&notification(&notice, after_a_crash), &thread, &image).await {
                Ok(()) => self.claims.finish(std::slice::from_ref(&notice.id), self.clock.now()).await,
                Err(error) => Err(error),
            };
            match sent {
                Ok(()) => report.handled.extend(messages),
                Err(error) => report.fail(messages, &error),
            }
        }
    }
}

/// The forms in which a notice goes out. One that is too long for SNS names fewer, and counts the rest.
fn notification(notice: &Notice, may_repeat: bool) -> Notification {
    let mut notice = notice.clone();
    loop {
        let notification = whole(&notice, may_repeat);
        if form::fits(&notification) || !notice.halve() {
            return notification;
        }
    }
}

fn whole(notice: &Notice, may_repeat: bool) -> Notification {
    let (subject, mut text) = said(notice);
    if may_repeat {
        text.push_str(MAY_REPEAT);
    }
    let subject = form::one_line(&subject);
    let one = |value: &str| Attribute::One(value.to_owned());
    let mut attributes: BTreeMap<String, Attribute> = [
        ("severity", one("NONE")),
        ("verdict", one("none")),
        ("notice", one(kind(notice))),
        ("repository", any(notice.repositories())),
        ("environment", one("none")),
        ("owner", any(notice.owners())),
    ]
    .map(|(name, value)| (name.to_owned(), value))
    .into();
    if may_repeat {
        attributes.insert("may_repeat".to_owned(), one("true"));
    }
    let json = json!({
        "schema": 1, "kind": "notice", "at": notice.at, "subject": subject, "may_repeat": may_repeat,
        "notice": notice,
    });
    Notification { subject, text, json: json.to_string(), attributes }
}

/// Of several values a filter matches any; for none it is `none`, for SNS takes no empty value.
fn any(values: BTreeSet<&str>) -> Attribute {
    let mut values: Vec<String> = values.into_iter().map(sanitize).collect();
    match values.len() {
        0 => Attribute::One("none".to_owned()),
        1 => Attribute::One(values.remove(0)),
        _ => Attribute::Many(values),
    }
}

fn kind(notice: &Notice) -> &'static str {
    match notice.about {
        About::QuarantinesHeld { .. } => "quarantines_held",
        About::TagsLeftOn { .. } => "tags_left_on",
        About::TagsNotGivenBack { .. } => "tags_not_given_back",
        About::MarkOnCopy { .. } => "mark_on_copy",
        About::Tampered { .. } => "tampered",
        About::Adopted(_) => "adopted",
        About::PolicyChanged(_) => "policy_changed",
        About::WaiversEnding(_) => "waivers_ending",
        About::WaiversEnded(_) => "waivers_ended",
        About::WaiversUnused(_) => "waivers_unused",
        About::Unscanned(_) => "unscanned",
        About::ScanningOff(_) => "scanning_off",
        About::RuleIdle(_) => "rule_idle",
    }
}

/// The subject and the text.
fn said(notice: &Notice) -> (String, String) {
    match &notice.about {
        About::QuarantinesHeld { held, per_hour, since, images } => {
            quarantines_held(*held, *per_hour, *since, images)
        }
        About::TagsLeftOn { image, mode, tags, more_tags, cache, because } => {
            let to_do = if *cache {
                "have images with a quarantine tag refused at admission, or let the quarantine archive the image"
            } else {
                "make the tags of the repository immutable, or let the quarantine archive the image"
            };
            let text = format!(
                "Tags stay on an image under quarantine, though the quarantine mode is {mode}.\n\n{}\
                 Tags     {}\n\
                 Why      {because}\n\
                 Status   the image carries the tag {}; it can still be pulled by these tags\n\
                 To do    {to_do}\n",
                about_image(image),
                named(tags, *more_tags),
                domain::quarantine::tag(image),
            );
            (format!("Quarantine leaves tags on: {}", place(image)), text)
        }
        About::TagsNotGivenBack { image, tags, more_tags } => {
            let mut text = format!(
                "An image is released from quarantine, and some of its tags do not come back on their own.\n\n{}\
                 Tags     {}\n\
                 Why      they can move in this repository, and may belong to another image by now\n\
                 To do    where a tag belongs to this image, put it on again:\n",
                about_image(image),
                named(tags, *more_tags),
            );
            for tag in tags {
                let _ = writeln!(text, "         {}", give_back_command(image, tag));
            }
            (format!("Released without all tags: {}", place(image)), text)
        }
        About::MarkOnCopy { image, copy } => {
            (format!("Copies keep the quarantine tag: {}", place(image)), copy::text(image, copy))
        }
        About::Tampered { image, .. } => {
            (format!("Quarantine tampered with: {}", place(image)), tampering::text(notice))
        }
        About::Adopted(about) => many::adopted(about),
        About::PolicyChanged(about) => many::policy_changed(about),
        About::WaiversEnding(about) => many::waivers_ending(about),
        About::WaiversEnded(about) => many::waivers_ended(about),
        About::WaiversUnused(about) => many::waivers_unused(about),
        About::Unscanned(about) => many::unscanned(about),
        About::ScanningOff(about) => many::scanning_off(about),
        About::RuleIdle(about) => many::rule_idle(about),
    }
}

fn quarantines_held(held: u64, per_hour: u32, since: Timestamp, images: &[String]) -> (String, String) {
    let (noun, wait) = if held == 1 { ("image", "waits") } else { ("images", "wait") };
    let mut text = format!(
        "{held} {noun} would have come under quarantine and {wait} for a person. More than {per_hour} images that were \
         pushed more than a day ago would have come under quarantine within an hour. A new rule, a new entry in a \
         catalogue or a wrong feed does that.\n\n"
    );
    for image in images {
        let _ = writeln!(text, "  - {image}");
    }
    let more = held.saturating_sub(images.len() as u64);
    if more > 0 {
        let _ = writeln!(text, "    and {more} more");
    }
    let _ = write!(
        text,
        "\nSince    {}\n\
         Status   these images were not changed, whatever their alerts say; new pushes are still quarantined at once\n\
         To do    if their verdicts are right: ecr-warden resume {held} --table TABLE --why \"...\"\n\
         \x20        if not: correct policy.yaml and deploy it\n",
        minute(since)
    );
    (format!("Quarantine paused: {held} {noun} {wait} for a person"), text)
}

fn about_image(image: &ImageId) -> String {
    format!("Image    {}\n", image.uri())
}

pub(crate) fn place(image: &ImageId) -> String {
    format!("{}@{}", image.repository, image.digest.short())
}

fn named(tags: &[String], more: u64) -> String {
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", tags.join(", "))
}

#[cfg(test)]
mod tests;
