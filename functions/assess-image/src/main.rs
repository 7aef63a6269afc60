//! The Lambda function `assess-image`.

use assess_image::AssessImage;
use aws_config::BehaviorVersion;
use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use shared::clock::Clock;
use shared::deadline::Deadline;
use shared::environment::{self, Environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let function = AssessImage::new(&config, &Environment::new(&environment::process), Clock::System)?;
    let function = &function;
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        function.handle(event.payload, Deadline::of(&event.context)).await.into_response()
    }))
    .await
}
