//! Says it once, to the right people, in a form that they can act on.

mod alert;
mod chat;
mod circumstances;
mod dates;
mod form;
mod group;
mod kind;
mod notice;
mod outlook;
#[cfg(test)]
mod samples;
mod text;
#[cfg(test)]
mod unscanned_tests;

use std::collections::BTreeSet;
use std::time::Duration;

use aws::AwsError;
use aws::dynamodb::{Claims, LedgerError, Ledgers};
use aws::sns::{Notification, Topic};
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::Assessment;
use domain::image::ImageId;
use domain::quarantine::Mode;
use domain::text::with_causes;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::inbox::{self, Claimed, Inbox};

use circumstances::Circumstances;

pub use alert::{Alert, alerts};
pub use kind::Kind;

/// Longer than the function's timeout, shorter than its queue's visibility timeout.
const LEASE: Duration = Duration::from_mins(2);

/// The function and its clients.
#[derive(Debug)]
pub struct RaiseAlerts {
    inbox: Inbox,
    ledgers: Ledgers,
    topic: Topic,
    /// Where the form for chat goes, if it is wanted.
    chat: Option<Topic>,
    mode: Mode,
    untagged: bool,
    claims: Claims,
    clock: Clock,
}

impl RaiseAlerts {
    /// Reads `TABLE_NAME`, `TOPIC_ARN`, `CHAT_TOPIC_ARN` (optional) and with defaults `QUARANTINE_MODE` (`observe`) and
    /// `QUARANTINE_UNTAGGED` (`false`).
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let table = environment.required("TABLE_NAME")?;
        let client = aws_sdk_dynamodb::Client::new(config);
        let sns = aws_sdk_sns::Client::new(config);
        let claims = Claims::new(client.clone(), table.clone(), "raise-alerts", LEASE);
        Ok(Self {
            ledgers: Ledgers::new(client, table),
            inbox: Inbox::new(claims.clone(), clock.clone()),
            claims,
            topic: Topic::new(sns.clone(), environment.required("TOPIC_ARN")?),
            chat: environment.optional("CHAT_TOPIC_ARN").map(|arn| Topic::new(sns, arn)),
            mode: environment.parsed("QUARANTINE_MODE")?,
            untagged: environment.parsed("QUARANTINE_UNTAGGED")?,
            clock,
        })
    }

    /// Handles a batch: each assessment ends up in one alert or in none. Where one cannot be sent, newer ones about its
    /// images wait with it. Each notice is an alert of its own. It is too short for its deadline to matter.
    pub async fn handle(&self, event: SqsEvent, _: Deadline) -> Report {
        let mut report = Report::default();
        let (notices, event) = notice::split(event);
        self.tell(notices, &mut report).await;
        let mut batch = self.inbox.claim(event, &mut report).await;
        let assessments: Vec<_> = batch.iter().map(|claimed| claimed.assessment.clone()).collect();
        let mut unsaid: BTreeSet<ImageId> = BTreeSet::new();
        for mut alert in alerts(&assessments) {
            let images: Vec<ImageId> = alert.assessments.iter().map(|one| one.image.id.clone()).collect();
            let (told, rest): (Vec<Claimed>, Vec<Claimed>) =
                batch.into_iter().partition(|claimed| alert.tells(&claimed.assessment));
            batch = rest;
            if images.iter().any(|image| unsaid.contains(image)) {
                inbox::postpone(told, &mut report);
                unsaid.extend(images);
                continue;
            }
            self.complete(&mut alert).await;
            let may_repeat = told.iter().any(|claimed| claimed.after_a_crash);
            let circumstances =
                Circumstances { mode: self.mode, untagged: self.untagged, may_repeat, now: self.clock.now() };
            let notification = form::notification(&alert, &circumstances);
            let thread = match images.as_slice() {
                [image] => notice::place(image),
                _ => alert.assessments.first().map_or_else(String::new, |first| first.id.clone()),
            };
            let published = self.send(&notification, &thread, &images).await;
            if !self.inbox.conclude(told, published, &mut report).await {
                unsaid.extend(images);
            }
        }
        // What nobody needs to hear is done, too.
        self.inbox.conclude(batch, Ok(()), &mut report).await;
        report
    }

    /// Publishes an alert, and after it the form for chat. Where that cannot be had, the alert is out all the same; to try
    /// again would send it twice.
    pub(crate) async fn send(
        &self,
        notification: &Notification,
        thread: &str,
        images: &[ImageId],
    ) -> Result<(), AwsError> {
        self.topic.publish(notification).await?;
        if let Some(topic) = &self.chat {
            let arns: Vec<String> = images.iter().map(ImageId::arn).collect();
            let message = chat::message(notification, thread, &arns);
            if let Err(error) = topic.publish_alike(&message, notification).await {
                tracing::error!(
                    subject = notification.subject,
                    reason = with_causes(&error),
                    "not told in chat"
                );
            }
        }
        Ok(())
    }

    /// CloudTrail often says who pushed only after the scan has ended, so the ledger is asked once more. An
    /// alert without that is better than none: where the ledger cannot be had, it goes out as it is.
    async fn complete(&self, alert: &mut Alert) {
        for assessment in alert.assessments.iter_mut().filter(|assessment| assessment.image.pusher.is_none())
        {
            if let Err(error) = self.look_up(assessment).await {
                tracing::warn!(
                    assessment = assessment.id,
                    reason = with_causes(&error),
                    "pusher not looked up"
                );
            }
        }
    }

    async fn look_up(&self, assessment: &mut Assessment) -> Result<(), LedgerError> {
        let facts = self.ledgers.load(&assessment.image.id).await?.ledger.facts;
        assessment.image.pushed_at = facts.pushed_at;
        assessment.image.pusher = facts.pusher.map(|(_, pusher)| pusher);
        Ok(())
    }
}
