//! `DescribeImageScanFindings`: ECR API reference.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::enhanced_finding::enhanced_finding;
use super::request::requested_page;
use crate::account::time::epoch_seconds;
use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::image::ImageName;
use crate::ecr::scan::{ScanStatus, SeedScan, SeedScanFinding};
use crate::wire::parameters::Parameters;

impl Ecr {
    /// Returns the basic scan, or else Inspector's findings (enhanced scanning).
    pub(super) fn describe_image_scan_findings(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let identifier = request.member("imageId");
        let wanted = identifier
            .map(ImageName::read)
            .ok_or_else(|| EcrError::invalid("imageId", "Member must not be null"))?;
        let (digest, scan) = self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let found =
                repository.find(&wanted).map_err(|_| EcrError::image_not_found(registry, name, &wanted))?;
            Ok((found.0.to_owned(), found.1.scan.clone()))
        })?;
        let found = ImageName { digest: Some(digest.clone()), tag: wanted.tag.clone() };
        let mut response = json!({"registryId": registry, "repositoryName": name, "imageId": found.write()});
        if let Some(scan) = scan {
            basic(request, &scan, &mut response)?;
            return Ok(response);
        }
        let findings = self.inspector.findings_of(&digest);
        if findings.is_empty() {
            return Err(EcrError::scan_not_found(registry, name, &wanted));
        }
        enhanced(request, &findings, &mut response)?;
        Ok(response)
    }
}

fn basic(request: Parameters<'_>, scan: &SeedScan, response: &mut Value) -> Result<(), EcrError> {
    response["imageScanStatus"] = scan.status_view();
    if scan.status != ScanStatus::Complete {
        return Ok(());
    }
    let listing = scan.findings.iter().enumerate().map(|(at, finding)| (format!("{at:08}"), finding));
    let page = requested_page(request, listing)?;
    response["imageScanFindings"] = json!({
        "imageScanCompletedAt": epoch_seconds(scan.completed_at),
        "vulnerabilitySourceUpdatedAt": epoch_seconds(scan.completed_at),
        "findingSeverityCounts": scan.counts(),
        "findings": page.items.iter().map(|finding| finding_view(finding)).collect::<Vec<_>>(),
    });
    if let Some(token) = page.next_token {
        response["nextToken"] = json!(token);
    }
    Ok(())
}

fn finding_view(finding: &SeedScanFinding) -> Value {
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

fn enhanced(request: Parameters<'_>, findings: &[Value], response: &mut Value) -> Result<(), EcrError> {
    let mut counts: BTreeMap<&str, u64> = BTreeMap::new();
    for severity in findings.iter().filter_map(|finding| finding.get("severity")?.as_str()) {
        *counts.entry(severity).or_default() += 1;
    }
    let key =
        |finding: &Value| finding.get("findingArn").and_then(Value::as_str).unwrap_or_default().to_owned();
    let page = requested_page(request, findings.iter().map(|finding| (key(finding), finding)))?;
    response["imageScanStatus"] =
        json!({"status": "ACTIVE", "description": "Continuous scan is selected for image."});
    response["imageScanFindings"] = json!({
        "findingSeverityCounts": counts,
        "enhancedFindings": page.items.iter().map(|finding| enhanced_finding(finding)).collect::<Vec<_>>(),
    });
    if let Some(token) = page.next_token {
        response["nextToken"] = json!(token);
    }
    Ok(())
}
