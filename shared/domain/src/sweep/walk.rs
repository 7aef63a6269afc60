//! The walk through the registry and through what Inspector covers: what is there, held against the ledgers. Pure.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::image::{Digest, ImageId};
use crate::ledger::{CoverageAnswer, Ledger, TAG_MARKS};
use crate::manifest::{is_image_config, is_index};
use crate::quarantine::{is_quarantine_tag, tag};
use crate::row::StatusRow;

/// How often everything is walked.
const EVERY: SignedDuration = SignedDuration::from_hours(24);
/// What was pushed later may not be known yet: its event is under way.
const EVENT_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(30);

/// A walk that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    pub since: Timestamp,
    pub stage: Stage,
    /// The repository that is read; the first one where it is absent.
    #[serde(default)]
    pub repository: Option<String>,
    /// The page that is next.
    #[serde(default)]
    pub token: Option<String>,
}

/// The stages, in their order: images are judged by the indexes that contain them, so these come first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// The indexes in the registry.
    Indexes,
    /// The images that Inspector covers.
    Covered,
    /// All that is in the registry.
    Registry,
}

impl Walk {
    pub fn new(since: Timestamp) -> Self {
        Self { since, stage: Stage::Indexes, repository: None, token: None }
    }

    /// Whether a walk is to begin.
    pub fn is_due(walked_at: Option<Timestamp>, now: Timestamp) -> bool {
        walked_at.is_none_or(|at| at.checked_add(EVERY).is_ok_and(|next| next <= now))
    }

    /// The next stage; `None` after the last.
    pub fn next_stage(&self) -> Option<Self> {
        let stage = match self.stage {
            Stage::Indexes => Stage::Covered,
            Stage::Covered => Stage::Registry,
            Stage::Registry => return None,
        };
        Some(Self { stage, ..Self::new(self.since) })
    }
}

/// A manifest in the registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    pub image: ImageId,
    pub tags: Vec<String>,
    pub pushed_at: Timestamp,
    pub media_type: Option<String>,
    /// The media type of its config, or what kind of artifact it is.
    pub artifact_media_type: Option<String>,
    /// Whether it is in the archive, or on its way out of it.
    pub is_archived: bool,
}

impl Registered {
    pub fn is_index(&self) -> bool {
        self.media_type.as_deref().is_some_and(is_index)
    }

    fn is_artifact(&self) -> bool {
        self.artifact_media_type.as_deref().is_some_and(|kind| !is_image_config(kind))
    }

    /// Whether it has other tags than its ledger says. Those that are ours are no matter of the ledger, which does not know
    /// all of very many either.
    pub fn is_retagged(&self, known: &Ledger) -> bool {
        let theirs = self.tags.iter().filter(|tag| !is_quarantine_tag(tag));
        let there: BTreeSet<&String> = theirs.collect();
        let said = known.facts.tags();
        !self.is_archived && there.len() < TAG_MARKS && there != said.iter().collect()
    }

    fn is_young(&self, now: Timestamp) -> bool {
        self.pushed_at.checked_add(EVENT_COMES_WITHIN).is_ok_and(|settled| settled > now)
    }
}

/// What is to be done about a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    Nothing,
    /// Its index has to be read, or its push recorded.
    Record,
    /// It has to be judged.
    Judge,
    /// The same, but only because it has other tags than are known. No event says of an image that its tag has moved away, so
    /// that is no sign of one that was lost.
    Describe,
}

/// What to do about what is in the registry, with what is known of it. `was_before` says whether it was pushed before its
/// repository was watched: no event of that is under way.
pub fn want(
    found: &Registered,
    answer: Option<&CoverageAnswer>,
    known: Option<&Ledger>,
    was_before: bool,
    now: Timestamp,
) -> Want {
    let is_young = found.is_young(now) && !was_before;
    if found.is_artifact() || known.is_none() && (found.is_archived || is_young) {
        return Want::Nothing;
    }
    let is_retagged = known.is_some_and(|known| found.is_retagged(known));
    let settled = if is_retagged { Want::Describe } else { Want::Nothing };
    if found.is_index() {
        let is_read = known.is_some_and(|known| known.facts.contents.is_some() && !known.facts.is_gone());
        return if is_read { settled } else { Want::Record };
    }
    let Some(known) = known.filter(|known| !known.facts.is_gone()) else { return Want::Judge };
    let told = known.facts.coverage.newest().map(|(_, told)| (told.covered, told.reason.as_str()));
    let differs = answer.is_some_and(|answer| {
        told != Some((answer.covered, answer.reason.as_str())) && (told.is_some() || !answer.covered)
    });
    // A scan that ended, of which no event came.
    let unseen = answer.is_some_and(|answer| {
        answer.covered && answer.scanned_at.is_some() && !known.facts.is_scanned() && !is_young
    });
    if differs || unseen { Want::Judge } else { settled }
}

/// What the registry does not have, or has otherwise than it should.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Missing {
    /// Images of the index that are not in the registry.
    pub gone: Vec<ImageId>,
    /// Images whose quarantine tag is missing, or there for no reason.
    pub drifted: Vec<ImageId>,
}

/// Holds the images of a repository that the index has against all that the registry has of it. Of those whose rows are
/// unreadable it is not known whether they should be marked, only that they should be there. `marks` says whether the
/// deployment keeps quarantine tags.
pub fn missing(
    rows: &[(ImageId, StatusRow)],
    unreadable: &[ImageId],
    registered: &[Registered],
    marks: bool,
) -> Missing {
    let there: BTreeSet<&Digest> = registered.iter().map(|found| &found.image.digest).collect();
    let marked: BTreeSet<&Digest> = registered
        .iter()
        .filter(|found| found.tags.contains(&tag(&found.image)))
        .map(|found| &found.image.digest)
        .collect();
    let gone = unreadable.iter().filter(|image| !there.contains(&image.digest));
    let mut missing = Missing { gone: gone.cloned().collect(), drifted: Vec::new() };
    for (image, row) in rows {
        let is_marked = marked.contains(&image.digest);
        if !there.contains(&image.digest) {
            missing.gone.push(image.clone());
        } else if marks && row.quarantined != is_marked && (is_marked || !row.tags.is_empty()) {
            missing.drifted.push(image.clone());
        }
    }
    missing
}
