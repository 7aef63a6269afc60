//! What is known of an image: the state of the CRDT. How evidence changes it is in `merge.rs`; what follows from
//! it is in `standing.rs`.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::finding::{Finding, KnownExploited, Source};
use crate::provenance::Pusher;

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
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(default)]
    pub scans: BTreeMap<Source, Scans>,
    /// Whether Inspector scans it, as last asked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub coverage: Option<Coverage>,
    /// When it was last known to be scanned. A later "no" does not unmake what was resolved before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub covered_at: Option<Timestamp>,
}

/// A finding and whether it is still listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The join of all reports of it.
    pub finding: Finding,
    /// Whether the newest complete scan of its source listed it.
    pub listed: bool,
}

/// The newest thing known of a tag on this image.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TagMark {
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
    pub active: bool,
    /// Inspector's reason code.
    pub reason: String,
}

/// What is known of the exploitation of a vulnerability.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Exploitation {
    pub asked_at: Timestamp,
    /// The entry in CISA's catalogue, where there is one.
    pub known: Option<KnownExploited>,
}

impl Facts {
    /// The tags that are on the image, sorted.
    pub fn tags(&self) -> Vec<String> {
        let gone = |mark: &TagMark| self.tags_since.is_some_and(|since| mark.at < since);
        self.tags.iter().filter(|(_, mark)| mark.present && !gone(mark)).map(|(tag, _)| tag.clone()).collect()
    }

    /// Whether any scan of the image has ended with a result.
    pub fn is_scanned(&self) -> bool {
        self.scans.values().any(|scans| scans.completed_at.is_some())
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

    /// CISA's entry for a finding's vulnerability, where it was asked for and there is one.
    pub fn known_exploited(&self, finding: &Finding) -> Option<KnownExploited> {
        self.exploitation.get(&finding.vulnerability)?.known
    }
}
