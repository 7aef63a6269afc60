//! The EventBridge events that are evidence, read into the domain's own types.
//!
//! The envelope is lenient: AWS adds keys, leaves keys out, and writes times in four ways. What is not about
//! an ECR image is [`Event::Foreign`], which is no error; what should be and cannot be read is an
//! [`EventError`] that names the event and the field.

mod cloudtrail;
mod due;
mod ecr;
mod envelope;
mod inspector;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use thiserror::Error;

use crate::finding::{Finding, Severity, Source};
use crate::image::ImageId;
use crate::provenance::{Actor, Origin, Pusher};
use crate::text::sanitize;

use envelope::Envelope;

pub use due::{ImageDue, Registered};

/// An event that can never be understood: no retry can help.
#[derive(Debug, Error)]
pub enum EventError {
    /// Not JSON, or not an object.
    #[error("event is not readable as JSON: {0}")]
    Json(#[source] serde_json::Error),
    /// A field that is missing, of the wrong type, or of a value that this code does not know.
    #[error("event {id}: field {field}: {reason}")]
    Field {
        /// The event's id; `(none)` where it has none.
        id: String,
        /// The path of the field, as `detail.scan-status`.
        field: String,
        reason: String,
    },
}

/// Why an event is not for us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Foreign(pub String);

/// A tag was put on an image, or an image pushed, or one of these undone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageAction {
    pub image: ImageId,
    /// Push or delete.
    pub action: ActionType,
    /// The tag; a child of a multi-architecture image is pushed without one.
    pub tag: Option<String>,
    /// The manifest's media type, where the event states it.
    pub media_type: Option<String>,
    /// What an image manifest is about, where the event states it: the media type of an image's config, or the type of
    /// an artifact such as a signature. An index has none.
    pub artifact_media_type: Option<String>,
    /// When, in whole seconds.
    pub at: Timestamp,
}

/// What was done to an image: the field `action-type`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ActionType {
    /// Pushed, or a tag put on it.
    Push,
    /// Deleted, or a tag taken off it.
    Delete,
}

/// CloudTrail's record of a `PutImage`: the one place that says who.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PutImage {
    pub image: ImageId,
    /// The tag, where one was put.
    pub tag: Option<String>,
    pub media_type: Option<String>,
    pub pusher: Pusher,
    /// From where.
    pub from: Origin,
    /// When, in whole seconds.
    pub at: Timestamp,
}

/// CloudTrail's record of a `BatchDeleteImage`: who took tags off images or deleted them. One call names up to 100.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Deletion {
    /// By digest, each once, and at least one.
    pub removals: Vec<Removal>,
    pub actor: Actor,
}

/// What was taken of one image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    pub image: ImageId,
    /// The tags that are gone.
    pub tags: BTreeSet<String>,
    /// Whether the image was named by its digest alone, and is gone. Otherwise tags were named, and it is gone if these
    /// were its last ones.
    pub whole: bool,
}

/// An image was put into another storage class: archived, or restored. CloudTrail's record of the call says who asked
/// for it; ECR's own event comes when it is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageChange {
    pub image: ImageId,
    pub class: StorageClass,
    /// When it was last restored, where that is stated.
    pub activated_at: Option<Timestamp>,
    /// Who asked for it, in CloudTrail's record.
    pub actor: Option<Actor>,
    pub at: Timestamp,
}

/// Where ECR keeps an image. An archived one cannot be pulled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    Standard,
    Archive,
}

impl StorageClass {
    fn read(name: &str) -> Result<Self, String> {
        match name {
            "STANDARD" => Ok(Self::Standard),
            "ARCHIVE" => Ok(Self::Archive),
            other => Err(format!("unknown storage class {:?}", sanitize(other))),
        }
    }
}

/// A finding was opened, updated or closed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FindingReport {
    pub image: ImageId,
    pub finding: Finding,
    pub tags: Vec<String>,
    /// When the image was pushed.
    pub pushed_at: Option<Timestamp>,
}

/// A scan of an image has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScanReport {
    pub image: ImageId,
    pub source: Source,
    pub outcome: ScanOutcome,
    pub tags: Vec<String>,
    pub at: Timestamp,
}

/// How a scan ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanOutcome {
    /// Complete, with so many findings.
    Complete(Counts),
    /// It could not be done.
    Failed,
}

/// How many findings a scan says it has. What it does not state is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    pub by_severity: BTreeMap<Severity, u64>,
    /// Of all severities, also of those that are not stated one by one.
    pub total: Option<u64>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.total {
            Some(total) => write!(f, "{total} findings")?,
            None => f.write_str("findings without a total")?,
        }
        let stated = self.by_severity.iter().rev().filter(|(_, count)| **count > 0);
        let stated: Vec<String> = stated.map(|(severity, count)| format!("{count} {severity}")).collect();
        if stated.is_empty() { Ok(()) } else { write!(f, " ({})", stated.join(", ")) }
    }
}

/// Whether Inspector scans an image has changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CoverageReport {
    pub image: ImageId,
    /// Inspector's status code, as `ACTIVE`.
    pub status: String,
    /// Its reason code.
    pub reason: String,
    pub at: Timestamp,
}

/// One event, understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// `ECR Image Action`, PUSH or DELETE.
    ImageAction(ImageAction),
    /// `AWS API Call via CloudTrail`, `PutImage`.
    PutImage(PutImage),
    /// `AWS API Call via CloudTrail`, `BatchDeleteImage`.
    Deletion(Deletion),
    /// `ECR Image Action`, `UPDATE_STORAGE_CLASS`; `AWS API Call via CloudTrail`, `UpdateImageStorageClass`.
    StorageChange(StorageChange),
    /// `Inspector2 Finding` of an ECR image.
    Finding(Box<FindingReport>),
    /// `Inspector2 Scan` of an ECR image, or `ECR Image Scan`.
    Scan(ScanReport),
    /// `Inspector2 Coverage` of an ECR image.
    Coverage(CoverageReport),
    /// Our own `Image Due`.
    Due(Box<ImageDue>),
    /// Not about an ECR image, or not something that changes a fact.
    Foreign(Foreign),
}

impl Event {
    /// Reads one EventBridge event.
    pub fn parse(json: &str) -> Result<Self, EventError> {
        let mut envelope = Envelope::read(json)?;
        let Some(detail_type) = envelope.detail_type.as_deref() else {
            if envelope.event_version.is_some() {
                return Ok(foreign("a CloudTrail record outside of an EventBridge event"));
            }
            return Err(envelope.wrong("detail-type", "missing"));
        };
        let event = match detail_type {
            "ECR Image Action" => ecr::image_action(&envelope),
            "ECR Image Scan" => ecr::image_scan(&envelope),
            envelope::FINDING => inspector::finding(&mut envelope),
            "Inspector2 Scan" => inspector::scan(&envelope),
            "Inspector2 Coverage" => inspector::coverage(&envelope),
            "AWS API Call via CloudTrail" => cloudtrail::api_call(&envelope),
            due::DETAIL_TYPE => due::image_due(&envelope),
            other => Ok(foreign(format!("{} says nothing of findings or pushes", sanitize(other)))),
        }?;
        // A name is an identity: one that would have to be cleaned is refused, or it would be another image's.
        if let Some(image) = event.images().find(|image| !image.is_plain()) {
            return Err(
                envelope.wrong("detail", format!("not an image: {}", image.to_string().escape_default()))
            );
        }
        Ok(event)
    }

    /// The images that the event is about: of a deletion up to 100, otherwise one or none.
    pub fn images(&self) -> impl Iterator<Item = &ImageId> {
        let (one, many) = match self {
            Self::ImageAction(action) => (Some(&action.image), None),
            Self::PutImage(put) => (Some(&put.image), None),
            Self::Deletion(deletion) => (None, Some(&deletion.removals)),
            Self::StorageChange(change) => (Some(&change.image), None),
            Self::Finding(report) => (Some(&report.image), None),
            Self::Scan(report) => (Some(&report.image), None),
            Self::Coverage(report) => (Some(&report.image), None),
            Self::Due(due) => (Some(&due.image), None),
            Self::Foreign(_) => (None, None),
        };
        one.into_iter().chain(many.into_iter().flatten().map(|removal| &removal.image))
    }
}

fn foreign(reason: impl Into<String>) -> Event {
    Event::Foreign(Foreign(reason.into()))
}

/// An absent tag and an empty one mean the same.
fn tag(tag: Option<String>) -> Option<String> {
    tag.map(|tag| sanitize(&tag)).filter(|tag| !tag.is_empty())
}

#[cfg(test)]
mod tests;
