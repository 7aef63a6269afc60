//! Records who pushed what: the tags, when, the media type and the pusher; and of an index which images it contains.

mod unread;

use aws::AwsError;
use aws::dynamodb::{LedgerError, Ledgers};
use aws::ecr::Registry;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::event::{Event, EventError, Foreign, StorageClass};
use domain::image::ImageId;
use domain::ledger::{Evidence, Facts, Ledger};
use domain::manifest::{Contents, ManifestError};
use domain::quarantine::is_quarantine_tag;
use lambda::batch::{self, Report, Retry, Retryable, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::outbox::Outbox;
use lambda::scope::Scope;
use thiserror::Error;

/// The function and its clients.
#[derive(Debug)]
pub struct RecordPush {
    outbox: Outbox,
    registry: Registry,
    queue: Queue,
    scope: Scope,
}

/// Why what is known of a push could not be stored, or not all of it.
#[derive(Debug, Error)]
pub enum PushError {
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    #[error(transparent)]
    Aws(#[from] AwsError),
    /// The push is stored, but the image's verdict remains pending.
    #[error("index {image}: {source}")]
    Manifest { image: Box<ImageId>, source: ManifestError },
}

impl Retryable for PushError {
    fn retry(&self) -> Retry {
        match self {
            Self::Ledger(error) => error.retry(),
            Self::Aws(error) if error.is_throttled() || unread::lasts(error) => Retry::Later,
            Self::Aws(error) => error.retry(),
            Self::Manifest { .. } => Retry::Never,
        }
    }
}

impl RecordPush {
    /// Reads `TABLE_NAME`, `GONE_RETENTION_DAYS` (default 400), `QUEUE_URL`, `ROOTS_QUEUE_URL` and what [`Scope::new`]
    /// reads.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        let ledgers =
            Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?)
                .expiring_after(environment.parsed("GONE_RETENTION_DAYS")?);
        let sqs = aws_sdk_sqs::Client::new(config);
        let roots = Queue::new(sqs.clone(), environment.required("ROOTS_QUEUE_URL")?);
        Ok(Self {
            outbox: Outbox::new(ledgers, roots),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            queue: Queue::new(sqs, environment.required("QUEUE_URL")?),
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let read = |body: &str| self.read(body);
        batch::by_subject(event, deadline, &self.queue, read, async |image, received| {
            let (messages, evidence) = batch::split(received);
            Report::of(messages, self.record(&image, &evidence).await)
        })
        .await
    }

    /// What an event says of an image, or why it says nothing. Our own quarantine tags come back as events
    /// like all others; the rules in template.yaml keep them out, and if one gets here it ends here.
    fn read(&self, body: &str) -> Result<Subject<ImageId, Evidence>, EventError> {
        let (image, tag, evidence) = match Event::parse(body)? {
            Event::ImageAction(action) => {
                (action.image.clone(), action.tag.clone(), Evidence::Action(action))
            }
            Event::PutImage(put) => (put.image.clone(), put.tag.clone(), Evidence::Put(put)),
            Event::Finding(_) | Event::Scan(_) | Event::Due(_) => {
                return Ok(Subject::NotOurs("not a push".to_owned()));
            }
            Event::Deletion(_) => {
                return Ok(Subject::NotOurs("ECR's own events say what was deleted".to_owned()));
            }
            Event::StorageChange(change) if change.class == StorageClass::Standard => {
                (change.image, None, Evidence::Restored { at: change.at })
            }
            Event::StorageChange(_) => {
                return Ok(Subject::NotOurs("what is archived is known already".to_owned()));
            }
            Event::Foreign(Foreign(reason)) => return Ok(Subject::NotOurs(reason)),
        };
        if tag.is_some_and(|tag| is_quarantine_tag(&tag)) {
            return Ok(Subject::NotOurs("our own quarantine tag".to_owned()));
        }
        Ok(match self.scope.check(&image) {
            Ok(()) => Subject::About(image, evidence),
            Err(reason) => Subject::NotOurs(reason.to_string()),
        })
    }

    /// What an index contains; `None` where the registry does not have it any more.
    async fn contents(&self, index: &Ledger) -> Result<Option<Contents>, PushError> {
        let Some(manifest) = self.registry.manifest(&index.image).await? else { return Ok(None) };
        let read = Contents::read(&manifest.text);
        read.map(Some).map_err(|source| PushError::Manifest { image: Box::new(index.image.clone()), source })
    }

    /// Stores what is learnt of an image, and reads the manifest of an index that is new. What it contains is told so
    /// after it is stored ([`Outbox::empty`]): an index that is deleted meanwhile must know whom it has told.
    async fn record(&self, image: &ImageId, evidence: &[Evidence]) -> Result<(), PushError> {
        let mut unread = None;
        self.outbox
            .update(image, async |ledger: &mut Ledger| {
                let changed =
                    evidence.iter().fold(false, |changed, piece| ledger.merge(piece.clone()) | changed);
                if !needs_contents(&ledger.facts) {
                    return Ok::<_, PushError>(changed);
                }
                match self.contents(ledger).await {
                    Ok(Some(contents)) => Ok(ledger.merge(Evidence::Contents(contents)) | changed),
                    Ok(None) => Ok(changed),
                    // What is known of the push is stored all the same, and why its contents are not.
                    Err(error) => {
                        let noted = unread::reason(&error).is_some_and(|reason| {
                            let at = ledger.facts.present_at.or(ledger.facts.pushed_at).unwrap_or_default();
                            ledger.merge(Evidence::Unread { at, reason })
                        });
                        unread = Some(error).filter(|error| unread::is_to_be_tried_again(error, evidence));
                        Ok(changed | noted)
                    }
                }
            })
            .await?;
        unread.map_or(Ok(()), Err)
    }
}

/// Whether the manifest of an index has to be read.
fn needs_contents(facts: &Facts) -> bool {
    facts.is_index() && facts.contents.is_none() && !facts.is_gone()
}
