//! Where an image is stored: ECR user guide, "Archiving an image", "Restoring an archived image".

use serde_json::{Value, json};

use crate::account::time::epoch_seconds;

/// How long a restore takes, in milliseconds; the user guide says up to 20 minutes.
const RESTORE: i64 = 20 * 60 * 1000;
/// After how long the referrers of an archived image follow it, in milliseconds; the user guide says within 24 hours.
const REFERRERS_FOLLOW: i64 = 24 * 60 * 60 * 1000;

/// The `imageStatus` of the ECR API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImageStatus {
    #[default]
    Active,
    /// In the archive storage class: it cannot be pulled, and listings leave it out unless they ask for it.
    Archived,
    /// Being restored from the archive.
    Activating,
}

impl ImageStatus {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Active => "ACTIVE",
            Self::Archived => "ARCHIVED",
            Self::Activating => "ACTIVATING",
        }
    }
}

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

    pub(crate) fn archive(&mut self, now: i64) {
        *self =
            Self { status: ImageStatus::Archived, changes_at: None, last_archived_at: Some(now), ..*self };
    }

    pub(crate) fn restore(&mut self, now: i64) {
        *self = Self { status: ImageStatus::Activating, changes_at: Some(now + RESTORE), ..*self };
    }

    /// The image that this one refers to was archived.
    pub(crate) fn follow(&mut self, now: i64) {
        if self.status == ImageStatus::Active {
            self.changes_at = Some(now + REFERRERS_FOLLOW);
        }
    }

    /// Does what is due. Returns whether that changed anything.
    pub(crate) fn pass_time(&mut self, now: i64) -> bool {
        let Some(due) = self.changes_at.filter(|due| *due <= now) else { return false };
        match self.status {
            ImageStatus::Activating => self.activate(due),
            ImageStatus::Active | ImageStatus::Archived => self.archive(due),
        }
        true
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
