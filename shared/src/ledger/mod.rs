//! The ledger: all that is known of one image.
//!
//! Evidence is merged into it, and every part of it is a join: the newest report of a finding, the earliest
//! push, the newest mark on a tag, the newest listing. So the order of the evidence, its repetition and its
//! division into batches do not matter.

mod encoding;
mod evidence;

use std::collections::BTreeMap;

use jiff::{Timestamp, ToSpan};
use serde::{Deserialize, Serialize};

use crate::assessment::Assessment;
use crate::event::Pusher;
use crate::finding::{Finding, KnownExploited, Severity, Source, Status};
use crate::image::ImageId;
use crate::verdict::Verdict;

pub use encoding::EncodingError;
pub(crate) use encoding::{decode, encode};
pub use evidence::Evidence;

/// All that is known of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    /// Which image.
    pub image: ImageId,
    /// How often it was stored; 0 for one that never was.
    pub version: u64,
    /// Its findings, by id.
    pub findings: BTreeMap<String, Entry>,
    /// What is known of the exploitation of vulnerabilities, by vulnerability.
    pub exploitation: BTreeMap<String, Exploitation>,
    /// The rest.
    pub facts: Facts,
    /// The assessment that is stored but, as far as the ledger knows, not announced.
    pub unpublished: Option<Assessment>,
}

/// How many tags an image's ledger remembers: the newest. An image can have 1,000, and any number that were
/// removed, each of which must be remembered for a while; its findings must still fit beside them.
pub(crate) const TAG_MARKS: usize = 200;

/// What a person wants to read of a ledger in the DynamoDB console.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// The verdict that was announced last.
    pub verdict: Verdict,
    /// Whether it was announced as quarantined, and not as clear since.
    #[serde(default)]
    pub quarantined: bool,
    /// The tags that were put on it and taken off it, the newest [`TAG_MARKS`] of them.
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
    /// Its manifest's media type.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    /// Its scans, by source.
    #[serde(default)]
    pub scans: BTreeMap<Source, Scans>,
    /// Whether its registry still scans it, as last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// When it was last known to be scanned. A later "no" does not unmake what was resolved before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_at: Option<Timestamp>,
    /// The completion of which scan was announced last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub announced_scan: Option<Timestamp>,
}

/// The newest thing known of a tag on this image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagMark {
    /// When.
    pub at: Timestamp,
    /// Whether it was there then. Of a removal and a push in the same second the push is believed.
    pub present: bool,
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

/// Whether an image is covered by scanning.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Coverage {
    /// When that was asked, or shown by a scan.
    pub at: Timestamp,
    /// Whether it is.
    pub active: bool,
    /// Inspector's reason code.
    pub reason: String,
}

/// What is known of the exploitation of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exploitation {
    /// When that was asked.
    pub asked_at: Timestamp,
    /// CISA's entry.
    pub known: Option<KnownExploited>,
}

/// A finding and what was made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The newest report of it.
    pub finding: Finding,
    /// Whether the newest complete scan of its source listed it.
    pub listed: bool,
    /// As what it was announced last.
    pub announced: Announced,
}

/// As what a finding was announced. Five independent facts, of which a state machine would be a worse name.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Announced {
    /// As open; waived ones are open too.
    pub open: bool,
    /// As excused.
    pub waived: bool,
    /// As matched by a rule that alerts.
    pub alert: bool,
    /// As matched by a rule that quarantines, at once or later.
    pub quarantine: bool,
    /// As known to be exploited.
    pub exploited: bool,
    /// With which severity.
    pub severity: Option<Severity>,
}

/// What is true of a finding once the scans and the coverage of its image are considered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// There, or closed by something that may not have been a fix.
    Open,
    /// Hidden by a suppression rule in Inspector.
    Suppressed,
    /// Gone while the image was scanned, since then.
    Resolved(Timestamp),
}

impl Ledger {
    /// The ledger of an image of which nothing is known.
    pub fn new(image: ImageId) -> Self {
        Self {
            image,
            version: 0,
            findings: BTreeMap::new(),
            exploitation: BTreeMap::new(),
            facts: Facts::default(),
            unpublished: None,
        }
    }

    /// The tags that are on the image, sorted.
    pub fn tags(&self) -> Vec<String> {
        let gone = |mark: &TagMark| self.facts.tags_since.is_some_and(|since| mark.at < since);
        self.facts
            .tags
            .iter()
            .filter(|(_, mark)| mark.present && !gone(mark))
            .map(|(tag, _)| tag.clone())
            .collect()
    }

    /// Whether any scan of the image has ended with a result.
    pub fn is_scanned(&self) -> bool {
        self.facts.scans.values().any(|scans| scans.completed_at.is_some())
    }

    /// Whether a scan could not be done, and none has been completed since.
    pub fn has_failed_scan(&self) -> bool {
        let completed = self.facts.scans.values().filter_map(|scans| scans.completed_at).max();
        self.facts.scans.values().any(|scans| scans.failed_at > completed)
    }

    /// When the newest scan that was reported ended, and whose it was.
    pub fn newest_scan(&self) -> Option<(Timestamp, Source)> {
        self.facts.scans.iter().filter_map(|(source, scans)| Some((scans.scanned_at?, *source))).max()
    }

    /// What is true of a finding. `CLOSED` is not fixed: a finding that went is resolved only if the image was
    /// covered by scanning when it went or later; until then it stands.
    pub fn standing(&self, entry: &Entry) -> Standing {
        match (entry.finding.status, self.gone_since(entry)) {
            (_, Some(gone)) if self.covered_since(gone) => Standing::Resolved(gone),
            (Status::Suppressed, None) => Standing::Suppressed,
            _ => Standing::Open,
        }
    }

    /// Whether findings have gone of which it is not known yet that the image was scanned then. A "no" is asked
    /// again after a day, for an image can be taken out of the archive.
    pub fn must_ask_coverage(&self, now: Timestamp) -> bool {
        let stale = |at: Timestamp| at.checked_add(24.hours()).is_ok_and(|end| end <= now);
        self.findings
            .values()
            .filter_map(|entry| self.gone_since(entry))
            .filter(|gone| !self.covered_since(*gone))
            .any(|gone| self.facts.coverage.as_ref().is_none_or(|asked| asked.at < gone || stale(asked.at)))
    }

    fn covered_since(&self, gone: Timestamp) -> bool {
        self.facts.covered_at.is_some_and(|covered| covered >= gone)
    }

    /// Since when a finding is no longer reported: its source closed it, or a complete scan that ended after
    /// the newest report of it did not list it.
    fn gone_since(&self, entry: &Entry) -> Option<Timestamp> {
        if entry.finding.status == Status::Closed {
            return Some(entry.finding.updated_at);
        }
        let completed_at = self.facts.scans.get(&entry.finding.source)?.completed_at?;
        (!entry.listed && entry.finding.updated_at <= completed_at).then_some(completed_at)
    }

    /// CISA's entry for a finding's vulnerability, where it was asked for and there is one.
    pub fn known_exploited(&self, finding: &Finding) -> Option<KnownExploited> {
        self.exploitation.get(&finding.vulnerability)?.known
    }
}

#[cfg(test)]
mod tests;
