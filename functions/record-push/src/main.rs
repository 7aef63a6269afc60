//! The Lambda function `record-push`.

use aws_config::BehaviorVersion;
use aws_lambda_events::event::sqs::SqsEvent;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};
use record_push::RecordPush;
use shared::environment::{self, Environment};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda_runtime::tracing::init_default_subscriber();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let function = RecordPush::new(&config, &Environment::new(&environment::process))?;
    let function = &function;
    run(service_fn(|event: LambdaEvent<SqsEvent>| async move {
        function.handle(event.payload).await.into_response()
    }))
    .await
}
