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

#[cfg(test)]
mod tests {
    use crate::image::Digest;
    use crate::ledger::{Evidence, Link};
    use crate::manifest::{ChildKind, Contents, OCI_IMAGE, OCI_INDEX};
    use crate::samples::{ledger, listing, second};

    fn described(media_type: &str) -> Evidence {
        Evidence::Described { pushed_at: second(0), media_type: Some(media_type.to_owned()) }
    }

    fn contained(kind: ChildKind, ended: bool) -> Evidence {
        let index: Digest = format!("sha256:{}", "f".repeat(64)).try_into().unwrap();
        Evidence::ContainedIn { index, link: Link { at: second(1), kind, ended } }
    }

    fn tagged() -> Evidence {
        Evidence::Tagged { at: second(2), tags: vec!["1.0".to_owned()] }
    }

    #[test]
    fn tags_and_links_and_media_types_say_what_a_manifest_is() {
        for (what, evidence, [is_index, is_multi_platform, is_image, is_root]) in [
            ("image", vec![described(OCI_IMAGE)], [false, false, true, true]),
            ("index", vec![described(OCI_INDEX)], [true, true, true, true]),
            ("read index", vec![Evidence::Contents(Contents::default())], [true, true, true, true]),
            ("part", vec![contained(ChildKind::Image, false)], [false, true, true, false]),
            (
                "part with a tag",
                vec![contained(ChildKind::Image, false), tagged()],
                [false, true, true, true],
            ),
            ("part of what is gone", vec![contained(ChildKind::Image, true)], [false, false, true, true]),
            ("attestation", vec![contained(ChildKind::Attestation, false)], [false; 4]),
            ("attestation with a tag", vec![contained(ChildKind::Attestation, false), tagged()], [false; 4]),
        ] {
            let facts = ledger(evidence).facts;
            assert_eq!(
                [facts.is_index(), facts.is_multi_platform(), facts.is_image(), facts.is_root()],
                [is_index, is_multi_platform, is_image, is_root],
                "{what}"
            );
        }
    }

    #[test]
    fn artifact_is_an_image_only_if_somebody_has_scanned_it() {
        for (config, scanned, expected) in [
            ("application/vnd.cncf.helm.config.v1+json", false, false),
            ("application/vnd.cncf.helm.config.v1+json", true, true),
            ("application/vnd.oci.image.config.v1+json", false, true),
        ] {
            let mut facts = ledger(scanned.then(|| listing(3, Vec::new()))).facts;
            facts.artifact_media_type = Some(config.to_owned());
            assert_eq!(facts.is_image(), expected, "{config} {scanned}");
        }
    }

    #[test]
    fn reason_why_an_index_was_not_read_holds_until_it_is_read() {
        let mut index =
            ledger([Evidence::Unread { at: second(0), reason: "the manifest is too large".to_owned() }]);
        assert_eq!(index.facts.unread(), Some("the manifest is too large"));
        index.merge(Evidence::Contents(Contents::default()));
        assert_eq!(index.facts.unread(), None);
    }
}
