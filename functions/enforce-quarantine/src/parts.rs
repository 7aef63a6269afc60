//! An index and the images in it. Those are archived with it and restored with it, unless another index needs them; and
//! what was marked before it was known to be a part is released with what it is a part of.

use std::collections::BTreeSet;

use domain::image::{Digest, ImageId};
use domain::ledger::Ledger;
use domain::manifest::{ChildKind, Contents};
use domain::quarantine::{Child, Mode, Note, Notes, Registered, Root, Status, Whole};
use domain::verdict::Verdict;
use futures::stream::{StreamExt, TryStreamExt};
use jiff::Timestamp;

use crate::tampering::Prompt;
use crate::{EnforceQuarantine, QuarantineError, Wanted};

/// How many items are loaded concurrently.
const LOADS_AT_ONCE: usize = 8;
/// How many images an index is followed to, and how many indexes an image. What is beyond counts as in use.
const MOST: usize = 200;

impl EnforceQuarantine {
    /// Adds what archiving an image depends on. Read after the claim is noted: of two indexes that share an image and come
    /// under quarantine at the same time, the one that looks last sees that the other needs it no more.
    pub(crate) async fn relate(
        &self,
        image: &ImageId,
        wanted: &Wanted,
        mode: Mode,
        registered: &mut Registered,
    ) -> Result<(), QuarantineError> {
        if mode == Mode::Archive && wanted.verdict != Verdict::Clear && wanted.part_of.is_none() {
            registered.children = self.children(image, wanted.contents.as_ref()).await?;
            registered.needed_by = self.needed_by(image, &wanted.indexes, registered).await?;
        }
        Ok(())
    }

    /// What an index contains, with whether somebody else needs it; outer indexes before what is in them. Empty for an image
    /// manifest. An index whose contents are not known has none to archive.
    async fn children(
        &self,
        index: &ImageId,
        contents: Option<&Contents>,
    ) -> Result<Vec<Child>, QuarantineError> {
        let parts = self.parts(index, contents).await?;
        let with_use = async |digest: &Digest| {
            let part = self.ledgers.load(&ImageId { digest: digest.clone(), ..index.clone() }).await?.ledger;
            let own = part.facts.is_deployed() && !self.root(&part).await?.is_withdrawn();
            let roots = self.roots_over(&part, |one| *one != index.digest).await?;
            let used_by_others =
                own || roots.as_ref().is_none_or(|roots| roots.iter().any(|root| !root.is_withdrawn()));
            Ok::<_, QuarantineError>(Child { digest: digest.clone(), used_by_others })
        };
        futures::stream::iter(parts.iter().map(with_use)).buffered(LOADS_AT_ONCE).try_collect().await
    }

    /// An index that contains an image and is not archived. ECR archives the image only after it, and those who pull
    /// the index need the image. Only asked for an image that could be archived itself.
    async fn needed_by(
        &self,
        image: &ImageId,
        indexes: &[Digest],
        registered: &Registered,
    ) -> Result<Option<Digest>, QuarantineError> {
        if registered.status != Status::Active {
            return Ok(None);
        }
        for digest in indexes {
            let index = ImageId { digest: digest.clone(), ..image.clone() };
            let found = self.registry.find(&index).await?;
            if found.is_some_and(|found| found.status != Status::Archived) {
                return Ok(Some(index.digest));
            }
        }
        Ok(None)
    }

    /// The images and indexes in an index: each index before what it contains, and images last.
    async fn parts(
        &self,
        index: &ImageId,
        contents: Option<&Contents>,
    ) -> Result<Vec<Digest>, QuarantineError> {
        let (mut parts, mut images): (Vec<Digest>, Vec<Digest>) = Default::default();
        let mut level: Vec<Contents> = contents.cloned().into_iter().collect();
        while let Some(contents) = level.pop() {
            for child in contents.children {
                let known = [&parts, &images].iter().any(|known| known.contains(&child.digest));
                if known || child.digest == index.digest || parts.len() + images.len() == MOST {
                    continue;
                }
                if child.kind == ChildKind::Index {
                    let inner = ImageId { digest: child.digest.clone(), ..index.clone() };
                    level.extend(self.ledgers.load(&inner).await?.ledger.facts.contents);
                    parts.push(child.digest);
                } else if child.kind == ChildKind::Image {
                    images.push(child.digest);
                }
            }
        }
        parts.append(&mut images);
        Ok(parts)
    }

    /// When the newest scan ended of that image of an index whose newest scan is the oldest; only of those that were ever
    /// scanned.
    pub(crate) async fn all_scanned_at(
        &self,
        index: &ImageId,
        contents: Option<&Contents>,
    ) -> Result<Option<Timestamp>, QuarantineError> {
        let parts = self.parts(index, contents).await?;
        let scan = async |digest: Digest| {
            let part = self.ledgers.load(&ImageId { digest, ..index.clone() }).await?.ledger;
            Ok::<_, QuarantineError>(part.facts.newest_scan().map(|(at, _)| at))
        };
        let loads = futures::stream::iter(parts.into_iter().map(scan)).buffer_unordered(LOADS_AT_ONCE);
        let scans: Vec<Option<Timestamp>> = loads.try_collect().await?;
        Ok(scans.into_iter().flatten().min())
    }

    /// What became of what an image is a part of.
    pub(crate) async fn whole(&self, part: &Ledger) -> Result<Whole, QuarantineError> {
        let roots = self.roots_over(part, |_| true).await?;
        Ok(roots.map_or(Whole::Pulled, |roots| Whole::of(&roots)))
    }

    /// The roots in the registry that contain an image; `None` where these are too many to be followed.
    async fn roots_over(
        &self,
        part: &Ledger,
        counts: impl Fn(&Digest) -> bool,
    ) -> Result<Option<Vec<Root>>, QuarantineError> {
        let mut roots = Vec::new();
        let mut known: BTreeSet<Digest> = [part.image.digest.clone()].into();
        let mut level: Vec<Digest> = part.facts.parents().cloned().collect();
        while !level.is_empty() {
            level.retain(|digest| counts(digest) && known.insert(digest.clone()));
            if known.len() > MOST {
                return Ok(None);
            }
            let load = async |digest: Digest| {
                let ledger = self.ledgers.load(&ImageId { digest, ..part.image.clone() }).await?.ledger;
                let is_root = ledger.facts.is_root() && !ledger.facts.is_gone();
                let root = if is_root { Some(self.root(&ledger).await?) } else { None };
                Ok::<_, QuarantineError>((ledger, root))
            };
            let loads = futures::stream::iter(level.drain(..).map(load)).buffer_unordered(LOADS_AT_ONCE);
            let loaded: Vec<(Ledger, Option<Root>)> = loads.try_collect().await?;
            for (ledger, root) in loaded {
                if !ledger.facts.is_gone() {
                    level.extend(ledger.facts.parents().cloned());
                }
                roots.extend(root);
            }
        }
        Ok(Some(roots))
    }

    async fn root(&self, ledger: &Ledger) -> Result<Root, QuarantineError> {
        let verdict = ledger.announced.enforced();
        let notes = match verdict {
            Verdict::Quarantine => self.memory.notes(&ledger.image).await?.value,
            _ => Notes::default(),
        };
        Ok(Root { verdict, is_archived: notes.mode() == Some(Mode::Archive) })
    }

    /// Looks at those images in an index to which quarantine has done something: the index may need them now, or have
    /// become clear.
    pub(crate) async fn settle_parts(
        &self,
        index: &ImageId,
        contents: Option<&Contents>,
    ) -> Result<(), QuarantineError> {
        let parts = self.parts(index, contents).await?;
        let load = async |digest: Digest| {
            let part = ImageId { digest, ..index.clone() };
            let notes = self.memory.notes(&part).await?.value;
            Ok::<_, QuarantineError>((notes != Notes::default()).then_some(part))
        };
        let loads = futures::stream::iter(parts.into_iter().map(load)).buffer_unordered(LOADS_AT_ONCE);
        let noted: Vec<Option<ImageId>> = loads.try_collect().await?;
        let mut waits = None;
        for part in noted.into_iter().flatten() {
            match Box::pin(self.settle(&part, Prompt::default())).await {
                Ok(_) => {}
                // The others need not wait for it.
                Err(error @ QuarantineError::Restoring(_)) => waits = Some(error),
                Err(error) => return Err(error),
            }
        }
        waits.map_or(Ok(()), Err)
    }

    /// Notes in an image's own notes what is about to be done to it as a part of another one.
    pub(crate) async fn note_part(&self, part: &ImageId, note: Note) -> Result<(), QuarantineError> {
        let mut notes = self.memory.notes(part).await?;
        self.note(part, &mut notes, note).await
    }
}
