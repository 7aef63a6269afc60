//! Amazon ECR's own events.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::{
    ActionType, Counts, Envelope, Event, EventError, ImageAction, ScanOutcome, ScanReport, StorageChange,
    StorageClass, foreign, tag,
};
use crate::finding::{Severity, Source};
use crate::text::sanitize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageActionDetail {
    result: Option<String>,
    repository_name: String,
    image_digest: String,
    action_type: String,
    image_tag: Option<String>,
    manifest_media_type: Option<String>,
    artifact_media_type: Option<String>,
    target_storage_class: Option<String>,
    #[serde(default, deserialize_with = "crate::time::optional")]
    last_activated_at: Option<Timestamp>,
}

pub(super) fn image_action(envelope: &Envelope) -> Result<Event, EventError> {
    let detail: ImageActionDetail = envelope.detail()?;
    if detail.result.as_deref().is_some_and(|result| result != "SUCCESS") {
        return Ok(foreign("an image action that did not succeed"));
    }
    let action = match detail.action_type.as_str() {
        "PUSH" => ActionType::Push,
        "DELETE" => ActionType::Delete,
        "UPDATE_STORAGE_CLASS" => return storage_change(envelope, &detail),
        other => return Ok(foreign(format!("image action {} changes no tag", sanitize(other)))),
    };
    Ok(Event::ImageAction(ImageAction {
        image: envelope.image(&detail.repository_name, &detail.image_digest)?,
        action,
        tag: tag(detail.image_tag),
        media_type: detail.manifest_media_type.map(|media_type| sanitize(&media_type)),
        artifact_media_type: detail.artifact_media_type.map(|media_type| sanitize(&media_type)),
        at: envelope.time()?,
    }))
}

fn storage_change(envelope: &Envelope, detail: &ImageActionDetail) -> Result<Event, EventError> {
    const CLASS: &str = "detail.target-storage-class";
    let class = detail.target_storage_class.as_deref().ok_or_else(|| envelope.wrong(CLASS, "missing"))?;
    Ok(Event::StorageChange(StorageChange {
        image: envelope.image(&detail.repository_name, &detail.image_digest)?,
        class: StorageClass::read(class).map_err(|reason| envelope.wrong(CLASS, reason))?,
        activated_at: detail.last_activated_at,
        actor: None,
        at: envelope.time()?,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ImageScanDetail {
    scan_status: String,
    repository_name: String,
    image_digest: String,
    #[serde(default)]
    image_tags: Vec<String>,
    finding_severity_counts: Option<BTreeMap<String, u64>>,
}

/// The eleven statuses are those of the API model's `ScanStatus`; Amazon's page on the event shows `COMPLETE` alone.
pub(super) fn image_scan(envelope: &Envelope) -> Result<Event, EventError> {
    let detail: ImageScanDetail = envelope.detail()?;
    let outcome = match detail.scan_status.as_str() {
        "COMPLETE" => ScanOutcome::Complete(detail.finding_severity_counts.map(counts).unwrap_or_default()),
        "FAILED"
        | "UNSUPPORTED_IMAGE"
        | "FINDINGS_UNAVAILABLE"
        | "LIMIT_EXCEEDED"
        | "IMAGE_SIZE_EXCEEDED" => ScanOutcome::Failed,
        // The scan goes on, or there is none: the last verdict stands.
        status @ ("IN_PROGRESS" | "PENDING" | "ACTIVE" | "SCAN_ELIGIBILITY_EXPIRED" | "IMAGE_ARCHIVED") => {
            return Ok(foreign(format!("scan status {status} is not the end of a scan")));
        }
        other => {
            return Err(envelope.wrong("detail.scan-status", format!("unknown status {:?}", sanitize(other))));
        }
    };
    Ok(Event::Scan(ScanReport {
        image: envelope.image(&detail.repository_name, &detail.image_digest)?,
        source: Source::Basic,
        outcome,
        tags: detail.image_tags,
        at: envelope.time()?,
    }))
}

/// A severity without findings is left out, so what is there adds up to the total.
fn counts(stated: BTreeMap<String, u64>) -> Counts {
    let mut by_severity: BTreeMap<Severity, u64> = Severity::KNOWN.map(|severity| (severity, 0)).into();
    for (name, count) in stated {
        let known = by_severity.entry(Severity::from(name)).or_default();
        *known = known.saturating_add(count);
    }
    let total = by_severity.values().fold(0, |sum: u64, count| sum.saturating_add(*count));
    Counts { by_severity, total: Some(total) }
}
