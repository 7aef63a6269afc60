//! The images that an index contains, directly or in an index of its own.

use std::collections::BTreeSet;

use domain::assessment::{Platform, Subject};
use domain::image::{Digest, ImageId};
use domain::ledger::Ledger;
use domain::manifest::{Child, ChildKind, Contents};
use futures::stream::{StreamExt, TryStreamExt};

use super::{LedgerError, Ledgers};

/// How many ledgers are loaded concurrently.
const LOADS_AT_ONCE: usize = 8;
/// How deep indexes are followed into one another. Tools that make an index of indexes make two levels.
const DEEPEST: usize = 4;
/// How many images are loaded. The image with the most platforms among Docker's official ones has about a dozen.
const MOST: usize = 200;

/// The ledgers of an index's images.
#[derive(Debug, Clone, Default)]
pub struct Platforms {
    /// Sorted by name.
    pub platforms: Vec<Platform>,
    /// Whether these are all.
    pub is_complete: bool,
}

impl Platforms {
    /// An image with its platforms, to be judged.
    pub fn of<'a>(&'a self, ledger: &'a Ledger) -> Subject<'a> {
        let Self { platforms, is_complete } = self;
        Subject { ledger, platforms, is_complete: *is_complete || !ledger.facts.is_index() }
    }
}

impl Ledgers {
    /// Loads the ledgers of an index's images; of an image manifest none. What is not known of its contents makes the
    /// answer incomplete.
    pub async fn platforms(&self, ledger: &Ledger) -> Result<Platforms, LedgerError> {
        let mut found = Platforms { platforms: Vec::new(), is_complete: true };
        let mut images: Vec<(Child, Ledger)> = Vec::new();
        let mut known: BTreeSet<Digest> = [ledger.image.digest.clone()].into();
        let mut level: Vec<Option<Contents>> =
            if ledger.facts.is_index() { vec![ledger.facts.contents.clone()] } else { Vec::new() };
        for _ in 0..DEEPEST {
            let unknown =
                level.iter().any(|contents| contents.as_ref().is_none_or(|known| known.left_out > 0));
            found.is_complete &= !unknown;
            let children: Vec<Child> = level
                .drain(..)
                .flatten()
                .flat_map(|contents| contents.children)
                .filter(|child| matches!(child.kind, ChildKind::Image | ChildKind::Index))
                .filter(|child| known.insert(child.digest.clone()))
                .collect();
            let load = async |child: Child| {
                let image = ImageId { digest: child.digest.clone(), ..ledger.image.clone() };
                Ok::<_, LedgerError>((child, self.load(&image).await?.ledger))
            };
            let room = MOST.saturating_sub(images.len());
            found.is_complete &= children.len() <= room;
            let loads = children.into_iter().take(room).map(load);
            let loaded: Vec<(Child, Ledger)> =
                futures::stream::iter(loads).buffered(LOADS_AT_ONCE).try_collect().await?;
            for (child, ledger) in loaded {
                // Whatever the index calls it.
                if child.kind == ChildKind::Index || ledger.facts.is_index() {
                    level.push(ledger.facts.contents);
                } else {
                    images.push((child, ledger));
                }
            }
        }
        found.is_complete &= level.is_empty();
        found.platforms = Platform::named(images);
        Ok(found)
    }
}
