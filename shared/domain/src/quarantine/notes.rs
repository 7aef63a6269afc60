//! What enforce-quarantine remembers of an image: what it has done to it, and has to undo one day.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::tampering::{Agreed, Basis, Found, Sighting, Tampering};
use super::{Deed, Mode};
use crate::image::Digest;

/// The notes of one image. They are written before what they are about is done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Notes {
    /// The quarantine in force; absent where there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quarantine: Option<Episode>,
    /// Since when it is held back by the limit. It is then not under quarantine, or in a milder mode than wanted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Timestamp>,
    /// The tags that were taken off it, and not given back.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub removed: BTreeMap<String, RemovedTag>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub storage: Option<Storage>,
    /// The children that were archived with it.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub children: BTreeSet<Digest>,
    /// What people were told of this episode, by kind.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub said: BTreeSet<String>,
    /// When the registry last agreed with the quarantine; absent while something is being put right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agreed: Option<Agreed>,
    /// What others did to the image meanwhile.
    #[serde(skip_serializing_if = "is_none")]
    pub tampering: Tampering,
    /// The act that is under way.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub doing: Option<Deed>,
}

fn is_none(tampering: &Tampering) -> bool {
    *tampering == Tampering::default()
}

/// From the announcement that put an image under quarantine to its release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Episode {
    /// The id of that assessment.
    pub id: String,
    /// The mode in force.
    pub mode: Mode,
    pub since: Timestamp,
}

/// A tag that was taken off an image.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedTag {
    pub at: Timestamp,
    /// The mode that asked for it.
    pub mode: Mode,
    /// Whether ECR kept it from moving.
    pub immutable: bool,
}

/// What we did, or are about to do, to where an image is stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Storage {
    /// We are about to archive it.
    Archiving,
    /// We have archived it.
    Archived,
    /// We are about to restore it, or have asked for it.
    Restoring,
    /// Somebody else has restored it, seen at this time. It is archived again once it was scanned after that.
    RestoredByOthers(Timestamp),
    /// A person wants it scanned again. It is restored without the tags that cannot move, and archived again once it was
    /// scanned after this.
    Rescanning { at: Timestamp, by: String, why: String },
}

/// A change of the notes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Note {
    /// It comes under quarantine, or under a stricter one.
    Claimed {
        episode: String,
        mode: Mode,
    },
    /// The limit holds it back. Noted before it is listed among those that are held.
    Held,
    /// The limit does not hold it back any more. Noted after it was taken from that list.
    LetGo,
    /// A milder mode is in force.
    Eased(Mode),
    /// These tags are about to be taken off; each with whether ECR keeps it from moving.
    Removing(Vec<(String, bool)>),
    /// These tags are on it again, or point elsewhere by now.
    GivenBack(Vec<String>),
    /// It and these children are about to be archived.
    Archiving(BTreeSet<Digest>),
    Archived,
    /// It and its children are about to be restored.
    Restoring,
    /// It is active, as it should be.
    Restored,
    /// Somebody else has restored it.
    RestoredByOthers,
    /// The registry agrees with the quarantine.
    Agrees(Basis),
    /// Others changed this, and it is about to be put right.
    Disturbed(Found),
    /// Events say this of what others did.
    Seen(Vec<Sighting>),
    /// Whether a message is under way that has people told in time.
    Wake(bool),
    /// People were told what others did.
    TamperingSaid,
    /// A person wants what we hold archived scanned again.
    Rescan {
        by: String,
        why: String,
    },
    /// Nothing of the quarantine is left.
    Released,
    /// This is about to be done.
    Doing(Deed),
    /// What was about to be done is done, or not to be done any more.
    Done,
}

impl Notes {
    pub fn mode(&self) -> Option<Mode> {
        self.quarantine.as_ref().map(|episode| episode.mode)
    }

    /// Whether a person wants it scanned again, and that has not ended.
    pub fn is_rescanned(&self) -> bool {
        matches!(self.storage, Some(Storage::Rescanning { .. }))
    }

    /// Whether there is nothing to undo one day.
    pub fn are_blank(&self) -> bool {
        Self { doing: None, ..self.clone() } == Self::default()
    }

    /// Writes a note down. Returns whether that changed anything.
    pub fn take(&mut self, note: Note, now: Timestamp) -> bool {
        let before = self.clone();
        match note {
            Note::Claimed { episode, mode } => {
                let since = self.quarantine.as_ref().map_or(now, |known| known.since);
                self.quarantine = Some(Episode { id: episode, mode, since });
            }
            Note::Held => self.held = self.held.or(Some(now)),
            Note::LetGo => self.held = None,
            Note::Eased(mode) => {
                if let Some(episode) = &mut self.quarantine {
                    episode.mode = mode;
                }
            }
            Note::Removing(tags) => {
                let mode = self.mode().unwrap_or_default();
                for (tag, immutable) in tags {
                    self.removed.insert(tag, RemovedTag { at: now, mode, immutable });
                }
            }
            Note::GivenBack(tags) => {
                for tag in tags {
                    self.removed.remove(&tag);
                }
            }
            Note::Archiving(children) => {
                self.storage = Some(Storage::Archiving);
                self.children.extend(children);
            }
            Note::Archived => self.storage = Some(Storage::Archived),
            Note::Restoring => self.storage = Some(Storage::Restoring),
            Note::Restored => {
                self.storage = None;
                self.children.clear();
            }
            Note::RestoredByOthers => self.storage = Some(Storage::RestoredByOthers(now)),
            Note::Agrees(basis) => {
                if self.agreed.as_ref().is_none_or(|agreed| agreed.basis != basis) {
                    self.agreed = Some(Agreed { basis, at: now });
                }
            }
            Note::Disturbed(found) => {
                let agreed = self.agreed.take().map(|agreed| agreed.at);
                let since = self.quarantine.as_ref().map(|episode| episode.since);
                self.tampering.find(&found, agreed.or(since).unwrap_or(now), now);
            }
            Note::Seen(sightings) => sightings.iter().for_each(|sighting| self.tampering.see(sighting)),
            Note::Wake(sent) => self.tampering.wake(sent),
            Note::TamperingSaid => self.tampering.say(now),
            Note::Rescan { by, why } => {
                if self.storage == Some(Storage::Archived) {
                    self.storage = Some(Storage::Rescanning { at: now, by, why });
                }
            }
            Note::Released => *self = Self { doing: self.doing.take(), ..Self::default() },
            Note::Doing(deed) => self.doing = Some(deed),
            Note::Done => self.doing = None,
        }
        *self != before
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quarantine::DeedKind;
    use crate::samples::second;

    #[test]
    fn notes_are_read_back_and_empty_ones_are_short() {
        let mut notes = Notes::default();
        assert_eq!(serde_json::to_string(&notes).unwrap(), "{}");
        notes.take(Note::Claimed { episode: "a#1".to_owned(), mode: Mode::Untag }, second(0));
        notes.take(Note::Removing(vec![("1.0".to_owned(), true)]), second(1));
        notes.take(Note::RestoredByOthers, second(2));
        notes.take(Note::Disturbed(Found { restored: true, ..Found::default() }), second(3));
        let json = serde_json::to_string(&notes).unwrap();
        assert_eq!(serde_json::from_str::<Notes>(&json).unwrap(), notes);
        assert_eq!(notes.removed["1.0"], RemovedTag { at: second(1), mode: Mode::Untag, immutable: true });
    }

    #[test]
    fn only_what_we_hold_archived_is_scanned_again_on_request() {
        let rescan = || Note::Rescan { by: "ana".to_owned(), why: "fixed upstream".to_owned() };
        let mut notes = Notes::default();
        for note in [
            None,
            Some(Note::Archiving(BTreeSet::new())),
            Some(Note::Restoring),
            Some(Note::RestoredByOthers),
        ] {
            if let Some(note) = note {
                notes.take(note, second(0));
            }
            assert!(!notes.take(rescan(), second(1)) && !notes.is_rescanned(), "{notes:?}");
        }
        notes.take(Note::Archived, second(2));
        assert!(notes.take(rescan(), second(3)) && notes.is_rescanned());
        let json = serde_json::to_string(&notes).unwrap();
        assert_eq!(serde_json::from_str::<Notes>(&json).unwrap(), notes);
        assert!(!notes.take(rescan(), second(9)), "asked twice, it is the first that counts");
    }

    #[test]
    fn stricter_mode_is_the_same_quarantine() {
        let mut notes = Notes::default();
        let claim = |id: &str, mode| Note::Claimed { episode: id.to_owned(), mode };
        assert!(notes.take(claim("a#1", Mode::Tag), second(0)));
        assert!(notes.take(Note::Held, second(1)));
        assert!(notes.take(claim("a#2", Mode::Archive), second(9)));
        let episode = notes.quarantine.clone().unwrap();
        assert_eq!((episode.since, episode.mode, notes.held), (second(0), Mode::Archive, Some(second(1))));
        assert!(notes.take(Note::LetGo, second(10)) && notes.held.is_none());
        assert!(!notes.take(claim("a#2", Mode::Archive), second(20)), "nothing new to write");
        assert!(notes.take(Note::Released, second(30)));
        assert_eq!(notes, Notes::default());
    }

    #[test]
    fn deed_under_way_is_nothing_to_undo_and_outlasts_the_release() {
        let deed = Deed::new(DeedKind::Released, second(1), 1, Vec::new(), "the verdict is clear".to_owned());
        let mut notes = Notes::default();
        notes.take(Note::Claimed { episode: "a#1".to_owned(), mode: Mode::Tag }, second(0));
        notes.take(Note::Doing(deed.clone()), second(1));
        assert!(!notes.are_blank());
        notes.take(Note::Released, second(2));
        assert_eq!((notes.are_blank(), &notes.doing), (true, &Some(deed)));
        assert!(notes.take(Note::Done, second(3)) && notes == Notes::default());
    }
}
