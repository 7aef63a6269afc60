//! What an event says was done to an image that may be under quarantine, and whether we did it.

use domain::event::{ActionType, ImageAction, PutImage, Removal, StorageChange, StorageClass};
use domain::image::ImageId;
use domain::provenance::{Actor, Pusher, Who};
use domain::quarantine::tampering::{Act, Sighting};
use domain::quarantine::{is_quarantine_tag, marked_by, tag};

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

/// What ECR says. That a tag goes that is not ours is nobody's concern.
pub(crate) fn of_action(action: &ImageAction) -> Option<Sighting> {
    let act = match (action.action, action.tag.as_deref()) {
        (ActionType::Push, Some(pushed)) if is_quarantine_tag(pushed) => return None,
        (ActionType::Push, Some(pushed)) => Act::Tagged(pushed.to_owned()),
        (ActionType::Push, None) => Act::Pushed,
        (ActionType::Delete, Some(removed)) if removed == tag(&action.image) => Act::MarkRemoved,
        (ActionType::Delete, _) => return None,
    };
    Some(Sighting { act, at: action.at, actor: None })
}

pub(crate) fn of_put(put: &PutImage) -> Option<Sighting> {
    let act = match put.tag.as_deref() {
        Some(pushed) if is_quarantine_tag(pushed) => return None,
        Some(pushed) => Act::Tagged(pushed.to_owned()),
        None => Act::Pushed,
    };
    let actor = Actor { who: put.pusher.clone(), from: put.from.clone(), at: put.at };
    Some(Sighting { act, at: put.at, actor: Some(actor) })
}

/// The image that lost our tag, because somebody put it on another one. ECR's events do not name it.
pub(crate) fn takes_mark_from(put: &PutImage) -> Option<ImageId> {
    marked_by(put.tag.as_deref()?, &put.image)
}

pub(crate) fn of_move(put: &PutImage) -> Sighting {
    let actor = Actor { who: put.pusher.clone(), from: put.from.clone(), at: put.at };
    of_removal(&actor)
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
