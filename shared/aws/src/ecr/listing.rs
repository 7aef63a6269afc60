//! What is in a registry, one page a call, and how it is scanned.

use std::collections::BTreeMap;

use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageDetail, ImageScanFindingsSummary, ImageStatusFilter, ScanType as ApiScanType,
};
use domain::finding::Severity;
use domain::image::{Digest, ImageId};
use domain::quarantine::Status;
use domain::text::sanitize;
use jiff::Timestamp;

use super::{Registry, by_digest, storage_status};
use crate::time::timestamp;
use crate::{AwsError, Page};

/// The largest pages.
const REPOSITORIES_PER_PAGE: i32 = 1_000;
const IMAGES_PER_PAGE: i32 = 1_000;
/// How many images one call describes that are named.
const NAMED_PER_CALL: usize = 100;

/// Who scans the images of a registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ScanType {
    /// ECR itself.
    Basic,
    /// Amazon Inspector.
    Enhanced,
}

/// An image or an index in a repository, be it active, archived or being restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedImage {
    pub image: ImageId,
    pub tags: Vec<String>,
    pub status: Status,
    pub pushed_at: Option<Timestamp>,
    /// That of the manifest.
    pub media_type: Option<String>,
    /// What it is, if no container image, such as a signature.
    pub artifact_media_type: Option<String>,
    pub scan: Option<ListedScan>,
}

/// What a listing says of a basic scan. ECR's own scanner (`AWS_NATIVE`) does not fill this in, so that it is missing says
/// nothing; [`Registry::basic_scan`] asks.
/// <https://docs.aws.amazon.com/AmazonECR/latest/userguide/image-scanning-basic.html>
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedScan {
    /// Such as `COMPLETE`.
    pub status: String,
    pub completed_at: Option<Timestamp>,
    pub counts: BTreeMap<Severity, u64>,
}

impl Registry {
    /// A page of the names of an account's repositories.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeRepositories.html>
    pub async fn repositories(&self, account: &str, token: Option<String>) -> Result<Page<String>, AwsError> {
        let page = self
            .client
            .describe_repositories()
            .registry_id(account)
            .max_results(REPOSITORIES_PER_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeRepositories", error))?;
        let names = page.repositories().iter().map(|repository| {
            repository
                .repository_name()
                .map(str::to_owned)
                .ok_or_else(|| "a repository without a name".to_owned())
        });
        Ok(Page::new(names, page.next_token.clone()))
    }

    /// A page of the images of a repository. One that is gone has none.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImages.html>
    pub async fn images(
        &self,
        account: &str,
        region: &str,
        repository: &str,
        token: Option<String>,
    ) -> Result<Page<ListedImage>, AwsError> {
        let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
        let page = self
            .client
            .describe_images()
            .registry_id(account)
            .repository_name(repository)
            .filter(any)
            .max_results(IMAGES_PER_PAGE)
            .set_next_token(token)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeImages", error));
        let page = match page {
            Ok(page) => page,
            Err(error) if error.is("RepositoryNotFound") => return Ok(Page::new([], None)),
            Err(error) => return Err(error),
        };
        let listed = page.image_details().iter().map(|detail| listed(account, region, repository, detail));
        Ok(Page::new(listed, page.next_token.clone()))
    }

    /// Some images of one repository, be they active, archived or being restored; those that are gone are left out.
    pub async fn described(&self, images: &[ImageId]) -> Result<Page<ListedImage>, AwsError> {
        let mut described = Page::new([], None);
        for images in images.chunks(NAMED_PER_CALL) {
            match self.describe_named(images).await {
                Ok(found) => described.extend(found),
                // One that is not there fails the call for all.
                Err(error) if error.is("ImageNotFound") => {
                    for image in images {
                        match self.describe_named(std::slice::from_ref(image)).await {
                            Err(error) if error.is("ImageNotFound") => {}
                            found => described.extend(found?),
                        }
                    }
                }
                Err(error) if error.is("RepositoryNotFound") => {}
                Err(error) => return Err(error),
            }
        }
        Ok(described)
    }

    async fn describe_named(&self, images: &[ImageId]) -> Result<Page<ListedImage>, AwsError> {
        let Some(ImageId { account, region, repository, .. }) = images.first() else {
            return Ok(Page::new([], None));
        };
        let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
        let page = self
            .client
            .describe_images()
            .registry_id(account)
            .repository_name(repository)
            .filter(any)
            .set_image_ids(Some(images.iter().map(by_digest).collect()))
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeImages", error))?;
        Ok(Page::new(
            page.image_details().iter().map(|detail| listed(account, region, repository, detail)),
            None,
        ))
    }

    /// Who scans the images of the caller's registry in this region.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetRegistryScanningConfiguration.html>
    pub async fn scan_type(&self) -> Result<ScanType, AwsError> {
        const ACTION: &str = "ecr:GetRegistryScanningConfiguration";
        let answer = self
            .client
            .get_registry_scanning_configuration()
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        match answer.scanning_configuration().and_then(|configuration| configuration.scan_type()) {
            Some(ApiScanType::Basic) => Ok(ScanType::Basic),
            Some(ApiScanType::Enhanced) => Ok(ScanType::Enhanced),
            other => Err(AwsError::answer(ACTION, format!("unknown type of scanning: {other:?}"), false)),
        }
    }
}

fn listed(
    account: &str,
    region: &str,
    repository: &str,
    detail: &ImageDetail,
) -> Result<ListedImage, String> {
    let digest = detail.image_digest().unwrap_or_default().to_owned();
    let digest = Digest::try_from(digest).map_err(|error| format!("{}: {error}", sanitize(repository)))?;
    let image = ImageId {
        account: account.to_owned(),
        region: region.to_owned(),
        repository: repository.to_owned(),
        digest,
    };
    let status = detail.image_scan_status().and_then(|status| status.status());
    let summary = detail.image_scan_findings_summary();
    Ok(ListedImage {
        image,
        tags: detail.image_tags().to_vec(),
        status: storage_status(detail.image_status()),
        pushed_at: detail.image_pushed_at().and_then(timestamp),
        media_type: detail.image_manifest_media_type().map(sanitize),
        artifact_media_type: detail.artifact_media_type().map(sanitize),
        scan: status.map(|status| ListedScan {
            status: sanitize(status.as_str()),
            completed_at: summary.and_then(|summary| summary.image_scan_completed_at()).and_then(timestamp),
            counts: summary.map(counts).unwrap_or_default(),
        }),
    })
}

fn counts(summary: &ImageScanFindingsSummary) -> BTreeMap<Severity, u64> {
    let counts = summary.finding_severity_counts().into_iter().flatten();
    counts
        .map(|(severity, count)| {
            (Severity::from(severity.as_str()), u64::try_from(*count).unwrap_or_default())
        })
        .collect()
}
