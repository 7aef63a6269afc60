//! Amazon Inspector: findings, their details, and coverage.

mod alike;
mod coverage;
mod details;
mod error;
mod filter;
mod finding;
mod operations;
mod state;
mod timestamp;

use std::borrow::Cow;

use serde_json::{Value, json};

pub use coverage::SeedUsage;
pub use details::{CisaData, ExploitObserved, FindingDetails};

use crate::shared::Shared;
use coverage::Coverage;
use state::State;

/// The findings of all accounts that this one administers, in one region.
#[derive(Clone, Default)]
pub struct Inspector {
    state: Shared<State>,
}

impl Inspector {
    /// Stores the `detail` of an "Inspector2 Finding" event.
    ///
    /// Of two findings with the same ARN the one with the newer `updatedAt` stays, or else the later one.
    /// Timestamps can have any of the formats that Inspector has used in events.
    ///
    /// Returns whether the finding was stored. It is not stored if it has no `findingArn`, if one of its
    /// timestamps cannot be read, or if a newer one is stored already.
    #[allow(clippy::needless_pass_by_value)] // Callers pass on the detail of an event.
    pub fn seed_finding(&self, detail: Value) -> bool {
        let Some((arn, finding)) = finding::from_event(&detail) else {
            return false;
        };
        self.state.with(|state| {
            let newer = state.findings.get(&arn).is_none_or(|known| finding::is_as_new(&finding, known));
            if newer {
                state.insert_finding(arn, finding);
            }
            newer
        })
    }

    /// Lets many images have the same findings, each with an ARN of its own, and be covered: the `detail`s of "Inspector2
    /// Finding" events, of which the ARN and the image do not matter. They are written when they are asked for. Those that
    /// [`Self::seed_finding`] would not store are left out.
    pub fn seed_alike<'a>(&self, image_arns: impl IntoIterator<Item = &'a str>, details: &[Value]) {
        let findings = details.iter().filter_map(|detail| Some(finding::from_event(detail)?.1)).collect();
        self.state.with(|state| state.insert_alike(image_arns.into_iter(), findings));
    }

    /// Sets what `BatchGetFindingDetails` returns for a finding.
    pub fn seed_details(&self, finding_arn: &str, details: FindingDetails) {
        self.state.with(|state| state.details.insert(finding_arn.to_owned(), details));
    }

    /// Adds a vulnerability to CISA's catalogue of known exploited vulnerabilities, for all of its findings.
    /// Both dates are milliseconds since 1970.
    pub fn seed_known_exploited(&self, vulnerability_id: &str, date_added: i64, date_due: i64) {
        let cisa = CisaData {
            action: "Apply mitigations per vendor instructions or discontinue use of the product.".to_owned(),
            date_added,
            date_due,
        };
        self.state.with(|state| state.known_exploited.insert(vulnerability_id.to_owned(), cisa));
    }

    /// Removes a finding, as Inspector does some days after closing it.
    pub fn remove_finding(&self, finding_arn: &str) {
        self.state.with(|state| state.remove_finding(finding_arn));
    }

    /// Sets whether an image is scanned: `ACTIVE` or `INACTIVE`, and a reason such as `SUCCESSFUL` or
    /// `IMAGE_ARCHIVED`. The image's ARN is `arn:aws:ecr:…:repository/<name>/sha256:<hex>`.
    /// Without this, an image with findings is `ACTIVE` with the reason `SUCCESSFUL`.
    pub fn seed_coverage(&self, image_arn: &str, status_code: &str, reason: &str) {
        self.state.with(|state| {
            let mut coverage = Coverage::new(status_code, reason);
            coverage.usage = state.coverage.get(image_arn).map(|known| known.usage).unwrap_or_default();
            state.coverage.insert(image_arn.to_owned(), coverage);
        });
    }

    /// Sets when a covered image was last scanned, in milliseconds since 1970. Without this, coverage does not say.
    pub fn seed_last_scan(&self, image_arn: &str, scanned_at: i64) {
        self.state.with(|state| {
            let unset = || Coverage::new("ACTIVE", "SUCCESSFUL");
            state.coverage.entry(image_arn.to_owned()).or_insert_with(unset).last_scanned_at =
                Some(scanned_at);
        });
    }

    /// Sets how a covered image is used. Without this, coverage does not say.
    pub fn seed_usage(&self, image_arn: &str, usage: SeedUsage) {
        self.state.with(|state| {
            let unset = || Coverage::new("ACTIVE", "SUCCESSFUL");
            state.coverage.entry(image_arn.to_owned()).or_insert_with(unset).usage = usage;
        });
    }

    /// Sets what runs an image in a cluster, as the `clusterDetails` of the API. Without this, nothing runs it.
    pub fn seed_cluster(&self, image_arn: &str, cluster_arn: &str, details: &Value) {
        self.state.with(|state| {
            let clusters = state.clusters.entry(image_arn.to_owned()).or_default();
            let cluster = json!({"clusterArn": cluster_arn, "clusterDetails": details});
            clusters.insert(cluster_arn.to_owned(), cluster);
        });
    }

    /// Marks an image as of a media type that Inspector does not scan, unless something is said of it already.
    pub(crate) fn refuse(&self, image_arn: &str) {
        let refused = || Coverage::new("INACTIVE", "UNSUPPORTED_MEDIA_TYPE");
        self.state.with(|state| {
            state.coverage.entry(image_arn.to_owned()).or_insert_with(refused);
        });
    }

    /// Makes the next so many `ListFindings` calls for this `ecrImageHash` list only the first half of its
    /// findings, because Inspector announces a completed scan before all findings can be listed.
    /// Each page is one call.
    pub fn delay_listing(&self, image_digest: &str, calls: u64) {
        self.state.with(|state| state.delays.insert(image_digest.to_owned(), calls));
    }

    /// All findings in the format of the API, sorted by ARN.
    pub fn findings(&self) -> Vec<Value> {
        self.state.with(|state| state.findings.values().cloned().collect())
    }

    /// The findings of one image.
    pub(crate) fn findings_of(&self, image_digest: &str) -> Vec<Value> {
        self.state.with(|state| state.findings_of(image_digest).into_values().map(Cow::into_owned).collect())
    }
}
