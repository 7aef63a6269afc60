//! What several operations read from their requests.

use crate::ecr::Ecr;
use crate::ecr::error::EcrError;
use crate::ecr::image::ImageName;
use crate::wire::pagination::{Page, page};
use crate::wire::parameters::Parameters;

const IMAGES_PER_BATCH: usize = 100;
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;
const REFERRERS_PAGE: usize = 20;
const LARGEST_REFERRERS_PAGE: usize = 50;

impl Ecr {
    /// The registry and repository that a request names.
    pub(super) fn target<'a>(&'a self, request: Parameters<'a>) -> Result<(&'a str, &'a str), EcrError> {
        let registry = request.text("registryId").unwrap_or(&self.account.id);
        let repository = request
            .text("repositoryName")
            .ok_or_else(|| EcrError::invalid("repositoryName", "Member must not be null"))?;
        Ok((registry, repository))
    }
}

/// The `imageIds` of a request.
pub(super) fn image_names(request: Parameters<'_>) -> Result<Vec<ImageName>, EcrError> {
    let identifiers = request.list("imageIds");
    if identifiers.is_empty() || identifiers.len() > IMAGES_PER_BATCH {
        let constraint = format!("Member must have length between 1 and {IMAGES_PER_BATCH}");
        return Err(EcrError::invalid("imageIds", constraint));
    }
    Ok(identifiers.iter().map(|identifier| ImageName::read(Parameters(identifier))).collect())
}

/// The page that `nextToken` and `maxResults` ask for.
pub(super) fn requested_page<T>(
    request: Parameters<'_>,
    listing: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, EcrError> {
    page_of(request, listing, PAGE, LARGEST_PAGE)
}

/// The same for `ListImageReferrers`, whose pages are smaller.
pub(super) fn page_of_referrers<T>(
    request: Parameters<'_>,
    listing: impl IntoIterator<Item = (String, T)>,
) -> Result<Page<T>, EcrError> {
    page_of(request, listing, REFERRERS_PAGE, LARGEST_REFERRERS_PAGE)
}

fn page_of<T>(
    request: Parameters<'_>,
    listing: impl IntoIterator<Item = (String, T)>,
    usual: usize,
    largest: usize,
) -> Result<Page<T>, EcrError> {
    let size = match request.integer("maxResults") {
        None => usual,
        Some(size) => usize::try_from(size)
            .ok()
            .filter(|size| (1..=largest).contains(size))
            .ok_or_else(|| EcrError::invalid("maxResults", format!("between 1 and {largest}")))?,
    };
    page(listing, request.text("nextToken"), size)
        .ok_or_else(|| EcrError::invalid("nextToken", "not a token of this listing"))
}
