//! Amazon ECR's API.
//! <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/Welcome.html>

mod blob;
mod listing;
mod rules;
mod scan;

use aws_sdk_ecr::Client;
use aws_sdk_ecr::types::{
    DescribeImagesFilter, ImageDetail, ImageFailureCode, ImageIdentifier, ImageStatus, ImageStatusFilter,
    ImageTagMutability, TargetStorageClass,
};
use jiff::Timestamp;

use crate::AwsError;
use crate::time::timestamp;
use domain::image::{Digest, ImageId};
use domain::quarantine::{Mutability, Status as StorageStatus};
use domain::text::sanitize;

pub use blob::Blobs;
pub use listing::{ListedImage, ListedScan, ScanType};
pub use scan::ScanResult;

#[derive(Debug, Clone)]
pub struct Registry {
    client: Client,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageDescription {
    /// As in [`FoundImage`].
    pub tags: Vec<String>,
    pub pushed_at: Option<Timestamp>,
    pub media_type: Option<String>,
}

/// An image in the registry, whatever its status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundImage {
    /// As they are, of up to 300 characters: requests name them, and a shortened one may be another image's.
    /// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_ImageIdentifier.html>
    pub tags: Vec<String>,
    pub status: StorageStatus,
    pub pushed_at: Option<Timestamp>,
    /// When it was last restored from the archive.
    pub activated_at: Option<Timestamp>,
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

impl Registry {
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// What ECR says of an image; `None` where it does not exist, is archived or is being restored.
    pub async fn describe(&self, image: &ImageId) -> Result<Option<ImageDescription>, AwsError> {
        let detail = self.detail(image, None).await?;
        Ok(detail.map(|detail| ImageDescription {
            tags: detail.image_tags().to_vec(),
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
            tags: detail.image_tags().to_vec(),
            status: storage_status(detail.image_status()),
            pushed_at: detail.image_pushed_at().and_then(timestamp),
            activated_at: detail.last_activated_at().and_then(timestamp),
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
            .map_err(|error| AwsError::of(ACTION, error));
        let answer = match answer {
            Ok(answer) => answer,
            Err(error) if error.is("RepositoryNotFound") => return Ok(None),
            Err(error) => return Err(error),
        };
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

/// What AWS introduces one day is not active, so nothing is pushed to it.
fn storage_status(status: Option<&ImageStatus>) -> StorageStatus {
    match status {
        None | Some(ImageStatus::Active) => StorageStatus::Active,
        Some(ImageStatus::Archived) => StorageStatus::Archived,
        Some(_) => StorageStatus::Activating,
    }
}

fn by_digest(image: &ImageId) -> ImageIdentifier {
    ImageIdentifier::builder().image_digest(image.digest.as_str()).build()
}
