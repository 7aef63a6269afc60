//! Amazon ECR's own events.
//! <https://docs.aws.amazon.com/AmazonECR/latest/userguide/ecr-eventbridge.html>

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    ActionType, Envelope, Event, EventError, ImageAction, ScanOutcome, ScanReport, Total, foreign, tag,
};
use crate::finding::Source;
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
}

pub(super) fn image_action(envelope: &Envelope) -> Result<Event, EventError> {
    let detail: ImageActionDetail = envelope.detail()?;
    let action = match detail.action_type.as_str() {
        "PUSH" => ActionType::Push,
        "DELETE" => ActionType::Delete,
        other => return Ok(foreign(format!("image action {} changes no tag", sanitize(other)))),
    };
    if detail.result.as_deref().is_some_and(|result| result != "SUCCESS") {
        return Ok(foreign("an image action that did not succeed"));
    }
    Ok(Event::ImageAction(ImageAction {
        image: envelope.image(&detail.repository_name, &detail.image_digest)?,
        action,
        tag: tag(detail.image_tag),
        media_type: detail.manifest_media_type.map(|media_type| sanitize(&media_type)),
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

pub(super) fn image_scan(envelope: &Envelope) -> Result<Event, EventError> {
    let detail: ImageScanDetail = envelope.detail()?;
    let outcome = match detail.scan_status.as_str() {
        "COMPLETE" => ScanOutcome::Complete(match detail.finding_severity_counts {
            // A severity without findings is left out, so what is there adds up to the total.
            Some(counts) => Total::Exactly(super::sum(&counts)),
            None => Total::AtLeast(0),
        }),
        "FAILED" => ScanOutcome::Failed,
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
