//! What a stream of events implies about the registry and about Inspector. It is told to the local AWS before
//! the stream is delivered, so that an event that arrives early finds the truth that it asks for.

use std::collections::{BTreeMap, BTreeSet};

use domain::event::{ActionType, Event};
use domain::image::ImageId;
use domain::quarantine::is_quarantine_tag;
use domain::time;
use jiff::Timestamp;
use serde_json::Value;
use sim_aws::{ImageStatus, SeedImage, SeedScanning, SeedUsage, SimulatedAws};

use crate::input::Delivery;

/// A step in the registry's history.
enum Step {
    Pushed { tags: Vec<String>, media_type: Option<String> },
    Untagged(String),
    Deleted,
}

/// Tells the local AWS what a stream implies. Returns the images that it speaks of.
pub(crate) fn establish(aws: &SimulatedAws, deliveries: &[Delivery]) -> BTreeSet<ImageId> {
    let mut images = BTreeSet::new();
    let mut history: Vec<(Timestamp, ImageId, Step)> = Vec::new();
    let mut manifests: BTreeMap<ImageId, String> = BTreeMap::new();
    let mut witnessed: BTreeMap<ImageId, (Timestamp, BTreeSet<String>)> = BTreeMap::new();
    let mut uses = Uses::new();
    let mut witness = |image: ImageId, tags: Vec<String>, at: Timestamp| {
        let (earliest, known) = witnessed.entry(image).or_insert_with(|| (at, BTreeSet::new()));
        *earliest = at.min(*earliest);
        known.extend(tags);
    };
    for delivery in deliveries {
        let Ok(event) = &delivery.event else { continue };
        cover(aws, event);
        enhance(aws, event);
        note_uses(&mut uses, event);
        store(aws, event);
        let Ok(parsed) = Event::parse(&event.to_string()) else { continue };
        images.extend(parsed.images().cloned());
        match parsed {
            Event::PutImage(put) => {
                let manifest =
                    event.pointer("/detail/requestParameters/imageManifest").and_then(Value::as_str);
                manifests.extend(manifest.map(|manifest| (put.image.clone(), manifest.to_owned())));
                let step = Step::Pushed { tags: put.tag.into_iter().collect(), media_type: put.media_type };
                history.push((put.at, put.image, step));
            }
            Event::ImageAction(action) => {
                let step = match (action.action, action.tag) {
                    (ActionType::Push, tag) => {
                        Step::Pushed { tags: tag.into_iter().collect(), media_type: action.media_type }
                    }
                    (ActionType::Delete, Some(tag)) => Step::Untagged(tag),
                    (ActionType::Delete, None) => Step::Deleted,
                };
                history.push((action.at, action.image, step));
            }
            Event::Finding(report) => {
                if let Some(detail) = event.get("detail") {
                    aws.inspector().seed_finding(detail.clone());
                }
                let at = report.pushed_at.unwrap_or(report.finding.first_seen);
                witness(report.image, report.tags, at);
            }
            Event::Scan(report) => witness(report.image, report.tags, report.at),
            // The registry's own events say what was deleted, `store` reads the storage class, and `cover` what is covered.
            Event::Coverage(_)
            | Event::Due(_)
            | Event::Deletion(_)
            | Event::StorageChange(_)
            | Event::Foreign(_) => {}
        }
    }
    for (arn, (last_in_use_at, count)) in uses {
        let usage = SeedUsage { in_use_count: Some(count), last_in_use_at, pulled_at: None };
        aws.inspector().seed_usage(&arn, usage);
    }
    // An image that only findings and scans speak of was pushed before the stream began.
    let mut known: BTreeSet<(String, String, String)> = aws
        .ecr()
        .images()
        .into_iter()
        .map(|image| (image.registry, image.repository, image.digest))
        .collect();
    let pushes = history.iter().filter(|(.., step)| matches!(step, Step::Pushed { .. }));
    known.extend(pushes.map(|(_, image, _)| place(image)));
    for (image, (at, tags)) in witnessed {
        if !known.contains(&place(&image)) {
            push(aws, &image, at, tags.into_iter().collect(), None, None);
        }
    }
    // Events carry whole seconds. Of a removal and a push in the same one the push is believed, as the ledger
    // does; nothing here depends on the order in which the events stand in the input.
    history.sort_by_cached_key(|(at, image, step)| (*at, image.clone(), matches!(step, Step::Pushed { .. })));
    for (at, image, step) in history {
        match step {
            Step::Pushed { tags, media_type } => {
                let manifest = manifests.get(&image).cloned();
                push(aws, &image, at, tags, media_type, manifest);
            }
            Step::Untagged(tag) => aws.ecr().seed_untag(&image.account, &image.repository, &tag),
            Step::Deleted => {
                aws.ecr().seed_delete(&image.account, &image.repository, image.digest.as_str());
                aws.inspector().seed_coverage(&image.arn(), "INACTIVE", "RESOURCE_TERMINATED");
            }
        }
    }
    images
}

/// Where the registry keeps an image.
fn place(image: &ImageId) -> (String, String, String) {
    (image.account.clone(), image.repository.clone(), image.digest.to_string())
}

fn push(
    aws: &SimulatedAws,
    image: &ImageId,
    at: Timestamp,
    tags: Vec<String>,
    media_type: Option<String>,
    manifest: Option<String>,
) {
    aws.ecr().seed_image(SeedImage {
        registry: image.account.clone(),
        repository: image.repository.clone(),
        manifest,
        media_type,
        digest: image.digest.to_string(),
        tags: tags.into_iter().filter(|tag| !is_quarantine_tag(tag)).collect(),
        pushed_at: at.as_millisecond(),
    });
}

/// Inspector's own word on what it covers.
fn cover(aws: &SimulatedAws, event: &Value) {
    if event.get("detail-type").and_then(Value::as_str) != Some("Inspector2 Coverage") {
        return;
    }
    let text = |pointer: &str| event.pointer(pointer).and_then(Value::as_str);
    let arns = event.get("resources").and_then(Value::as_array).into_iter().flatten();
    for arn in arns.filter_map(Value::as_str) {
        let status = text("/detail/scanStatus/statusCodeValue").unwrap_or("INACTIVE");
        aws.inspector().seed_coverage(arn, status, text("/detail/scanStatus/reason").unwrap_or("UNKNOWN"));
    }
}

/// Where Inspector speaks, it scans.
fn enhance(aws: &SimulatedAws, event: &Value) {
    let text = |name: &str| event.get(name).and_then(Value::as_str);
    if let (Some("aws.inspector2"), Some(account)) = (text("source"), text("account")) {
        let rules = vec![("CONTINUOUS_SCAN".to_owned(), vec!["*".to_owned()])];
        aws.ecr().seed_scanning(account, SeedScanning { enhanced: true, rules });
    }
}

/// What findings say of the tasks and pods that run their images: by ARN, when one last did, and how many do. Of several
/// that differ the greatest counts, in whatever order they come.
type Uses = BTreeMap<String, (Option<i64>, i64)>;

fn note_uses(uses: &mut Uses, event: &Value) {
    let resources = event.pointer("/detail/resources").and_then(Value::as_array).into_iter().flatten();
    for resource in resources {
        let detail = |name| resource.pointer("/details/awsEcrContainerImage")?.get(name);
        let count = detail("inUseCount").and_then(Value::as_i64);
        let last = detail("lastInUseAt").and_then(Value::as_str).and_then(|last| time::parse(last).ok());
        if let (Some(arn), Some(count)) = (resource.get("id").and_then(Value::as_str), count) {
            let said = (last.map(Timestamp::as_millisecond), count);
            let known = uses.entry(arn.to_owned()).or_insert(said);
            *known = said.max(*known);
        }
    }
}

/// An image moves into the archive, where neither pulls nor scans reach it, or back.
fn store(aws: &SimulatedAws, event: &Value) {
    let text = |name: &str| event.get("detail")?.get(name)?.as_str();
    let (Some(account), Some(repository), Some(digest), Some(class)) = (
        event.get("account").and_then(Value::as_str),
        text("repository-name"),
        text("image-digest"),
        text("target-storage-class"),
    ) else {
        return;
    };
    let status = if class == "ARCHIVE" { ImageStatus::Archived } else { ImageStatus::Active };
    aws.ecr().set_image_status(account, repository, digest, status);
}
