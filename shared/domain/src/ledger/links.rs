//! Which indexes contain a manifest: a join of what was learnt of each, the beginning and the end of the link alike.

use jiff::Timestamp;

use super::facts::{Facts, Link};
use crate::image::Digest;
use crate::manifest::ChildKind;

/// How many indexes a ledger remembers. Every rebuild of an unchanged image makes a new one. Of too many, those that are
/// gone are forgotten first, and then the oldest.
pub(crate) const LINKS: usize = 200;

impl Facts {
    /// What an index has to tell those that it contains: since when it is there, or gone.
    pub fn link(&self, kind: ChildKind) -> Link {
        let ended = self.is_gone();
        let at = if ended { self.gone_at } else { self.present_at.or(self.pushed_at) };
        Link { at: at.unwrap_or(Timestamp::UNIX_EPOCH), kind, ended }
    }

    /// The indexes in the registry that contain it as an image or as an index.
    pub fn parents(&self) -> impl Iterator<Item = &Digest> {
        let holds = |link: &Link| link.is_of_an_image() && !link.ended;
        self.contained_in.iter().filter(move |(_, link)| holds(link)).map(|(index, _)| index)
    }

    /// Whether any index in the registry contains it, as whatever.
    pub fn is_contained(&self) -> bool {
        self.contained_in.values().any(|link| !link.ended)
    }

    /// Whether indexes contain it, or did, and none as an image.
    pub(super) fn is_attached(&self) -> bool {
        !self.contained_in.is_empty() && !self.contained_in.values().any(Link::is_of_an_image)
    }

    /// Returns whether that changed anything that is known.
    pub(super) fn merge_link(&mut self, index: &Digest, link: Link) -> bool {
        if let Some(known) = self.contained_in.get_mut(index) {
            let before = std::mem::replace(known, known.join(link));
            return *known != before;
        }
        self.contained_in.insert(index.clone(), link);
        if self.contained_in.len() <= LINKS {
            return true;
        }
        let rank = |(index, link): (&Digest, &Link)| (!link.ended, link.at, index.clone());
        let Some((_, _, least)) = self.contained_in.iter().map(rank).min() else { return true };
        self.contained_in.remove(&least);
        least != *index
    }
}

#[cfg(test)]
mod tests;
