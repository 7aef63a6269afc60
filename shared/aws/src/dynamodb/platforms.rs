//! The images that an index contains, directly or in an index of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::assessment::{Platform, Subject};
use domain::image::{Digest, ImageId};
use domain::ledger::Ledger;
use domain::manifest::{Child, ChildKind, Contents};

use super::batch::Batches;
use super::error::LedgerError;
use super::item;
use super::key::{Item, key};
use super::ledgers::Ledgers;
use super::rows::Entries;

/// How many times what DynamoDB left undone is asked for again: three seconds.
const REPETITIONS: u32 = 6;
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
            let room = MOST.saturating_sub(images.len());
            found.is_complete &= children.len() <= room;
            for (child, ledger) in self.of_children(&ledger.image, children.into_iter().take(room)).await? {
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

    /// The ledgers of images, which may be any; those that are not stored are left out. One call reads a hundred, or 16 MB.
    pub async fn known(&self, images: &[ImageId]) -> Result<Entries<Ledger>, LedgerError> {
        let keys: BTreeMap<String, &ImageId> = images.iter().map(|image| (key(image), image)).collect();
        let mut items: Vec<Item> = Vec::new();
        let batches = Batches { client: &self.client, table: &self.table, repetitions: REPETITIONS };
        batches.get("id", keys.keys().cloned().collect(), false, |page| items.extend(page)).await?;
        let image = |item: &Item| keys.get(item.get("id")?.as_s().ok()?).copied();
        let mut known = Entries::default();
        for (image, item) in items.iter().filter_map(|item| Some((image(item)?, item))) {
            known.add(item::read(image, item).map(|stored| stored.ledger));
        }
        Ok(known)
    }

    /// The ledgers of images of one repository, new ones where none are stored. One call reads a hundred, or 16 MB.
    async fn of_children(
        &self,
        repository: &ImageId,
        children: impl Iterator<Item = Child>,
    ) -> Result<Vec<(Child, Ledger)>, LedgerError> {
        let image = |child: &Child| ImageId { digest: child.digest.clone(), ..repository.clone() };
        let children: Vec<(Child, ImageId)> = children.map(|child| (child.clone(), image(&child))).collect();
        let mut items: HashMap<String, Item> = HashMap::new();
        let batches = Batches { client: &self.client, table: &self.table, repetitions: REPETITIONS };
        let keys = children.iter().map(|(_, image)| key(image)).collect();
        let keyed = |item: Item| Some((item.get("id")?.as_s().ok()?.clone(), item));
        batches.get("id", keys, true, |page| items.extend(page.into_iter().filter_map(keyed))).await?;
        let read = |(child, image): (Child, ImageId)| {
            let ledger = match items.get(&key(&image)) {
                Some(item) => item::read(&image, item)?.ledger,
                None => Ledger::new(image),
            };
            Ok((child, ledger))
        };
        children.into_iter().map(read).collect()
    }
}
