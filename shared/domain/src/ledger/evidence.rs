//! What can be learnt of an image.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::coverage::CoverageAnswer;
use super::facts::{Exploitation, Link};
use crate::event::{FindingReport, ImageAction, PutImage};
use crate::finding::{Finding, Source};
use crate::image::Digest;
use crate::manifest::Contents;
use crate::provenance::{Labels, TagsAsOf};

/// Something learnt about an image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Evidence {
    /// A finding was reported by itself.
    Finding(Box<FindingReport>),
    /// A scan ended, and this is all that it found.
    Listing {
        source: Source,
        /// When the scan ended.
        at: Timestamp,
        /// Whether a scan ended then; a listing that was only asked for is none.
        scanned: bool,
        /// All findings, of every status.
        findings: Vec<Finding>,
        tags: Vec<String>,
    },
    /// A scan ended whose findings are known from a newer listing.
    Scanned {
        source: Source,
        at: Timestamp,
    },
    /// Findings of a listing that is not complete.
    Findings(Vec<Finding>),
    ScanFailed {
        source: Source,
        at: Timestamp,
    },
    /// A tag was put on or taken off.
    Action(ImageAction),
    /// CloudTrail says who pushed it.
    Put(PutImage),
    /// The registry was asked when the image was pushed.
    Described {
        pushed_at: Timestamp,
        media_type: Option<String>,
    },
    /// The registry was asked which tags the image has, and these are all. No event says that a tag moved to
    /// another image.
    Tagged {
        at: Timestamp,
        tags: Vec<String>,
    },
    /// Quarantine had taken these tags off by then, and they still belong to the image.
    Withheld {
        at: Timestamp,
        tags: Vec<String>,
    },
    /// The registry was asked for the image, and does not have it, not even in the archive.
    Gone {
        at: Timestamp,
    },
    /// The manifest of an index was read, and this is what it contains.
    Contents(Contents),
    /// The manifest of an index could not be read, and may be later.
    Unread {
        /// When the index had been pushed or restored that was to be read.
        at: Timestamp,
        reason: String,
    },
    /// It is out of the archive again.
    Restored {
        at: Timestamp,
    },
    /// An index contains it, or did until it was deleted.
    ContainedIn {
        index: Digest,
        link: Link,
    },
    /// The tags of the image's repository were read.
    RepositoryTags(TagsAsOf),
    /// The labels of the image were read, or those of an image in the index.
    Labels(Labels),
    /// It was in the registry before its repository was watched, which began then.
    Adopted {
        at: Timestamp,
    },
    /// Inspector was asked whether it scans the image, or said so in an event.
    Coverage {
        at: Timestamp,
        answer: CoverageAnswer,
    },
    /// Inspector was asked about known exploitation; the key is the vulnerability.
    Exploitation(BTreeMap<String, Exploitation>),
}
