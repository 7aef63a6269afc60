//! Changing the storage class of images in a repository, and what the passing of time does to it.

use super::Ecr;
use super::image::Image;
use super::repository::Repository;
use super::storage::ImageStatus;

/// Why a storage class cannot be changed.
const REFERENCED: &str = "ImageReferencedByManifestList";
const BEING_RESTORED: &str = "the image is being restored";

impl Repository {
    /// Archives an image, or starts to restore it. Returns whether that changed anything; a class that the image has
    /// already is no error here, of which AWS says nothing.
    ///
    /// A child cannot be archived before the index that contains it.
    pub(crate) fn store(&mut self, digest: &str, archive: bool, now: i64) -> Result<bool, &'static str> {
        let in_an_index = self.images.values().any(|image| {
            image.storage.status() != ImageStatus::Archived
                && image.children.iter().any(|child| child == digest)
        });
        let Some(image) = self.images.get_mut(digest) else { return Ok(false) };
        match (image.storage.status(), archive) {
            (ImageStatus::Active, true) if in_an_index => return Err(REFERENCED),
            (ImageStatus::Activating, true) => return Err(BEING_RESTORED),
            (ImageStatus::Active, true) => image.storage.archive(now),
            (ImageStatus::Archived, false) => {
                image.storage.restore(now);
                return Ok(true);
            }
            (ImageStatus::Archived, true) | (ImageStatus::Active | ImageStatus::Activating, false) => {
                return Ok(false);
            }
        }
        for referrer in self.images.values_mut().filter(|image| image.subject.as_deref() == Some(digest)) {
            referrer.storage.follow(now);
        }
        Ok(true)
    }

    /// Ends what is due. Returns the digests of the images that changed.
    fn pass_time(&mut self, now: i64) -> Vec<String> {
        let changed = self
            .images
            .iter_mut()
            .filter_map(|(digest, image)| image.storage.pass_time(now).then(|| digest.clone()));
        changed.collect()
    }
}

impl Ecr {
    /// Ends the restores and the archiving of referrers that are due, and announces them.
    pub(crate) fn pass_time(&self) {
        let now = self.account.now();
        let changed: Vec<(String, String, String, Image)> = self.registries.with(|registries| {
            let mut changed = Vec::new();
            for ((registry, name), repository) in &mut registries.repositories {
                for digest in repository.pass_time(now) {
                    let Some(image) = repository.images.get(&digest).cloned() else { continue };
                    changed.push((registry.clone(), name.clone(), digest, image));
                }
            }
            changed
        });
        for (registry, repository, digest, image) in changed {
            self.emit_storage_class(&registry, &repository, &digest, &image);
        }
    }
}
