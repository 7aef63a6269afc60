//! What ECR says about the vulnerabilities of an image: ECR API reference, `DescribeImageScanFindings`.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::Ecr;
use super::describe::{not_found, requested_page};
use super::image::ImageName;
use super::refusal::Refusal;
use crate::clock::epoch_seconds;
use crate::parameters::Parameters;

/// How a basic scan stands: the `ScanStatus` values of the API model that a basic scan can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[allow(missing_docs)] // They are the words of the API.
pub enum ScanStatus {
    #[default]
    Complete,
    Failed,
    InProgress,
    Pending,
    UnsupportedImage,
    FindingsUnavailable,
    LimitExceeded,
}

impl ScanStatus {
    fn name(self) -> &'static str {
        match self {
            Self::Complete => "COMPLETE",
            Self::Failed => "FAILED",
            Self::InProgress => "IN_PROGRESS",
            Self::Pending => "PENDING",
            Self::UnsupportedImage => "UNSUPPORTED_IMAGE",
            Self::FindingsUnavailable => "FINDINGS_UNAVAILABLE",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
        }
    }
}

/// The result of a basic scan.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BasicScan {
    /// How it ended.
    pub status: ScanStatus,
    /// Milliseconds since 1970.
    pub completed_at: i64,
    /// What it found; told only when the status is `COMPLETE`.
    pub findings: Vec<BasicFinding>,
}

/// One vulnerability that a basic scan found.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BasicFinding {
    /// Such as `CVE-2024-6119`.
    pub name: String,
    /// `INFORMATIONAL`, `LOW`, `MEDIUM`, `HIGH`, `CRITICAL` or `UNDEFINED`.
    pub severity: String,
    /// The attribute `package_name`.
    pub package: String,
    /// The attribute `package_version`.
    pub version: String,
    /// A text about the vulnerability.
    pub description: Option<String>,
    /// A page about the vulnerability.
    pub uri: Option<String>,
}

impl BasicScan {
    fn counts(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.severity.as_str()).or_default() += 1;
        }
        counts
    }

    fn status_view(&self) -> Value {
        let description = if self.status == ScanStatus::Complete {
            "The scan was completed successfully."
        } else {
            "The scan has no findings to show."
        };
        json!({"status": self.status.name(), "description": description})
    }

    /// Adds the scan to an `ImageDetail`.
    pub(crate) fn summarize(&self, detail: &mut Value) {
        detail["imageScanStatus"] = self.status_view();
        if self.status == ScanStatus::Complete {
            detail["imageScanFindingsSummary"] = json!({
                "imageScanCompletedAt": epoch_seconds(self.completed_at),
                "vulnerabilitySourceUpdatedAt": epoch_seconds(self.completed_at),
                "findingSeverityCounts": self.counts(),
            });
        }
    }
}

impl Ecr {
    /// Answers with the basic scan; without one, with what Inspector knows of the image (enhanced scanning).
    pub(crate) fn describe_scan_findings(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
        let (registry, name) = self.target(request)?;
        let wanted = ImageName::read(
            request
                .member("imageId")
                .ok_or_else(|| Refusal::invalid("imageId", "Member must not be null"))?,
        );
        let (digest, scan) = self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let found = repository.find(&wanted).map_err(|_| not_found(registry, name, &wanted))?;
            Ok((found.0.to_owned(), found.1.scan.clone()))
        })?;
        let found = ImageName { digest: Some(digest.clone()), tag: wanted.tag.clone() };
        let mut answer = json!({"registryId": registry, "repositoryName": name, "imageId": found.write()});
        if let Some(scan) = scan {
            basic(request, &scan, &mut answer)?;
            return Ok(answer);
        }
        let findings = self.inspector.findings_of(&digest);
        if findings.is_empty() {
            let (digest, tag) = wanted.words();
            let (registry, repository) = (registry.to_owned(), name.to_owned());
            return Err(Refusal::ScanNotFound { digest, tag, repository, registry });
        }
        enhanced(request, &findings, &mut answer)?;
        Ok(answer)
    }
}

fn basic(request: Parameters<'_>, scan: &BasicScan, answer: &mut Value) -> Result<(), Refusal> {
    answer["imageScanStatus"] = scan.status_view();
    if scan.status != ScanStatus::Complete {
        return Ok(());
    }
    let listing = scan.findings.iter().enumerate().map(|(at, finding)| (format!("{at:08}"), finding));
    let page = requested_page(request, listing)?;
    answer["imageScanFindings"] = json!({
        "imageScanCompletedAt": epoch_seconds(scan.completed_at),
        "vulnerabilitySourceUpdatedAt": epoch_seconds(scan.completed_at),
        "findingSeverityCounts": scan.counts(),
        "findings": page.items.iter().map(|finding| finding_view(finding)).collect::<Vec<_>>(),
    });
    if let Some(token) = page.next_token {
        answer["nextToken"] = json!(token);
    }
    Ok(())
}

fn finding_view(finding: &BasicFinding) -> Value {
    let mut view = json!({
        "name": finding.name,
        "severity": finding.severity,
        "attributes": [
            {"key": "package_version", "value": finding.version},
            {"key": "package_name", "value": finding.package},
        ],
    });
    if let Some(description) = &finding.description {
        view["description"] = json!(description);
    }
    if let Some(uri) = &finding.uri {
        view["uri"] = json!(uri);
    }
    view
}

fn enhanced(request: Parameters<'_>, findings: &[Value], answer: &mut Value) -> Result<(), Refusal> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for severity in findings.iter().filter_map(|finding| finding.get("severity")?.as_str()) {
        *counts.entry(severity).or_default() += 1;
    }
    let key =
        |finding: &Value| finding.get("findingArn").and_then(Value::as_str).unwrap_or_default().to_owned();
    let page = requested_page(request, findings.iter().map(|finding| (key(finding), finding)))?;
    answer["imageScanStatus"] =
        json!({"status": "ACTIVE", "description": "Continuous scan is selected for image."});
    answer["imageScanFindings"] = json!({
        "findingSeverityCounts": counts,
        "enhancedFindings": page.items.iter().map(|finding| enhanced_view(finding)).collect::<Vec<_>>(),
    });
    if let Some(token) = page.next_token {
        answer["nextToken"] = json!(token);
    }
    Ok(())
}

/// Inspector's finding under the member names of `EnhancedImageScanFinding`, which has no `epss`.
fn enhanced_view(finding: &Value) -> Value {
    let same = [
        "awsAccountId",
        "description",
        "exploitAvailable",
        "findingArn",
        "firstObservedAt",
        "fixAvailable",
        "lastObservedAt",
        "packageVulnerabilityDetails",
        "remediation",
        "resources",
        "severity",
        "status",
        "title",
        "type",
        "updatedAt",
    ];
    let mut view = json!({});
    let renamed = [("inspectorScore", "score"), ("inspectorScoreDetails", "scoreDetails")];
    for (from, to) in same.into_iter().map(|name| (name, name)).chain(renamed) {
        if let Some(value) = finding.get(from) {
            view[to] = value.clone();
        }
    }
    view
}
