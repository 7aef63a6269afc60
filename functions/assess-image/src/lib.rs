//! Merges findings into the image's ledger, enriches them, applies the policy, announces what changed.

mod error;
mod question;
#[cfg(test)]
mod samples;
mod scan;
mod update;

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use futures::StreamExt;
use shared::aws::{Announcements, Inspector, Ledgers, Registry};
use shared::clock::Clock;
use shared::deadline::Deadline;
use shared::environment::{Environment, EnvironmentError};
use shared::event::{Event, Foreign};
use shared::image::ImageId;
use shared::policy::Policy;
use shared::queue::{self, Report};
use shared::scope::Scope;

use update::Updated;

pub use error::AssessError;

/// How many images are worked on at the same time.
const IMAGES_AT_ONCE: usize = 8;

/// The function, with all that it needs.
#[derive(Debug)]
pub struct AssessImage {
    pub(crate) ledgers: Ledgers,
    pub(crate) inspector: Inspector,
    pub(crate) registry: Registry,
    pub(crate) announcements: Announcements,
    pub(crate) policy: Policy,
    pub(crate) clock: Clock,
    scope: Scope,
}

/// A message of a batch that is about an image.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) message: String,
    pub(crate) event: Event,
    pub(crate) receives: u32,
}

impl AssessImage {
    /// Reads `TABLE_NAME`, `EVENT_BUS_NAME`, `POLICY_FILE` and what [`Scope::new`] reads.
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let file = environment.required("POLICY_FILE")?;
        let refuse = |reason: String| EnvironmentError { name: "POLICY_FILE", reason };
        let text = std::fs::read_to_string(&file).map_err(|error| refuse(format!("{file}: {error}")))?;
        let policy = Policy::read_deployed(&text, &file).map_err(|error| refuse(error.to_string()))?;
        Ok(Self {
            ledgers: Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?),
            inspector: Inspector::new(aws_sdk_inspector2::Client::new(config)),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            announcements: Announcements::new(
                aws_sdk_eventbridge::Client::new(config),
                environment.required("EVENT_BUS_NAME")?,
            ),
            policy,
            clock,
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages. Images for which no time is
    /// left go back to the queue.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let mut report = Report::default();
        let mut images: BTreeMap<ImageId, Vec<Told>> = BTreeMap::new();
        for message in queue::messages(event) {
            match Event::parse(&message.body) {
                Ok(event) => match self.subject(&event) {
                    Ok(image) => images.entry(image).or_default().push(Told {
                        message: message.id,
                        event,
                        receives: message.receives,
                    }),
                    Err(reason) => report.skip(message.id, reason),
                },
                Err(error) => report.fail([message.id], &error, false),
            }
        }
        let mut updates = futures::stream::iter(most_received_first(images))
            .map(|(image, told)| async move {
                let updated = deadline.limit(Box::pin(self.update(&image, &told))).await;
                updated.unwrap_or_else(Updated::too_late).report(told)
            })
            .buffer_unordered(IMAGES_AT_ONCE);
        while let Some(updated) = updates.next().await {
            report.handled.extend(updated.handled);
            report.failed.extend(updated.failed);
        }
        report
    }

    /// The image that an event has findings of, or why it is none of ours.
    fn subject(&self, event: &Event) -> Result<ImageId, String> {
        let image = match event {
            Event::Finding(report) => &report.image,
            Event::Scan(report) => &report.image,
            Event::ImageAction(_) | Event::PutImage(_) => {
                return Err("a push is not evidence of findings".to_owned());
            }
            Event::Foreign(Foreign(reason)) => return Err(reason.clone()),
        };
        self.scope.check(image).map_err(|reason| reason.to_string())?;
        Ok(image.clone())
    }
}

/// The images, first those that came back most often: what there was no time for must not be put off again and again
/// until it is a dead letter.
fn most_received_first(images: BTreeMap<ImageId, Vec<Told>>) -> Vec<(ImageId, Vec<Told>)> {
    let mut images: Vec<_> = images.into_iter().collect();
    images.sort_by_key(|(_, told)| Reverse(told.iter().map(|told| told.receives).max()));
    images
}

#[cfg(test)]
mod tests {
    use shared::event::Foreign;

    use super::*;

    #[test]
    fn images_that_came_back_most_often_are_the_first() {
        let told = |receives: u32| Told {
            message: receives.to_string(),
            event: Event::Foreign(Foreign(String::new())),
            receives,
        };
        let image = |repository: &str| ImageId { repository: repository.to_owned(), ..samples::image() };
        let images = BTreeMap::from([
            (image("a"), vec![told(1), told(1)]),
            (image("b"), vec![told(1), told(3)]),
            (image("c"), vec![told(2)]),
            (image("d"), vec![told(1)]),
        ]);
        let order: Vec<String> =
            most_received_first(images).into_iter().map(|(image, _)| image.repository).collect();
        assert_eq!(order, ["b", "c", "a", "d"]);
    }
}
