//! `ecr-warden rescan IMAGE`: has an image scanned again that the quarantine holds archived.

use std::error::Error;
use std::io::Write;

use aws::dynamodb::Enforcement;
use aws::sqs::{DelayedMessage, Queue};
use aws_config::BehaviorVersion;
use domain::image::ImageId;
use domain::quarantine::{self, Note, Storage};
use jiff::Timestamp;

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
    /// Why; it is recorded.
    #[arg(long, value_name = "TEXT")]
    why: String,
    /// The table of ledgers: the output `LedgerName` of the stack.
    #[arg(long, value_name = "NAME")]
    table: String,
    /// The name of the stack.
    #[arg(long, value_name = "NAME", default_value = "ecr-warden")]
    stack: String,
    /// Who asks; it is recorded. Default is the name of the user.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

pub(crate) async fn run(arguments: &Arguments, out: &mut impl Write) -> Result<(), Box<dyn Error>> {
    let config = aws_config::load_defaults(BehaviorVersion::latest()).await;
    let memory = Enforcement::new(aws_sdk_dynamodb::Client::new(&config), arguments.table.clone());
    let name = format!("{}-enforce-quarantine", arguments.stack);
    let queue = Queue::named(aws_sdk_sqs::Client::new(&config), &name).await?;
    let by = arguments.by.clone().or_else(|| std::env::var("USER").ok());
    let note = Note::Rescan { by: by.unwrap_or_else(|| "unknown".to_owned()), why: arguments.why.clone() };
    let mut notes = memory.notes(&arguments.image).await?;
    let now = Timestamp::now();
    if notes.value.take(note, now) {
        memory.store_notes(&arguments.image, &mut notes, now).await?;
    } else if !matches!(notes.value.storage, Some(Storage::Rescanning { .. })) {
        return Err(format!(
            "image `{}` is not archived by its quarantine: nothing was done",
            arguments.image
        )
        .into());
    }
    // Also where the note was there already: then its message may not have been sent.
    queue.send_all(vec![DelayedMessage::now(quarantine::due(&arguments.image))]).await?;
    writeln!(
        out,
        "asked for: the image is restored within about 20 minutes, scanned, and then released or archived again"
    )?;
    Ok(())
}
