//! Looks at what the clock changes and what no event brought. It judges nothing.

mod message;

use std::collections::BTreeMap;

use aws::AwsError;
use aws::cloudwatch::{Metric, Metrics};
use aws::sqs::Queue;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use aws_sdk_cloudwatch::types::StandardUnit;
use lambda::batch::{self, Report};
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};

pub use message::MessageError;

use message::Wake;

/// The function and its clients.
#[derive(Debug)]
pub struct Sweep {
    metrics: Metrics,
    queue: Queue,
    clock: Clock,
}

impl Sweep {
    /// Reads `METRIC_NAMESPACE` and `QUEUE_URL`.
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let cloudwatch = aws_sdk_cloudwatch::Client::new(config);
        let sqs = aws_sdk_sqs::Client::new(config);
        Ok(Self {
            metrics: Metrics::new(cloudwatch, environment.required("METRIC_NAMESPACE")?),
            queue: Queue::new(sqs, environment.required("QUEUE_URL")?),
            clock,
        })
    }

    /// Handles a batch, which is one message.
    pub async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
        batch::by_subject(event, deadline, &self.queue, message::read, async |wake, received| {
            let (messages, _) = batch::split(received);
            Report::of(messages, self.sweep(wake).await)
        })
        .await
    }

    /// Counts the run. That it was counted is what the alarm on missing sweeps waits for, so a run that cannot say so has
    /// failed.
    async fn sweep(&self, wake: Wake) -> Result<(), AwsError> {
        tracing::info!(?wake, "swept");
        let sweeps = Metric {
            name: "Sweeps",
            unit: StandardUnit::Count,
            dimensions: BTreeMap::new(),
            values: vec![(1.0, 1.0)],
        };
        self.metrics.publish(&[sweeps], self.clock.now()).await
    }
}
