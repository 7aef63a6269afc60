//! Amazon Inspector's events.
//! <https://docs.aws.amazon.com/inspector/latest/user/eventbridge-integration.html>

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Deserialize;

use super::envelope::Text;
use super::{
    Counts, CoverageReport, Envelope, Event, EventError, FindingReport, ScanOutcome, ScanReport, foreign,
};
use crate::finding::{Finding, InspectorFinding, InspectorPackage, Severity, Source};
use crate::image::{ImageId, RepositoryRef};
use crate::text::sanitize;

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct ScanDetail {
    scan_status: String,
    /// An ARN here; EC2 instances and Lambda functions have none.
    repository_name: Option<String>,
    image_digest: Option<String>,
    #[serde(default)]
    image_tags: Vec<String>,
    finding_severity_counts: Option<BTreeMap<String, u64>>,
}

pub(super) fn scan(envelope: &Envelope) -> Result<Event, EventError> {
    let detail: ScanDetail = envelope.detail()?;
    let Some(repository) = detail.repository_name else {
        return Ok(foreign("a scan of something that is no container image"));
    };
    if detail.scan_status != "INITIAL_SCAN_COMPLETE" {
        let reason = format!("unknown status {:?}", sanitize(&detail.scan_status));
        return Err(envelope.wrong("detail.scan-status", reason));
    }
    let digest = detail.image_digest.ok_or_else(|| envelope.wrong("detail.image-digest", "missing"))?;
    let mut counts = detail.finding_severity_counts.unwrap_or_default();
    let total = counts.remove("TOTAL");
    let by_severity = counts.into_iter().map(|(name, count)| (Severity::from(name), count)).collect();
    Ok(Event::Scan(ScanReport {
        image: envelope.image(&repository, &digest)?,
        source: Source::Inspector,
        outcome: ScanOutcome::Complete(Counts { by_severity, total }),
        tags: detail.image_tags,
        at: envelope.time()?,
    }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CoverageDetail {
    scan_status: ScanStatus,
    scan_type: Option<String>,
    /// When the status changed; the envelope is some seconds later.
    #[serde(default, deserialize_with = "crate::time::optional")]
    event_timestamp: Option<Timestamp>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ScanStatus {
    status_code_value: String,
    reason: String,
}

/// The event names what it is about in the envelope alone. Amazon documents it for an EC2 instance only; that an image
/// stands there by its ARN, as in findings, is our reading of "the resource".
pub(super) fn coverage(envelope: &Envelope) -> Result<Event, EventError> {
    let resources = envelope.resources.ok_or_else(|| envelope.wrong("resources", "missing"))?.get();
    let resources: Vec<String> =
        serde_json::from_str(resources).map_err(|error| envelope.wrong("resources", error.to_string()))?;
    let images: Vec<&str> = resources.iter().map(String::as_str).filter(|arn| is_of_ecr(arn)).collect();
    let arn = match images.as_slice() {
        [] => return Ok(foreign("coverage of something that is no container image")),
        [arn] => *arn,
        several => {
            return Err(envelope.wrong("resources", format!("{} images, expected one", several.len())));
        }
    };
    let (_, digest) = arn
        .rsplit_once('/')
        .filter(|(_, digest)| digest.starts_with("sha256:"))
        .ok_or_else(|| envelope.wrong("resources", "the ARN of an image does not end in its digest"))?;
    let repository =
        RepositoryRef::parse(arn).map_err(|error| envelope.wrong("resources", error.to_string()))?;
    let detail: CoverageDetail = envelope.detail()?;
    let ScanStatus { status_code_value: status, reason } = detail.scan_status;
    if detail.scan_type.as_deref().is_some_and(|kind| kind != "PACKAGE") {
        return Ok(foreign("coverage by a scan that is not for the packages of an image"));
    }
    // Each rescan would be a gap in coverage. Its end is announced, where it has one that matters.
    if status == "ACTIVE" && reason == "SCAN_IN_PROGRESS" {
        return Ok(foreign("a scan that is running says nothing of an image yet"));
    }
    Ok(Event::Coverage(CoverageReport {
        image: ImageId {
            account: repository
                .account
                .or_else(|| envelope.account.clone())
                .ok_or_else(|| envelope.wrong("account", "missing"))?,
            region: repository
                .region
                .or_else(|| envelope.region.clone())
                .ok_or_else(|| envelope.wrong("region", "missing"))?,
            repository: repository.name,
            digest: envelope.digest(digest, "resources")?,
        },
        status,
        reason: sanitize(&reason),
        at: detail.event_timestamp.map_or_else(|| envelope.time(), Ok)?,
    }))
}

/// Whether an ARN is one of ECR, in whatever partition.
fn is_of_ecr(arn: &str) -> bool {
    arn.starts_with("arn:") && arn.split(':').nth(2) == Some("ecr")
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "'de: 'a"))]
pub(super) struct FindingDetail<'a> {
    finding_arn: Text<'a>,
    aws_account_id: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    status: Text<'a>,
    severity: Option<Text<'a>>,
    inspector_score: Option<f64>,
    epss: Option<EpssDetail>,
    exploit_available: Option<Text<'a>>,
    fix_available: Option<Text<'a>>,
    #[serde(deserialize_with = "crate::time::required")]
    updated_at: Timestamp,
    #[serde(default, deserialize_with = "crate::time::optional")]
    first_observed_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "crate::time::optional")]
    last_observed_at: Option<Timestamp>,
    package_vulnerability_details: Option<PackageVulnerability<'a>>,
    resources: Vec<Resource<'a>>,
}

#[derive(Deserialize)]
struct EpssDetail {
    score: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "'de: 'a"))]
struct PackageVulnerability<'a> {
    vulnerability_id: Option<Text<'a>>,
    #[serde(default)]
    vulnerable_packages: Vec<VulnerablePackage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "'de: 'a"))]
struct VulnerablePackage<'a> {
    name: Option<Text<'a>>,
    version: Option<Text<'a>>,
    release: Option<Text<'a>>,
    fixed_in_version: Option<Text<'a>>,
}

#[derive(Deserialize)]
#[serde(bound(deserialize = "'de: 'a"))]
struct Resource<'a> {
    id: Option<Text<'a>>,
    #[serde(rename = "type")]
    kind: Option<Text<'a>>,
    details: Option<ResourceDetails<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "'de: 'a"))]
struct ResourceDetails<'a> {
    aws_ecr_container_image: Option<ContainerImage<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
#[serde(bound(deserialize = "'de: 'a"))]
struct ContainerImage<'a> {
    repository_name: Text<'a>,
    image_hash: Text<'a>,
    registry: Option<Text<'a>>,
    #[serde(default)]
    image_tags: Vec<String>,
    #[serde(default, deserialize_with = "crate::time::optional")]
    pushed_at: Option<Timestamp>,
}

/// What the detail of a finding of another resource has in common with ours. It is read first, because the
/// rest of a foreign finding need not have the shape that we know.
#[derive(Deserialize)]
struct Resources {
    resources: Vec<ResourceKind>,
}

#[derive(Deserialize)]
struct ResourceKind {
    #[serde(rename = "type")]
    kind: Option<String>,
}

const CONTAINER_IMAGE: &str = "AWS_ECR_CONTAINER_IMAGE";

pub(super) fn finding(envelope: &mut Envelope) -> Result<Event, EventError> {
    // The common case is read once; what fails is looked at again to tell the foreign from the broken.
    let detail = envelope.take_finding();
    let detail: FindingDetail = match detail.map_or_else(|| envelope.detail(), |detail| Ok(*detail)) {
        Ok(detail) => detail,
        Err(error) => {
            let kinds: Resources = envelope.detail()?;
            if kinds.resources.iter().all(|r| r.kind.as_deref().is_some_and(|kind| kind != CONTAINER_IMAGE)) {
                return Ok(not_an_image());
            }
            return Err(error);
        }
    };
    let Some(resource) = detail.resources.iter().find(|r| r.kind.as_deref() == Some(CONTAINER_IMAGE)) else {
        return Ok(not_an_image());
    };
    let container = resource
        .details
        .as_ref()
        .and_then(|details| details.aws_ecr_container_image.as_ref())
        .ok_or_else(|| envelope.wrong("detail.resources.details.awsEcrContainerImage", "missing"))?;
    let image = image(envelope, &detail, resource, container)?;
    let tags = container.image_tags.clone();
    let pushed_at = container.pushed_at;
    let finding = read(envelope, &detail)?;
    Ok(Event::Finding(Box::new(FindingReport { image, finding, tags, pushed_at })))
}

fn not_an_image() -> Event {
    foreign("a finding of something that is no ECR image")
}

/// Older findings state the region as `N/A`; the resource's ARN has it. A delegated administrator receives
/// copies of its members' findings, so the account is the finding's own and not the envelope's.
fn image(
    envelope: &Envelope,
    detail: &FindingDetail,
    resource: &Resource,
    container: &ContainerImage,
) -> Result<ImageId, EventError> {
    let arn = resource
        .id
        .as_deref()
        .filter(|id| id.starts_with("arn:"))
        .and_then(|id| RepositoryRef::parse(id).ok());
    let (account, region) = arn.map_or((None, None), |arn| (arn.account, arn.region));
    Ok(ImageId {
        account: account
            .or_else(|| container.registry.as_deref().map(str::to_owned))
            .or_else(|| detail.aws_account_id.as_deref().map(str::to_owned))
            .or_else(|| envelope.account.clone())
            .ok_or_else(|| envelope.wrong("detail.awsAccountId", "missing"))?,
        region: region
            .or_else(|| envelope.region.clone())
            .ok_or_else(|| envelope.wrong("region", "missing"))?,
        repository: container.repository_name.to_string(),
        digest: envelope
            .digest(&container.image_hash, "detail.resources.details.awsEcrContainerImage.imageHash")?,
    })
}

fn read(envelope: &Envelope, detail: &FindingDetail) -> Result<Finding, EventError> {
    let details = detail.package_vulnerability_details.as_ref();
    let packages = details.map(|details| details.vulnerable_packages.as_slice()).unwrap_or_default();
    let finding = InspectorFinding {
        arn: &detail.finding_arn,
        status: &detail.status,
        severity: detail.severity.as_deref(),
        kind: detail.kind.as_deref(),
        vulnerability: details.and_then(|details| details.vulnerability_id.as_deref()),
        score: detail.inspector_score,
        epss: detail.epss.as_ref().and_then(|epss| epss.score),
        exploit_available: detail.exploit_available.as_deref(),
        fix_available: detail.fix_available.as_deref(),
        packages: packages
            .iter()
            .map(|package| InspectorPackage {
                name: package.name.as_deref(),
                version: package.version.as_deref(),
                release: package.release.as_deref(),
                fixed_in_version: package.fixed_in_version.as_deref(),
            })
            .collect(),
        updated_at: Some(detail.updated_at),
        first_observed_at: detail.first_observed_at,
        last_observed_at: detail.last_observed_at,
    };
    finding.read().map_err(|error| envelope.wrong(format!("detail.{}", error.field), error.reason))
}
