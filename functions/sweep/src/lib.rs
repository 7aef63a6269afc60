//! Looks at what the clock changes and what no event brought. It judges nothing.
//!
//! A run does its tasks in steps. After each step what it remembers is stored, and no step is begun that there is no time
//! or no room for: then the run sends itself a message and goes on later.

mod adoption;
mod changes;
mod due;
mod error;
mod gauges;
mod message;
mod policy;
mod registry;
mod run;

use aws::cloudwatch::Metrics;
use aws::dynamodb::{Ledgers, SweepMemory};
use aws::ecr::Registry;
use aws::eventbridge::Announcements;
use aws::inspector::{self, Inspector};
use aws::sns::Topic;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::policy::{Fingerprint, Policy};
use domain::quarantine::Mode;
use lambda::batch::{self, Report};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::scope::Scope;

pub use error::SweepError;
pub use message::MessageError;

/// The function and its clients.
#[derive(Debug)]
pub struct Sweep {
    memory: SweepMemory,
    ledgers: Ledgers,
    inspector: Inspector,
    registry: Registry,
    /// Where images go that have to be judged, and where they wait when that is put off.
    assess: Queue,
    images: Queue,
    /// Where indexes go that have to be read.
    push: Queue,
    /// Where images go whose quarantine tag is not as it should be.
    quarantine: Queue,
    announcements: Announcements,
    metrics: Metrics,
    queue: Queue,
    clock: Clock,
    rules: Policy,
    policy: Fingerprint,
    topic: Topic,
    /// Who deployed the policy, where the deployment says so.
    deployed_by: Option<String>,
    /// Which images are judged.
    scope: Scope,
    included: String,
    excluded: String,
    account: String,
    region: String,
    /// Whether the deployment keeps quarantine tags.
    marks: bool,
}

impl Sweep {
    /// Reads `TABLE_NAME`, `EVENT_BUS_NAME`, `POLICY_FILE`, `METRIC_NAMESPACE`, `ALERTS_TOPIC_ARN`, `ACCOUNT_ID`, `QUEUE_URL` and those of the
    /// queues behind, `ASSESS_QUEUE_URL`, `IMAGES_QUEUE_URL`, `PUSH_QUEUE_URL` and `QUARANTINE_QUEUE_URL`; with defaults
    /// `QUARANTINE_MODE` (`observe`) and `QUARANTINE_ADOPTED` (`false`); and `PARTITION`, `DEPLOYED_BY`,
    /// what [`Scope::new`] reads, which are optional.
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
        let (tables, table) = (aws_sdk_dynamodb::Client::new(config), environment.required("TABLE_NAME")?);
        let sqs = aws_sdk_sqs::Client::new(config);
        Ok(Self {
            memory: SweepMemory::new(tables.clone(), table.clone()),
            ledgers: Ledgers::new(tables, table),
            inspector: Inspector::new(inspector::client(config), environment.optional("PARTITION")),
            registry: Registry::new(aws_sdk_ecr::Client::new(config)),
            assess: Queue::new(sqs.clone(), environment.required("ASSESS_QUEUE_URL")?),
            images: Queue::new(sqs.clone(), environment.required("IMAGES_QUEUE_URL")?),
            push: Queue::new(sqs.clone(), environment.required("PUSH_QUEUE_URL")?),
            quarantine: Queue::new(sqs.clone(), environment.required("QUARANTINE_QUEUE_URL")?),
            announcements: Announcements::new(
                aws_sdk_eventbridge::Client::new(config),
                environment.required("EVENT_BUS_NAME")?,
            ),
            metrics: Metrics::new(
                aws_sdk_cloudwatch::Client::new(config),
                environment.required("METRIC_NAMESPACE")?,
            ),
            queue: Queue::new(sqs, environment.required("QUEUE_URL")?),
            clock,
            policy: policy.fingerprint(),
            rules: policy,
            topic: Topic::new(aws_sdk_sns::Client::new(config), environment.required("ALERTS_TOPIC_ARN")?),
            deployed_by: environment.optional("DEPLOYED_BY"),
            scope: Scope::new(environment)?,
            included: environment.optional("REPOSITORIES_INCLUDED").unwrap_or_default(),
            excluded: environment.optional("REPOSITORIES_EXCLUDED").unwrap_or_default(),
            account: environment.required("ACCOUNT_ID")?,
            region: config.region().map(ToString::to_string).unwrap_or_default(),
            marks: environment.parsed::<Mode>("QUARANTINE_MODE")? != Mode::Observe,
        })
    }

    /// Handles a batch, which is one message.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        batch::by_subject(event, deadline, &self.queue, message::read, async |wake, received| {
            let (messages, _) = batch::split(received);
            Report::of(messages, self.run(wake, deadline).await)
        })
        .await
    }
}
