//! The Lambda function `record-history`.

use aws_config::BehaviorVersion;
use lambda::environment::Environment;
use lambda_runtime::Error;
use record_history::RecordHistory;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::log();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let function = RecordHistory::new(&config, &Environment::of_process())?;
    lambda::run(|event, deadline| function.handle(event, deadline)).await
}
