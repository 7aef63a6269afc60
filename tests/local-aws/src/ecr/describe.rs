//! The listings: `DescribeRepositories`, `DescribeImages`, `ListImages`.

use serde_json::{Value, json};

use super::Ecr;
use super::image::{Image, ImageName};
use super::operations::image_names;
use super::refusal::Refusal;
use crate::clock::epoch_seconds;
use crate::paging::{Page, page, write_page};
use crate::parameters::Parameters;

const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// The `filter` of the two image listings.
#[derive(Clone, Copy)]
struct Filter<'a> {
    tag_status: &'a str,
    /// Active images only, unless the request says otherwise.
    image_status: &'a str,
}

impl<'a> Filter<'a> {
    fn read(request: Parameters<'a>) -> Result<Self, Refusal> {
        let filter = request.member("filter");
        let read = |name, default| filter.and_then(|filter| filter.text(name)).unwrap_or(default);
        let filter =
            Self { tag_status: read("tagStatus", "ANY"), image_status: read("imageStatus", "ACTIVE") };
        if !["ANY", "TAGGED", "UNTAGGED"].contains(&filter.tag_status) {
            return Err(Refusal::invalid("filter.tagStatus", "ANY, TAGGED or UNTAGGED"));
        }
        if !["ANY", "ACTIVE", "ARCHIVED", "ACTIVATING"].contains(&filter.image_status) {
            return Err(Refusal::invalid("filter.imageStatus", "ANY, ACTIVE, ARCHIVED or ACTIVATING"));
        }
        Ok(filter)
    }

    fn admits_status(self, image: &Image) -> bool {
        self.image_status == "ANY" || self.image_status == image.status.name()
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
    pub(crate) fn describe_repositories(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
        let registry = request.text("registryId").unwrap_or(&self.home.account);
        let names = request.texts("repositoryNames");
        self.registries.with(|registries| {
            if !names.is_empty() {
                let repositories = names
                    .iter()
                    .map(|name| Ok(self.repository_view(registry, registries.repository(registry, name)?)))
                    .collect::<Result<Vec<_>, Refusal>>()?;
                return Ok(json!({"repositories": repositories}));
            }
            let mine = registries.repositories.iter().filter(|((owner, _), _)| owner == registry);
            let listing = mine.map(|((_, name), repository)| (name.clone(), repository));
            let page = requested_page(request, listing)?;
            let repositories: Vec<_> =
                page.items.iter().map(|repository| self.repository_view(registry, repository)).collect();
            Ok(write_page("repositories", repositories, page.next_token))
        })
    }

    pub(crate) fn describe_images(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
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
                return Err(Refusal::invalid("imageIds", "cannot be used with maxResults or nextToken"));
            }
            let details = image_names(request)?
                .iter()
                .map(|wanted| match repository.find(wanted) {
                    Ok((digest, image)) if filter.admits_status(image) => Ok(view(digest, image)),
                    _ => Err(not_found(registry, name, wanted)),
                })
                .collect::<Result<Vec<_>, _>>()?;
            Ok(json!({"imageDetails": details}))
        })
    }

    pub(crate) fn list_images(&self, request: Parameters<'_>) -> Result<Value, Refusal> {
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

/// Cuts out the page that `nextToken` and `maxResults` ask for.
pub(crate) fn requested_page<T>(
    request: Parameters<'_>,
    listing: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, Refusal> {
    let size = match request.integer("maxResults") {
        None => PAGE,
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (1..=LARGEST_PAGE).contains(size))
            .ok_or_else(|| Refusal::invalid("maxResults", format!("between 1 and {LARGEST_PAGE}")))?,
    };
    page(listing, request.text("nextToken"), size)
        .ok_or_else(|| Refusal::invalid("nextToken", "not a token of this listing"))
}

pub(crate) fn not_found(registry: &str, repository: &str, wanted: &ImageName) -> Refusal {
    let (digest, tag) = wanted.words();
    Refusal::ImageNotFound { digest, tag, repository: repository.to_owned(), registry: registry.to_owned() }
}

fn image_detail(registry: &str, repository: &str, digest: &str, image: &Image) -> Value {
    let mut detail = json!({
        "registryId": registry,
        "repositoryName": repository,
        "imageDigest": digest,
        "imageSizeInBytes": image.size,
        "imagePushedAt": epoch_seconds(image.pushed_at),
        "imageManifestMediaType": image.media_type,
        "imageStatus": image.status.name(),
    });
    if !image.tags.is_empty() {
        detail["imageTags"] = json!(image.tags);
    }
    if let Some(scan) = &image.scan {
        scan.summarize(&mut detail);
    }
    detail
}
