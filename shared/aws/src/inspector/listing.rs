//! What Inspector knows of all images, one page a call.

use aws_sdk_inspector2::types::{
    CoverageFilterCriteria, CoverageResourceType, CoverageStringComparison, CoverageStringFilter,
    CoveredResource, DateFilter, FilterCriteria, Finding as ApiFinding, Resource, ResourceType,
};
use aws_smithy_types::DateTime;
use domain::finding::Finding;
use domain::image::{Digest, ImageId, RepositoryRef};
use domain::ledger::CoverageAnswer;
use domain::text::sanitize;
use jiff::Timestamp;

use super::{FINDINGS_PER_PAGE, Inspector, RESOURCES_PER_PAGE, equals, read, usage};
use crate::time::timestamp;
use crate::{AwsError, Page};

impl Inspector {
    /// A page of the images of an account that Inspector covers, or says why it does not. It may name an image twice, and
    /// then the greater answer counts.
    /// <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ListCoverage.html>
    pub async fn covered(
        &self,
        account: &str,
        token: Option<String>,
    ) -> Result<Page<(ImageId, CoverageAnswer)>, AwsError> {
        const ACTION: &str = "inspector2:ListCoverage";
        let equals = |value: &str| {
            CoverageStringFilter::builder()
                .comparison(CoverageStringComparison::Equals)
                .value(value)
                .build()
                .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))
        };
        let criteria = CoverageFilterCriteria::builder()
            .account_id(equals(account)?)
            .resource_type(equals(CoverageResourceType::AwsEcrContainerImage.as_str())?)
            .build();
        let page = self
            .client
            .list_coverage()
            .filter_criteria(criteria)
            .max_results(RESOURCES_PER_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        // One without a status says nothing.
        let said = page.covered_resources().iter().filter_map(|resource| Some((resource, answer(resource)?)));
        let read = said.map(|(resource, answer)| Ok((image(resource.resource_id())?, answer)));
        Ok(Page::new(read, page.next_token.clone()))
    }

    /// A page of the findings of an account's images that were updated last within a time, both ends included, of every
    /// status. Inspector orders them in no way that could be relied on.
    /// <https://docs.aws.amazon.com/inspector/v2/APIReference/API_ListFindings.html>
    pub async fn changed_findings(
        &self,
        account: &str,
        from: Timestamp,
        until: Timestamp,
        token: Option<String>,
    ) -> Result<Page<(ImageId, Finding)>, AwsError> {
        let at = |time: Timestamp| DateTime::from_millis(time.as_millisecond());
        let updated = DateFilter::builder().start_inclusive(at(from)).end_inclusive(at(until)).build();
        let criteria = FilterCriteria::builder()
            .aws_account_id(equals(account)?)
            .resource_type(equals(ResourceType::AwsEcrContainerImage.as_str())?)
            .finding_status(equals("ACTIVE")?)
            .finding_status(equals("SUPPRESSED")?)
            .finding_status(equals("CLOSED")?)
            .updated_at(updated)
            .build();
        let page = self
            .client
            .list_findings()
            .filter_criteria(criteria)
            .max_results(FINDINGS_PER_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| AwsError::of("inspector2:ListFindings", error))?;
        Ok(Page::new(page.findings().iter().map(of_image), page.next_token.clone()))
    }
}

fn answer(resource: &CoveredResource) -> Option<CoverageAnswer> {
    let status = resource.scan_status()?;
    let scanned_at = resource.last_scanned_at().and_then(timestamp);
    let read = CoverageAnswer::read(status.status_code().as_str(), status.reason().as_str(), scanned_at);
    Some(CoverageAnswer { usage: usage(resource), ..read })
}

fn of_image(finding: &ApiFinding) -> Result<(ImageId, Finding), String> {
    let unreadable = |reason: String| format!("{}: {reason}", sanitize(finding.finding_arn()));
    let is_image = |resource: &&Resource| *resource.r#type() == ResourceType::AwsEcrContainerImage;
    let resource =
        finding.resources().iter().find(is_image).ok_or_else(|| unreadable("no image".to_owned()))?;
    let image = image(resource.id()).map_err(unreadable)?;
    Ok((image, read(finding).map_err(|error| unreadable(error.to_string()))?))
}

/// The image that an ARN names: `arn:aws:ecr:<region>:<account>:repository/<name>/sha256:<hex>`.
fn image(arn: &str) -> Result<ImageId, String> {
    let wrong = || format!("`{}` is no ARN of an image", sanitize(arn));
    let RepositoryRef { account, region, name } =
        RepositoryRef::parse(arn).map_err(|error| error.to_string())?;
    let (_, digest) = arn.rsplit_once('/').ok_or_else(wrong)?;
    let digest = Digest::try_from(digest.to_owned()).map_err(|error| error.to_string())?;
    let (account, region) = account.zip(region).ok_or_else(wrong)?;
    Ok(ImageId { account, region, repository: name, digest })
}
