//! The findings, details and coverage of one region.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::alike::{self, Alike, Pattern};
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
    /// What several images have, and by digest those that do. A finding of the same ARN stands for one of these.
    patterns: Vec<Pattern>,
    alike: BTreeMap<String, Alike>,
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
    /// The findings of one image, by ARN.
    pub(super) fn findings_of(&self, image_digest: &str) -> BTreeMap<Cow<'_, str>, Cow<'_, Value>> {
        let alike = self.alike.get(image_digest).into_iter().flat_map(|image| self.written(image));
        let mut findings: BTreeMap<_, _> = alike.collect();
        let arns = self.arns.get(image_digest).into_iter().flatten();
        let own = arns
            .filter_map(|arn| self.findings.get_key_value(arn))
            .filter(|(_, finding)| image_digests(finding).contains(&image_digest));
        findings.extend(own.map(|(arn, finding)| (Cow::from(arn), Cow::Borrowed(finding))));
        findings
    }

    /// A finding by its ARN.
    pub(super) fn finding(&self, arn: &str) -> Option<Cow<'_, Value>> {
        let written = || {
            let (hex, _) = alike::place(arn)?;
            let from = format!("sha256:{hex}");
            let (_, image) =
                self.alike.range(from.clone()..).next().filter(|(digest, _)| digest.starts_with(&from))?;
            image.of_arn(&self.patterns[image.pattern], arn).map(Cow::Owned)
        };
        self.findings.get(arn).map(Cow::Borrowed).or_else(written)
    }

    fn written<'a>(&'a self, image: &'a Alike) -> impl Iterator<Item = (Cow<'a, str>, Cow<'a, Value>)> {
        let findings = image.findings(&self.patterns[image.pattern]);
        findings.map(|(arn, finding)| (Cow::Owned(arn), Cow::Owned(finding)))
    }

    /// Lets images have the same findings, and be covered.
    pub(super) fn insert_alike<'a>(
        &mut self,
        image_arns: impl Iterator<Item = &'a str>,
        findings: Vec<Value>,
    ) {
        let pattern = self.patterns.len();
        for arn in image_arns {
            if let Some(alike) = Alike::new(arn, pattern) {
                *self.images.entry(arn.to_owned()).or_default() += findings.len();
                self.alike.insert(alike.digest().to_owned(), alike);
            }
        }
        self.patterns.push(Pattern::new(findings));
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
    pub(super) fn candidates<'a>(&'a self, filter: &Filter) -> BTreeMap<Cow<'a, str>, Cow<'a, Value>> {
        if let Some(digests) = filter.only_digests() {
            return digests.into_iter().flat_map(|digest| self.findings_of(digest)).collect();
        }
        let (from, until) = filter.updated_between().unwrap_or((i64::MIN, i64::MAX));
        let is_asked = |image: &&Alike| self.patterns[image.pattern].may_be_of(from, until);
        let written = self.alike.values().filter(is_asked).flat_map(|image| self.written(image));
        let mut candidates: BTreeMap<Cow<'a, str>, Cow<'a, Value>> = written.collect();
        let borrowed = |(arn, finding): (&'a String, &'a Value)| (Cow::from(arn), Cow::Borrowed(finding));
        if let Some((from, until)) = filter.updated_between() {
            let updates = self.updates.range((from, String::new())..);
            let updates = updates.take_while(|(at, _)| *at <= until);
            candidates.extend(updates.filter_map(|(_, arn)| self.findings.get_key_value(arn)).map(borrowed));
        } else {
            candidates.extend(self.findings.iter().map(borrowed));
        }
        candidates
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
            let of_image: Vec<String> = self.findings_of(digest).into_keys().map(Cow::into_owned).collect();
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

    #[test]
    fn images_that_are_alike_have_findings_of_their_own() {
        let of = |digit: &str| {
            format!("arn:aws:ecr:eu-west-1:210987654321:repository/a/b/sha256:{}", digit.repeat(64))
        };
        let mut pattern = finding_of("sha256:any");
        pattern["updatedAt"] = json!(1_000.0);
        let mut state = State::default();
        let images = [of("a"), of("b")];
        state.insert_alike(images.iter().map(String::as_str), vec![pattern.clone(), pattern]);
        let digest = format!("sha256:{}", "b".repeat(64));
        let findings = state.findings_of(&digest);
        assert_eq!(findings.len(), 2);
        for (arn, finding) in findings {
            assert_eq!(finding["resources"][0]["id"], of("b").as_str());
            assert_eq!(super::image_digests(&finding), [digest.as_str()]);
            assert_eq!(state.finding(&arn).as_deref(), Some(&*finding));
        }
        assert_eq!(state.finding("arn:aws:inspector2:eu-west-1:210987654321:finding/aaaa"), None);
        let within = |from: i64, until: i64| {
            let filter = json!({ "updatedAt": [{ "startInclusive": from, "endInclusive": until }] });
            let filter = super::Filter::of_findings(Some(&filter)).ok();
            filter.map(|filter| state.candidates(&filter).len())
        };
        assert_eq!((within(0, 2_000), within(2_000, 3_000)), (Some(4), Some(0)));
    }

    fn finding_of(digest: &str) -> Value {
        json!({ "resources": [{ "details": { "awsEcrContainerImage": { "imageHash": digest } } }] })
    }

    #[test]
    fn finding_that_moved_to_another_image_is_found_there_only() {
        let mut state = State::default();
        state.insert_finding("arn".to_owned(), finding_of("sha256:aa"));
        assert_eq!(state.findings_of("sha256:aa").len(), 1);
        state.insert_finding("arn".to_owned(), finding_of("sha256:bb"));
        assert_eq!((state.findings_of("sha256:aa").len(), state.findings_of("sha256:bb").len()), (0, 1));
    }
}
