//! The Lambda function `sweep`.

use aws_config::BehaviorVersion;
use lambda::clock::Clock;
use lambda::environment::Environment;
use lambda_runtime::Error;
use sweep::Sweep;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    lambda::log();
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let function = Sweep::new(&config, &Environment::of_process(), Clock::System)?;
    lambda::run(|event, deadline| function.handle(event, deadline)).await
}
