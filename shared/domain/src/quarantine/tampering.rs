//! What others do to an image under quarantine: what was seen of it, whether it was undone, and what people are to be
//! told. The registry says *that* the image is not as it was left; events say who did it, minutes later or never.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::notes::Notes;
use super::plan::Step;
use super::registered::{Mutability, Registered, RepositoryKind};
use super::{Mode, is_quarantine_tag, tag};
use crate::image::ImageId;
use crate::provenance::Actor;
use crate::text::sanitize;

/// How long people are not told for the sake of who did it. CloudTrail delivers within five minutes on average.
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/how-cloudtrail-works.html>
pub const WAIT_FOR_ACTOR: SignedDuration = SignedDuration::from_mins(10);
/// How long one alert stands for all tampering with an image.
pub const QUIET: SignedDuration = SignedDuration::from_hours(24);
/// How many principals are remembered; the first of them.
const ACTORS: usize = 5;
/// How many tags are remembered by name.
const TAGS: usize = 50;
/// Events state whole seconds, by another clock than ours.
pub const SKEW: SignedDuration = SignedDuration::from_secs(2);

/// Something that an event says was done to an image, by somebody else or by us.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Sighting {
    pub act: Act,
    pub at: Timestamp,
    /// Who, where the event is a record of CloudTrail.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Actor>,
}

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Our tag was taken off.
    MarkRemoved,
    /// A tag was put on. That restores an archived image.
    Tagged(String),
    /// It was pushed without a tag, which restores an archived image.
    Pushed,
    /// It was restored, or that was asked for.
    Restored,
    /// It was deleted. That is no tampering, but what was archived with it is not needed there any more.
    Deleted,
}

/// What a quarantine rests on while the registry agrees with it. Whatever is found after one of these has changed
/// was not done by others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Basis {
    /// The announcement that put the image under quarantine.
    pub episode: String,
    pub mode: Mode,
    /// On which tags *untag* takes off depends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub untag: Option<(bool, Mutability, RepositoryKind)>,
}

/// When the registry last agreed, as far as we know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Agreed {
    pub basis: Basis,
    pub at: Timestamp,
}

/// What was found changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Found {
    /// Our tag was not on the image any more.
    pub mark_removed: bool,
    /// These tags were on it that are not left on.
    pub tags: BTreeSet<String>,
    /// It was archived, and is not any more.
    pub restored: bool,
}

/// The tampering with an image in one quarantine.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Tampering {
    /// What people were not told yet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsaid: Option<Account>,
    /// What they were told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
}

/// What was found, and what events say of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    /// When it was found first.
    pub since: Timestamp,
    /// When the image was last as it should be, before that.
    pub after: Timestamp,
    pub found: Found,
    /// How often something was found and put right.
    pub times: u64,
    /// Who did it, in the order in which that was learnt.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub actors: Vec<Actor>,
    /// When it was done, as events say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether a message is under way that has it said in time.
    #[serde(default)]
    pub wake: bool,
}

/// An account that people were given.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    pub on: Timestamp,
    #[serde(flatten)]
    pub account: Account,
}

impl Basis {
    pub fn new(episode: &str, mode: Mode, untag_mutable: bool, registered: &Registered) -> Self {
        let untag =
            (mode == Mode::Untag).then(|| (untag_mutable, registered.mutability.clone(), registered.kind));
        Self { episode: episode.to_owned(), mode, untag }
    }
}

/// What others have done to an image, if steps have to be taken to put it right that is as it was left. `None` if
/// nobody did anything, or if that cannot be told from what we did ourselves.
pub fn found(image: &ImageId, notes: &Notes, basis: &Basis, steps: &[Step]) -> Option<Found> {
    let agreed = notes.agreed.as_ref().map(|agreed| &agreed.basis);
    let mark = tag(image);
    let mut found = Found::default();
    for step in steps {
        match step {
            Step::Put(put) if agreed.is_some_and(|agreed| agreed.episode == basis.episode) => {
                found.mark_removed |= *put == mark;
            }
            Step::Remove(tags) if basis.mode == Mode::Untag && agreed == Some(basis) => {
                let theirs = tags.iter().filter(|tag| !is_quarantine_tag(tag));
                found.tags.extend(theirs.take(TAGS).map(|tag| sanitize(tag)));
            }
            Step::Note(super::Note::RestoredByOthers) => found.restored = true,
            _ => {}
        }
    }
    (found != Found::default()).then_some(found)
}

impl Found {
    /// Whether an act is one that leads to this.
    fn follows_from(&self, act: &Act) -> bool {
        match act {
            Act::MarkRemoved => self.mark_removed,
            Act::Tagged(tag) => self.restored || self.tags.contains(tag),
            Act::Pushed | Act::Restored => self.restored,
            Act::Deleted => false,
        }
    }

    fn add(&mut self, other: &Self) {
        self.mark_removed |= other.mark_removed;
        self.restored |= other.restored;
        self.tags = self.tags.union(&other.tags).take(TAGS).cloned().collect();
    }
}

impl Account {
    /// Takes in what an event says, if it is about this. Returns whether it is.
    fn see(&mut self, sighting: &Sighting) -> bool {
        let Sighting { act, at, actor } = sighting;
        if !self.found.follows_from(act) || at.duration_since(self.after) < -SKEW {
            return false;
        }
        self.at = Some(self.at.map_or(*at, |known| known.min(*at)));
        if let Some(actor) = actor
            && self.actors.len() < ACTORS
            && !self.actors.contains(actor)
        {
            self.actors.push(actor.clone());
        }
        true
    }
}

impl Tampering {
    /// Something was found that has to be put right. `after` is when the image was last as it should be.
    pub(super) fn find(&mut self, found: &Found, after: Timestamp, now: Timestamp) {
        let account = self.unsaid.get_or_insert_with(|| Account {
            since: now,
            after,
            found: Found::default(),
            times: 0,
            actors: Vec::new(),
            at: None,
            wake: false,
        });
        account.found.add(found);
        account.times += 1;
    }

    /// Takes in what an event says of what was found: of what is not said yet, or else of what people were told without
    /// knowing who. An event about neither changes nothing.
    pub(super) fn see(&mut self, sighting: &Sighting) {
        if let Some(account) = &mut self.unsaid
            && account.see(sighting)
        {
            return;
        }
        if let Some(said) = &mut self.said {
            said.account.see(sighting);
        }
    }

    /// When people are to be told; `None` if there is nothing to tell. At once when it is known who did it, after
    /// [`WAIT_FOR_ACTOR`] otherwise; and not within [`QUIET`] after they were told something.
    pub fn due(&self) -> Option<Timestamp> {
        let account = self.unsaid.as_ref()?;
        let wait = if account.actors.is_empty() { WAIT_FOR_ACTOR } else { SignedDuration::ZERO };
        let earliest = account.since.saturating_add(wait).unwrap_or(account.since);
        let quiet = self.said.as_ref().and_then(|said| said.on.saturating_add(QUIET).ok());
        Some(quiet.map_or(earliest, |quiet| quiet.max(earliest)))
    }

    /// Whether people were told of tampering with this image before.
    pub fn is_repeated(&self) -> bool {
        self.said.is_some()
    }

    pub(super) fn say(&mut self, now: Timestamp) {
        if let Some(account) = self.unsaid.take() {
            self.said = Some(Said { on: now, account });
        }
    }

    pub(super) fn wake(&mut self, sent: bool) {
        if let Some(account) = &mut self.unsaid {
            account.wake = sent;
        }
    }
}

#[cfg(test)]
mod tests;
