//! All that is in the registry, page by page.

use aws_sdk_ecr::types::{DescribeImagesFilter, ImageDetail, ImageStatus, ImageStatusFilter};
use domain::image::ImageId;
use domain::sweep::Registered;
use domain::text::sanitize;

use super::Registry;
use crate::AwsError;
use crate::time::timestamp;

/// The largest pages.
const REPOSITORIES_PER_PAGE: i32 = 1000;
const IMAGES_PER_PAGE: i32 = 1000;
/// How many images one call describes that are named.
const NAMED_PER_CALL: usize = 100;

impl Registry {
    /// The names of all repositories of an account, sorted.
    pub async fn repositories(&self, account: &str) -> Result<Vec<String>, AwsError> {
        let mut pages = self
            .client
            .describe_repositories()
            .registry_id(account)
            .into_paginator()
            .page_size(REPOSITORIES_PER_PAGE)
            .send();
        let mut names = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.map_err(|error| AwsError::of("ecr:DescribeRepositories", error))?;
            let found = page.repositories().iter().filter_map(|repository| repository.repository_name());
            names.extend(found.map(str::to_owned));
        }
        names.sort();
        Ok(names)
    }

    /// A page of what is in a repository, be it active or archived, and the token of the next one. Of a repository that is
    /// gone, nothing.
    pub async fn images(
        &self,
        (account, region): (&str, &str),
        repository: &str,
        token: Option<String>,
    ) -> Result<(Vec<Registered>, Option<String>), AwsError> {
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
        match page {
            Ok(page) => {
                let found = page
                    .image_details()
                    .iter()
                    .filter_map(|detail| registered((account, region, repository), detail));
                Ok((found.collect(), page.next_token))
            }
            Err(error) if error.is("RepositoryNotFound") => Ok((Vec::new(), None)),
            Err(error) => Err(error),
        }
    }

    /// What is active of some images of one repository.
    pub async fn described(&self, images: &[ImageId]) -> Result<Vec<Registered>, AwsError> {
        let mut found = Vec::new();
        for images in images.chunks(NAMED_PER_CALL) {
            let Some(first) = images.first() else { break };
            let named = images.iter().map(super::by_digest).collect();
            let page = self
                .client
                .describe_images()
                .registry_id(&first.account)
                .repository_name(&first.repository)
                .set_image_ids(Some(named))
                .send()
                .await
                .map_err(|error| AwsError::of("ecr:DescribeImages", error));
            match page {
                Ok(page) => {
                    let details = page.image_details().iter();
                    found.extend(details.filter_map(|detail| {
                        registered((&first.account, &first.region, &first.repository), detail)
                    }));
                }
                // One that is not there fails the call for all.
                Err(error) if error.is("ImageNotFound") || error.is("RepositoryNotFound") => {
                    for image in images {
                        if let Some(one) = self.describe(image).await? {
                            found.extend(one.pushed_at.map(|pushed_at| Registered {
                                image: image.clone(),
                                tags: one.tags.clone(),
                                pushed_at,
                                media_type: one.media_type.clone(),
                                artifact_media_type: None,
                                is_archived: false,
                            }));
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

/// What ECR says of a manifest. One without a digest or the time of its push cannot be told from others.
fn registered((account, region, repository): (&str, &str, &str), detail: &ImageDetail) -> Option<Registered> {
    let digest = detail.image_digest()?.to_owned().try_into().ok()?;
    Some(Registered {
        image: ImageId {
            account: account.to_owned(),
            region: region.to_owned(),
            repository: repository.to_owned(),
            digest,
        },
        tags: detail.image_tags().to_vec(),
        pushed_at: detail.image_pushed_at().and_then(timestamp)?,
        media_type: detail.image_manifest_media_type().map(sanitize),
        artifact_media_type: detail.artifact_media_type().map(sanitize),
        is_archived: detail.image_status().is_some_and(|status| *status != ImageStatus::Active),
    })
}
