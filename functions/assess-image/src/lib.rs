//! Merges findings into the image's ledger, enriches them, applies the policy, announces what changed.

mod error;
mod question;
#[cfg(test)]
mod samples;
mod scan;
mod update;

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
                    Ok(image) => images.entry(image).or_default().push(Told { message: message.id, event }),
                    Err(reason) => report.skip(message.id, reason),
                },
                Err(error) => report.fail([message.id], &error, false),
            }
        }
        let mut updates = futures::stream::iter(images)
            .map(|(image, told)| async move {
                let updated =
                    if deadline.is_near() { Updated::too_late() } else { self.update(&image, &told).await };
                updated.report(told)
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
