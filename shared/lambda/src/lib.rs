//! What all functions share: how they start, what they read from their environment, and how they handle a batch.

pub mod batch;
pub mod clock;
pub mod deadline;
mod deferral;
pub mod environment;
pub mod inbox;
mod lineage;
pub mod optional;
pub mod outbox;
pub mod scope;

use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, service_fn};

use batch::Report;
use deadline::Deadline;

/// Logs JSON to standard output, at the level in `AWS_LAMBDA_LOG_LEVEL`, or else in `RUST_LOG`.
pub fn log() {
    lambda_runtime::tracing::init_default_subscriber();
}

/// Runs a function until Lambda stops it.
pub async fn run<F>(handle: impl Fn(SqsEvent, Deadline) -> F) -> Result<(), Error>
where
    F: Future<Output = Report>,
{
    let handle = &handle;
    lambda_runtime::run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        handle(event.payload, Deadline::of(&event.context)).await.into_response()
    }))
    .await
}
