//! The registry's errors, with the codes and, as far as AWS documents them, the messages of the ECR API reference.

use super::image::ImageName;
use crate::wire::error::ApiError;

/// Why a request fails.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum EcrError {
    #[error("The repository with name '{repository}' does not exist in the registry with id '{registry}'")]
    RepositoryNotFound { registry: String, repository: String },
    #[error(
        "The pull through cache rule with the prefix '{prefix}' does not exist in the registry with id '{registry}'"
    )]
    CacheRuleNotFound { registry: String, prefix: String },
    #[error("The repository with name '{repository}' already exists in the registry with id '{registry}'")]
    RepositoryAlreadyExists { registry: String, repository: String },
    #[error("Invalid parameter at '{parameter}' failed to satisfy constraint: '{constraint}'")]
    InvalidParameter { parameter: &'static str, constraint: String },
    #[error("Image with digest '{digest}' and tag '{tag}' already exists in the repository '{repository}'")]
    ImageAlreadyExists { digest: String, tag: String, repository: String },
    #[error(
        "The image tag '{tag}' already exists in the '{repository}' repository and cannot be overwritten \
         because the tag is immutable."
    )]
    ImageTagAlreadyExists { tag: String, repository: String },
    #[error("The digest '{stated}' does not match the digest '{actual}' of the image manifest")]
    ImageDigestDoesNotMatch { stated: String, actual: String },
    #[error("The images with the digests {missing:?} that the manifest list refers to do not exist")]
    ReferencedImagesNotFound { missing: Vec<String> },
    #[error("The image with the digest '{digest}' already has {limit} tags")]
    LimitExceeded { digest: String, limit: usize },
    #[error(
        "The image with imageId {{imageDigest:'{digest}', imageTag:'{tag}'}} does not exist within the \
         repository with name '{repository}' in the registry with id '{registry}'"
    )]
    ImageNotFound { digest: String, tag: String, repository: String, registry: String },
    #[error("The layer with digest '{digest}' does not exist in the repository '{repository}'")]
    LayersNotFound { digest: String, repository: String },
    #[error(
        "The layer with digest '{digest}' is not associated with an image in the repository '{repository}'"
    )]
    LayerInaccessible { digest: String, repository: String },
    #[error("The storage class of the image with digest '{digest}' cannot be updated: {reason}")]
    StorageClassUpdateNotSupported { digest: String, reason: &'static str },
    #[error(
        "Image scan does not exist for the image with '{{imageDigest:'{digest}', imageTag:'{tag}'}}' in the \
         repository with name '{repository}' in the registry with id '{registry}'"
    )]
    ScanNotFound { digest: String, tag: String, repository: String, registry: String },
}

impl EcrError {
    pub(crate) fn invalid(parameter: &'static str, constraint: impl Into<String>) -> Self {
        Self::InvalidParameter { parameter, constraint: constraint.into() }
    }

    pub(crate) fn image_not_found(registry: &str, repository: &str, image: &ImageName) -> Self {
        let (digest, tag) = image.or_null();
        Self::ImageNotFound { digest, tag, repository: repository.to_owned(), registry: registry.to_owned() }
    }

    pub(crate) fn scan_not_found(registry: &str, repository: &str, image: &ImageName) -> Self {
        let (digest, tag) = image.or_null();
        Self::ScanNotFound { digest, tag, repository: repository.to_owned(), registry: registry.to_owned() }
    }

    fn code(&self) -> &'static str {
        match self {
            Self::RepositoryNotFound { .. } => "RepositoryNotFoundException",
            Self::CacheRuleNotFound { .. } => "PullThroughCacheRuleNotFoundException",
            Self::RepositoryAlreadyExists { .. } => "RepositoryAlreadyExistsException",
            Self::InvalidParameter { .. } => "InvalidParameterException",
            Self::ImageAlreadyExists { .. } => "ImageAlreadyExistsException",
            Self::ImageTagAlreadyExists { .. } => "ImageTagAlreadyExistsException",
            Self::ImageDigestDoesNotMatch { .. } => "ImageDigestDoesNotMatchException",
            Self::ReferencedImagesNotFound { .. } => "ReferencedImagesNotFoundException",
            Self::LimitExceeded { .. } => "LimitExceededException",
            Self::ImageNotFound { .. } => "ImageNotFoundException",
            Self::LayersNotFound { .. } => "LayersNotFoundException",
            Self::LayerInaccessible { .. } => "LayerInaccessibleException",
            Self::StorageClassUpdateNotSupported { .. } => "ImageStorageClassUpdateNotSupportedException",
            Self::ScanNotFound { .. } => "ScanNotFoundException",
        }
    }
}

impl From<EcrError> for ApiError {
    fn from(error: EcrError) -> Self {
        Self::refused(error.code(), error.to_string())
    }
}

/// Why one image of a batch fails: the `ImageFailureCode` values of the ECR API model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ImageFailure {
    #[error("Requested image not found")]
    NotFound,
    #[error("Requested image has no manifest of an accepted media type")]
    NotAccepted,
    #[error("Requested image is archived: restore it before pulling it")]
    Inaccessible,
    #[error("Image tag does not match the image digest")]
    TagDoesNotMatchDigest,
    #[error("Requested image is referenced by a manifest list")]
    ReferencedByManifestList,
    #[error("Either imageDigest or imageTag must be given")]
    MissingDigestAndTag,
    #[error("The image digest must have the form algorithm:hex")]
    InvalidDigest,
}

impl ImageFailure {
    pub(crate) fn code(self) -> &'static str {
        match self {
            // The model has no code for a media type that the caller does not accept,
            // and the registry's HTTP API answers such a request with 404 too.
            Self::NotFound | Self::NotAccepted => "ImageNotFound",
            Self::Inaccessible => "ImageInaccessible",
            Self::TagDoesNotMatchDigest => "ImageTagDoesNotMatchDigest",
            Self::ReferencedByManifestList => "ImageReferencedByManifestList",
            Self::MissingDigestAndTag => "MissingDigestAndTag",
            Self::InvalidDigest => "InvalidImageDigest",
        }
    }
}
