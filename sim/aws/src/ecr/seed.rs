//! Sets and reads the registry's state without API calls. No events are emitted.

use std::collections::BTreeSet;

use bytes::Bytes;
use serde_json::Value;

use super::Ecr;
use super::image::Image;
use super::manifest::{OCI_MANIFEST, children, digest_of, stand_in, stated_media_type, stated_size, subject};
use super::mutability::Mutability;
use super::repository::Repository;
use super::scan::SeedScan;
use super::storage::{ImageStatus, Storage};

/// An image to put into the registry.
#[derive(Debug, Clone, Default)]
pub struct SeedImage {
    /// The account id of the registry.
    pub registry: String,
    /// Created as mutable if it does not exist.
    pub repository: String,
    pub manifest: Option<String>,
    /// Defaults to what the manifest states, or else to an OCI image manifest.
    pub media_type: Option<String>,
    /// If there is no manifest, or its bytes do not hash to this digest, a stand-in is stored instead: a valid
    /// manifest with the annotation [`STAND_IN_ANNOTATION`](crate::STAND_IN_ANNOTATION). `PutImage`
    /// accepts the bytes of the stand-in, and no others, as this digest.
    pub digest: String,
    /// Tags to move to the image. Tags that it already has stay.
    pub tags: Vec<String>,
    /// Milliseconds since 1970. An existing image keeps its time.
    pub pushed_at: i64,
}

/// An image as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageView {
    /// The account id of the registry.
    pub registry: String,
    pub repository: String,
    pub digest: String,
    /// Sorted.
    pub tags: Vec<String>,
    pub media_type: String,
    pub manifest: String,
    pub status: ImageStatus,
    /// Milliseconds since 1970.
    pub pushed_at: i64,
}

impl Ecr {
    /// Creates a repository, or sets the mutability of an existing one.
    pub fn create_repository(&self, registry: &str, repository: &str, mutability: Mutability) {
        let now = self.account.now();
        self.registries.with(|registries| {
            registries.repository_or_new(registry, repository, now).mutability = mutability;
        });
    }

    /// Seeding the same image again changes nothing.
    pub fn seed_image(&self, seed: SeedImage) {
        let now = self.account.now();
        self.registries.with(|registries| {
            let given: Option<Value> =
                seed.manifest.as_deref().and_then(|text| serde_json::from_str(text).ok());
            let media_type = seed
                .media_type
                .or_else(|| given.as_ref().and_then(stated_media_type).map(str::to_owned))
                .unwrap_or_else(|| OCI_MANIFEST.to_owned());
            let manifest = match seed.manifest {
                Some(manifest) if digest_of(&manifest) == seed.digest => manifest,
                _ => {
                    let manifest = stand_in(&seed.digest, &media_type, given.as_ref());
                    registries.remember_stand_in(&manifest, &seed.digest);
                    manifest
                }
            };
            let parsed = given.unwrap_or(Value::Null);
            let fresh = Image {
                children: children(&media_type, &parsed),
                size: stated_size(&parsed),
                manifest,
                media_type,
                tags: BTreeSet::new(),
                storage: Storage::default(),
                subject: subject(&parsed).map(str::to_owned),
                pushed_at: seed.pushed_at,
                scan: None,
            };
            self.show_to_inspector(&seed.registry, &seed.repository, &seed.digest, &fresh.media_type);
            let repository = registries.repository_or_new(&seed.registry, &seed.repository, now);
            insert(repository, &seed.digest, fresh);
            for tag in &seed.tags {
                repository.tag(tag, &seed.digest);
            }
        });
    }

    /// Stores a layer or a config under a digest, which is not checked. A repository that is not there is created as
    /// mutable.
    pub fn seed_layer(&self, registry: &str, repository: &str, digest: &str, contents: impl Into<Bytes>) {
        let now = self.account.now();
        let contents = contents.into();
        self.registries.with(|registries| {
            let repository = registries.repository_or_new(registry, repository, now);
            repository.layers.insert(digest.to_owned(), contents);
        });
    }

    /// Removes a tag from its image. The image stays, even without a tag.
    pub fn seed_untag(&self, registry: &str, repository: &str, tag: &str) {
        self.change(registry, repository, |repository| {
            repository.untag(tag);
        });
    }

    /// Deletes an image with its tags, even one that an index refers to.
    pub fn seed_delete(&self, registry: &str, repository: &str, digest: &str) {
        self.change(registry, repository, |repository| {
            repository.remove(digest);
        });
    }

    /// Deletes a repository with all that is in it.
    pub fn seed_delete_repository(&self, registry: &str, repository: &str) {
        let key = (registry.to_owned(), repository.to_owned());
        self.registries.with(|registries| registries.repositories.remove(&key));
    }

    /// An image that is being restored stays so until it is pushed or restored again. Does nothing if the image does not
    /// exist.
    pub fn set_image_status(&self, registry: &str, repository: &str, digest: &str, status: ImageStatus) {
        self.change(registry, repository, |repository| {
            if let Some(image) = repository.images.get_mut(digest) {
                image.storage = Storage::seeded(status);
            }
        });
    }

    /// Sets the result of a basic scan. Does nothing if the image does not exist.
    pub fn seed_basic_scan(&self, registry: &str, repository: &str, digest: &str, scan: SeedScan) {
        self.change(registry, repository, |repository| {
            if let Some(image) = repository.images.get_mut(digest) {
                image.scan = Some(scan);
            }
        });
    }

    /// All images, sorted by repository and digest.
    pub fn images(&self) -> Vec<ImageView> {
        self.pass_time();
        let mut images: Vec<_> = self.registries.with(|registries| {
            let repositories = registries.repositories.iter();
            repositories
                .flat_map(|((registry, name), repository)| {
                    repository.images.iter().map(move |(digest, image)| view(registry, name, digest, image))
                })
                .collect()
        });
        images.sort_by(|one, other| {
            (&one.repository, &one.digest, &one.registry).cmp(&(
                &other.repository,
                &other.digest,
                &other.registry,
            ))
        });
        images
    }

    fn change(&self, registry: &str, name: &str, change: impl FnOnce(&mut Repository)) {
        self.registries.with(|registries| {
            if let Ok(repository) = registries.repository(registry, name) {
                change(repository);
            }
        });
    }
}

/// Inserts an image. An existing one stays, but a manifest that hashes to the digest replaces a stand-in.
fn insert(repository: &mut Repository, digest: &str, fresh: Image) {
    match repository.images.get_mut(digest) {
        None => {
            repository.images.insert(digest.to_owned(), fresh);
        }
        Some(known) if digest_of(&known.manifest) != digest && digest_of(&fresh.manifest) == digest => {
            known.manifest = fresh.manifest;
            known.media_type = fresh.media_type;
            known.children = fresh.children;
            known.size = fresh.size;
            known.subject = fresh.subject;
        }
        Some(_) => {}
    }
}

fn view(registry: &str, repository: &str, digest: &str, image: &Image) -> ImageView {
    ImageView {
        registry: registry.to_owned(),
        repository: repository.to_owned(),
        digest: digest.to_owned(),
        tags: image.tags.iter().cloned().collect(),
        media_type: image.media_type.clone(),
        manifest: image.manifest.clone(),
        status: image.storage.status(),
        pushed_at: image.pushed_at,
    }
}
