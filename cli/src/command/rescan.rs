//! `ecr-warden rescan IMAGE`: has an image scanned again that the quarantine holds archived.

use std::error::Error;
use std::io::Write;

use aws::sqs::DelayedMessage;
use domain::image::ImageId;
use domain::quarantine::{self, Note};
use jiff::Timestamp;

use super::deployment;

/// Amazon Inspector does not scan what is archived. This asks enforce-quarantine to take those tags off the image that
/// cannot move, and to restore it, which takes up to 20 minutes. Until it is scanned, it can be pulled by its digest, and by
/// tags that can move, of which an alert names each. When a scan has ended, the image is released, or archived again for at
/// least 90 days of storage. If no scan ends, it stays restored, with its quarantine tag on.
///
/// Who asked for it and why is in the history of the image. It needs `dynamodb:GetItem` and `dynamodb:PutItem` on the table,
/// and `sqs:GetQueueUrl` and `sqs:SendMessage` on the queue of enforce-quarantine.
#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// The image, as `<account>/<region>/<repository>@<digest>`; of an image for several platforms, the index.
    image: ImageId,
    #[command(flatten)]
    deployment: deployment::Arguments,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let Arguments { image, deployment } = arguments;
    let deployment::Deployment { memory, queue } = deployment.connect().await?;
    let note = Note::Rescan { by: deployment.by(), why: deployment.why.clone() };
    let mut notes = memory.notes(image).await?;
    let now = Timestamp::now();
    if notes.value.take(note, now) {
        memory.store_notes(image, &mut notes, now).await?;
    } else if !notes.value.is_rescanned() {
        return Err(format!("image `{image}` is not archived by its quarantine: nothing was done").into());
    }
    // Also where the note was there already: then its message may not have been sent.
    queue.send_all(vec![DelayedMessage::now(quarantine::due(image))]).await?;
    writeln!(
        out,
        "requested: the image will be restored within about 20 minutes, scanned, and then released or archived again"
    )?;
    Ok(())
}
