//! What belongs to an index: the manifests of its platforms, and what was attached to them.
//!
//! An index is written by whoever pushes it, so it is read as hostile text, and nothing that it says of an entry takes
//! an image out of sight. Only two things do, because no client selects such an entry when it pulls a tag: a media type
//! that is no image's, and the platform `unknown/unknown`.
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/image-index.md>,
//! <https://github.com/moby/buildkit/blob/v0.26.0/docs/attestations/attestation-storage.md>
#![allow(clippy::zero_sized_map_values)] // Serde collects the other fields of an object in maps alone.

use std::collections::BTreeMap;

use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::image::{Digest, ImageError};
use crate::text::sanitize;

pub const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";

const INDEXES: [&str; 2] = [OCI_INDEX, "application/vnd.docker.distribution.manifest.list.v2+json"];
const IMAGES: [&str; 4] = [
    OCI_IMAGE,
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.docker.distribution.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v1+prettyjws",
];
const IMAGE_CONFIGS: [&str; 2] =
    ["application/vnd.oci.image.config.v1+json", "application/vnd.docker.container.image.v1+json"];

/// How long a manifest can be, in bytes: the most that ECR takes.
/// <https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_PutImage.html>
const LONGEST: usize = 4 * 1024 * 1024;
/// How many children are kept that are images or indexes, and how many others besides. Docker's official images have a
/// dozen.
const CHILDREN: usize = 200;

/// Whether a media type is that of an index or of Docker's manifest list.
pub fn is_index(media_type: &str) -> bool {
    is_one_of(media_type, &INDEXES)
}

/// Whether a media type is that of an image for one platform.
pub fn is_image(media_type: &str) -> bool {
    is_one_of(media_type, &IMAGES)
}

/// Whether an image manifest is that of a container image and not of another artifact, from the media type of its
/// config: the `artifact-media-type` of ECR's events, and `artifactMediaType` of `DescribeImages`.
pub fn is_image_config(artifact_media_type: &str) -> bool {
    is_one_of(artifact_media_type, &IMAGE_CONFIGS)
}

/// Media types have no case, and may have parameters after a semicolon.
fn is_one_of(media_type: &str, known: &[&str]) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim();
    known.iter().any(|known| known.eq_ignore_ascii_case(essence))
}

/// Why the contents of an index cannot be known. It has some all the same: this is never an empty index. No retry helps.
#[derive(Debug, Error)]
pub enum ManifestError {
    #[error("manifest has {0} bytes: expected at most {LONGEST}")]
    TooLong(usize),
    #[error("manifest cannot be read as an index: {0}")]
    Json(#[source] serde_json::Error),
    /// By its own word of another media type.
    #[error("manifest is of the media type `{0}`: expected an index")]
    NotAnIndex(String),
    /// What one client reads as an index, another one may read as something else.
    #[error("index has the field `{0}`, which clients understand in different ways")]
    Ambiguous(String),
    #[error(transparent)]
    Digest(#[from] ImageError),
}

/// What an index refers to. The order of its entries makes no difference, nor does their repetition.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Contents {
    /// By digest, each once.
    pub children: Vec<Child>,
    /// How many images and indexes there are beyond those in `children`.
    #[serde(default)]
    pub left_out: u64,
}

/// A manifest that an index refers to. The order of the fields is the order in which children are kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Child {
    pub digest: Digest,
    pub kind: ChildKind,
    /// As `linux/arm64/v8`, where the index states it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// As `10.0.17763.5696`, where the index states it; it tells images for Windows apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub os_version: Option<String>,
}

/// What a child is, as far as the index says. Of a digest that is listed as several kinds, the first of these counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChildKind {
    Image,
    Index,
    /// Provenance or an SBOM, which BuildKit keeps beside the image: of the platform `unknown/unknown`. The annotation
    /// `vnd.docker.reference.type` alone makes no attestation, for clients select entries by platform and not by it.
    Attestation,
    /// Of a media type that is neither.
    Other,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Index {
    media_type: Option<String>,
    manifests: Vec<Entry>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Entry {
    media_type: String,
    digest: String,
    platform: Option<Platform>,
    #[serde(flatten)]
    others: Others,
}

#[derive(Deserialize)]
struct Platform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
    #[serde(default)]
    variant: String,
    /// It decides nothing, so anything may stand here.
    #[serde(rename = "os.version", default)]
    os_version: serde_json::Value,
    #[serde(flatten)]
    others: Others,
}

type Others = BTreeMap<String, IgnoredAny>;

impl Contents {
    /// Reads the text of an index or of a Docker manifest list.
    pub fn read(manifest: &str) -> Result<Self, ManifestError> {
        if manifest.len() > LONGEST {
            return Err(ManifestError::TooLong(manifest.len()));
        }
        let index: Index = serde_json::from_str(manifest).map_err(ManifestError::Json)?;
        if let Some(other) = index.media_type.filter(|stated| !is_index(stated)) {
            return Err(ManifestError::NotAnIndex(sanitize(&other)));
        }
        // Both an index and an image (CVE-2021-41190): https://github.com/advisories/GHSA-77vh-xpmg-72qh
        refuse(&index.others, &["mediaType", "manifests", "config", "layers"])?;
        let mut children = index.manifests.into_iter().map(Entry::child).collect::<Result<Vec<_>, _>>()?;
        children.sort_by(|one, other| one.rank().cmp(&other.rank()));
        children.dedup_by(|one, other| one.digest == other.digest);
        let (mut runnable, others): (Vec<_>, Vec<_>) =
            children.into_iter().partition(|child| matches!(child.kind, ChildKind::Image | ChildKind::Index));
        let left_out = runnable.len().saturating_sub(CHILDREN) as u64;
        runnable.truncate(CHILDREN);
        runnable.extend(others.into_iter().take(CHILDREN));
        runnable.sort();
        Ok(Self { children: runnable, left_out })
    }
}

impl Entry {
    fn child(self) -> Result<Child, ManifestError> {
        refuse(&self.others, &["mediaType", "digest", "platform"])?;
        let os_version = self.platform.as_ref().and_then(Platform::os_version);
        let platform = match self.platform {
            None => None,
            Some(platform) => platform.name()?,
        };
        let kind = if is_index(&self.media_type) {
            ChildKind::Index
        } else if !is_image(&self.media_type) {
            ChildKind::Other
        } else if platform.as_deref() == Some("unknown/unknown") {
            ChildKind::Attestation
        } else {
            ChildKind::Image
        };
        Ok(Child { digest: self.digest.try_into()?, kind, platform, os_version })
    }
}

impl Child {
    /// Of entries of one digest, the one to keep comes first: the one that hides least and says most.
    fn rank(&self) -> impl Ord {
        (&self.digest, self.kind, self.platform.is_none(), &self.platform, &self.os_version)
    }
}

impl Platform {
    fn os_version(&self) -> Option<String> {
        self.os_version.as_str().map(sanitize).filter(|version| !version.is_empty())
    }

    fn name(self) -> Result<Option<String>, ManifestError> {
        refuse(&self.others, &["os", "architecture", "variant"])?;
        let [os, architecture, variant] =
            [self.os, self.architecture, self.variant].map(|part| sanitize(&part));
        if os.is_empty() && architecture.is_empty() {
            return Ok(None);
        }
        let or_unknown = |part: String| if part.is_empty() { "unknown".to_owned() } else { part };
        let mut name = format!("{}/{}", or_unknown(os), or_unknown(architecture));
        if !variant.is_empty() {
            name = format!("{name}/{variant}");
        }
        Ok(Some(sanitize(&name)))
    }
}

/// Refuses other spellings of the fields that decide. Go, which most clients are written in, takes `Manifests` for
/// `manifests`: <https://pkg.go.dev/encoding/json#Unmarshal>.
fn refuse(others: &Others, decisive: &[&str]) -> Result<(), ManifestError> {
    let ambiguous = others.keys().find(|key| decisive.iter().any(|field| key.eq_ignore_ascii_case(field)));
    ambiguous.map_or(Ok(()), |key| Err(ManifestError::Ambiguous(sanitize(key))))
}

#[cfg(test)]
mod tests;
