//! `ecr-warden resume N`: lets quarantines go on that the hourly limit holds back.

use std::error::Error;
use std::io::Write;

use aws::sqs::DelayedMessage;
use domain::image::ImageId;
use domain::quarantine;
use domain::quarantine::limit::Resumed;
use jiff::Timestamp;

use super::deployment;

/// It records who resumed and why, and sends the images that are held to enforce-quarantine again. Where all of them go
/// on, or none is left, the pause is over. It needs `dynamodb:GetItem` and `dynamodb:PutItem` on the table, and
/// `sqs:GetQueueUrl` and `sqs:SendMessage` on the queue of enforce-quarantine.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// How many images may go on.
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    images: u32,
    #[command(flatten)]
    deployment: deployment::Arguments,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let deployment = &arguments.deployment;
    let deployment::Deployment { memory, queue } = deployment.connect().await?;
    let held = memory.held().await?;
    let mut limit = memory.limit().await?;
    if held.is_empty() && limit.value.pause.is_none() {
        writeln!(out, "no image is held")?;
        return Ok(());
    }
    let resumed = Resumed {
        at: Timestamp::now(),
        by: deployment.by(),
        why: deployment.why.clone(),
        // Where none is left, a person has looked all the same, which ends the pause. Nothing is granted for later.
        images: if held.is_empty() { 0 } else { arguments.images },
    };
    // The images come after what lets them pass. If sending fails, resuming once more grants no more.
    limit.value = limit.value.resume(resumed, held.len());
    memory.store_limit(&mut limit).await?;
    if held.is_empty() {
        writeln!(out, "no image is held any more; the pause is over")?;
        return Ok(());
    }
    let going = held.len().min(usize::try_from(arguments.images).unwrap_or(usize::MAX));
    let images = held.iter().take(going).map(|image| image.parse()).collect::<Result<Vec<ImageId>, _>>()?;
    queue.send_all(images.iter().map(|image| DelayedMessage::now(quarantine::due(image))).collect()).await?;
    let left = held.len() - going;
    writeln!(out, "{going} of {} images go on; {left} are still held", held.len())?;
    Ok(())
}
