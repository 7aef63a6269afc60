//! Records who pushed what: the tags, when, the media type and the pusher.

use aws::dynamodb::{Change, LedgerError, Ledgers, StoredLedger};
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::event::{Event, EventError, Foreign};
use domain::image::ImageId;
use domain::ledger::Evidence;
use domain::quarantine::is_quarantine_tag;
use lambda::batch::{self, Report, Subject};
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::scope::Scope;

/// The function and its clients.
#[derive(Debug)]
pub struct RecordPush {
    ledgers: Ledgers,
    queue: Queue,
    scope: Scope,
}

impl RecordPush {
    /// Reads `TABLE_NAME`, `GONE_RETENTION_DAYS` (default 400), `QUEUE_URL` and what [`Scope::new`] reads.
    pub fn new(config: &SdkConfig, environment: &Environment) -> Result<Self, EnvironmentError> {
        Ok(Self {
            ledgers: Ledgers::new(aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?)
                .expiring_after(environment.parsed("GONE_RETENTION_DAYS")?),
            queue: Queue::new(aws_sdk_sqs::Client::new(config), environment.required("QUEUE_URL")?),
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let read = |body: &str| self.read(body);
        batch::by_subject(event, deadline, &self.queue, read, async |image, received| {
            let (messages, evidence) = batch::split(received);
            Report::of(messages, self.update(&image, &evidence).await)
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
            Event::Finding(_) | Event::Scan(_) => return Ok(Subject::NotOurs("not a push".to_owned())),
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

    async fn update(&self, image: &ImageId, evidence: &[Evidence]) -> Result<(), LedgerError> {
        let merge = async |StoredLedger { ledger, .. }: &mut StoredLedger| {
            let changed = evidence.iter().fold(false, |changed, piece| ledger.merge(piece.clone()) | changed);
            Ok(if changed { Change::Store } else { Change::Nothing })
        };
        self.ledgers.update(image, merge).await.map(|_| ())
    }
}
