//! Amazon Inspector: findings and coverage, as its API tells them.

mod coverage;
mod details;
mod filter;
mod finding;
mod operations;
mod timestamp;

use std::collections::BTreeMap;

use serde_json::Value;

pub use details::{Cisa, Details, ExploitObserved};

use crate::guarded::Guarded;
use coverage::Coverage;

/// The findings of all accounts that this one administers, in one region.
#[derive(Clone, Default)]
pub struct Inspector {
    state: Guarded<State>,
}

#[derive(Default)]
struct State {
    /// By finding ARN, in the shape of the API.
    findings: BTreeMap<String, Value>,
    details: BTreeMap<String, Details>,
    /// By vulnerability id.
    known_exploited: BTreeMap<String, Cisa>,
    /// By image ARN; images with findings are covered without an entry here.
    coverage: BTreeMap<String, Coverage>,
    /// Image digest to the number of listings that are still incomplete.
    delays: BTreeMap<String, u64>,
}

impl Inspector {
    /// Takes in the `detail` of an "Inspector2 Finding" event.
    ///
    /// Of two findings with the same ARN the one with the newer `updatedAt` stays; if they are equal, the
    /// one that came last. Timestamps may have any of the forms that Inspector has used in events.
    ///
    /// Answers whether the finding is now the one that is kept: it is not if it has no `findingArn`, if one
    /// of its timestamps cannot be read, or if a newer one is there.
    #[allow(clippy::needless_pass_by_value)] // Callers hand the detail of an event over.
    pub fn seed_finding(&self, detail: Value) -> bool {
        let Some((arn, finding)) = finding::from_event(&detail) else {
            return false;
        };
        self.state.with(|state| {
            let newer = state.findings.get(&arn).is_none_or(|known| finding::is_as_new(&finding, known));
            if newer {
                state.findings.insert(arn, finding);
            }
            newer
        })
    }

    /// Sets what `BatchGetFindingDetails` tells about a finding.
    pub fn seed_details(&self, finding_arn: &str, details: Details) {
        self.state.with(|state| state.details.insert(finding_arn.to_owned(), details));
    }

    /// Puts a vulnerability into CISA's catalogue of known exploited vulnerabilities, for every finding of it.
    /// Both dates are milliseconds since 1970.
    pub fn seed_known_exploited(&self, vulnerability_id: &str, date_added: i64, date_due: i64) {
        let cisa = Cisa {
            action: "Apply mitigations per vendor instructions or discontinue use of the product.".to_owned(),
            date_added,
            date_due,
        };
        self.state.with(|state| state.known_exploited.insert(vulnerability_id.to_owned(), cisa));
    }

    /// Forgets a finding, as Inspector does some days after it has closed it.
    pub fn remove_finding(&self, finding_arn: &str) {
        self.state.with(|state| state.findings.remove(finding_arn));
    }

    /// Sets whether an image is scanned: `ACTIVE` or `INACTIVE`, and a reason such as `SUCCESSFUL` or
    /// `IMAGE_ARCHIVED`. The image is named by ARN: `arn:aws:ecr:…:repository/<name>/sha256:<hex>`.
    /// An image with findings and no coverage set is `ACTIVE` with the reason `SUCCESSFUL`.
    pub fn seed_coverage(&self, image_arn: &str, status_code: &str, reason: &str) {
        let coverage = Coverage::new(status_code, reason);
        self.state.with(|state| state.coverage.insert(image_arn.to_owned(), coverage));
    }

    /// Lets the next `ListFindings` calls that ask for this image by `ecrImageHash` tell only the first half
    /// of its findings, for Inspector announces a completed scan before all findings can be listed.
    /// Each page is a call.
    pub fn delay_listing(&self, image_digest: &str, calls: u64) {
        self.state.with(|state| state.delays.insert(image_digest.to_owned(), calls));
    }

    /// All findings in the shape of the API, sorted by ARN.
    pub fn findings(&self) -> Vec<Value> {
        self.state.with(|state| state.findings.values().cloned().collect())
    }

    /// The findings of one image.
    pub(crate) fn findings_of(&self, image_digest: &str) -> Vec<Value> {
        self.state.with(|state| {
            let of_image = |found: &&Value| filter::image_digests(found).contains(&image_digest);
            state.findings.values().filter(of_image).cloned().collect()
        })
    }
}

/// The operation at a path of the Inspector2 API model.
pub(crate) fn operation_at(method: &str, path: &str) -> Option<&'static str> {
    match (method, path) {
        ("POST", "/findings/list") => Some("ListFindings"),
        ("POST", "/findings/details/batch/get") => Some("BatchGetFindingDetails"),
        ("POST", "/coverage/list") => Some("ListCoverage"),
        _ => None,
    }
}
