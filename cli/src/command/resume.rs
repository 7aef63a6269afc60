//! `ecr-warden resume N`: lets quarantines go on that the limit of an hour holds back.

use std::error::Error;
use std::io::Write;

use aws::dynamodb::Enforcement;
use aws::sqs::{DelayedMessage, Queue};
use aws_config::BehaviorVersion;
use domain::image::ImageId;
use domain::quarantine;
use domain::quarantine::limit::Resumed;
use jiff::Timestamp;

/// It records who resumed and why, and sends the images that are held to enforce-quarantine again. Where all of them go
/// on, the pause is over. It needs `dynamodb:GetItem` and `dynamodb:PutItem` on the table, and `sqs:GetQueueUrl` and
/// `sqs:SendMessage` on the queue of enforce-quarantine.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many images may go on.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// The table of ledgers: the output `LedgerName` of the stack.
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The name of the stack.
    #[arg(long, value_name = "NAME", default_value = "ecr-warden")]
    stack: String,
    /// Who resumes; it is recorded. Default is the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let memory = Enforcement::new(aws_sdk_dynamodb::Client::new(&config), arguments.table.clone());
    let name = format!("{}-enforce-quarantine", arguments.stack);
    let queue = Queue::named(aws_sdk_sqs::Client::new(&config), &name).await?;
    let held = memory.held().await?;
    if held.is_empty() {
        writeln!(out, "no image is held")?;
        return Ok(());
    }
    let mut limit = memory.limit().await?;
    let resumed = Resumed {
        at: Timestamp::now(),
        by: arguments
            .by
            .clone()
            .or_else(|| std::env::var("USER").ok())
            .unwrap_or_else(|| "unknown".to_owned()),
        why: arguments.why.clone(),
        images: arguments.images,
    };
    // The images come after what lets them pass. If sending fails, resuming once more grants no more.
    limit.value = limit.value.resume(resumed, held.len());
    memory.store_limit(&mut limit).await?;
    let going = held.len().min(usize::try_from(arguments.images).unwrap_or(usize::MAX));
    let images = held.iter().take(going).map(|image| image.parse()).collect::<Result<Vec<ImageId>, _>>()?;
    queue.send_all(images.iter().map(|image| DelayedMessage::now(quarantine::due(image))).collect()).await?;
    let left = held.len() - going;
    writeln!(out, "{going} of {} images go on; {left} are still held", held.len())?;
    Ok(())
}
