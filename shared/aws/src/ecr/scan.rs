//! What ECR has of a scan: the result of a basic one, or Inspector's findings.

use aws_sdk_ecr::types::{
    EnhancedImageScanFinding, ImageScanFinding, PackageVulnerabilityDetails, ScanStatus,
};
use domain::finding::{
    Finding, FindingError, Fix, InspectorFinding, InspectorPackage, Package, Severity, Source, Status,
};
use domain::image::ImageId;
use domain::text::sanitize;
use jiff::Timestamp;

use super::{Registry, by_digest};
use crate::AwsError;
use crate::time::timestamp;

/// The largest page of a scan's findings; without this, ECR returns 100.
const FINDINGS_PER_PAGE: i32 = 1000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanResult {
    /// The findings from all pages, and when the scan ended, if ECR says so.
    Complete { findings: Vec<Finding>, at: Option<Timestamp> },
    /// The status says why.
    Failed(String),
    /// The result is not available yet; with the status.
    Pending(String),
    /// The image was deleted, and its scan with it.
    Gone,
}

impl Registry {
    /// The result of an image's basic scan.
    pub async fn basic_scan(&self, image: &ImageId) -> Result<ScanResult, AwsError> {
        const ACTION: &str = "ecr:DescribeImageScanFindings";
        let mut pages = self
            .client
            .describe_image_scan_findings()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_id(by_digest(image))
            .into_paginator()
            .page_size(FINDINGS_PER_PAGE)
            .send();
        let (mut findings, mut at) = (Vec::new(), None);
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|error| AwsError::of(ACTION, error)) {
                Ok(page) => page,
                Err(error) if error.is("ImageNotFound") || error.is("RepositoryNotFound") => {
                    return Ok(ScanResult::Gone);
                }
                Err(error) if error.is("ScanNotFound") => {
                    return Ok(ScanResult::Pending("ScanNotFound".to_owned()));
                }
                Err(error) => return Err(error),
            };
            let status = page.image_scan_status().and_then(|status| status.status());
            match status {
                Some(ScanStatus::Complete | ScanStatus::Active) => {}
                Some(ScanStatus::InProgress | ScanStatus::Pending) | None => {
                    return Ok(ScanResult::Pending(
                        status.map_or("no status", ScanStatus::as_str).to_owned(),
                    ));
                }
                Some(other) => return Ok(ScanResult::Failed(sanitize(other.as_str()))),
            }
            let Some(scan) = page.image_scan_findings() else { continue };
            at = at.max(scan.image_scan_completed_at().and_then(timestamp));
            let completed = at.unwrap_or_default();
            findings.extend(scan.findings().iter().map(|finding| basic_finding(finding, completed)));
            for finding in scan.enhanced_findings() {
                findings.push(
                    enhanced_finding(finding)
                        .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))?,
                );
            }
        }
        Ok(ScanResult::Complete { findings, at })
    }
}

/// Basic scanning gives a finding neither an id nor times, so the id is made of its contents, and its times are those
/// of the scan.
fn basic_finding(finding: &ImageScanFinding, completed: Timestamp) -> Finding {
    let attribute = |key: &str| {
        finding
            .attributes()
            .iter()
            .find(|attribute| attribute.key() == key)
            .and_then(|attribute| attribute.value())
    };
    let vulnerability = sanitize(finding.name().unwrap_or("unnamed"));
    let name = attribute("package_name").unwrap_or("unknown");
    let version = attribute("package_version").unwrap_or("unknown");
    Finding {
        updated_at: completed,
        status: Status::Active,
        severity: finding
            .severity()
            .map_or_else(Severity::missing, |severity| Severity::from(severity.as_str())),
        id: sanitize(&format!("basic/{vulnerability}/{name}/{version}")),
        source: Source::Basic,
        vulnerability,
        score: ["CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE"]
            .into_iter()
            .find_map(|key| attribute(key)?.parse::<f64>().ok())
            .map(Into::into),
        epss: None,
        exploit: None,
        fix: Fix::Unknown,
        packages: vec![Package::new(name, version, None)],
        first_seen: completed,
        last_seen: completed,
    }
}

/// An Inspector finding as ECR returns it: without EPSS and without the vulnerability's history.
fn enhanced_finding(finding: &EnhancedImageScanFinding) -> Result<Finding, FindingError> {
    let details = finding.package_vulnerability_details();
    let packages = details.map(PackageVulnerabilityDetails::vulnerable_packages).unwrap_or_default();
    let finding = InspectorFinding {
        arn: finding.finding_arn().unwrap_or_default(),
        status: finding.status().unwrap_or_default(),
        severity: finding.severity(),
        kind: finding.r#type(),
        vulnerability: details.and_then(|details| details.vulnerability_id()),
        // The SDK represents a missing score as 0, which no vulnerability has.
        score: Some(finding.score()).filter(|score| *score > 0.0),
        epss: None,
        exploit_available: finding.exploit_available(),
        fix_available: finding.fix_available(),
        packages: packages
            .iter()
            .map(|package| InspectorPackage {
                name: package.name(),
                version: package.version(),
                release: package.release(),
                fixed_in_version: package.fixed_in_version(),
            })
            .collect(),
        updated_at: finding.updated_at().and_then(timestamp),
        first_observed_at: finding.first_observed_at().and_then(timestamp),
        last_observed_at: finding.last_observed_at().and_then(timestamp),
    };
    finding.read()
}
