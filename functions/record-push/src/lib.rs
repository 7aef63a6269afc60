//! Records who pushed what: the tags, when, the media type and the pusher; and of an index which images it contains.

mod index;

use std::collections::BTreeSet;

use aws::AwsError;
use aws::dynamodb::{Change, LedgerError, Ledgers, StoredLedger};
use aws::ecr::Registry;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::event::{Event, EventError, Foreign};
use domain::image::{Digest, ImageId};
use domain::ledger::{Evidence, Facts, Ledger};
use domain::manifest::ManifestError;
use domain::quarantine::is_quarantine_tag;
use domain::verdict::Verdict;
use lambda::batch::{self, Report, Retry, Retryable, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::outbox::Outbox;
use lambda::scope::Scope;
use thiserror::Error;

/// The function and its clients.
#[derive(Debug)]
pub struct RecordPush {
    ledgers: Ledgers,
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
            Self::Aws(error) if error.is_throttled() => Retry::Later,
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
            outbox: Outbox::new(ledgers.clone(), roots),
            ledgers,
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
            Event::StorageChange(_) => {
                return Ok(Subject::NotOurs("a change of the storage class is not a push".to_owned()));
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

    /// Stores what is learnt of an image, and reads the manifest of an index that is new. Its children are linked before
    /// it is stored: an index whose contents are stored needs no second look.
    async fn record(&self, image: &ImageId, evidence: &[Evidence]) -> Result<(), PushError> {
        let mut unread = None;
        self.update(image, async |ledger: &mut Ledger| {
            let changed = evidence.iter().fold(false, |changed, piece| ledger.merge(piece.clone()) | changed);
            if !needs_contents(&ledger.facts) {
                return Ok(changed);
            }
            match self.contents(ledger).await {
                // What is known of the push is stored all the same.
                Err(error) => {
                    unread = Some(error);
                    Ok(changed)
                }
                Ok(None) => Ok(changed),
                Ok(Some(Ok(contents))) => {
                    self.link(ledger, &contents).await?;
                    Ok(ledger.merge(Evidence::Contents(contents)) | changed)
                }
                Ok(Some(Err(source))) => {
                    unread = Some(PushError::Manifest { image: Box::new(image.clone()), source });
                    Ok(changed)
                }
            }
        })
        .await?;
        unread.map_or(Ok(()), Err)
    }

    /// Changes a ledger and sends the images that have to be judged because of that.
    async fn update(
        &self,
        image: &ImageId,
        mut change: impl AsyncFnMut(&mut Ledger) -> Result<bool, PushError>,
    ) -> Result<(), PushError> {
        let stored = self
            .ledgers
            .update(image, async |stored: &mut StoredLedger| {
                if !self.outbox.empty(stored).await? {
                    return Ok(Change::Reload);
                }
                let before = stored.ledger.facts.clone();
                let changed = change(&mut stored.ledger).await?;
                stored.due_images.extend(due(&stored.ledger, &before));
                Ok::<_, PushError>(if changed { Change::Store } else { Change::Nothing })
            })
            .await?;
        if let Some(mut stored) = stored {
            self.outbox.empty(&mut stored).await?;
        }
        Ok(())
    }
}

/// Whether the manifest of an index has to be read.
fn needs_contents(facts: &Facts) -> bool {
    facts.is_index() && facts.contents.is_none() && !facts.is_gone()
}

/// Which images have to be judged after a change: an index of which it became known what it contains, with the indexes
/// that contain it; one that was deleted and is back; an image that became a root, if there is anything to judge; and one that ceased to be a root, if
/// anything was said of it.
fn due(ledger: &Ledger, before: &Facts) -> BTreeSet<Digest> {
    let facts = &ledger.facts;
    let own = || ledger.image.digest.clone();
    let mut due = BTreeSet::new();
    if facts.contents != before.contents {
        due.insert(own());
        due.extend(facts.parents().cloned());
    }
    // No scan follows that would have it judged: its images may not be pushed again.
    let is_back = before.is_gone() && !facts.is_gone();
    if is_back && facts.is_index() {
        due.insert(own());
    }
    let matters = match (before.is_root(), facts.is_root()) {
        (false, true) => facts.is_index() || facts.is_scanned() || facts.has_failed_scan(),
        (true, false) => ledger.announced.verdict != Verdict::Pending || ledger.announced.quarantined,
        (true, true) | (false, false) => false,
    };
    if matters {
        due.insert(own());
    }
    due
}
