//! Amazon ECR's API.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html>

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, EnhancedImageScanFinding, ImageDetail, ImageFailureCode, ImageIdentifier,
    ImageScanFinding, ImageStatus, ImageStatusFilter, ImageTagMutability, PackageVulnerabilityDetails,
    ScanStatus, TargetStorageClass,
};
use jiff::Timestamp;

use crate::AwsError;
use crate::time::timestamp;
use domain::finding::{
    Finding, FindingError, Fix, InspectorFinding, InspectorPackage, Package, Severity, Source, Status,
};
use domain::image::{Digest, ImageId};
use domain::quarantine::{Mutability, Status as StorageStatus};
use domain::text::sanitize;

#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScanResult {
    /// The findings from all pages.
    Complete(Vec<Finding>),
    /// The status says why.
    Failed(String),
    /// The result is not available yet; with the status.
    Pending(String),
    /// The image was deleted, and its scan with it.
    Gone,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDescription {
    pub tags: Vec<String>,
    pub pushed_at: Option<Timestamp>,
    pub media_type: Option<String>,
}

/// An image in the registry, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    pub tags: Vec<String>,
    pub status: StorageStatus,
    pub pushed_at: Option<Timestamp>,
}

/// Where an image is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageClass {
    Standard,
    Archive,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    /// Byte for byte as stored.
    pub text: String,
    pub media_type: Option<String>,
}

/// The result of putting a tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PutTag {
    Put,
    /// ECR says that the tag exists, on this image or on another one. Which of its two errors it uses depends on the
    /// repository, so the caller must check the image.
    Exists,
}

/// The four media types of a manifest. All must be accepted, or ECR may convert one into another.
const MEDIA_TYPES: [&str; 4] = [
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
];

/// How many tags one call removes.
const TAGS_PER_CALL: usize = 100;
/// The largest page of a scan's findings; without this, ECR returns 100.
const FINDINGS_PER_PAGE: i32 = 1000;

impl Registry {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The result of an image's basic scan.
    pub async fn basic_scan(&self, image: &ImageId) -> Result<ScanResult, AwsError> {
        const ACTION: &str = "ecr:DescribeImageScanFindings";
        let mut pages = self
            .client
            .describe_image_scan_findings()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_id(by_digest(image))
            .into_paginator()
            .page_size(FINDINGS_PER_PAGE)
            .send();
        let mut findings = Vec::new();
        while let Some(page) = pages.next().await {
            let page = match page.map_err(|error| AwsError::of(ACTION, error)) {
                Ok(page) => page,
                Err(error) if error.is("ImageNotFound") || error.is("RepositoryNotFound") => {
                    return Ok(ScanResult::Gone);
                }
                Err(error) if error.is("ScanNotFound") => {
                    return Ok(ScanResult::Pending("ScanNotFound".to_owned()));
                }
                Err(error) => return Err(error),
            };
            let status = page.image_scan_status().and_then(|status| status.status());
            match status {
                Some(ScanStatus::Complete | ScanStatus::Active) => {}
                Some(ScanStatus::InProgress | ScanStatus::Pending) | None => {
                    return Ok(ScanResult::Pending(
                        status.map_or("no status", ScanStatus::as_str).to_owned(),
                    ));
                }
                Some(other) => return Ok(ScanResult::Failed(sanitize(other.as_str()))),
            }
            let Some(scan) = page.image_scan_findings() else { continue };
            let completed = scan.image_scan_completed_at().and_then(timestamp).unwrap_or_default();
            findings.extend(scan.findings().iter().map(|finding| basic_finding(finding, completed)));
            for finding in scan.enhanced_findings() {
                findings.push(
                    enhanced_finding(finding)
                        .map_err(|error| AwsError::answer(ACTION, error.to_string(), false))?,
                );
            }
        }
        Ok(ScanResult::Complete(findings))
    }

    /// What ECR says of an image; `None` where it does not exist, is archived or is being restored.
    pub async fn describe(&self, image: &ImageId) -> Result<Option<ImageDescription>, AwsError> {
        let detail = self.detail(image, None).await?;
        Ok(detail.map(|detail| ImageDescription {
            tags: detail.image_tags().iter().map(|tag| sanitize(tag)).collect(),
            pushed_at: detail.image_pushed_at().and_then(timestamp),
            media_type: detail.image_manifest_media_type().map(sanitize),
        }))
    }

    /// Whether an image is in the registry, be it active, archived or being restored.
    pub async fn exists(&self, image: &ImageId) -> Result<bool, AwsError> {
        Ok(self.find(image).await?.is_some())
    }

    /// An image, be it active, archived or being restored; `None` where it does not exist.
    pub async fn find(&self, image: &ImageId) -> Result<Option<FoundImage>, AwsError> {
        let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
        let detail = match self.detail(image, None).await? {
            Some(detail) => Some(detail),
            None => self.detail(image, Some(any)).await?,
        };
        Ok(detail.map(|detail| FoundImage {
            tags: detail.image_tags().iter().map(|tag| sanitize(tag)).collect(),
            // What AWS introduces one day is not active, so nothing is pushed to it.
            status: match detail.image_status() {
                None | Some(ImageStatus::Active) => StorageStatus::Active,
                Some(ImageStatus::Archived) => StorageStatus::Archived,
                Some(_) => StorageStatus::Activating,
            },
            pushed_at: detail.image_pushed_at().and_then(timestamp),
        }))
    }

    /// The image of which only the first digits of the digest are known; `None` where there is none. It reads the whole
    /// repository, a thousand images a call.
    pub async fn complete(&self, image: &ImageId) -> Result<Option<ImageId>, AwsError> {
        let any = DescribeImagesFilter::builder().image_status(ImageStatusFilter::Any).build();
        let mut details = self
            .client
            .describe_images()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .filter(any)
            .max_results(1_000)
            .into_paginator()
            .items()
            .send();
        while let Some(detail) = details.next().await {
            let detail = match detail.map_err(|error| AwsError::of("ecr:DescribeImages", error)) {
                Ok(detail) => detail,
                Err(error) if error.is("RepositoryNotFound") => return Ok(None),
                Err(error) => return Err(error),
            };
            let digest = detail.image_digest().filter(|digest| digest.starts_with(image.digest.as_str()));
            if let Some(digest) = digest.and_then(|digest| Digest::try_from(digest.to_owned()).ok()) {
                return Ok(Some(ImageId { digest, ..image.clone() }));
            }
        }
        Ok(None)
    }

    /// Which tags of the image's repository ECR keeps from moving. One of which nothing is known lets all of them move.
    pub async fn mutability(&self, image: &ImageId) -> Result<Mutability, AwsError> {
        let answer = self
            .client
            .describe_repositories()
            .registry_id(&image.account)
            .repository_names(&image.repository)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeRepositories", error));
        let repositories = match answer {
            Ok(answer) => answer.repositories.unwrap_or_default(),
            Err(error) if error.is("RepositoryNotFound") => return Ok(Mutability::Mutable),
            Err(error) => return Err(error),
        };
        let Some(repository) = repositories.first() else { return Ok(Mutability::Mutable) };
        let filters = repository.image_tag_mutability_exclusion_filters();
        let filters = filters.iter().map(|filter| filter.filter().to_owned()).collect();
        Ok(match repository.image_tag_mutability() {
            Some(ImageTagMutability::Immutable) => Mutability::Immutable,
            Some(ImageTagMutability::ImmutableWithExclusion) => Mutability::ImmutableExcept(filters),
            Some(ImageTagMutability::MutableWithExclusion) => Mutability::MutableExcept(filters),
            Some(_) | None => Mutability::Mutable,
        })
    }

    /// Archives an image of this one's repository, or asks for its restore, which takes up to 20 minutes. One that is
    /// stored so already is no error, and neither is one that is gone.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_UpdateImageStorageClass.html>
    pub async fn store_in(&self, image: &ImageId, class: StorageClass) -> Result<(), AwsError> {
        let target = match class {
            StorageClass::Archive => TargetStorageClass::Archive,
            StorageClass::Standard => TargetStorageClass::Standard,
        };
        let answer = self
            .client
            .update_image_storage_class()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_id(by_digest(image))
            .target_storage_class(target)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:UpdateImageStorageClass", error));
        match answer {
            Ok(_) => Ok(()),
            Err(error) if error.is("ImageNotFound") || error.is("RepositoryNotFound") => Ok(()),
            Err(error) => {
                // AWS does not say what it answers to a request that changes nothing.
                let status = self.find(image).await?.map(|found| found.status);
                let done = match class {
                    StorageClass::Archive => status == Some(StorageStatus::Archived),
                    StorageClass::Standard => {
                        matches!(status, Some(StorageStatus::Active | StorageStatus::Activating))
                    }
                };
                if done { Ok(()) } else { Err(error) }
            }
        }
    }

    /// Without a filter, ECR leaves out what is not active.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_DescribeImagesFilter.html>
    async fn detail(
        &self,
        image: &ImageId,
        filter: Option<DescribeImagesFilter>,
    ) -> Result<Option<ImageDetail>, AwsError> {
        let answer = self
            .client
            .describe_images()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_ids(by_digest(image))
            .set_filter(filter)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:DescribeImages", error));
        match answer {
            Ok(answer) => Ok(answer.image_details.unwrap_or_default().into_iter().next()),
            Err(error) if error.is("ImageNotFound") || error.is("RepositoryNotFound") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The manifest of an image, fetched by digest, so that ECR never converts it; `None` if the image is gone.
    pub async fn manifest(&self, image: &ImageId) -> Result<Option<Manifest>, AwsError> {
        const ACTION: &str = "ecr:BatchGetImage";
        let answer = self
            .client
            .batch_get_image()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_ids(by_digest(image))
            .set_accepted_media_types(Some(MEDIA_TYPES.map(str::to_owned).to_vec()))
            .send()
            .await
            .map_err(|error| AwsError::of(ACTION, error))?;
        if let Some(failure) = answer.failures().first() {
            return match failure.failure_code() {
                Some(ImageFailureCode::ImageNotFound) => Ok(None),
                code => {
                    let reason = failure.failure_reason().unwrap_or("no reason").to_owned();
                    let code = code.map(|code| code.as_str().to_owned());
                    Err(AwsError { code, ..AwsError::answer(ACTION, reason, true) })
                }
            };
        }
        let manifest = answer.images().first().and_then(|image| {
            Some(Manifest {
                text: image.image_manifest()?.to_owned(),
                media_type: image.image_manifest_media_type().map(str::to_owned),
            })
        });
        manifest
            .map(Some)
            .ok_or_else(|| AwsError::answer(ACTION, "the answer has neither an image nor a failure", true))
    }

    /// Puts a tag on an image, or the image into the registry again. With the digest and the media type in the request,
    /// ECR refuses any change of the manifest.
    pub async fn put_tag(&self, image: &ImageId, manifest: &Manifest, tag: &str) -> Result<PutTag, AwsError> {
        let put = self
            .client
            .put_image()
            .registry_id(&image.account)
            .repository_name(&image.repository)
            .image_manifest(&manifest.text)
            .set_image_manifest_media_type(manifest.media_type.clone())
            .image_digest(image.digest.as_str())
            .image_tag(tag)
            .send()
            .await
            .map_err(|error| AwsError::of("ecr:PutImage", error));
        match put {
            Ok(_) => Ok(PutTag::Put),
            Err(error) if error.is("ImageAlreadyExists") || error.is("ImageTagAlreadyExists") => {
                Ok(PutTag::Exists)
            }
            Err(error) => Err(error),
        }
    }

    /// Removes tags from whichever images of the repository have them, and returns which images these were. ECR deletes an
    /// image with its last tag. Where a call fails, those before it have had their effect.
    ///
    /// The requests name tags alone. What a request with tag and digest does is not documented, and it must not be
    /// taken for one that deletes the digest with all its tags.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_BatchDeleteImage.html>
    pub async fn remove_tags(&self, image: &ImageId, tags: &[String]) -> Result<Vec<ImageId>, AwsError> {
        const ACTION: &str = "ecr:BatchDeleteImage";
        let mut hit = Vec::new();
        for tags in tags.chunks(TAGS_PER_CALL) {
            let ids = tags.iter().map(|tag| ImageIdentifier::builder().image_tag(tag).build()).collect();
            let answer = self
                .client
                .batch_delete_image()
                .registry_id(&image.account)
                .repository_name(&image.repository)
                .set_image_ids(Some(ids))
                .send()
                .await
                .map_err(|error| AwsError::of(ACTION, error))?;
            let digests = answer.image_ids().iter().filter_map(ImageIdentifier::image_digest);
            let digests = digests.filter_map(|digest| Digest::try_from(digest.to_owned()).ok());
            hit.extend(digests.map(|digest| ImageId { digest, ..image.clone() }));
            let gone = Some(&ImageFailureCode::ImageNotFound);
            if let Some(failure) = answer.failures().iter().find(|failure| failure.failure_code() != gone) {
                let code = failure.failure_code().map_or("no code", |code| code.as_str());
                let reason = failure.failure_reason().unwrap_or("no reason");
                return Err(AwsError::answer(ACTION, format!("{code}: {reason}"), true));
            }
        }
        hit.sort();
        hit.dedup();
        Ok(hit)
    }
}

fn by_digest(image: &ImageId) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(image.digest.as_str()).build()
}

/// Basic scanning gives a finding neither an id nor times, so the id is made of its contents, and its times are those
/// of the scan.
fn basic_finding(finding: &ImageScanFinding, completed: Timestamp) -> Finding {
    let attribute = |key: &str| {
        finding
            .attributes()
            .iter()
            .find(|attribute| attribute.key() == key)
            .and_then(|attribute| attribute.value())
    };
    let vulnerability = sanitize(finding.name().unwrap_or("unnamed"));
    let name = attribute("package_name").unwrap_or("unknown");
    let version = attribute("package_version").unwrap_or("unknown");
    Finding {
        updated_at: completed,
        status: Status::Active,
        severity: finding
            .severity()
            .map_or_else(Severity::missing, |severity| Severity::from(severity.as_str())),
        id: sanitize(&format!("basic/{vulnerability}/{name}/{version}")),
        source: Source::Basic,
        vulnerability,
        score: ["CVSS4_SCORE", "CVSS3_SCORE", "CVSS2_SCORE"]
            .into_iter()
            .find_map(|key| attribute(key)?.parse::<f64>().ok())
            .map(Into::into),
        epss: None,
        exploit: None,
        fix: Fix::Unknown,
        packages: vec![Package::new(name, version, None)],
        first_seen: completed,
        last_seen: completed,
    }
}

/// An Inspector finding as ECR returns it: without EPSS and without the vulnerability's history.
fn enhanced_finding(finding: &EnhancedImageScanFinding) -> Result<Finding, FindingError> {
    let details = finding.package_vulnerability_details();
    let packages = details.map(PackageVulnerabilityDetails::vulnerable_packages).unwrap_or_default();
    let finding = InspectorFinding {
        arn: finding.finding_arn().unwrap_or_default(),
        status: finding.status().unwrap_or_default(),
        severity: finding.severity(),
        kind: finding.r#type(),
        vulnerability: details.and_then(|details| details.vulnerability_id()),
        // The SDK represents a missing score as 0, which no vulnerability has.
        score: Some(finding.score()).filter(|score| *score > 0.0),
        epss: None,
        exploit_available: finding.exploit_available(),
        fix_available: finding.fix_available(),
        packages: packages
            .iter()
            .map(|package| InspectorPackage {
                name: package.name(),
                version: package.version(),
                release: package.release(),
                fixed_in_version: package.fixed_in_version(),
            })
            .collect(),
        updated_at: finding.updated_at().and_then(timestamp),
        first_observed_at: finding.first_observed_at().and_then(timestamp),
        last_observed_at: finding.last_observed_at().and_then(timestamp),
    };
    finding.read()
}
