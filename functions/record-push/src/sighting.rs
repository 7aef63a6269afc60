//! What an event says was done to an image that may be under quarantine, and whether we did it.

use domain::event::{ActionType, ImageAction, PutImage, Removal, StorageChange, StorageClass};
use domain::image::ImageId;
use domain::ledger::Ledger;
use domain::provenance::{Actor, Pusher, Who};
use domain::quarantine::tampering::{Act, SKEW, Sighting};
use domain::quarantine::{Mode, is_quarantine_tag, marked_by, tag};
use domain::verdict::Verdict;
use jiff::Timestamp;

/// The role of enforce-quarantine, whose calls are no tampering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enforcer {
    role: String,
}

impl Enforcer {
    /// From the ARN of the role, or its name: `arn:aws:iam::<account>:role/<path>/<name>`.
    pub(crate) fn new(role: &str) -> Self {
        Self { role: role.rsplit('/').next().unwrap_or(role).to_owned() }
    }

    /// A session's ARN has the name of its role without the path, and no other service can assume this one.
    pub(crate) fn is(&self, who: &Pusher) -> bool {
        matches!(who.who(), Who::Session(session) if session.role == self.role)
    }
}

/// A quarantine in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Held {
    /// What was done to the image before it is no tampering.
    pub(crate) since: Timestamp,
    pub(crate) mode: Mode,
}

impl Held {
    /// The quarantine of an image, in a deployment of this mode; `None` if it is not under one. After a scan that failed,
    /// or where an earlier version announced it, it is not known since when.
    pub(crate) fn of(ledger: &Ledger, deployed: Mode) -> Option<Self> {
        let announced = &ledger.announced;
        let since = match announced.enforced() {
            Verdict::Quarantine => announced.since.unwrap_or(Timestamp::MIN),
            Verdict::Pending | Verdict::Unscannable if announced.quarantined => Timestamp::MIN,
            Verdict::Clear | Verdict::Pending | Verdict::Unscannable => return None,
        };
        Some(Self { since, mode: deployed.with_rules(announced.quarantine_mode) })
    }

    /// Whether enforce-quarantine may have to put something right. Where all tags stay on, one more is no concern of it,
    /// unless it restores an image that lost its mark in the archive.
    pub(crate) fn is_touched_by(self, seen: &Sighting) -> bool {
        let least = match seen.act {
            Act::MarkRemoved | Act::Tagged(_) | Act::Pushed | Act::Restored => Mode::Tag,
            Act::Deleted => Mode::Archive,
        };
        self.mode >= least && self.since.duration_since(seen.at) <= SKEW
    }
}

/// What ECR says. That a tag goes that is not ours is nobody's concern.
pub(crate) fn of_action(action: &ImageAction) -> Option<Sighting> {
    let act = match (action.action, action.tag.as_deref()) {
        (ActionType::Push, Some(pushed)) if is_quarantine_tag(pushed) => return None,
        (ActionType::Push, Some(pushed)) => Act::Tagged(pushed.to_owned()),
        (ActionType::Push, None) => Act::Pushed,
        (ActionType::Delete, Some(removed)) if removed == tag(&action.image) => Act::MarkRemoved,
        (ActionType::Delete, Some(_)) => return None,
        (ActionType::Delete, None) => Act::Deleted,
    };
    Some(Sighting { act, at: action.at, actor: None })
}

pub(crate) fn of_put(put: &PutImage) -> Option<Sighting> {
    let act = match put.tag.as_deref() {
        Some(pushed) if is_quarantine_tag(pushed) => return None,
        Some(pushed) => Act::Tagged(pushed.to_owned()),
        None => Act::Pushed,
    };
    Some(Sighting { act, at: put.at, actor: Some(actor(put)) })
}

/// The image that lost our tag, because somebody put it on another one. ECR's events do not name it.
pub(crate) fn takes_mark_from(put: &PutImage) -> Option<ImageId> {
    marked_by(put.tag.as_deref()?, &put.image)
}

pub(crate) fn of_move(put: &PutImage) -> Sighting {
    of_removal(&actor(put))
}

fn actor(put: &PutImage) -> Actor {
    Actor { who: put.pusher.clone(), from: put.from.clone(), at: put.at }
}

/// Whether our tag was taken off an image. One that was deleted by its digest is gone, and nothing is put right.
pub(crate) fn takes_mark(removal: &Removal) -> bool {
    !removal.whole && removal.tags.contains(&tag(&removal.image))
}

pub(crate) fn of_removal(actor: &Actor) -> Sighting {
    Sighting { act: Act::MarkRemoved, at: actor.at, actor: Some(actor.clone()) }
}

/// Only a restore lets anybody pull an image.
pub(crate) fn of_storage(change: &StorageChange) -> Option<Sighting> {
    let restored = change.class == StorageClass::Standard;
    restored.then(|| Sighting { act: Act::Restored, at: change.at, actor: change.actor.clone() })
}

/// The images of a subject: of a deletion as many as it took our tag off, otherwise one.
pub(crate) type Images = Vec<ImageId>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_mode_does_not_put_right_is_passed_on_to_nobody() {
        let at: Timestamp = "2031-03-01T08:00:00Z".parse().unwrap();
        let touched = |mode, act| Held { since: at, mode }.is_touched_by(&Sighting { act, at, actor: None });
        let acts =
            [Act::MarkRemoved, Act::Tagged("1.0".to_owned()), Act::Pushed, Act::Restored, Act::Deleted];
        for (mode, expected) in [
            (Mode::Observe, [false; 5]),
            (Mode::Tag, [true, true, true, true, false]),
            (Mode::Untag, [true, true, true, true, false]),
            (Mode::Archive, [true; 5]),
        ] {
            assert_eq!(acts.clone().map(|act| touched(mode, act)), expected, "{mode}");
        }
        let begun: Timestamp = "2031-03-01T08:00:00.9Z".parse().unwrap();
        let seen = Sighting { act: Act::MarkRemoved, at, actor: None };
        assert!(Held { since: begun, mode: Mode::Tag }.is_touched_by(&seen), "events state whole seconds");
        let earlier = Sighting { act: Act::MarkRemoved, at: Timestamp::MIN, actor: None };
        assert!(!Held { since: at, mode: Mode::Archive }.is_touched_by(&earlier));
    }

    fn session(arn: &str) -> Pusher {
        Pusher { arn: arn.to_owned(), provider: None, service: None }
    }

    #[test]
    fn calls_of_the_enforcing_role_are_ours_and_those_of_a_namesake_are_not() {
        for role in ["arn:aws:iam::111122223333:role/tools/stack-Enforce-1", "stack-Enforce-1"] {
            let enforcer = Enforcer::new(role);
            let ours = "arn:aws:sts::111122223333:assumed-role/stack-Enforce-1/stack-enforce-quarantine";
            assert!(enforcer.is(&session(ours)), "{role}");
            for others in [
                "arn:aws:sts::111122223333:assumed-role/stack-Enforce-10/stack-enforce-quarantine",
                "arn:aws:sts::111122223333:assumed-role/developer/stack-Enforce-1",
                "arn:aws:iam::111122223333:user/stack-Enforce-1",
                "unknown",
            ] {
                assert!(!enforcer.is(&session(others)), "{others}");
            }
        }
    }
}
