//! `ListFindings`, `BatchGetFindingDetails` and `ListCoverage`, with the limits of the Inspector2 API model.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::Inspector;
use super::error::invalid;
use super::filter::Filter;
use crate::wire::error::ApiError;
use crate::wire::pagination::{Page, page, write_page};
use crate::wire::parameters::Parameters;

const FINDINGS_PER_PAGE: usize = 100;
const RESOURCES_PER_PAGE: usize = 200;
const CLUSTERS_PER_PAGE: usize = 100;
const DETAILS_PER_BATCH: usize = 10;

impl Inspector {
    pub(crate) fn handle(&self, operation: &str, body: &Value) -> Result<Value, ApiError> {
        let request = Parameters(body);
        match operation {
            "ListFindings" => self.list_findings(request),
            "BatchGetFindingDetails" => self.batch_get_finding_details(request),
            "GetClustersForImage" => self.get_clusters_for_image(request),
            "ListCoverage" => self.list_coverage(request),
            "ListCoverageStatistics" => self.list_coverage_statistics(request),
            _ => Err(ApiError::unknown_operation(&format!("inspector2:{operation}"))),
        }
    }

    /// Lists findings by ARN, and of every status unless there is a status filter.
    fn list_findings(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        if request.member("sortCriteria").is_some() {
            return Err(invalid("sortCriteria is not implemented by the simulated AWS"));
        }
        let filter = Filter::of_findings(request.0.get("filterCriteria"))?;
        self.state.with(|state| {
            let hidden = state.hide_late_findings(&filter);
            let admitted = state
                .candidates(&filter)
                .into_iter()
                .filter(|(arn, finding)| !hidden.contains(&**arn) && filter.admits(finding));
            let listing = admitted.map(|(arn, finding)| (arn.into_owned(), finding));
            let page = requested_page(request, listing, FINDINGS_PER_PAGE)?;
            Ok(write_page("findings", page.items.into_iter().map(Cow::into_owned), page.next_token))
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
                match state.finding(arn) {
                    Some(finding) => details.push(state.details_of(arn, &finding)),
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

    /// Of an image that runs nowhere, or of which nothing is known, the list is empty.
    fn get_clusters_for_image(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let arn = request.member("filter").and_then(|filter| filter.text("resourceId"));
        let arn = arn
            .filter(|arn| arn.contains(":repository/"))
            .ok_or_else(|| invalid("filter.resourceId must be the ARN of an image or a repository"))?;
        let clusters = self.state.with(|state| state.clusters.get(arn).cloned().unwrap_or_default());
        let page = requested_page(request, clusters, CLUSTERS_PER_PAGE)?;
        Ok(write_page("cluster", page.items, page.next_token))
    }

    fn list_coverage(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        let filter = Filter::of_resources(request.0.get("filterCriteria"))?;
        let resources = self.state.with(|state| state.covered_resources(&filter));
        let admitted = resources.iter().filter(|(_, resource)| filter.admits(resource));
        let listing = admitted.map(|(arn, resource)| (arn.clone(), resource));
        let page = requested_page(request, listing, RESOURCES_PER_PAGE)?;
        Ok(write_page("coveredResources", page.items.into_iter().cloned(), page.next_token))
    }

    /// The total alone.
    fn list_coverage_statistics(&self, request: Parameters<'_>) -> Result<Value, ApiError> {
        if request.text("groupBy").is_some() {
            return Err(invalid("groupBy is not implemented by the simulated AWS"));
        }
        let filter = Filter::of_resources(request.0.get("filterCriteria"))?;
        let resources = self.state.with(|state| state.covered_resources(&filter));
        let admitted = resources.iter().filter(|(_, resource)| filter.admits(resource)).count();
        Ok(json!({"totalCounts": admitted}))
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
        .ok_or_else(|| invalid("nextToken is not a token of this listing"))
}
