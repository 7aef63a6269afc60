//! `DescribeImages` and `ListImages`.

use serde_json::{Value, json};

use super::request::{image_names, requested_page};
use crate::account::time::epoch_seconds;
use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::image::{Image, ImageName};
use crate::ecr::manifest::{artifact_media_type, subject};
use crate::wire::pagination::write_page;
use crate::wire::parameters::Parameters;

/// The `filter` of both operations.
#[derive(Clone, Copy)]
struct Filter<'a> {
    tag_status: &'a str,
    /// `ACTIVE` unless the request says otherwise.
    image_status: &'a str,
}

impl<'a> Filter<'a> {
    fn read(request: Parameters<'a>) -> Result<Self, EcrError> {
        let filter = request.member("filter");
        let read = |name, default| filter.and_then(|filter| filter.text(name)).unwrap_or(default);
        let filter =
            Self { tag_status: read("tagStatus", "ANY"), image_status: read("imageStatus", "ACTIVE") };
        if !["ANY", "TAGGED", "UNTAGGED"].contains(&filter.tag_status) {
            return Err(EcrError::invalid("filter.tagStatus", "ANY, TAGGED or UNTAGGED"));
        }
        if !["ANY", "ACTIVE", "ARCHIVED", "ACTIVATING"].contains(&filter.image_status) {
            return Err(EcrError::invalid("filter.imageStatus", "ANY, ACTIVE, ARCHIVED or ACTIVATING"));
        }
        Ok(filter)
    }

    fn admits_status(self, image: &Image) -> bool {
        self.image_status == "ANY" || self.image_status == image.storage.status().name()
    }

    fn admits(self, image: &Image) -> bool {
        let tags = match self.tag_status {
            "TAGGED" => !image.tags.is_empty(),
            "UNTAGGED" => image.tags.is_empty(),
            _ => true,
        };
        tags && self.admits_status(image)
    }
}

impl Ecr {
    pub(super) fn describe_images(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let filter = Filter::read(request)?;
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let view = |digest: &str, image: &Image| image_detail(registry, name, digest, image);
            if request.list("imageIds").is_empty() {
                let admitted = repository.images.iter().filter(|(_, image)| filter.admits(image));
                let listing = admitted.map(|(digest, image)| (digest.clone(), (digest, image)));
                let page = requested_page(request, listing)?;
                let details: Vec<_> = page.items.iter().map(|(digest, image)| view(digest, image)).collect();
                return Ok(write_page("imageDetails", details, page.next_token));
            }
            if request.integer("maxResults").is_some() || request.text("nextToken").is_some() {
                return Err(EcrError::invalid("imageIds", "cannot be used with maxResults or nextToken"));
            }
            let details = image_names(request)?
                .iter()
                .map(|wanted| match repository.find(wanted) {
                    Ok((digest, image)) if filter.admits_status(image) => Ok(view(digest, image)),
                    _ => Err(EcrError::image_not_found(registry, name, wanted)),
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(json!({"imageDetails": details}))
        })
    }

    pub(super) fn list_images(&self, request: Parameters<'_>) -> Result<Value, EcrError> {
        let (registry, name) = self.target(request)?;
        let filter = Filter::read(request)?;
        self.registries.with(|registries| {
            let repository = registries.repository(registry, name)?;
            let admitted = repository.images.iter().filter(|(_, image)| filter.admits(image));
            let listing = admitted.flat_map(|(digest, image)| {
                let name = |tag: Option<String>| ImageName { digest: Some(digest.clone()), tag };
                let names: Vec<_> = if image.tags.is_empty() {
                    vec![(digest.clone(), name(None))]
                } else {
                    let tags = image.tags.iter();
                    tags.map(|tag| (format!("{digest} {tag}"), name(Some(tag.clone())))).collect()
                };
                names
            });
            let page = requested_page(request, listing)?;
            let names: Vec<_> = page.items.iter().map(ImageName::write).collect();
            Ok(write_page("imageIds", names, page.next_token))
        })
    }
}

fn image_detail(registry: &str, repository: &str, digest: &str, image: &Image) -> Value {
    let mut detail = json!({
        "registryId": registry,
        "repositoryName": repository,
        "imageDigest": digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": epoch_seconds(image.pushed_at),
        "imageManifestMediaType": image.media_type,
        "imageStatus": image.storage.status().name(),
    });
    image.storage.describe(&mut detail);
    if !image.tags.is_empty() {
        detail["imageTags"] = json!(image.tags);
    }
    let manifest = serde_json::from_str(&image.manifest).unwrap_or_default();
    if let Some(artifact) = artifact_media_type(&image.media_type, &manifest) {
        detail["artifactMediaType"] = json!(artifact);
    }
    if let Some(subject) = subject(&manifest) {
        detail["subjectManifestDigest"] = json!(subject);
    }
    if let Some(scan) = &image.scan {
        scan.summarize(&mut detail);
    }
    detail
}
