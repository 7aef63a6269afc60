//! The functions, started as their `main.rs` does it. This is the one list of them outside of template.yaml.

use assess_image::AssessImage;
use aws_config::SdkConfig;
use aws_lambda_events::event::sqs::SqsEvent;
use enforce_quarantine::EnforceQuarantine;
use lambda::batch::Report;
use lambda::clock::Clock;
use lambda::deadline::Deadline;
use lambda::environment::{Environment, EnvironmentError};
use publish_metrics::PublishMetrics;
use raise_alerts::RaiseAlerts;
use record_history::RecordHistory;
use record_push::RecordPush;
use sweep::Sweep;

/// Makes an enum of the functions, each with its name and with what starts it.
macro_rules! functions {
    (($config:ident, $environment:ident, $clock:ident) $($name:literal => $function:ident: $start:expr,)+) => {
        /// A function that has started.
        pub(crate) enum Function {
            $($function(Box<$function>),)+
        }

        impl Function {
            /// Starts a function by its name; `None` where there is none of that name.
            pub(crate) fn start(
                name: &str,
                $config: &SdkConfig,
                $environment: &Environment,
                $clock: Clock,
            ) -> Option<Result<Self, EnvironmentError>> {
                match name {
                    $($name => Some($start.map(|function| Self::$function(Box::new(function)))),)+
                    _ => None,
                }
            }

            /// Handles a batch.
            pub(crate) async fn handle(&self, event: SqsEvent, deadline: Deadline) -> Report {
                match self {
                    $(Self::$function(function) => function.handle(event, deadline).await,)+
                }
            }
        }
    };
}

functions! {
    (config, environment, clock)
    "assess-image" => AssessImage: AssessImage::new(config, environment, clock),
    "enforce-quarantine" => EnforceQuarantine: EnforceQuarantine::new(config, environment, clock),
    "publish-metrics" => PublishMetrics: PublishMetrics::new(config, environment, clock),
    "raise-alerts" => RaiseAlerts: RaiseAlerts::new(config, environment, clock),
    "record-history" => RecordHistory: RecordHistory::new(config, environment),
    "record-push" => RecordPush: RecordPush::new(config, environment),
    "sweep" => Sweep: Sweep::new(config, environment, clock),
}
