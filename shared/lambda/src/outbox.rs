//! Images that have to be judged because a ledger changed: they are stored with it, sent to the queue, and then marked
//! as told. Whoever loads a ledger with such images sends them first, so a crash between any two steps is healed by the
//! retry. An index that has news for what it contains is among its own due images, and tells it before they are sent.

use aws::AwsError;
use aws::dynamodb::{LedgerError, Ledgers, StoredLedger};
use aws::sqs::{DelayedMessage, Queue};
use domain::event::ImageDue;
use domain::image::{Digest, ImageId};

/// Where images that have to be judged are sent.
#[derive(Debug, Clone)]
pub struct Outbox {
    pub(crate) ledgers: Ledgers,
    queue: Queue,
}

impl Outbox {
    pub fn new(ledgers: Ledgers, queue: Queue) -> Self {
        Self { ledgers, queue }
    }

    /// Sends what a stored ledger makes due, if anything. Returns whether the ledger is still the one that is stored.
    pub async fn empty(&self, stored: &mut StoredLedger) -> Result<bool, LedgerError> {
        if stored.due_images.is_empty() {
            return Ok(true);
        }
        if stored.due_images.contains(&stored.ledger.image.digest) {
            // An index may contain indexes, which have children of their own to tell.
            Box::pin(self.tell_children(&stored.ledger)).await?;
        }
        self.send(&stored.ledger.image, &stored.due_images).await?;
        self.ledgers.mark_told(stored).await
    }

    /// Sends images of the same repository. One that is sent twice costs reads only.
    pub async fn send<'a>(
        &self,
        repository: &ImageId,
        digests: impl IntoIterator<Item = &'a Digest>,
    ) -> Result<(), AwsError> {
        let message = |digest: &Digest| {
            let image = ImageId { digest: digest.clone(), ..repository.clone() };
            DelayedMessage::now(ImageDue::new(image).message())
        };
        self.queue.send_all(digests.into_iter().map(message).collect()).await
    }
}
