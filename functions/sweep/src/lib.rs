//! Looks at what the clock changes and what no event brought. It judges nothing.
//!
//! A run does its tasks in steps. After each step what it remembers is stored, and no step is begun that there is no time
//! or no room for: then the run sends itself a message and goes on later.

mod due;
mod error;
mod gauges;
mod message;
mod policy;
mod run;

use aws::cloudwatch::Metrics;
use aws::dynamodb::{Ledgers, SweepMemory};
use aws::eventbridge::Announcements;
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::policy::{Fingerprint, Policy};
use lambda::batch::{self, Report};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};

pub use error::SweepError;
pub use message::MessageError;

/// The function and its clients.
#[derive(Debug)]
pub struct Sweep {
    memory: SweepMemory,
    ledgers: Ledgers,
    /// Where images go that have to be judged.
    assess: Queue,
    announcements: Announcements,
    metrics: Metrics,
    queue: Queue,
    clock: Clock,
    policy: Fingerprint,
    /// Who deployed the policy, where the deployment says so.
    deployed_by: Option<String>,
    included: String,
    excluded: String,
}

impl Sweep {
    /// Reads `TABLE_NAME`, `EVENT_BUS_NAME`, `POLICY_FILE`, `METRIC_NAMESPACE`, `QUEUE_URL`, `ASSESS_QUEUE_URL`, and
    /// with defaults `QUARANTINE_ADOPTED` (`false`), `DEPLOYED_BY`, `REPOSITORIES_INCLUDED` and `REPOSITORIES_EXCLUDED`
    /// (all optional).
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
            assess: Queue::new(sqs.clone(), environment.required("ASSESS_QUEUE_URL")?),
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
            deployed_by: environment.optional("DEPLOYED_BY"),
            included: environment.optional("REPOSITORIES_INCLUDED").unwrap_or_default(),
            excluded: environment.optional("REPOSITORIES_EXCLUDED").unwrap_or_default(),
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
