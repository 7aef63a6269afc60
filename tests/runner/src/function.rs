//! The real functions, started as their `main.rs` does it.

use assess_image::AssessImage;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use enforce_quarantine::EnforceQuarantine;
use publish_metrics::PublishMetrics;
use raise_alerts::RaiseAlerts;
use record_push::RecordPush;
use shared::clock::Clock;
use shared::deadline::Deadline;
use shared::environment::{Environment, EnvironmentError};
use shared::queue::Report;

/// One of the functions.
pub(crate) enum Function {
    AssessImage(AssessImage),
    EnforceQuarantine(EnforceQuarantine),
    PublishMetrics(PublishMetrics),
    RaiseAlerts(RaiseAlerts),
    RecordPush(RecordPush),
}

impl Function {
    /// Starts a function by its name; `None` where there is none of that name.
    pub(crate) fn start(
        name: &str,
        config: &SdkConfig,
        environment: &Environment,
        clock: Clock,
    ) -> Option<Result<Self, EnvironmentError>> {
        Some(match name {
            "assess-image" => AssessImage::new(config, environment, clock).map(Self::AssessImage),
            "enforce-quarantine" => EnforceQuarantine::new(config, environment).map(Self::EnforceQuarantine),
            "publish-metrics" => PublishMetrics::new(config, environment, clock).map(Self::PublishMetrics),
            "raise-alerts" => RaiseAlerts::new(config, environment, clock).map(Self::RaiseAlerts),
            "record-push" => RecordPush::new(config, environment).map(Self::RecordPush),
            _ => return None,
        })
    }

    /// Handles a batch.
    pub(crate) async fn handle(&self, event: SqsEvent) -> Report {
        match self {
            Self::AssessImage(function) => function.handle(event, Deadline::never()).await,
            Self::EnforceQuarantine(function) => function.handle(event).await,
            Self::PublishMetrics(function) => function.handle(event).await,
            Self::RaiseAlerts(function) => function.handle(event).await,
            Self::RecordPush(function) => function.handle(event).await,
        }
    }
}
