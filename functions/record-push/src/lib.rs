//! Notes who pushed what: the tags, when, the media type and the pusher.

use std::collections::BTreeMap;

use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use futures::StreamExt;
use shared::aws::{LedgerError, Ledgers, Stored};
use shared::environment::{Environment, EnvironmentError};
use shared::event::{Event, Foreign};
use shared::image::{ImageId, QUARANTINE_PREFIX};
use shared::ledger::Evidence;
use shared::queue::{self, Report};
use shared::scope::Scope;
use thiserror::Error;

/// How many images are worked on at the same time.
const IMAGES_AT_ONCE: usize = 8;
/// How often a ledger is loaded and merged anew because somebody else stored it meanwhile.
const ATTEMPTS: u32 = 8;

/// The function, with all that it needs.
#[derive(Debug)]
pub struct RecordPush {
    ledgers: Ledgers,
    scope: Scope,
}

/// Why a push could not be noted.
#[derive(Debug, Error)]
pub enum RecordError {
    /// The ledger cannot be loaded or stored.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Others kept storing newer versions of the ledger.
    #[error("the ledger changed under every one of {0} attempts to store it")]
    Contention(u32),
}

impl RecordError {
    fn is_retryable(&self) -> bool {
        match self {
            Self::Ledger(error) => error.is_retryable(),
            Self::Contention(_) => true,
        }
    }
}

impl RecordPush {
    /// Reads `TABLE_NAME` and what [`Scope::new`] reads.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self {
            ledgers: Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?),
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent) -> Report {
        let mut report = Report::default();
        let mut images: BTreeMap<ImageId, Vec<(String, Evidence)>> = BTreeMap::new();
        for message in queue::messages(event) {
            match Event::parse(&message.body) {
                Ok(Event::Foreign(Foreign(reason))) => report.skip(message.id, reason),
                Ok(event) => match self.evidence(event) {
                    Ok((image, evidence)) => images.entry(image).or_default().push((message.id, evidence)),
                    Err(reason) => report.skip(message.id, reason),
                },
                Err(error) => report.fail([message.id], &error, false),
            }
        }
        let mut updates = futures::stream::iter(images)
            .map(|(image, told)| async move {
                let (messages, evidence): (Vec<_>, Vec<_>) = told.into_iter().unzip();
                (messages, self.update(&image, &evidence).await)
            })
            .buffered(IMAGES_AT_ONCE);
        while let Some((messages, updated)) = updates.next().await {
            match updated {
                Ok(()) => report.handled.extend(messages),
                Err(error) => report.fail(messages, &error, error.is_retryable()),
            }
        }
        report
    }

    /// What an event says of an image, or why it says nothing. Our own quarantine tags come back as events
    /// like all others; the rules in template.yaml keep them out, and if one gets here it ends here.
    fn evidence(&self, event: Event) -> Result<(ImageId, Evidence), String> {
        let (image, tag, evidence) = match event {
            Event::ImageAction(action) => {
                (action.image.clone(), action.tag.clone(), Evidence::Action(action))
            }
            Event::PutImage(put) => (put.image.clone(), put.tag.clone(), Evidence::Put(put)),
            Event::Finding(_) | Event::Scan(_) | Event::Foreign(_) => return Err("not a push".to_owned()),
        };
        if tag.is_some_and(|tag| tag.starts_with(QUARANTINE_PREFIX)) {
            return Err("our own quarantine tag".to_owned());
        }
        self.scope.check(&image).map_err(|reason| reason.to_string())?;
        Ok((image, evidence))
    }

    async fn update(&self, image: &ImageId, evidence: &[Evidence]) -> Result<(), RecordError> {
        for _ in 0..ATTEMPTS {
            let mut ledger = self.ledgers.load(image).await?;
            let changed = evidence.iter().fold(false, |changed, piece| ledger.merge(piece.clone()) | changed);
            if !changed || self.ledgers.store(&mut ledger).await? == Stored::Yes {
                return Ok(());
            }
        }
        Err(RecordError::Contention(ATTEMPTS))
    }
}
