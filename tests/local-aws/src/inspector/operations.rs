//! `ListFindings`, `BatchGetFindingDetails` and `ListCoverage`, with the limits of the Inspector2 API model.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::filter::{Filter, image_digests, invalid};
use super::{Inspector, State};
use crate::answer::ApiError;
use crate::paging::{Page, page, write_page};
use crate::parameters::Parameters;

const FINDINGS_PER_PAGE: usize = 100;
const RESOURCES_PER_PAGE: usize = 200;
const DETAILS_PER_BATCH: usize = 10;

impl Inspector {
    pub(crate) fn answer(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        let request = Parameters(body);
        match operation {
            "ListFindings" => self.list_findings(request),
            "BatchGetFindingDetails" => self.batch_get_finding_details(request),
            "ListCoverage" => self.list_coverage(request),
            _ => Err(ApiError::unknown_operation(&format!("inspector2:{operation}"))),
        }
    }

    /// Tells findings in the order of their ARNs. Without a status filter it tells findings of every status.
    fn list_findings(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        if request.member("sortCriteria").is_some() {
            return Err(invalid("sortCriteria is not known to this local AWS".to_owned()));
        }
        let filter = Filter::of_findings(request.0.get("filterCriteria"))?;
        self.state.with(|state| {
            let hidden = state.hide_late_findings(&filter);
            let admitted = state
                .findings
                .iter()
                .filter(|(arn, finding)| !hidden.contains(*arn) && filter.admits(finding));
            let listing = admitted.map(|(arn, finding)| (arn.clone(), finding));
            let page = requested_page(request, listing, FINDINGS_PER_PAGE)?;
            Ok(write_page("findings", page.items.into_iter().cloned(), page.next_token))
        })
    }

    fn batch_get_finding_details(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let arns = request.texts("findingArns");
        if arns.is_empty() || arns.len() > DETAILS_PER_BATCH {
            return Err(invalid(format!("findingArns must have 1 to {DETAILS_PER_BATCH} members")));
        }
        self.state.with(|state| {
            let mut details = Vec::new();
            let mut errors = Vec::new();
            for arn in arns {
                match state.findings.get(arn) {
                    Some(finding) => details.push(state.details_of(arn, finding)),
                    None => errors.push(json!({
                        "findingArn": arn,
                        "errorCode": "FINDING_DETAILS_NOT_FOUND",
                        "errorMessage": "Finding details were not found.",
                    })),
                }
            }
            Ok(json!({"findingDetails": details, "errors": errors}))
        })
    }

    fn list_coverage(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let filter = Filter::of_resources(request.0.get("filterCriteria"))?;
        let resources = self.state.with(|state| state.covered_resources());
        let admitted = resources.iter().filter(|(_, resource)| filter.admits(resource));
        let listing = admitted.map(|(arn, resource)| (arn.clone(), resource));
        let page = requested_page(request, listing, RESOURCES_PER_PAGE)?;
        Ok(write_page("coveredResources", page.items.into_iter().cloned(), page.next_token))
    }
}

impl State {
    /// The findings that cannot be listed yet; counts this call as one of the incomplete listings.
    fn hide_late_findings(&mut self, filter: &Filter) -> BTreeSet<String> {
        let mut hidden = BTreeSet::new();
        for digest in filter.wanted_digests() {
            let Some(remaining) = self.delays.get_mut(digest).filter(|remaining| **remaining > 0) else {
                continue;
            };
            *remaining -= 1;
            let of_image: Vec<_> = self
                .findings
                .iter()
                .filter(|(_, finding)| image_digests(finding).contains(&digest))
                .collect();
            let late = of_image.iter().skip(of_image.len() / 2);
            hidden.extend(late.map(|(arn, _)| (*arn).clone()));
        }
        hidden
    }

    fn details_of(&self, arn: &str, finding: &Value) -> Value {
        let vulnerability =
            finding.pointer("/packageVulnerabilityDetails/vulnerabilityId").and_then(Value::as_str);
        let known_exploited = vulnerability.and_then(|id| self.known_exploited.get(id));
        let details = self.details.get(arn).cloned().unwrap_or_default();
        details.view(arn, finding, known_exploited)
    }
}

fn requested_page<T>(
    request: Parameters<'_>,
    listing: impl IntoIterator<Item = (String, T)>,
    largest: usize,
) -> Result<Page<T>, ApiError> {
    let size = match request.integer("maxResults") {
        None => largest,
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (1..=largest).contains(size))
            .ok_or_else(|| invalid(format!("maxResults must be between 1 and {largest}")))?,
    };
    page(listing, request.text("nextToken"), size)
        .ok_or_else(|| invalid("nextToken is not a token of this listing".to_owned()))
}
