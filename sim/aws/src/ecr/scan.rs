//! The result of a basic scan.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::account::time::epoch_seconds;

/// The `ScanStatus` values of the API model that a basic scan can have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
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

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeedScan {
    pub status: ScanStatus,
    /// Milliseconds since 1970.
    pub completed_at: i64,
    /// Returned only if the status is `COMPLETE`.
    pub findings: Vec<SeedScanFinding>,
}

#[derive(Debug, Clone, Default, PartialEq)]
pub struct SeedScanFinding {
    /// Such as `CVE-2024-6119`.
    pub name: String,
    /// `INFORMATIONAL`, `LOW`, `MEDIUM`, `HIGH`, `CRITICAL` or `UNDEFINED`.
    pub severity: String,
    /// Returned as the attribute `package_name`.
    pub package: String,
    /// Returned as the attribute `package_version`.
    pub version: String,
    pub description: Option<String>,
    pub uri: Option<String>,
}

impl SeedScan {
    pub(crate) fn counts(&self) -> BTreeMap<&str, u64> {
        let mut counts = BTreeMap::new();
        for finding in &self.findings {
            *counts.entry(finding.severity.as_str()).or_default() += 1;
        }
        counts
    }

    pub(crate) fn status_view(&self) -> Value {
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
