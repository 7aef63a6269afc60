//! Makes the image's quarantine tag agree with the verdict, and touches no other tag.
//!
//! The verdict is read from the ledger and not from the announcement, so announcements that overtake each
//! other do no harm, and doing it again changes nothing.

mod plan;

use std::collections::BTreeMap;
use std::str::FromStr;

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use futures::StreamExt;
use shared::assessment::Assessment;
use shared::aws::{AwsError, LedgerError, Ledgers, PutTag, Registry};
use shared::environment::{Environment, EnvironmentError};
use shared::image::ImageId;
use shared::queue::{self, Report};
use shared::verdict::Verdict;
use thiserror::Error;

pub use plan::{Plan, plan};

/// How many images are worked on at the same time. ECR takes 10 `PutImage` a second from an account and
/// region, and every developer's push counts.
const IMAGES_AT_ONCE: usize = 2;

/// How often it acts on a verdict that changes meanwhile.
const ATTEMPTS: u32 = 3;

/// What the function may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Only say what it would do.
    Observe,
    /// Put the quarantine tag on and take it off.
    Tag,
}

impl FromStr for Mode {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        match name {
            "observe" => Ok(Self::Observe),
            "tag" => Ok(Self::Tag),
            other => Err(format!("{other:?} is no mode; there are observe and tag")),
        }
    }
}

/// The function, with all that it needs.
#[derive(Debug)]
pub struct EnforceQuarantine {
    ledgers: Ledgers,
    registry: Registry,
    mode: Mode,
}

/// Why an image's tags could not be made to agree.
#[derive(Debug, Error)]
pub enum QuarantineError {
    /// The ledger cannot be loaded.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// ECR refused.
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The verdict changed under every one of the attempts to act on it.
    #[error("the verdict of {0} changed each time that its tags had been made to agree with it")]
    Restless(Box<ImageId>),
    /// ECR says that the tag is there, and the image does not have it.
    #[error("{image} does not have the tag {tag} after it was put: another image has it, or it was removed")]
    NotThere {
        /// Which image.
        image: Box<ImageId>,
        /// Which tag.
        tag: String,
    },
}

impl QuarantineError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Aws(error) => error.retryable,
            Self::NotThere { .. } | Self::Restless(_) => true,
        }
    }
}

impl EnforceQuarantine {
    /// Reads `TABLE_NAME` and `QUARANTINE_MODE` (default `observe`).
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        let mode = environment.optional("QUARANTINE_MODE").map_or(Ok(Mode::Observe), |mode| mode.parse());
        Ok(Self {
            ledgers: Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            mode: mode.map_err(|reason| EnvironmentError { name: "QUARANTINE_MODE", reason })?,
        })
    }

    /// Handles a batch: each image once, whatever the number of its announcements.
    pub async fn handle(&self, event: SqsEvent) -> Report {
        let mut report = Report::default();
        let mut images: BTreeMap<ImageId, Vec<String>> = BTreeMap::new();
        for message in queue::messages(event) {
            match Assessment::from_event(&message.body) {
                Ok(assessment) => images.entry(assessment.image.id).or_default().push(message.id),
                Err(error) => report.fail([message.id], &error, false),
            }
        }
        let mut enforced = futures::stream::iter(images)
            .map(|(image, messages)| async move { (messages, self.enforce(&image).await) })
            .buffered(IMAGES_AT_ONCE);
        while let Some((messages, enforced)) = enforced.next().await {
            match enforced {
                Ok(()) => report.handled.extend(messages),
                Err(error) => report.fail(messages, &error, error.is_retryable()),
            }
        }
        report
    }

    /// Acts, and looks whether the verdict still stands: another invocation that saw a newer one meanwhile may
    /// have left the tags alone because it found them as they should be then.
    async fn enforce(&self, image: &ImageId) -> Result<(), QuarantineError> {
        let mut verdict = self.ledgers.load(image).await?.facts.verdict;
        for _ in 0..ATTEMPTS {
            if !self.act(image, verdict).await? {
                return Ok(());
            }
            let now = self.ledgers.load(image).await?.facts.verdict;
            if now == verdict {
                return Ok(());
            }
            verdict = now;
        }
        Err(QuarantineError::Restless(Box::new(image.clone())))
    }

    /// Makes the tags agree with a verdict. Returns whether that changed any.
    async fn act(&self, image: &ImageId, verdict: Verdict) -> Result<bool, QuarantineError> {
        let tag = image.quarantine_tag();
        let description = self.registry.describe(image).await?;
        let plan = plan(verdict, &tag, description.as_ref().map(|description| description.tags.as_slice()));
        match (plan, self.mode) {
            (Plan::Leave(reason), _) => tracing::info!(%image, %verdict, reason, "tags left as they are"),
            (plan, Mode::Observe) => tracing::info!(%image, %verdict, ?plan, tag, "observed, not done"),
            (Plan::Put, Mode::Tag) => {
                self.put(image, &tag).await?;
                return Ok(true);
            }
            (Plan::Remove, Mode::Tag) => {
                self.registry.remove_tag(image, &tag).await?;
                tracing::info!(%image, tag, "quarantine tag taken off");
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts the tag and looks whether it is there.
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
