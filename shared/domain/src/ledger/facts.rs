//! What is known of an image: the state of the CRDT. How evidence changes it is in `merge.rs`; what follows from
//! it is in `standing.rs`.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::coverage::{Coverage, InUse};
use crate::finding::{Finding, KnownExploited, Source, Status};
use crate::image::Digest;
use crate::manifest::{ChildKind, Contents};
use crate::provenance::{Labels, Pusher, TagsAsOf};

/// How many tags an image's ledger remembers: the newest. An image can have 1,000, and any number that were
/// removed, each of which must be remembered for a while; its findings must still fit beside them.
pub(crate) const TAG_MARKS: usize = 200;

/// What is known of an image.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// By id. Stored in columns, apart from the rest.
    #[serde(skip)]
    pub findings: BTreeMap<String, Entry>,
    /// By vulnerability. Stored with the findings.
    #[serde(skip)]
    pub exploitation: BTreeMap<String, Exploitation>,
    /// The tags that were put on it and taken off it, the newest 200 of them.
    #[serde(default)]
    pub tags: BTreeMap<String, TagMark>,
    /// Older marks of tags say nothing any more: the image was deleted then, or the registry named its tags.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tags_since: Option<Timestamp>,
    /// When it was pushed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pushed_at: Option<Timestamp>,
    /// Who pushed it first, and when that was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pusher: Option<(Timestamp, Pusher)>,
    /// What the tags of its repository said last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub repository_tags: Option<TagsAsOf>,
    /// What it says of itself, or one of its images does if it is an index; absent where that was not read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// The media type of its config, or what kind of artifact it says to be.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_media_type: Option<String>,
    /// What it contains, if it is an index.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
    /// Why it could not be read what it contains, if it is an index, and when that was tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unread: Option<(Timestamp, String)>,
    /// The indexes that contain it, or did before they were deleted; up to 200.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub contained_in: BTreeMap<Digest, Link>,
    #[serde(default)]
    pub scans: BTreeMap<Source, Scans>,
    /// Whether Inspector scans it, as it answered.
    #[serde(rename = "inspector_coverage", default, skip_serializing_if = "Coverage::is_empty")]
    pub coverage: Coverage,
    /// What had closed by then was resolved by the rules of an earlier version, and stays so. Nothing sets it any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_at: Option<Timestamp>,
    /// When its repository began to be watched, where it was in the registry before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adopted_at: Option<Timestamp>,
    /// When it was last known to be in the registry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub present_at: Option<Timestamp>,
    /// When it was last known to be deleted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gone_at: Option<Timestamp>,
}

/// A finding and whether it is still listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The join of all reports of it.
    pub finding: Finding,
    /// Whether the newest complete scan of its source listed it.
    pub listed: bool,
    /// The newest report in which it was not closed: when, and whether it was suppressed then.
    pub last_open: Option<(Timestamp, Status)>,
}

/// The newest thing known of a tag on this image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagMark {
    pub at: Timestamp,
    /// Whether it was there then. Of a removal and a push in the same second the push is believed.
    pub present: bool,
    /// Whether quarantine had taken it off then, and it still belongs to the image.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
}

impl TagMark {
    pub(super) fn present(at: Timestamp) -> Self {
        Self { at, present: true, withheld: false }
    }
}

/// How an index contains a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Link {
    /// When the index was last known to be in the registry, or to be deleted from it.
    pub at: Timestamp,
    /// As what the index lists it.
    pub kind: ChildKind,
    /// Whether the index was deleted then. Of a deletion and a push in the same second the push is believed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
}

impl Link {
    /// What two things that were learnt of the link come to: the newer one counts.
    #[must_use]
    pub fn join(self, other: Self) -> Self {
        let newest = |link: Self| (link.at, !link.ended);
        let (at, holds) = newest(self).max(newest(other));
        Self { at, ended: !holds, kind: self.kind.min(other.kind) }
    }

    /// Whether the index contains it as something that is deployed.
    pub(super) fn is_of_an_image(&self) -> bool {
        matches!(self.kind, ChildKind::Image | ChildKind::Index)
    }
}

/// The newest scans of one source.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scans {
    /// As of when the findings were listed completely.
    pub completed_at: Option<Timestamp>,
    /// When the newest scan that was reported ended; a listing that was only asked for is no scan.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scanned_at: Option<Timestamp>,
    /// When the newest failed one ended.
    pub failed_at: Option<Timestamp>,
}

/// How long an untagged image waits for an index that contains it, counted from when it could first be judged. Tools
/// push an index after all that it contains, and its event comes within seconds.
pub const INDEX_COMES_WITHIN: SignedDuration = SignedDuration::from_mins(5);

/// For how long a "no" about exploitation holds. CISA adds to its catalogue about once a working day; a "yes" is for ever.
pub const NO_HOLDS: SignedDuration = SignedDuration::from_hours(24);

/// What is known of the exploitation of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exploitation {
    pub asked_at: Timestamp,
    /// The entry in CISA's catalogue, where there is one.
    pub known: Option<KnownExploited>,
}

impl Exploitation {
    /// Whether the question need not be asked again yet.
    pub fn holds(&self, now: Timestamp) -> bool {
        self.known.is_some() || self.asked_at.checked_add(NO_HOLDS).is_ok_and(|end| now < end)
    }
}

impl Entry {
    /// A finding of which this is the first report.
    pub fn new(finding: Finding) -> Self {
        let last_open = (finding.status != Status::Closed).then_some((finding.updated_at, finding.status));
        Self { finding, listed: false, last_open }
    }

    /// The join with another report of the same finding.
    #[must_use]
    pub fn join(self, report: Finding) -> Self {
        let Self { finding, listed, last_open } = self;
        let last_open = last_open.max(Self::new(report.clone()).last_open);
        Self { finding: finding.join(report), listed, last_open }
    }

    /// Whether a suppression rule in Inspector hid it when it was last there.
    pub fn was_suppressed(&self) -> bool {
        self.last_open.is_some_and(|(_, status)| status == Status::Suppressed)
    }
}

impl Facts {
    /// Whether the image was deleted, and not pushed again since. Of a deletion and a push in the same second the push
    /// is believed.
    pub fn is_gone(&self) -> bool {
        self.gone_at > self.present_at
    }

    /// The tags that are on the image, sorted.
    pub fn tags(&self) -> Vec<String> {
        self.valid_marks().filter(|(_, mark)| mark.present).map(|(tag, _)| tag.clone()).collect()
    }

    /// Whether people deploy it by a tag, or did until quarantine took that off.
    pub fn is_deployed(&self) -> bool {
        self.valid_marks().any(|(_, mark)| mark.present || mark.withheld)
    }

    fn valid_marks(&self) -> impl Iterator<Item = (&String, &TagMark)> {
        self.tags.iter().filter(|(_, mark)| self.tags_since.is_none_or(|since| mark.at >= since))
    }

    /// Whether any scan of the image has ended with a result.
    pub fn is_scanned(&self) -> bool {
        self.scans.values().any(|scans| scans.completed_at.is_some())
    }

    /// Whether no scan of it has ended, and Inspector says that it scans the image neither now nor soon.
    pub fn is_left_unscanned(&self) -> bool {
        let ended = self.is_scanned() || self.has_failed_scan();
        !ended && self.coverage.newest().is_some_and(|(_, answer)| answer.rules_out_a_scan())
    }

    /// Whether no scan of it has ended though one is overdue, and Inspector was asked since why.
    pub fn is_overdue(&self, scan_due: Option<Timestamp>) -> bool {
        let ended = self.is_scanned() || self.has_failed_scan();
        let asked = self.coverage.newest().map(|(at, _)| at);
        !ended && scan_due.is_some_and(|due| asked.is_some_and(|asked| asked >= due))
    }

    /// Whether a scan failed, and none has been completed since.
    pub fn has_failed_scan(&self) -> bool {
        let completed = self.scans.values().filter_map(|scans| scans.completed_at).max();
        self.scans.values().any(|scans| scans.failed_at > completed)
    }

    /// When the newest scan that was reported ended, and whose it was.
    pub fn newest_scan(&self) -> Option<(Timestamp, Source)> {
        self.scans.iter().filter_map(|(source, scans)| Some((scans.scanned_at?, *source))).max()
    }

    /// Since when each vulnerability is known in the image: the earliest that any of its findings was seen, open or not.
    /// The contents of an image never change, so what it has it has had since then.
    pub fn known_since(&self) -> HashMap<&str, Timestamp> {
        let mut known = HashMap::with_capacity(self.findings.len());
        for Entry { finding, .. } in self.findings.values() {
            let since = known.entry(finding.vulnerability.as_str()).or_insert(finding.first_seen);
            *since = finding.first_seen.min(*since);
        }
        known
    }

    /// How many tasks and pods run the image, where that is known. Of an index it never is: what runs is one of its
    /// platforms, and Inspector does not follow these.
    pub fn in_use(&self) -> Option<InUse> {
        self.coverage.in_use(self.pushed_at).filter(|_| !self.is_multi_platform())
    }

    /// How much depends on the image, by the tags of its repository.
    pub fn criticality(&self) -> Option<&str> {
        self.repository_tags.as_ref()?.tags.criticality.as_deref()
    }

    /// When the image was last pulled, as far as Inspector says.
    pub fn pulled_at(&self) -> Option<Timestamp> {
        self.coverage.newest_asked()?.1.usage.pulled_at
    }

    /// CISA's entry for a finding's vulnerability, where it was asked for and there is one.
    pub fn known_exploited(&self, finding: &Finding) -> Option<KnownExploited> {
        self.exploitation.get(&finding.vulnerability)?.known
    }
}
