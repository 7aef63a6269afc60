//! Makes the quarantine tag agree with the verdict in the ledger.

use aws::AwsError;
use aws::dynamodb::{LedgerError, Ledgers};
use aws::ecr::{Manifest, Registry};
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::{AnnouncementError, Assessment};
use domain::image::ImageId;
use domain::quarantine::{self, Mode, Plan, Step, plan};
use domain::text::with_causes;
use domain::verdict::Verdict;
use lambda::batch::{self, Report, Retry, Retryable, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use thiserror::Error;

/// How often it acts anew on a verdict that changes meanwhile.
const ATTEMPTS: u32 = 3;
/// Logged when an image went with a tag that was removed. An alarm searches the logs for this text.
const DELETED: &str = "the image was deleted with its last tag";

/// The function and its clients.
#[derive(Debug)]
pub struct EnforceQuarantine {
    ledgers: Ledgers,
    registry: Registry,
    queue: Queue,
    mode: Mode,
}

/// Why an image's tags could not be made to agree with its verdict.
#[derive(Debug, Error)]
pub enum QuarantineError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The verdict changed under every one of the attempts to act on it.
    #[error("the verdict of {0} changed each time its tags had been made to agree with it")]
    Unsettled(Box<ImageId>),
    /// ECR says that the tag is there, and the image does not have it.
    #[error("{image} does not have the tag {tag} after it was put: another image has it, or it was removed")]
    NotThere { image: Box<ImageId>, tag: String },
    /// Its other tags went in the same moment. It has the quarantine tag now, and the next attempt decides about it.
    #[error("{0} was deleted with its last tag, because its other tags had gone by then, and was put back")]
    PutBack(Box<ImageId>),
    /// Its manifest is in the log.
    #[error("{image} was deleted with its last tag, and could not be put back")]
    Lost { image: Box<ImageId>, source: Box<QuarantineError> },
    /// An image that somebody gave our tag, and no other, in the moment in which that was removed.
    #[error("{image} was deleted with its last tag {tag}, which somebody had moved to it")]
    OtherLost { image: Box<ImageId>, tag: String },
}

impl Retryable for QuarantineError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Aws(error) => error.retry(),
            Self::NotThere { .. } | Self::Unsettled(_) | Self::PutBack(_) => Retry::ByTheQueue,
            Self::Lost { .. } | Self::OtherLost { .. } => Retry::Never,
        }
    }
}

impl EnforceQuarantine {
    /// Reads `TABLE_NAME`, `QUEUE_URL` and `QUARANTINE_MODE` (default `observe`).
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self {
            ledgers: Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            queue: Queue::new(aws_sdk_sqs::Client::new(config), environment.required("QUEUE_URL")?),
            mode: environment.parsed("QUARANTINE_MODE")?,
        })
    }

    /// Handles a batch: each image once, whatever the number of its announcements.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        batch::by_subject(event, deadline, &self.queue, announced_image, async |image, received| {
            let (messages, _) = batch::split(received);
            Report::of(messages, self.enforce(&image).await)
        })
        .await
    }

    /// Acts, and checks that the verdict still stands: another invocation that saw a newer one meanwhile may
    /// have left the tags alone because it found them as they should be then.
    async fn enforce(&self, image: &ImageId) -> Result<(), QuarantineError> {
        let mut verdict = self.verdict(image).await?;
        for _ in 0..ATTEMPTS {
            if !self.act(image, verdict).await? {
                return Ok(());
            }
            let now = self.verdict(image).await?;
            if now == verdict {
                return Ok(());
            }
            verdict = now;
        }
        Err(QuarantineError::Unsettled(Box::new(image.clone())))
    }

    /// What was announced last, which may be newer than the announcement at hand.
    /// An image that is only deployed as a part of indexes is not in quarantine by itself, whatever they are.
    async fn verdict(&self, image: &ImageId) -> Result<Verdict, LedgerError> {
        let ledger = self.ledgers.load(image).await?.ledger;
        Ok(if ledger.facts.is_root() { ledger.announced.verdict } else { Verdict::Clear })
    }

    /// Makes the tags agree with a verdict. Returns whether that changed any.
    async fn act(&self, image: &ImageId, verdict: Verdict) -> Result<bool, QuarantineError> {
        let description = self.registry.describe(image).await?;
        let mut tags = description.map(|description| description.tags);
        let Plan { reason, steps } = plan(image, verdict, tags.as_deref());
        if steps.is_empty() || self.mode == Mode::Observe {
            tracing::info!(%image, %verdict, reason, mode = %self.mode, ?steps, "tags left as they are");
            return Ok(false);
        }
        // Held while tags go, so that an image that goes with them can be put back.
        let Some(manifest) = self.registry.manifest(image).await? else {
            tracing::info!(%image, "the image went before its tags could be changed");
            return Ok(false);
        };
        for step in steps {
            match step {
                Step::PutTag(tag) => {
                    tags = Some(self.put(image, &manifest, &tag).await?);
                    tracing::info!(%image, tag, reason, "tag is on");
                }
                Step::RemoveTag(tag) if tags.as_ref().is_some_and(|tags| tags.contains(&tag)) => {
                    self.remove(image, &manifest, &tag).await?;
                    tracing::info!(%image, tag, reason, "tag removed");
                }
                Step::RemoveTag(tag) => tracing::info!(%image, tag, "somebody else removed the tag"),
            }
        }
        Ok(true)
    }

    /// Puts a tag and checks that it is there. Returns the tags that the image has then.
    async fn put(
        &self,
        image: &ImageId,
        manifest: &Manifest,
        tag: &str,
    ) -> Result<Vec<String>, QuarantineError> {
        self.registry.put_tag(image, manifest, tag).await?;
        let tags = self.registry.describe(image).await?.map(|description| description.tags);
        tags.filter(|tags| tags.iter().any(|there| there == tag))
            .ok_or_else(|| QuarantineError::NotThere { image: Box::new(image.clone()), tag: tag.to_owned() })
    }

    /// Removes a tag, and looks afterwards whether an image went with it: ECR removes a tag from whichever image has it
    /// by then, and deletes that image if it was the last one. A call that failed may have had its effect.
    async fn remove(&self, image: &ImageId, manifest: &Manifest, tag: &str) -> Result<(), QuarantineError> {
        let removed = self.registry.remove_tag(image, tag).await;
        if !self.registry.exists(image).await? {
            return Err(self.put_back(image, manifest).await);
        }
        let Some(other) = removed?.filter(|other| other != image) else { return Ok(()) };
        tracing::warn!(%image, tag, %other, "somebody had moved the tag to another image, which lost it");
        if !self.registry.exists(&other).await? {
            tracing::error!(image = %other, tag, "{DELETED}, and cannot be put back");
            return Err(QuarantineError::OtherLost { image: Box::new(other), tag: tag.to_owned() });
        }
        Ok(())
    }

    /// Puts an image back with the quarantine tag, whatever tag it went with: the next attempt then finds it as it
    /// would any other.
    async fn put_back(&self, image: &ImageId, manifest: &Manifest) -> QuarantineError {
        let boxed = Box::new(image.clone());
        match self.put(image, manifest, &quarantine::tag(image)).await {
            Ok(tags) => {
                tracing::error!(%image, ?tags, "{DELETED}, and is back");
                QuarantineError::PutBack(boxed)
            }
            Err(source) => {
                let Manifest { text, media_type } = manifest;
                let reason = with_causes(&source);
                tracing::error!(%image, reason, manifest = text, media_type, "{DELETED}, and cannot be put back");
                QuarantineError::Lost { image: boxed, source: Box::new(source) }
            }
        }
    }
}

fn announced_image(body: &str) -> Result<Subject<ImageId, ()>, AnnouncementError> {
    Ok(Subject::About(Assessment::from_event(body)?.image.id, ()))
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_alarm_searches_for_the_logged_text() {
        let alarms = include_str!("../../../template.yaml");
        assert!(alarms.contains(&format!("'\"{}\"'", super::DELETED)));
    }
}
