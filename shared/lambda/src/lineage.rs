//! Updates of ledgers that may change which images are roots, and what an index tells those that it contains.

use aws::dynamodb::{Change, LedgerError, StoredLedger};
use domain::image::ImageId;
use domain::ledger::{Evidence, Ledger};
use domain::manifest::Child;
use futures::stream::{StreamExt, TryStreamExt};

use crate::outbox::Outbox;

/// How many children are told concurrently.
const TOLD_AT_ONCE: usize = 8;

impl Outbox {
    /// Changes a ledger. Stores with it which images have to be judged because of that, and sends them.
    pub async fn update<E: From<LedgerError>>(
        &self,
        image: &ImageId,
        mut change: impl AsyncFnMut(&mut Ledger) -> Result<bool, E>,
    ) -> Result<(), E> {
        let stored = self
            .ledgers
            .update(image, async |stored: &mut StoredLedger| {
                if !self.empty(stored).await? {
                    return Ok(Change::Reload);
                }
                let before = stored.ledger.facts.clone();
                let changed = change(&mut stored.ledger).await?;
                stored.due_images.extend(stored.ledger.due_since(&before));
                stored.due = stored.due.or_else(|| stored.ledger.first_look(&before));
                Ok::<_, E>(if changed { Change::Store } else { Change::Nothing })
            })
            .await?;
        if let Some(mut stored) = stored {
            self.empty(&mut stored).await?;
        }
        Ok(())
    }

    /// Tells the ledgers of all that an index contains whether it is there. To tell them again what they know costs reads.
    pub(crate) async fn tell_children(&self, index: &Ledger) -> Result<(), LedgerError> {
        let Some(contents) = &index.facts.contents else { return Ok(()) };
        let tell = async |child: &Child| {
            let image = ImageId { digest: child.digest.clone(), ..index.image.clone() };
            let link = index.facts.link(child.kind);
            let contained = Evidence::ContainedIn { index: index.image.digest.clone(), link };
            self.update(&image, async |ledger: &mut Ledger| {
                Ok::<_, LedgerError>(ledger.merge(contained.clone()))
            })
            .await
        };
        futures::stream::iter(contents.children.iter().map(tell))
            .buffer_unordered(TOLD_AT_ONCE)
            .try_collect::<()>()
            .await
    }
}
