//! The findings, details and coverage of one region.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::coverage::{Coverage, IMAGE};
use super::details::{CisaData, FindingDetails};
use super::filter::{Filter, image_digests};

#[derive(Default)]
pub(super) struct State {
    /// By finding ARN, in the format of the API.
    pub(super) findings: BTreeMap<String, Value>,
    /// The finding ARNs by image digest, also of findings that were removed or are of another image by now: a listing
    /// is about one image among thousands, and looking through all findings for each would take most of the time of a
    /// long stream.
    arns: BTreeMap<String, BTreeSet<String>>,
    /// By finding ARN.
    pub(super) details: BTreeMap<String, FindingDetails>,
    /// By vulnerability id.
    pub(super) known_exploited: BTreeMap<String, CisaData>,
    /// By image ARN. Images with findings are covered without an entry here.
    pub(super) coverage: BTreeMap<String, Coverage>,
    /// What runs an image: by its ARN, and then by that of the cluster, as `ClusterInformation`.
    pub(super) clusters: BTreeMap<String, BTreeMap<String, Value>>,
    /// The number of listings that are still incomplete, by image digest.
    pub(super) delays: BTreeMap<String, u64>,
}

impl State {
    /// The findings of one image.
    pub(super) fn findings_of(&self, image_digest: &str) -> impl Iterator<Item = (&String, &Value)> {
        let arns = self.arns.get(image_digest).into_iter().flatten();
        arns.filter_map(|arn| self.findings.get_key_value(arn))
            .filter(move |(_, finding)| image_digests(finding).contains(&image_digest))
    }

    pub(super) fn insert_finding(&mut self, arn: String, finding: Value) {
        for digest in image_digests(&finding) {
            self.arns.entry(digest.to_owned()).or_default().insert(arn.clone());
        }
        self.findings.insert(arn, finding);
    }

    /// The findings that a filter can admit, by ARN.
    pub(super) fn candidates<'a>(&'a self, filter: &Filter) -> BTreeMap<&'a String, &'a Value> {
        match filter.only_digests() {
            Some(digests) => digests.into_iter().flat_map(|digest| self.findings_of(digest)).collect(),
            None => self.findings.iter().collect(),
        }
    }

    /// All covered images by ARN, as `CoveredResource`.
    pub(super) fn covered_resources(&self) -> BTreeMap<String, Value> {
        let mut coverage = self.coverage.clone();
        for finding in self.findings.values() {
            for resource in finding.get("resources").and_then(Value::as_array).into_iter().flatten() {
                let of_image = resource.get("type").and_then(Value::as_str) == Some(IMAGE);
                if let Some(arn) = resource.get("id").and_then(Value::as_str).filter(|_| of_image) {
                    coverage.entry(arn.to_owned()).or_insert_with(|| Coverage::new("ACTIVE", "SUCCESSFUL"));
                }
            }
        }
        coverage.into_iter().map(|(arn, coverage)| (arn.clone(), coverage.view(&arn))).collect()
    }

    /// The findings that cannot be listed yet. Counts this call as one of the incomplete listings.
    pub(super) fn hide_late_findings(&mut self, filter: &Filter) -> BTreeSet<String> {
        let mut hidden = BTreeSet::new();
        for digest in filter.wanted_digests() {
            let Some(remaining) = self.delays.get_mut(digest).filter(|remaining| **remaining > 0) else {
                continue;
            };
            *remaining -= 1;
            let of_image: Vec<_> = self.findings_of(digest).map(|(arn, _)| arn.clone()).collect();
            hidden.extend(of_image.iter().skip(of_image.len() / 2).cloned());
        }
        hidden
    }

    pub(super) fn details_of(&self, arn: &str, finding: &Value) -> Value {
        let vulnerability =
            finding.pointer("/packageVulnerabilityDetails/vulnerabilityId").and_then(Value::as_str);
        let known_exploited = vulnerability.and_then(|id| self.known_exploited.get(id));
        let details = self.details.get(arn).cloned().unwrap_or_default();
        details.view(arn, finding, known_exploited)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::State;

    fn finding_of(digest: &str) -> Value {
        json!({ "resources": [{ "details": { "awsEcrContainerImage": { "imageHash": digest } } }] })
    }

    #[test]
    fn finding_that_moved_to_another_image_is_found_there_only() {
        let mut state = State::default();
        state.insert_finding("arn".to_owned(), finding_of("sha256:aa"));
        assert_eq!(state.findings_of("sha256:aa").count(), 1);
        state.insert_finding("arn".to_owned(), finding_of("sha256:bb"));
        assert_eq!((state.findings_of("sha256:aa").count(), state.findings_of("sha256:bb").count()), (0, 1));
    }
}
