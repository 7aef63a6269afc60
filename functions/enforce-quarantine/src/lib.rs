//! Makes the quarantine tag agree with the verdict in the ledger.

use aws::AwsError;
use aws::dynamodb::{LedgerError, Ledgers};
use aws::ecr::{PutTag, Registry};
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::{AnnouncementError, Assessment};
use domain::image::ImageId;
use domain::quarantine::{Mode, Plan, Step, plan};
use domain::verdict::Verdict;
use lambda::batch::{self, Report, Retry, Retryable, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use thiserror::Error;

/// How often it acts anew on a verdict that changes meanwhile.
const ATTEMPTS: u32 = 3;

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
}

impl Retryable for QuarantineError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Aws(error) => error.retry(),
            Self::NotThere { .. } | Self::Unsettled(_) => Retry::ByTheQueue,
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
    async fn verdict(&self, image: &ImageId) -> Result<Verdict, LedgerError> {
        Ok(self.ledgers.load(image).await?.ledger.announced.verdict)
    }

    /// Makes the tags agree with a verdict. Returns whether that changed any.
    async fn act(&self, image: &ImageId, verdict: Verdict) -> Result<bool, QuarantineError> {
        let description = self.registry.describe(image).await?;
        let tags = description.as_ref().map(|description| description.tags.as_slice());
        let Plan { reason, steps } = plan(image, verdict, tags);
        if steps.is_empty() || self.mode == Mode::Observe {
            tracing::info!(%image, %verdict, reason, mode = %self.mode, ?steps, "tags left as they are");
            return Ok(false);
        }
        for step in steps {
            match step {
                Step::PutTag(tag) => self.put(image, &tag).await?,
                Step::RemoveTag(tag) => {
                    self.registry.remove_tag(image, &tag).await?;
                    tracing::info!(%image, tag, reason, "quarantine tag removed");
                }
            }
        }
        Ok(true)
    }

    /// Puts the tag and checks that it is there.
    async fn put(&self, image: &ImageId, tag: &str) -> Result<(), QuarantineError> {
        let Some(manifest) = self.registry.manifest(image).await? else {
            tracing::info!(%image, "the image went before it could be tagged");
            return Ok(());
        };
        let put = self.registry.put_tag(image, manifest, tag).await?;
        let there =
            self.registry.describe(image).await?.is_some_and(|d| d.tags.iter().any(|there| there == tag));
        if !there {
            return Err(QuarantineError::NotThere { image: Box::new(image.clone()), tag: tag.to_owned() });
        }
        tracing::info!(%image, tag, already = (put == PutTag::Exists), "quarantine tag is on");
        Ok(())
    }
}

fn announced_image(body: &str) -> Result<Subject<ImageId, ()>, AnnouncementError> {
    Ok(Subject::About(Assessment::from_event(body)?.image.id, ()))
}
