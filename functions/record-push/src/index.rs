//! Linking an index with what it contains.

use domain::image::ImageId;
use domain::ledger::{Evidence, Ledger, Link};
use domain::manifest::{Child, Contents, ManifestError};
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::{PushError, RecordPush};

/// How many children are linked concurrently.
const LINKS_AT_ONCE: usize = 8;

impl RecordPush {
    /// What an index contains; `None` where the registry does not have it any more.
    pub(crate) async fn contents(
        &self,
        index: &Ledger,
    ) -> Result<Option<Result<Contents, ManifestError>>, PushError> {
        let manifest = self.registry.manifest(&index.image).await?;
        Ok(manifest.map(|manifest| Contents::read(&manifest.text)))
    }

    /// Tells each child's ledger that the index contains it.
    pub(crate) async fn link(&self, index: &Ledger, contents: &Contents) -> Result<(), PushError> {
        let at = index.facts.pushed_at.unwrap_or(Timestamp::UNIX_EPOCH);
        let link = async |child: &Child| {
            let image = ImageId { digest: child.digest.clone(), ..index.image.clone() };
            let link = Link { at, kind: child.kind };
            let contained = Evidence::ContainedIn { index: index.image.digest.clone(), link };
            self.update(&image, async |ledger: &mut Ledger| Ok(ledger.merge(contained.clone()))).await
        };
        futures::stream::iter(contents.children.iter().map(link))
            .buffer_unordered(LINKS_AT_ONCE)
            .try_collect::<()>()
            .await
    }
}
