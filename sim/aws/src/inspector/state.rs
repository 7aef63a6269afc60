//! The findings, details and coverage of one region.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::coverage::Coverage;
use super::details::{CisaData, FindingDetails};
use super::filter::{Filter, image_arns, image_digests, updated_at};

#[derive(Default)]
pub(super) struct State {
    /// By finding ARN, in the format of the API.
    pub(super) findings: BTreeMap<String, Value>,
    /// The finding ARNs by image digest, also of findings that were removed or are of another image by now: a listing
    /// is about one image among thousands, and looking through all findings for each would take most of the time of a
    /// long stream.
    arns: BTreeMap<String, BTreeSet<String>>,
    /// How many findings there are of each image, by its ARN, for the same reason.
    images: BTreeMap<String, usize>,
    /// The findings by when they were updated last, in milliseconds since 1970, for the same reason.
    updates: BTreeSet<(i64, String)>,
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
        self.remove_finding(&arn);
        for digest in image_digests(&finding) {
            self.arns.entry(digest.to_owned()).or_default().insert(arn.clone());
        }
        for image in image_arns(&finding) {
            *self.images.entry(image.to_owned()).or_default() += 1;
        }
        self.updates.extend(updated_at(&finding).map(|at| (at, arn.clone())));
        self.findings.insert(arn, finding);
    }

    pub(super) fn remove_finding(&mut self, arn: &str) {
        let Some(finding) = self.findings.remove(arn) else { return };
        for image in image_arns(&finding) {
            if let Some(count) = self.images.get_mut(image) {
                *count -= 1;
                if *count == 0 {
                    self.images.remove(image);
                }
            }
        }
        if let Some(at) = updated_at(&finding) {
            self.updates.remove(&(at, arn.to_owned()));
        }
    }

    /// The findings that a filter can admit, by ARN.
    pub(super) fn candidates<'a>(&'a self, filter: &Filter) -> BTreeMap<&'a String, &'a Value> {
        if let Some(digests) = filter.only_digests() {
            return digests.into_iter().flat_map(|digest| self.findings_of(digest)).collect();
        }
        match filter.updated_between() {
            Some((from, until)) => {
                let updates = self.updates.range((from, String::new())..);
                let updates = updates.take_while(|(at, _)| *at <= until);
                updates.filter_map(|(_, arn)| self.findings.get_key_value(arn)).collect()
            }
            None => self.findings.iter().collect(),
        }
    }

    /// The covered images that a filter can admit, by ARN, as `CoveredResource`.
    pub(super) fn covered_resources(&self, filter: &Filter) -> BTreeMap<String, Value> {
        let arns: BTreeSet<&str> = match filter.only_resources() {
            Some(arns) => arns.into_iter().collect(),
            None => self.coverage.keys().chain(self.images.keys()).map(String::as_str).collect(),
        };
        let view = |arn: &str| {
            let known = self.coverage.get(arn).map(|coverage| coverage.view(arn));
            let by_findings =
                || self.images.contains_key(arn).then(|| Coverage::new("ACTIVE", "SUCCESSFUL").view(arn));
            Some((arn.to_owned(), known.or_else(by_findings)?))
        };
        arns.into_iter().filter_map(view).collect()
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
