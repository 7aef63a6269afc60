use std::slice;

use proptest::prelude::*;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::*;

const INDEX: &str = include_str!("fixtures/index.json");
const DOCKER_LIST: &str = include_str!("fixtures/docker_list.json");
const NESTED: &str = include_str!("fixtures/nested.json");
const ARTIFACT: &str = include_str!("fixtures/artifact.json");
const AMD64: &str = include_str!("fixtures/image_amd64.json");
const ARM64: &str = include_str!("fixtures/image_arm64.json");
const ATTESTATIONS: [&str; 2] =
    [include_str!("fixtures/attestation_amd64.json"), include_str!("fixtures/attestation_arm64.json")];
const DOCKER: [&str; 2] =
    [include_str!("fixtures/docker_amd64.json"), include_str!("fixtures/docker_arm64.json")];

fn digest_of(bytes: &str) -> Digest {
    format!("sha256:{}", hex(&Sha256::digest(bytes))).try_into().unwrap()
}

fn child(bytes: &str, kind: ChildKind, platform: Option<&str>) -> Child {
    Child { digest: digest_of(bytes), kind, platform: platform.map(str::to_owned), os_version: None }
}

fn contents(mut children: Vec<Child>) -> Contents {
    children.sort();
    Contents { children, left_out: 0 }
}

/// An entry of an OCI image; `number` makes its digest its own.
fn entry(number: usize, os: &str, architecture: &str) -> Value {
    json!({
        "mediaType": OCI_IMAGE,
        "digest": format!("sha256:{number:064x}"),
        "size": 344,
        "platform": {"os": os, "architecture": architecture},
    })
}

fn index(entries: &[Value]) -> String {
    json!({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}).to_string()
}

fn kind(entry: &Value) -> ChildKind {
    Contents::read(&index(slice::from_ref(entry))).unwrap().children[0].kind
}

fn with(entry: &Value, field: &str, value: Value) -> Value {
    let mut entry = entry.clone();
    entry[field] = value;
    entry
}

#[test]
fn index_of_two_platforms_has_their_images_and_their_attestations() {
    let expected = contents(vec![
        child(AMD64, ChildKind::Image, Some("linux/amd64")),
        child(ARM64, ChildKind::Image, Some("linux/arm64")),
        child(ATTESTATIONS[0], ChildKind::Attestation, Some("unknown/unknown")),
        child(ATTESTATIONS[1], ChildKind::Attestation, Some("unknown/unknown")),
    ]);
    assert_eq!(Contents::read(INDEX).unwrap(), expected);
}

#[test]
fn docker_manifest_list_has_its_images() {
    let expected = contents(vec![
        child(DOCKER[0], ChildKind::Image, Some("linux/amd64")),
        child(DOCKER[1], ChildKind::Image, Some("linux/arm64/v8")),
    ]);
    assert_eq!(Contents::read(DOCKER_LIST).unwrap(), expected);
}

#[test]
fn index_in_an_index_is_its_child() {
    let expected = contents(vec![
        child(INDEX, ChildKind::Index, None),
        child(ARM64, ChildKind::Image, Some("linux/arm64/v8")),
    ]);
    assert_eq!(Contents::read(NESTED).unwrap(), expected);
}

#[test]
fn image_and_artifact_are_no_index() {
    assert!(matches!(Contents::read(ARTIFACT), Err(ManifestError::Json(_))));
    assert!(matches!(Contents::read(AMD64), Err(ManifestError::Json(_))));
    let image = json!({"mediaType": OCI_IMAGE, "manifests": []}).to_string();
    let error = Contents::read(&image).unwrap_err();
    assert_eq!(error.to_string(), format!("manifest is of the media type `{OCI_IMAGE}`: expected an index"));
}

#[test]
fn artifact_refers_to_the_image_that_it_was_attached_to() {
    let artifact: Value = serde_json::from_str(ARTIFACT).unwrap();
    assert_eq!(artifact["subject"]["digest"], digest_of(AMD64).as_str());
    assert!(!is_image_config(artifact["artifactType"].as_str().unwrap()));
    assert!(!is_image_config(artifact["config"]["mediaType"].as_str().unwrap()));
    for image in [AMD64, DOCKER[0], ATTESTATIONS[0]] {
        let image: Value = serde_json::from_str(image).unwrap();
        assert!(is_image_config(image["config"]["mediaType"].as_str().unwrap()));
    }
}

#[test]
fn media_types_are_known_in_any_case_and_with_parameters() {
    assert!(is_index(OCI_INDEX) && is_index("application/vnd.docker.distribution.manifest.list.v2+json"));
    assert!(is_index("Application/vnd.OCI.image.index.v1+json; charset=utf-8"));
    assert!(!is_index(OCI_IMAGE) && !is_index("") && !is_index(&format!("{OCI_INDEX}x")));
}

#[test]
fn nothing_but_its_platform_makes_an_attestation() {
    let image = entry(1, "linux", "amd64");
    let marked = json!({"vnd.docker.reference.type": "attestation-manifest"});
    assert_eq!(kind(&with(&image, "annotations", marked.clone())), ChildKind::Image);
    let without_platform = with(&with(&image, "annotations", marked.clone()), "platform", Value::Null);
    assert_eq!(kind(&without_platform), ChildKind::Image);
    let unknown = entry(1, "unknown", "unknown");
    assert_eq!(kind(&unknown), ChildKind::Attestation);
    assert_eq!(kind(&with(&unknown, "annotations", marked)), ChildKind::Attestation);
    assert_eq!(kind(&with(&unknown, "mediaType", json!(OCI_INDEX))), ChildKind::Index);
    assert_eq!(kind(&with(&image, "mediaType", json!("application/vnd.cncf.helm.chart"))), ChildKind::Other);
    assert_eq!(kind(&with(&image, "artifactType", json!("text/sbom+json"))), ChildKind::Image);
}

#[test]
fn digest_that_is_listed_as_image_and_as_attestation_is_an_image() {
    let (image, attestation) = (entry(1, "linux", "amd64"), entry(1, "unknown", "unknown"));
    let other = with(&image, "mediaType", json!("text/plain"));
    let expected = Contents::read(&index(slice::from_ref(&image))).unwrap();
    for entries in
        [[&image, &attestation, &other], [&other, &attestation, &image], [&attestation, &image, &image]]
    {
        let entries: Vec<Value> = entries.into_iter().cloned().collect();
        assert_eq!(Contents::read(&index(&entries)).unwrap(), expected);
    }
}

#[test]
fn platform_that_is_stated_by_one_of_two_entries_is_kept() {
    let (named, unnamed) = (entry(1, "linux", "s390x"), with(&entry(1, "", ""), "platform", Value::Null));
    for entries in [[named.clone(), unnamed.clone()], [unnamed, named]] {
        let read = Contents::read(&index(&entries)).unwrap();
        assert_eq!(read.children[0].platform.as_deref(), Some("linux/s390x"));
    }
}

#[test]
fn hostile_platform_is_made_safe_to_show() {
    let entry = with(
        &entry(1, "", ""),
        "platform",
        json!({"os": "li\u{202e}nux\n", "architecture": "x".repeat(999)}),
    );
    let platform = Contents::read(&index(&[entry])).unwrap().children[0].platform.clone().unwrap();
    assert!(platform.starts_with("linux/xx") && platform.chars().count() == 256, "{platform}");
}

#[test]
fn images_beyond_two_hundred_are_counted_and_crowd_out_nothing_else() {
    let mut entries: Vec<Value> = (0..5_000).map(|number| entry(number, "linux", "amd64")).collect();
    entries.extend((5_000..9_000).map(|number| entry(number, "unknown", "unknown")));
    // An image that an attacker lists last is either among those that are kept or counted.
    let read = Contents::read(&index(&entries)).unwrap();
    let count = |kind| read.children.iter().filter(|child| child.kind == kind).count();
    assert_eq!((count(ChildKind::Image), count(ChildKind::Attestation), read.left_out), (200, 200, 4_800));
    entries.reverse();
    assert_eq!(Contents::read(&index(&entries)).unwrap(), read);
}

#[test]
fn fields_that_decide_cannot_be_there_in_two_spellings() {
    let image = entry(1, "linux", "amd64");
    for ambiguous in [
        json!({"manifests": [], "Manifests": [image]}),
        json!({"manifests": [image], "layers": []}),
        json!({"manifests": [image], "Config": {}}),
        json!({"manifests": [with(&image, "Digest", json!("sha256:ab"))]}),
        json!({"manifests": [with(&image, "platform", json!({"os": "unknown", "architecture": "unknown", "OS": "linux"}))]}),
    ] {
        let read = Contents::read(&ambiguous.to_string());
        assert!(matches!(read, Err(ManifestError::Ambiguous(_))), "{ambiguous}: {read:?}");
    }
    let twice = format!("{{\"manifests\": [], \"manifests\": [{image}]}}");
    assert!(matches!(Contents::read(&twice), Err(ManifestError::Json(_))));
}

#[test]
fn what_is_too_long_too_deep_or_of_another_type_is_an_error() {
    let image = entry(1, "linux", "amd64");
    let deep = format!("{{\"manifests\": [], \"x\": {}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let long = format!("{{\"manifests\": []{}}}", " ".repeat(4 * 1024 * 1024));
    assert!(matches!(Contents::read(&long), Err(ManifestError::TooLong(_))));
    for wrong in [
        "",
        "[]",
        "{}",
        "{\"manifests\": null}",
        "{\"manifests\": {}}",
        "{\"manifests\": [1]}",
        &deep,
        &index(&[with(&image, "digest", json!(1))]),
        &index(&[with(&image, "mediaType", Value::Null)]),
        &index(&[with(&image, "platform", json!("linux/amd64"))]),
        &index(&[with(&image, "platform", json!({"os": ["linux"]}))]),
    ] {
        let short: String = wrong.chars().take(80).collect();
        assert!(matches!(Contents::read(wrong), Err(ManifestError::Json(_))), "{short}");
    }
    let wrong = index(&[with(&image, "digest", json!("sha256:../../x"))]);
    assert!(matches!(Contents::read(&wrong), Err(ManifestError::Digest(_))));
}

#[test]
fn contents_are_stored_and_read_back() {
    let read = Contents::read(INDEX).unwrap();
    let stored = serde_json::to_value(&read).unwrap();
    assert_eq!(stored["children"].as_array().unwrap().len(), 4);
    assert!(stored["children"].as_array().unwrap().iter().any(|child| child["kind"] == "attestation"));
    assert_eq!(serde_json::from_value::<Contents>(stored).unwrap(), read);
}

fn any_entry() -> impl Strategy<Value = Value> {
    let platform = prop_oneof![
        Just(Value::Null),
        Just(json!({"os": "linux", "architecture": "amd64"})),
        Just(json!({"os": "linux", "architecture": "arm", "variant": "v7"})),
        Just(json!({"os": "unknown", "architecture": "unknown"})),
    ];
    let media_type = prop::sample::select(vec![OCI_IMAGE, OCI_INDEX, "text/plain"]);
    (0_usize..12, media_type, platform).prop_map(|(number, media_type, platform)| {
        json!({"mediaType": media_type, "digest": format!("sha256:{number:064x}"), "platform": platform})
    })
}

proptest! {
    #[test]
    fn order_and_repetition_make_no_difference(
        (entries, shuffled) in prop::collection::vec(any_entry(), 0..20).prop_flat_map(|entries| {
            let twice = [entries.clone(), entries.clone()].concat();
            (Just(entries), Just(twice).prop_shuffle())
        })
    ) {
        let read = Contents::read(&index(&entries)).unwrap();
        prop_assert_eq!(&read, &Contents::read(&index(&shuffled)).unwrap());
        // What is an image by any of its entries is in sight.
        for entry in entries.iter().filter(|entry| kind(entry) == ChildKind::Image) {
            let digest = entry["digest"].as_str().unwrap();
            let found = read.children.iter().find(|child| child.digest.as_str() == digest).unwrap();
            prop_assert_eq!(found.kind, ChildKind::Image);
        }
    }

    #[test]
    fn damaged_index_is_an_error_or_an_index_and_no_panic(at in 0..INDEX.len(), byte in any::<u8>()) {
        let mut damaged = INDEX.as_bytes().to_vec();
        damaged[at] = byte;
        let _ = Contents::read(&String::from_utf8_lossy(&damaged));
        let _ = Contents::read(&INDEX[..at]);
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}
