//! Storage classes: ECR user guide, "Archiving an image", "Restoring an archived image".

use serde_json::{Value, json};

use super::Ecr;
use super::image::{Image, ImageStatus};
use super::repository::Repository;
use crate::account::time::epoch_seconds;

/// How long a restore takes, in milliseconds; the user guide says up to 20 minutes.
const RESTORE: i64 = 20 * 60 * 1000;
/// After how long the referrers of an archived image follow it, in milliseconds; the user guide says within 24 hours.
const REFERRERS_FOLLOW: i64 = 24 * 60 * 60 * 1000;

/// Where an image is stored, and what time will make of that. All times are in milliseconds since 1970.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Storage {
    status: ImageStatus,
    /// When it changes on its own: a restore ends, or a referrer follows its subject.
    changes_at: Option<i64>,
    last_archived_at: Option<i64>,
    last_activated_at: Option<i64>,
}

impl Storage {
    /// One that nothing but a request changes.
    pub(crate) fn seeded(status: ImageStatus) -> Self {
        Self { status, ..Self::default() }
    }

    pub(crate) fn status(self) -> ImageStatus {
        self.status
    }

    pub(crate) fn last_activated_at(self) -> Option<i64> {
        self.last_activated_at
    }

    pub(crate) fn activate(&mut self, now: i64) {
        *self = Self { status: ImageStatus::Active, changes_at: None, last_activated_at: Some(now), ..*self };
    }

    fn archive(&mut self, now: i64) {
        *self =
            Self { status: ImageStatus::Archived, changes_at: None, last_archived_at: Some(now), ..*self };
    }

    fn restore(&mut self, now: i64) {
        *self = Self { status: ImageStatus::Activating, changes_at: Some(now + RESTORE), ..*self };
    }

    /// Adds its members to an `ImageDetail`.
    pub(crate) fn describe(self, detail: &mut Value) {
        for (member, at) in
            [("lastArchivedAt", self.last_archived_at), ("lastActivatedAt", self.last_activated_at)]
        {
            if let Some(at) = at {
                detail[member] = json!(epoch_seconds(at));
            }
        }
    }
}

/// Why a storage class cannot be changed.
pub(crate) const REFERENCED: &str = "ImageReferencedByManifestList";
pub(crate) const BEING_RESTORED: &str = "the image is being restored";

impl Repository {
    /// Archives an image, or starts to restore it. Returns whether that changed anything; a class that the image has
    /// already is no error here, of which AWS says nothing.
    ///
    /// A child cannot be archived before the index that contains it.
    pub(crate) fn store(&mut self, digest: &str, archive: bool, now: i64) -> Result<bool, &'static str> {
        let in_an_index = self.images.values().any(|image| {
            image.storage.status != ImageStatus::Archived
                && image.children.iter().any(|child| child == digest)
        });
        let Some(image) = self.images.get_mut(digest) else { return Ok(false) };
        match (image.storage.status, archive) {
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
        for referrer in self.images.values_mut() {
            let follows = referrer.subject.as_deref() == Some(digest);
            if follows && referrer.storage.status == ImageStatus::Active {
                referrer.storage.changes_at = Some(now + REFERRERS_FOLLOW);
            }
        }
        Ok(true)
    }

    /// Ends what is due. Returns the digests of the images that changed.
    fn pass_time(&mut self, now: i64) -> Vec<String> {
        let mut changed = Vec::new();
        for (digest, image) in &mut self.images {
            let Some(due) = image.storage.changes_at.filter(|due| *due <= now) else { continue };
            match image.storage.status {
                ImageStatus::Activating => image.storage.activate(due),
                ImageStatus::Active | ImageStatus::Archived => image.storage.archive(due),
            }
            changed.push(digest.clone());
        }
        changed
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
