//! Image manifests: bytes, digests, sizes and children.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) const OCI_MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
const INDEX_TYPES: [&str; 2] =
    ["application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json"];

/// The annotation that marks a stand-in manifest and holds the digest that it stands for.
pub const STAND_IN_ANNOTATION: &str = "simulated-aws.stand-in-for";

/// `sha256:` and 64 hexadecimal digits.
pub(crate) fn digest_of(manifest: &str) -> String {
    format!("sha256:{}", hex(&Sha256::digest(manifest.as_bytes())))
}

/// The media type that the manifest itself states.
pub(crate) fn stated_media_type(manifest: &Value) -> Option<&str> {
    manifest.get("mediaType").and_then(Value::as_str)
}

/// Whether a media type is that of an index or manifest list.
pub(crate) fn is_index(media_type: &str) -> bool {
    INDEX_TYPES.contains(&media_type)
}

/// What an image manifest is about: its artifact type, or else the media type of its config, as the OCI distribution
/// specification has it for referrers. An index has neither.
pub(crate) fn artifact_media_type(media_type: &str, manifest: &Value) -> Option<String> {
    let text = |pointer: &str| manifest.pointer(pointer)?.as_str().filter(|text| !text.is_empty());
    let stated = text("/artifactType").or_else(|| text("/config/mediaType"));
    stated.filter(|_| !is_index(media_type)).map(str::to_owned)
}

/// The digest of the manifest that this one is a referrer of.
pub(crate) fn subject(manifest: &Value) -> Option<&str> {
    manifest.pointer("/subject/digest").and_then(Value::as_str)
}

/// The digests of the manifests in an index or manifest list; none for any other manifest.
pub(crate) fn children(media_type: &str, manifest: &Value) -> Vec<String> {
    if !is_index(media_type) {
        return Vec::new();
    }
    let entries = manifest.get("manifests").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
    entries.iter().filter_map(|entry| entry.get("digest")?.as_str().map(str::to_owned)).collect()
}

/// The sum of the sizes that the manifest states for its config and layers, in bytes.
pub(crate) fn stated_size(manifest: &Value) -> u64 {
    let size = |part: &Value| part.get("size").and_then(Value::as_u64).unwrap_or(0);
    let layers =
        manifest.get("layers").and_then(Value::as_array).map_or(0, |layers| layers.iter().map(size).sum());
    manifest.get("config").map_or(0, size) + layers
}

/// A manifest for an image of which only the digest is known.
///
/// Its bytes do not hash to that digest, and the annotation [`STAND_IN_ANNOTATION`] says so.
/// The entries of an index, the subject and what the manifest is about are kept, because the registry's rules and its
/// events depend on them. Where nothing is known, it is an image.
pub(crate) fn stand_in(digest: &str, media_type: &str, known: Option<&Value>) -> String {
    let annotations = json!({ STAND_IN_ANNOTATION: digest });
    let mut manifest = if is_index(media_type) {
        let entries = known.and_then(|known| known.get("manifests")).cloned().unwrap_or_else(|| json!([]));
        json!({"schemaVersion": 2, "mediaType": media_type, "manifests": entries, "annotations": annotations})
    } else {
        let empty = "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";
        let artifact = known.and_then(|known| artifact_media_type(media_type, known));
        json!({
            "schemaVersion": 2,
            "mediaType": media_type,
            "config": {"mediaType": artifact.as_deref().unwrap_or(OCI_CONFIG), "digest": empty, "size": 2},
            "layers": [],
            "annotations": annotations,
        })
    };
    if let Some(subject) = known.and_then(|known| known.get("subject")) {
        manifest["subject"] = subject.clone();
    }
    manifest.to_string()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
