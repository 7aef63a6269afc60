//! Merges findings into the image's ledger, enriches them, applies the policy, announces what changed.

mod adoption;
mod belonging;
mod draft;
mod enrich;
mod error;
mod exploitation;
mod gather;
mod label;
mod prompt;
mod question;
mod root;
mod scan;
mod unscanned;
mod update;

use aws::dynamodb::{Enforcement, Ledgers, Vulnerabilities};
use aws::ecr::{Blobs, Registry};
use aws::eventbridge::Announcements;
use aws::inspector::{self, Inspector};
use aws::sqs::Queue;
use aws::tagging::Tagging;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::event::{Event, EventError, Foreign};
use domain::image::ImageId;
use domain::policy::{Fingerprint, Policy};
use domain::provenance::TagKeys;
use lambda::batch::{self, Report, Subject};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::outbox::Outbox;
use lambda::scope::Scope;

pub use error::AssessError;

use belonging::Repositories;
use label::ImageLabels;

/// The function and its clients.
#[derive(Debug)]
pub struct AssessImage {
    pub(crate) ledgers: Ledgers,
    pub(crate) outbox: Outbox,
    /// What quarantine did to images.
    pub(crate) enforcement: Enforcement,
    pub(crate) vulnerabilities: Vulnerabilities,
    pub(crate) inspector: Inspector,
    pub(crate) registry: Registry,
    pub(crate) labels: ImageLabels,
    /// Absent where no tag is to be read.
    pub(crate) repositories: Option<Repositories>,
    pub(crate) announcements: Announcements,
    pub(crate) policy: Policy,
    pub(crate) fingerprint: Fingerprint,
    /// Who deployed the policy, where the deployment says so.
    pub(crate) deployed_by: Option<String>,
    pub(crate) clock: Clock,
    queue: Queue,
    /// The other queues that feed it.
    others: [Queue; 2],
    scope: Scope,
}

impl AssessImage {
    /// Reads `TABLE_NAME`, `GONE_RETENTION_DAYS` (default 400), `EVENT_BUS_NAME`, `POLICY_FILE`, `QUEUE_URL`,
    /// `ROOTS_QUEUE_URL`, `DUE_QUEUE_URL`, `QUARANTINE_ADOPTED` (default `false`), `DEPLOYED_BY` (optional: who deployed the policy),
    /// `PARTITION` (optional: where ARNs are, such as `aws-cn`), `OWNER_TAG_KEY`,
    /// `ENVIRONMENT_TAG_KEY` and `CRITICALITY_TAG_KEY` (optional: of the tags of repositories) and what [`Scope::new`] reads.
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let file = environment.required("POLICY_FILE")?;
        let refuse = |reason: String| EnvironmentError { name: "POLICY_FILE", reason };
        let text = std::fs::read_to_string(&file).map_err(|error| refuse(format!("{file}: {error}")))?;
        let policy = Policy::read_deployed(&text, &file).map_err(|error| refuse(error.to_string()))?;
        let policy = policy.quarantining_adopted(environment.parsed("QUARANTINE_ADOPTED")?);
        let table = environment.required("TABLE_NAME")?;
        let tables = aws_sdk_dynamodb::Client::new(config);
        let ledgers = Ledgers::new(tables.clone(), table.clone())
            .expiring_after(environment.parsed("GONE_RETENTION_DAYS")?);
        let sqs = aws_sdk_sqs::Client::new(config);
        let partition = environment.optional("PARTITION");
        let keys = TagKeys {
            owner: environment.optional("OWNER_TAG_KEY"),
            environment: environment.optional("ENVIRONMENT_TAG_KEY"),
            criticality: environment.optional("CRITICALITY_TAG_KEY"),
        };
        let repositories = keys.any().then(|| {
            let client = aws_sdk_resourcegroupstagging::Client::new(config);
            Repositories::new(Tagging::new(client, keys), partition.clone())
        });
        let ecr = aws_sdk_ecr::Client::new(config);
        let registry = Registry::new(ecr.clone());
        let roots = Queue::new(sqs.clone(), environment.required("ROOTS_QUEUE_URL")?);
        Ok(Self {
            others: [roots.clone(), Queue::new(sqs.clone(), environment.required("DUE_QUEUE_URL")?)],
            outbox: Outbox::new(ledgers.clone(), roots),
            ledgers,
            enforcement: Enforcement::new(tables.clone(), table.clone()),
            vulnerabilities: Vulnerabilities::new(tables, table),
            inspector: Inspector::new(inspector::client(config), partition),
            repositories,
            labels: ImageLabels::new(registry.clone(), Blobs::new(ecr)),
            registry,
            announcements: Announcements::new(
                aws_sdk_eventbridge::Client::new(config),
                environment.required("EVENT_BUS_NAME")?,
            ),
            fingerprint: policy.fingerprint(),
            deployed_by: environment.optional("DEPLOYED_BY"),
            policy,
            clock,
            queue: Queue::new(sqs, environment.required("QUEUE_URL")?),
            scope: Scope::new(environment)?,
        })
    }

    /// Handles a batch: one update an image, whatever the number of its messages. Images for which no time is
    /// left, and scans whose findings cannot be listed yet, are deferred.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        let read = |body: &str| self.read(body);
        let queue = self.queue_of(&event).clone();
        batch::by_subject(event, deadline, &queue, read, async |image, received| {
            let (messages, events) = batch::split(received);
            match Box::pin(self.update(&image, &events)).await {
                Ok(unfinished) => unfinished.report(messages, &events),
                Err(error) => Report::of(messages, Err(error)),
            }
        })
        .await
    }

    /// The queue from which a batch is, to which what is deferred goes back.
    fn queue_of(&self, event: &SqsEvent) -> &Queue {
        let from = event.records.first().and_then(|record| record.event_source_arn.as_deref());
        let is_it = |queue: &&Queue| from.is_some_and(|arn| queue.is(arn));
        self.others.iter().find(is_it).unwrap_or(&self.queue)
    }

    /// The image that an event has findings of, or why it is none of ours.
    fn read(&self, body: &str) -> Result<Subject<ImageId, Event>, EventError> {
        let event = Event::parse(body)?;
        let image = match &event {
            Event::Finding(report) => &report.image,
            Event::Scan(report) => &report.image,
            Event::Coverage(report) => &report.image,
            Event::Due(due) => &due.image,
            Event::ImageAction(_) | Event::PutImage(_) => {
                return Ok(Subject::NotOurs("a push is not evidence of findings".to_owned()));
            }
            Event::Deletion(_) | Event::StorageChange(_) => {
                return Ok(Subject::NotOurs("a change in the registry is not a finding".to_owned()));
            }
            Event::Foreign(Foreign(reason)) => return Ok(Subject::NotOurs(reason.clone())),
        };
        Ok(match self.scope.check(image) {
            Ok(()) => {
                if let Some(repositories) = &self.repositories {
                    repositories.expect(image);
                }
                Subject::About(image.clone(), event)
            }
            Err(reason) => Subject::NotOurs(reason.to_string()),
        })
    }
}
