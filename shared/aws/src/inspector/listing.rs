//! What Inspector knows of all images, one page a call.

use aws_sdk_inspector2::types::{
    CoverageFilterCriteria, CoverageResourceType, DateFilter, FilterCriteria, Finding as ApiFinding,
    Resource, ResourceType,
};
use aws_smithy_types::DateTime;
use domain::finding::Finding;
use domain::image::ImageId;
use domain::ledger::CoverageAnswer;
use domain::text::sanitize;
use jiff::Timestamp;

use super::{FINDINGS_PER_PAGE, Inspector, RESOURCES_PER_PAGE, answer, covers, equals, read};
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
        let criteria = CoverageFilterCriteria::builder()
            .account_id(covers(ACTION, account)?)
            .resource_type(covers(ACTION, CoverageResourceType::AwsEcrContainerImage.as_str())?)
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

fn of_image(finding: &ApiFinding) -> Result<(ImageId, Finding), String> {
    let unreadable = |reason: String| format!("{}: {reason}", sanitize(finding.finding_arn()));
    let is_image = |resource: &&Resource| *resource.r#type() == ResourceType::AwsEcrContainerImage;
    let resource =
        finding.resources().iter().find(is_image).ok_or_else(|| unreadable("no image".to_owned()))?;
    let image = image(resource.id()).map_err(unreadable)?;
    Ok((image, read(finding).map_err(|error| unreadable(error.to_string()))?))
}

fn image(arn: &str) -> Result<ImageId, String> {
    ImageId::from_arn(arn).map_err(|error| error.to_string())
}
