//! What the verbs share that change something in a deployment: where it is, and who changes it and why.

use std::error::Error;

use aws::dynamodb::Enforcement;
use aws::sqs::Queue;
use aws_config::BehaviorVersion;

// The verbs have a group of this name.
#[derive(clap::Args)]
#[group(skip)]
pub(crate) struct Arguments {
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    pub(crate) why: String,
    /// The table of ledgers: the output `LedgerName` of the stack.
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The name of the stack.
    #[arg(long, value_name = "NAME", default_value = "ecr-warden")]
    stack: String,
    /// Who does it; it is recorded. Default is the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// The clients for enforcement in a deployment.
pub(crate) struct Deployment {
    pub(crate) memory: Enforcement,
    /// The queue of enforce-quarantine.
    pub(crate) queue: Queue,
}

impl Arguments {
    pub(crate) fn by(&self) -> String {
        let by = self.by.clone().or_else(|| std::env::var("USER").ok());
        by.unwrap_or_else(|| "unknown".to_owned())
    }

    pub(crate) async fn connect(&self) -> Result<Deployment, Box<dyn Error>> {
        let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
        let memory = Enforcement::new(aws_sdk_dynamodb::Client::new(&config), self.table.clone());
        let name = format!("{}-enforce-quarantine", self.stack);
        let queue = Queue::named(aws_sdk_sqs::Client::new(&config), &name).await?;
        Ok(Deployment { memory, queue })
    }
}
