//! The steps that make the registry agree with a verdict.
//!
//! Three rules hold for every plan. What is done is noted first, so that it can be undone. A tag only goes where the image
//! has one of ours, or has no room for one, for ECR deletes an image with its last tag. And nothing puts a tag on an image
//! that is not active: that is a push, and a push restores it.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::notes::{Note, Notes, Storage};
use super::registered::{Registered, RepositoryKind, Status};
use super::tag::MOST_TAGS;
use super::whole::Whole;
use super::{Mode, is_quarantine_tag, released_tag, tag};
use crate::image::{Digest, ImageId};
use crate::text::sanitize;
use crate::verdict::Verdict;

/// What a plan depends on.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    pub image: &'a ImageId,
    /// What became of what it is a part of, if it is deployed in no other way.
    pub part_of: Option<Whole>,
    /// As announced last.
    pub verdict: Verdict,
    /// How far to go; never further than what was claimed.
    pub mode: Mode,
    /// When the newest scan ended whose end was announced.
    pub scanned_at: Option<Timestamp>,
    /// `None` where the image is not in the registry.
    pub registered: Option<&'a Registered>,
    pub notes: &'a Notes,
    /// Whether *untag* takes tags off, too, that can move to another image in that moment.
    pub untag_mutable: bool,
    /// Whether an image without any tag is marked.
    pub untagged: bool,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Write this down.
    Note(Note),
    /// Put this tag of ours on the image, and make sure that it is there.
    Put(String),
    /// Put this tag on the image again that was taken off, unless another image has it by now.
    GiveBack(String),
    /// Take these tags off the image.
    Remove(Vec<String>),
    Archive(Digest),
    /// Ask for the restore of an archived image.
    Restore(Digest),
}

impl Step {
    /// What it does, for the history: nothing of a note, and each tag on its own.
    pub fn parts(&self, image: &ImageId) -> Vec<String> {
        let which = |digest: &Digest| {
            if *digest == image.digest {
                "the image".to_owned()
            } else {
                format!("the part {}", digest.short())
            }
        };
        match self {
            Self::Note(_) => Vec::new(),
            Self::Put(tag) => vec![format!("put the tag {} on", sanitize(tag))],
            Self::GiveBack(tag) => {
                vec![format!("gave the tag {} back, unless another image has it", sanitize(tag))]
            }
            Self::Remove(tags) => {
                tags.iter().map(|tag| format!("took the tag {} off", sanitize(tag))).collect()
            }
            Self::Archive(digest) => vec![format!("archived {}", which(digest))],
            Self::Restore(digest) => vec![format!("asked for the restore of {}", which(digest))],
        }
    }
}

/// Something that people should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Remark {
    /// *untag* leaves these tags where they are.
    LeftOn { tags: Vec<String>, kind: RepositoryKind, because: &'static str },
    /// These tags were taken off, and do not come back on their own.
    NotGivenBack(Vec<String>),
    /// It is not archived, because this index contains it and is not archived. It follows when the index is.
    NeededBy(Digest),
    /// Somebody restored what was archived, and it is left so until it has been scanned.
    RestoredByOthers,
}

/// What makes the registry agree with a verdict: the steps in their order, none where it agrees already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Why these steps, or why none; for the log.
    pub reason: &'static str,
    pub steps: Vec<Step>,
    pub remarks: Vec<Remark>,
    /// Whether the image is being restored, and more is to be done when that has ended.
    pub waits: bool,
}

impl Plan {
    fn leave(reason: &'static str) -> Self {
        Self { reason, steps: Vec::new(), remarks: Vec::new(), waits: false }
    }

    /// Whether it takes off tags by which the image is deployed.
    pub fn untags(&self) -> bool {
        self.takes_off(|tag| !is_quarantine_tag(tag))
    }

    /// Whether it takes off the tag that marks the image, which a release does.
    pub fn unmarks(&self, image: &ImageId) -> bool {
        let mark = tag(image);
        self.takes_off(|tag| *tag == mark)
    }

    fn takes_off(&self, these: impl Fn(&String) -> bool) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Remove(tags) if tags.iter().any(&these)))
    }
}

/// The command with which a person puts a tag on an image again.
pub fn give_back_command(image: &ImageId, tag: &str) -> String {
    format!("docker buildx imagetools create --tag {} {}", image.uri_with_tag(tag), image.uri())
}

/// Plans for an image.
pub fn plan(situation: &Situation) -> Plan {
    let Some(registered) = situation.registered else {
        return Plan::leave("the image is not in the registry");
    };
    let under_quarantine = situation.notes.quarantine.is_some();
    if situation.mode == Mode::Observe {
        return Plan::leave("the quarantine mode is observe");
    }
    if let Some(whole) = situation.part_of {
        return part(situation, registered, whole);
    }
    match situation.verdict {
        Verdict::Clear => release(situation, registered),
        Verdict::Quarantine => hold(situation, registered),
        // A scan that fails ends no quarantine.
        Verdict::Pending | Verdict::Unscannable if under_quarantine => hold(situation, registered),
        // It was archived as a part of an index that is gone, and nothing is known against it.
        Verdict::Pending | Verdict::Unscannable => {
            give_up_archiving(situation, registered, "no index under quarantine contains it any more")
                .unwrap_or_else(|| Plan::leave("the image is not known to be clear"))
        }
    }
}

/// A part is not under quarantine on its own. What was done to it before that was known, or together with its index, stays
/// until all that contains it is clear: its mark is true as long, and to take it off could take the image with it. Only
/// what somebody can pull is made whole again.
fn part(situation: &Situation, registered: &Registered, whole: Whole) -> Plan {
    let notes = situation.notes;
    if whole == Whole::Clear {
        return release(situation, registered);
    }
    // Tags that we took off are the reason why it is deployed in no other way. They come back with its release.
    if !notes.removed.is_empty() {
        return hold(situation, registered);
    }
    // Somebody has restored it. As what it is a part of would be, it is archived again after the next scan.
    let is_out =
        notes.storage.is_some() && registered.activated_at.is_some_and(|at| is_scanned_since(situation, at));
    if whole == Whole::Withdrawn && registered.status == Status::Active && is_out {
        let steps =
            vec![Step::Note(Note::Archiving(BTreeSet::new())), Step::Archive(situation.image.digest.clone())];
        return Plan { steps, ..Plan::leave("what contains the image is archived") };
    }
    let is_needed = whole == Whole::Pulled || registered.status == Status::Activating;
    is_needed
        .then(|| give_up_archiving(situation, registered, "an index that contains it can be pulled"))
        .flatten()
        .unwrap_or_else(|| Plan::leave("the image is a part of what is not clear"))
}

/// Makes an image available again that was archived with an index; `None` if there is nothing to do.
fn give_up_archiving(situation: &Situation, registered: &Registered, reason: &'static str) -> Option<Plan> {
    situation.notes.storage.as_ref()?;
    Some(match registered.status {
        Status::Archived => restore(situation, reason),
        Status::Activating => Plan { waits: true, ..Plan::leave("the image is being restored") },
        Status::Active => Plan { steps: vec![Step::Note(Note::Restored)], ..Plan::leave(reason) },
    })
}

fn hold(situation: &Situation, registered: &Registered) -> Plan {
    let Situation { mode, notes, .. } = *situation;
    match (registered.status, &notes.storage) {
        (Status::Active, _) => hold_active(situation, registered),
        (_, None) => Plan::leave("somebody else archived the image, so it cannot be pulled"),
        (Status::Activating, Some(Storage::Archived | Storage::RestoredByOthers(_))) => {
            let mut plan = Plan::leave("somebody else is restoring the image");
            if notes.storage == Some(Storage::Archived) {
                plan.steps.push(Step::Note(Note::RestoredByOthers));
            }
            plan.remarks.push(Remark::RestoredByOthers);
            plan
        }
        (Status::Activating, Some(_)) => Plan { waits: true, ..Plan::leave("the image is being restored") },
        (Status::Archived, Some(Storage::Rescanning { .. })) if mode == Mode::Archive => {
            rescan(situation, registered)
        }
        (Status::Archived, Some(_)) if mode == Mode::Archive => {
            let mut plan = Plan::leave("the image is archived");
            let children = children(registered);
            let are_noted = children.iter().all(|child| notes.children.contains(child));
            if notes.storage != Some(Storage::Archived) || !are_noted {
                plan.steps.push(Step::Note(Note::Archiving(children.iter().cloned().collect())));
                plan.steps.extend(children.into_iter().map(Step::Archive));
                plan.steps.push(Step::Note(Note::Archived));
            }
            plan
        }
        (Status::Archived, Some(_)) => restore(situation, "a milder quarantine mode is in force"),
    }
}

/// Restores an image to have it scanned, without the tags that cannot move. They go first, where ECR keeps our tag in its
/// place: nobody can then hold the manifest, with which an image that went could be put back. All others go, or are spoken
/// of, when the image is active.
fn rescan(situation: &Situation, registered: &Registered) -> Plan {
    let mut plan = Plan { waits: true, ..Plan::leave("it is to be scanned again") };
    let mark = tag(situation.image);
    if registered.tags.contains(&mark) && !registered.mutability.can_move(&mark) {
        untag(&Situation { untag_mutable: false, ..*situation }, registered, &mut plan);
        plan.remarks.clear();
    }
    let children = situation.notes.children.iter().cloned();
    plan.steps.extend(children.chain([situation.image.digest.clone()]).map(Step::Restore));
    plan
}

/// The children that are archived with their index, in this order.
fn children(registered: &Registered) -> Vec<Digest> {
    let ours = registered.children.iter().filter(|child| !child.used_by_others);
    ours.map(|child| child.digest.clone()).collect()
}

/// Children first: an index that can be pulled has children that can be.
fn restore(situation: &Situation, reason: &'static str) -> Plan {
    let children = situation.notes.children.iter().cloned();
    let mut steps = vec![Step::Note(Note::Restoring)];
    steps.extend(children.chain([situation.image.digest.clone()]).map(Step::Restore));
    Plan { reason, steps, remarks: Vec::new(), waits: true }
}

fn hold_active(situation: &Situation, registered: &Registered) -> Plan {
    let Situation { image, mode, notes, .. } = *situation;
    let tags = &registered.tags;
    if tags.is_empty() && !situation.untagged && notes.removed.is_empty() {
        return Plan::leave("the image has no tag, and images without a tag are not marked");
    }
    let mut plan = Plan::leave("the image is under quarantine as it should be");
    let (mark, released) = (tag(image), released_tag(image));
    if !tags.contains(&mark) {
        plan.steps.push(Step::Put(mark));
    }
    if tags.contains(&released) {
        plan.steps.push(Step::Remove(vec![released]));
    }
    match (&notes.storage, mode) {
        (Some(Storage::Archived), _) => {
            plan.steps.push(Step::Note(Note::RestoredByOthers));
            plan.remarks.push(Remark::RestoredByOthers);
        }
        (Some(Storage::RestoredByOthers(at)), Mode::Archive)
            if !is_scanned_since(situation, registered.activated_at.unwrap_or(*at).min(*at)) =>
        {
            plan.remarks.push(Remark::RestoredByOthers);
        }
        (Some(Storage::Rescanning { at, .. }), Mode::Archive) if !is_scanned_since(situation, *at) => {
            untag(situation, registered, &mut plan);
        }
        (storage, Mode::Archive) => match &registered.needed_by {
            None => archive(situation, registered, &mut plan),
            Some(index) => {
                plan.reason = "an index that contains the image is not archived, and needs it";
                plan.remarks.push(Remark::NeededBy(index.clone()));
                if storage.is_some() {
                    plan.steps.push(Step::Note(Note::Restored));
                }
            }
        },
        (Some(_), _) => plan.steps.push(Step::Note(Note::Restored)),
        (None, _) => {}
    }
    match mode {
        Mode::Untag => untag(situation, registered, &mut plan),
        Mode::Tag => give_back(situation, registered, &mut plan),
        Mode::Observe | Mode::Archive => {}
    }
    if !plan.steps.is_empty() {
        plan.reason = "the verdict is quarantine";
    }
    plan
}

/// Whether a scan has ended after this.
fn is_scanned_since(situation: &Situation, at: Timestamp) -> bool {
    situation.scanned_at.is_some_and(|scanned| scanned > at)
}

/// The index before its children: ECR refuses it the other way round.
fn archive(situation: &Situation, registered: &Registered, plan: &mut Plan) {
    let children = children(registered);
    plan.steps.push(Step::Note(Note::Archiving(children.iter().cloned().collect())));
    plan.steps.push(Step::Archive(situation.image.digest.clone()));
    plan.steps.extend(children.into_iter().map(Step::Archive));
    plan.steps.push(Step::Note(Note::Archived));
}

/// Takes off the tags by which the image is deployed. A deletion names a tag and not an image: a tag that can move may
/// be on another image by then, and that image goes with it if it has no other.
fn untag(situation: &Situation, registered: &Registered, plan: &mut Plan) {
    let deployable: Vec<&String> = registered.tags.iter().filter(|tag| !is_quarantine_tag(tag)).collect();
    if deployable.is_empty() {
        return;
    }
    let cached = registered.kind == RepositoryKind::PullThroughCache;
    let (stay, go): (Vec<&String>, Vec<&String>) = deployable
        .into_iter()
        .partition(|tag| cached || registered.mutability.can_move(tag) && !situation.untag_mutable);
    if !stay.is_empty() {
        let because = if cached {
            "the repository is a pull-through cache, which would fetch them again"
        } else {
            "the repository lets them move to another image, which would be deleted in this one's place"
        };
        let tags = stay.into_iter().cloned().collect();
        plan.remarks.push(Remark::LeftOn { tags, kind: registered.kind, because });
    }
    if !go.is_empty() {
        let noted = go.iter().map(|tag| ((*tag).clone(), !registered.mutability.can_move(tag))).collect();
        plan.steps.push(Step::Note(Note::Removing(noted)));
        plan.steps.push(Step::Remove(go.into_iter().cloned().collect()));
    }
}

/// Puts tags on again that were taken off. Only those that cannot move now: ECR then refuses to take one away from
/// another image that has it by now.
fn give_back(situation: &Situation, registered: &Registered, plan: &mut Plan) {
    let removed = situation.notes.removed.keys();
    let there = |tag: &&String| registered.tags.contains(tag);
    let (there, missing): (Vec<&String>, Vec<&String>) = removed.partition(there);
    let (_, back): (Vec<&String>, Vec<&String>) =
        missing.into_iter().partition(|tag| registered.mutability.can_move(tag));
    plan.steps.extend(back.iter().map(|tag| Step::GiveBack((*tag).clone())));
    let settled: Vec<String> = there.into_iter().chain(back).cloned().collect();
    if !settled.is_empty() {
        plan.steps.push(Step::Note(Note::GivenBack(settled)));
    }
}

fn release(situation: &Situation, registered: &Registered) -> Plan {
    let Situation { image, notes, .. } = *situation;
    match (registered.status, &notes.storage) {
        (Status::Active, _) => {}
        (_, None) => return Plan::leave("somebody else archived the image"),
        (Status::Activating, Some(_)) => {
            return Plan { waits: true, ..Plan::leave("the image is being restored") };
        }
        (Status::Archived, Some(_)) => return restore(situation, "the verdict is clear"),
    }
    let (mark, released) = (tag(image), released_tag(image));
    let marked = registered.tags.contains(&mark);
    let nothing_noted = notes.are_blank();
    if !marked && nothing_noted {
        return Plan::leave("the quarantine tag is off");
    }
    let mut plan = Plan::leave("the verdict is clear");
    give_back(situation, registered, &mut plan);
    let lost: Vec<String> = notes
        .removed
        .keys()
        .filter(|tag| !registered.tags.contains(tag) && registered.mutability.can_move(tag))
        .cloned()
        .collect();
    if !lost.is_empty() {
        plan.remarks.push(Remark::NotGivenBack(lost));
    }
    if marked {
        let put = Step::Put(released.clone());
        let remove = Step::Remove(vec![mark]);
        let back = plan.steps.iter().filter(|step| matches!(step, Step::GiveBack(_))).count();
        if registered.tags.contains(&released) {
            plan.steps.push(remove);
        } else if registered.tags.len() + back < MOST_TAGS {
            plan.steps.extend([put, remove]);
        } else {
            // There is no room for another tag, and the mark is one of very many.
            plan.steps.extend([remove, put]);
        }
    }
    if !nothing_noted {
        plan.steps.push(Step::Note(Note::Released));
    }
    plan
}

#[cfg(test)]
mod tests;
