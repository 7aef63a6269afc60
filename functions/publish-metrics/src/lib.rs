//! Aggregates a batch of assessments into one `PutMetricData`.

mod aggregate;

use std::time::Duration;

use aws::cloudwatch::Metrics;
use aws::dynamodb::Claims;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use domain::assessment::Assessment;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use lambda::inbox::Inbox;

pub use aggregate::{DimensionName, aggregate};

/// The namespace of all our metrics; the function's IAM policy allows no other.
pub const NAMESPACE: &str = "EcrWarden";
/// Longer than the function's timeout, shorter than its queue's visibility timeout.
const LEASE: Duration = Duration::from_mins(2);

/// The function and its clients.
#[derive(Debug)]
pub struct PublishMetrics {
    inbox: Inbox,
    metrics: Metrics,
    dimensions: Vec<DimensionName>,
    clock: Clock,
}

impl PublishMetrics {
    /// Reads `TABLE_NAME` and `METRIC_DIMENSIONS` (default `severity`).
    pub fn new(
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Result<Self, EnvironmentError> {
        let names = environment.optional("METRIC_DIMENSIONS").unwrap_or_else(|| "severity".to_owned());
        let dimensions = names
            .split(',')
            .map(|name| name.trim().parse())
            .collect::<Result<_, _>>()
            .map_err(|reason| EnvironmentError { name: "METRIC_DIMENSIONS", reason })?;
        let client = aws_sdk_dynamodb::Client::new(config);
        let claims = Claims::new(client, environment.required("TABLE_NAME")?, "publish-metrics", LEASE);
        Ok(Self {
            inbox: Inbox::new(claims, clock.clone()),
            metrics: Metrics::new(aws_sdk_cloudwatch::Client::new(config), NAMESPACE.to_owned()),
            dimensions,
            clock,
        })
    }

    /// Handles a batch: one call to CloudWatch for all of it. It is too short for its deadline to matter.
    pub async fn handle(&self, event: SqsEvent, _: Deadline) -> Report {
        let mut report = Report::default();
        let batch = self.inbox.claim(event, &mut report).await;
        if batch.is_empty() {
            return report;
        }
        let assessments: Vec<&Assessment> = batch.iter().map(|claimed| &claimed.assessment).collect();
        let metrics = aggregate(&assessments, &self.dimensions);
        let published = self.metrics.publish(&metrics, self.clock.now()).await;
        self.inbox.conclude(batch, published, &mut report).await;
        report
    }
}
