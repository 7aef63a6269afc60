//! Which manifest is an image, and which image is a root: computed from tags and links, never stored.

use super::facts::Facts;
use crate::manifest::{is_image_config, is_index};

impl Facts {
    /// Whether it lists other manifests.
    pub fn is_index(&self) -> bool {
        self.contents.is_some() || self.media_type.as_deref().is_some_and(is_index)
    }

    /// Why it is not known what an index contains, where reading that has failed.
    pub fn unread(&self) -> Option<&str> {
        let reason = self.unread.as_ref().filter(|_| self.contents.is_none());
        reason.map(|(_, reason)| reason.as_str())
    }

    /// Whether people deploy it together with other platforms: it is an index, or a part of one.
    pub fn is_multi_platform(&self) -> bool {
        self.is_index() || self.parents().next().is_some()
    }

    /// Whether it is an image or an index, and neither an attestation nor another artifact. What a scanner has scanned
    /// is an image, whatever it says to be.
    pub fn is_image(&self) -> bool {
        let is_artifact = self.artifact_media_type.as_deref().is_some_and(|kind| !is_image_config(kind));
        self.is_index() || self.is_scanned() || !is_artifact && !self.is_attached()
    }

    /// Whether it is what a deployable tag points at, or did until quarantine took the tag off, or an image that no known
    /// index in the registry contains. Findings are facts of image manifests; verdicts, alerts and quarantine are of
    /// roots.
    pub fn is_root(&self) -> bool {
        self.is_image() && (self.is_deployed() || self.parents().next().is_none())
    }
}
