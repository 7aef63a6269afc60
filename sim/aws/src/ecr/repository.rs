//! The rules of one repository: what can be put, moved and deleted.
//!
//! From the ECR API reference (`PutImage`, `BatchGetImage`, `BatchDeleteImage`) and the ECR user guide
//! ("Deleting an image", "Preventing image tags from being overwritten", "Archiving an image").

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use serde_json::Value;

use super::error::{EcrError, ImageFailure};
use super::image::{Image, ImageName};
use super::manifest::{children, digest_of, stated_media_type, stated_size, subject};
use super::mutability::Mutability;
use super::storage::{ImageStatus, Storage};

const MANIFEST_BYTES: usize = 4 * 1024 * 1024;
const TAG_CHARACTERS: usize = 300;
const TAGS_PER_IMAGE: usize = 1000;

/// What a `PutImage` request asks for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Push<'a> {
    pub(crate) manifest: &'a str,
    pub(crate) media_type: Option<&'a str>,
    pub(crate) tag: Option<&'a str>,
    pub(crate) digest: Option<&'a str>,
    /// The digest that these bytes were seeded to stand for.
    pub(crate) stands_for: Option<&'a str>,
}

/// What was deleted: one entry per tag, or a single `None` for an image without tags.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) digest: String,
    pub(crate) tags: Vec<Option<String>>,
}

#[derive(Debug, Clone)]
pub(crate) struct Repository {
    pub(crate) name: String,
    pub(crate) mutability: Mutability,
    /// Milliseconds since 1970.
    pub(crate) created_at: i64,
    pub(crate) images: BTreeMap<String, Image>,
    /// The contents of layers and configs, by digest.
    pub(crate) layers: BTreeMap<String, Bytes>,
    /// Those of the repository itself, by key; no image has any.
    pub(crate) resource_tags: BTreeMap<String, String>,
    /// From tag to digest.
    tags: BTreeMap<String, String>,
}

impl Repository {
    pub(crate) fn new(name: &str, mutability: Mutability, created_at: i64) -> Self {
        Self {
            name: name.to_owned(),
            mutability,
            created_at,
            images: BTreeMap::new(),
            layers: BTreeMap::new(),
            resource_tags: BTreeMap::new(),
            tags: BTreeMap::new(),
        }
    }

    /// Puts an image, or a tag on an existing image. Returns the image's digest and media type.
    ///
    /// A tag on another image moves if it can; that image stays, even without a tag.
    /// An archived image that is pushed again is active at once.
    pub(crate) fn put(&mut self, push: Push<'_>, now: i64) -> Result<(String, String), EcrError> {
        let manifest = parse_manifest(push.manifest)?;
        if let Some(tag) = push.tag {
            check_tag(tag)?;
        }
        let media_type = push.media_type.or_else(|| stated_media_type(&manifest)).ok_or_else(|| {
            EcrError::invalid(
                "imageManifestMediaType",
                "must be given for a manifest that does not state its media type",
            )
        })?;
        let digest = checked_digest(&push)?;
        let children = children(media_type, &manifest);
        let missing: Vec<_> =
            children.iter().filter(|child| !self.images.contains_key(*child)).cloned().collect();
        if !missing.is_empty() {
            return Err(EcrError::ReferencedImagesNotFound { missing });
        }
        self.check_change(push.tag, &digest)?;
        let image = self.images.entry(digest.clone()).or_insert_with(|| Image {
            manifest: push.manifest.to_owned(),
            media_type: media_type.to_owned(),
            tags: BTreeSet::new(),
            children,
            size: stated_size(&manifest),
            storage: Storage::default(),
            subject: subject(&manifest).map(str::to_owned),
            pushed_at: now,
            scan: None,
        });
        if image.storage.status() != ImageStatus::Active {
            image.storage.activate(now);
        }
        let media_type = image.media_type.clone();
        if let Some(tag) = push.tag {
            self.tag(tag, &digest);
        }
        Ok((digest, media_type))
    }

    /// Refuses a put that changes nothing, and one that moves a tag that cannot move.
    fn check_change(&self, tag: Option<&str>, digest: &str) -> Result<(), EcrError> {
        let known = self.images.get(digest);
        let active = known.is_some_and(|image| image.storage.status() == ImageStatus::Active);
        let target = tag.and_then(|tag| self.tags.get(tag));
        let already = || EcrError::ImageAlreadyExists {
            digest: digest.to_owned(),
            tag: tag.unwrap_or("null").to_owned(),
            repository: self.name.clone(),
        };
        match (tag, target) {
            (None, _) if active => Err(already()),
            (Some(_), Some(target)) if target == digest && active => Err(already()),
            (Some(tag), Some(target)) if target != digest && !self.mutability.can_move(tag) => {
                Err(EcrError::ImageTagAlreadyExists { tag: tag.to_owned(), repository: self.name.clone() })
            }
            (Some(_), None) if known.is_some_and(|image| image.tags.len() >= TAGS_PER_IMAGE) => {
                Err(EcrError::LimitExceeded { digest: digest.to_owned(), limit: TAGS_PER_IMAGE })
            }
            _ => Ok(()),
        }
    }

    /// Points a tag at an existing image, away from any other.
    pub(crate) fn tag(&mut self, tag: &str, digest: &str) {
        if let Some(left) = self.tags.insert(tag.to_owned(), digest.to_owned())
            && let Some(image) = self.images.get_mut(&left)
        {
            image.tags.remove(tag);
        }
        if let Some(image) = self.images.get_mut(digest) {
            image.tags.insert(tag.to_owned());
        }
    }

    /// Removes a tag from its image. The image stays, even without a tag.
    pub(crate) fn untag(&mut self, tag: &str) {
        if let Some(digest) = self.tags.remove(tag)
            && let Some(image) = self.images.get_mut(&digest)
        {
            image.tags.remove(tag);
        }
    }

    pub(crate) fn find(&self, name: &ImageName) -> Result<(&str, &Image), ImageFailure> {
        let digest = match (&name.digest, &name.tag) {
            (None, None) => return Err(ImageFailure::MissingDigestAndTag),
            (Some(digest), None) => digest,
            (None, Some(tag)) => self.tags.get(tag).ok_or(ImageFailure::NotFound)?,
            (Some(digest), Some(tag)) => {
                let target = self.tags.get(tag).ok_or(ImageFailure::NotFound)?;
                if target != digest {
                    return Err(ImageFailure::TagDoesNotMatchDigest);
                }
                digest
            }
        };
        if digest.split_once(':').is_none_or(|(algorithm, hex)| algorithm.is_empty() || hex.is_empty()) {
            return Err(ImageFailure::InvalidDigest);
        }
        let (digest, image) = self.images.get_key_value(digest).ok_or(ImageFailure::NotFound)?;
        Ok((digest, image))
    }

    /// Finds an image to pull. The accepted media types apply only to a request by tag,
    /// because a converted manifest would have another digest.
    pub(crate) fn pull(&self, name: &ImageName, accepted: &[&str]) -> Result<(&str, &Image), ImageFailure> {
        let (digest, image) = self.find(name)?;
        if image.storage.status() != ImageStatus::Active {
            return Err(ImageFailure::Inaccessible);
        }
        let by_tag = name.digest.is_none();
        if by_tag && !accepted.is_empty() && !accepted.contains(&image.media_type.as_str()) {
            return Err(ImageFailure::NotAccepted);
        }
        Ok((digest, image))
    }

    /// Deletes the named tag, and the image with its last tag. By digest alone, deletes the image with all tags.
    ///
    /// An image that an index refers to cannot be deleted. AWS does not document what happens to the last tag
    /// of such an image; it is refused here too, which loses nothing.
    pub(crate) fn delete(&mut self, name: &ImageName) -> Result<Removed, ImageFailure> {
        let (digest, image) = self.find(name)?;
        let digest = digest.to_owned();
        let deletes_image = name.tag.is_none() || image.tags.len() == 1;
        if deletes_image && self.is_referenced(&digest) {
            return Err(ImageFailure::ReferencedByManifestList);
        }
        if let Some(tag) = &name.tag {
            self.untag(tag);
            if deletes_image {
                self.images.remove(&digest);
            }
            return Ok(Removed { digest, tags: vec![Some(tag.clone())] });
        }
        let tags = self.remove(&digest);
        let tags = if tags.is_empty() { vec![None] } else { tags.into_iter().map(Some).collect() };
        Ok(Removed { digest, tags })
    }

    /// Removes an image, even one that an index refers to, and returns its tags.
    pub(crate) fn remove(&mut self, digest: &str) -> BTreeSet<String> {
        let tags = self.images.remove(digest).map(|image| image.tags).unwrap_or_default();
        for tag in &tags {
            self.tags.remove(tag);
        }
        tags
    }

    pub(crate) fn is_referenced(&self, digest: &str) -> bool {
        self.images.values().any(|image| image.children.iter().any(|child| child == digest))
    }
}

fn parse_manifest(manifest: &str) -> Result<Value, EcrError> {
    if manifest.len() > MANIFEST_BYTES {
        return Err(EcrError::invalid("imageManifest", format!("at most {MANIFEST_BYTES} bytes")));
    }
    serde_json::from_str::<Value>(manifest)
        .ok()
        .filter(Value::is_object)
        .ok_or_else(|| EcrError::invalid("imageManifest", "Invalid JSON syntax"))
}

fn checked_digest(push: &Push<'_>) -> Result<String, EcrError> {
    let actual = push.stands_for.map_or_else(|| digest_of(push.manifest), str::to_owned);
    match push.digest {
        Some(stated) if stated != actual => {
            Err(EcrError::ImageDigestDoesNotMatch { stated: stated.to_owned(), actual })
        }
        _ => Ok(actual),
    }
}

/// The characters are those of the OCI distribution specification; the length is that of the ECR API model.
fn check_tag(tag: &str) -> Result<(), EcrError> {
    let word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    let valid = tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|byte| word(byte) || byte == b'.' || byte == b'-')
        && tag.len() <= TAG_CHARACTERS;
    if valid {
        return Ok(());
    }
    let constraint =
        format!("must satisfy regular expression '[a-zA-Z0-9_][a-zA-Z0-9._-]{{0,{}}}'", TAG_CHARACTERS - 1);
    Err(EcrError::invalid("imageTag", constraint))
}
