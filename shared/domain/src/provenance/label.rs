//! What an image says of itself: where its source is, what it is built on, and when it was built, by the annotations of
//! its manifest and the labels of its config.
//! <https://github.com/opencontainers/image-spec/blob/v1.1.1/annotations.md#pre-defined-annotation-keys>
//!
//! Whoever builds an image writes them, so they are read as hostile text, prove nothing and decide nothing. A label that
//! the build does not set is that of the base image; an annotation is always the image's own.

use jiff::Timestamp;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::image::Digest;
use crate::manifest::{is_image, is_image_config};

/// The longest text that is kept, in characters. The name of an image has 255 at most.
const LONGEST: usize = 256;
/// Characters that no address needs and that may end one, or hide in it, where it is shown.
const NOT_IN_ADDRESSES: &[u8] = b"\"'<>\\^`{|}";
const SCHEMES: [&str; 4] = ["https", "http", "ssh", "git"];
/// How many digits of a commit are shown: git's habit.
const COMMIT: usize = 7;
/// How many characters of any other revision are shown.
const REVISION: usize = 40;
/// 2013-01-01, in seconds: there were no containers before. Builds that can be repeated state a fixed time long before.
const FIRST_CONTAINERS: i64 = 1_356_998_400;

/// What an image says of itself; what it does not say, or not in a form that can be shown, is absent.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Labels {
    /// The address of the source: `https://…` or `http://…`, which is a link, or `ssh://…`, `git://…` or `git@host:path`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Which revision of the source it was built from, such as a commit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub created: Option<Timestamp>,
    /// The image that it is built on, such as `docker.io/library/debian:13-slim`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base_digest: Option<Digest>,
}

/// What the manifest of an image says, and where its config is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Labelled {
    annotations: Labels,
    pub config: Blob,
}

/// A part of an image, as the image's manifest describes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    pub digest: Digest,
    /// In bytes.
    pub size: u64,
}

// What does not matter is skipped and not kept: a manifest may have 4 MB of it.

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Manifest<'a> {
    media_type: Option<String>,
    config: Descriptor,
    #[allow(dead_code)] // It must be there.
    layers: Vec<IgnoredAny>,
    /// It must not be there.
    manifests: Option<IgnoredAny>,
    #[serde(borrow)]
    annotations: Option<Stated<'a>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    media_type: String,
    digest: Digest,
    size: u64,
}

#[derive(Deserialize)]
struct Config<'a> {
    #[serde(borrow)]
    config: Option<Execution<'a>>,
}

#[derive(Deserialize)]
struct Execution<'a> {
    #[serde(rename = "Labels", borrow)]
    labels: Option<Stated<'a>>,
}

/// Whatever stands there, a text or not.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Stated<'a> {
    #[serde(rename = "org.opencontainers.image.source", borrow)]
    source: Option<&'a RawValue>,
    #[serde(rename = "org.opencontainers.image.revision", borrow)]
    revision: Option<&'a RawValue>,
    #[serde(rename = "org.opencontainers.image.created", borrow)]
    created: Option<&'a RawValue>,
    #[serde(rename = "org.opencontainers.image.base.name", borrow)]
    base_name: Option<&'a RawValue>,
    #[serde(rename = "org.opencontainers.image.base.digest", borrow)]
    base_digest: Option<&'a RawValue>,
}

impl Labelled {
    /// Reads the text of a manifest; `None` where that is not plainly one of a container image.
    pub fn read(manifest: &str) -> Option<Self> {
        let Manifest { media_type, config, manifests, annotations, .. } =
            serde_json::from_str(manifest).ok()?;
        let plain = media_type.is_none_or(|stated| is_image(&stated))
            && is_image_config(&config.media_type)
            && config.digest.is_whole()
            && manifests.is_none();
        let Descriptor { digest, size, .. } = config;
        plain.then(|| Self {
            annotations: annotations.map(Labels::from).unwrap_or_default(),
            config: Blob { digest, size },
        })
    }

    /// Adds what the image's config says, if that could be had. What belongs together is taken from one of the two: the
    /// commit of a base image is none of this image's source.
    pub fn with(self, config: Option<&[u8]>) -> Labels {
        let own = self.annotations;
        let config: Option<Config<'_>> = config.and_then(|config| serde_json::from_slice(config).ok());
        let stated = config.and_then(|config| config.config).and_then(|config| config.labels);
        let labels = stated.map(Labels::from).unwrap_or_default();
        let (source, revision) = either((own.source, own.revision), (labels.source, labels.revision));
        let (base_name, base_digest) =
            either((own.base_name, own.base_digest), (labels.base_name, labels.base_digest));
        Labels { source, revision, created: own.created.or(labels.created), base_name, base_digest }
    }
}

fn either<A, B>(first: (Option<A>, Option<B>), second: (Option<A>, Option<B>)) -> (Option<A>, Option<B>) {
    if first.0.is_some() || first.1.is_some() { first } else { second }
}

impl Labels {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The revision as people name it: a commit by its first digits.
    pub fn short_revision(&self) -> Option<&str> {
        let revision = self.revision.as_deref()?;
        let is_commit =
            [40, 64].contains(&revision.len()) && revision.bytes().all(|byte| byte.is_ascii_hexdigit());
        revision.get(..if is_commit { COMMIT } else { revision.len().min(REVISION) })
    }
}

impl From<Stated<'_>> for Labels {
    fn from(stated: Stated<'_>) -> Self {
        Self {
            source: word(stated.source).as_deref().and_then(address),
            revision: word(stated.revision),
            created: word(stated.created)
                .and_then(|created| created.parse().ok())
                .filter(|created: &Timestamp| created.as_second() >= FIRST_CONTAINERS),
            base_name: word(stated.base_name),
            base_digest: word(stated.base_digest).and_then(|digest| digest.try_into().ok()),
        }
    }
}

/// A text without spaces, of which all is ASCII and visible.
fn word(stated: Option<&RawValue>) -> Option<String> {
    let text: String = serde_json::from_str(stated?.get()).ok()?;
    let text = text.trim();
    let shown = text.bytes().all(|byte| byte.is_ascii_graphic());
    (shown && !text.is_empty() && text.len() <= LONGEST).then(|| text.to_owned())
}

/// An address that people can follow. A name or a password before the host is dropped: it may be a secret, or pretend to
/// be the host.
fn address(text: &str) -> Option<String> {
    if text.bytes().any(|byte| NOT_IN_ADDRESSES.contains(&byte)) {
        return None;
    }
    let name = |text: &str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte))
    };
    let Some((scheme, rest)) = text.split_once("://") else {
        let (place, path) = text.split_once(':')?;
        let (user, host) = place.split_once('@')?;
        return (name(user) && name(host) && !path.is_empty()).then(|| text.to_owned());
    };
    let scheme = scheme.to_ascii_lowercase();
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let place = authority.rsplit_once('@').map_or(authority, |(_, place)| place);
    let (host, port) = place.split_once(':').unwrap_or((place, ""));
    let is_place = name(host) && port.bytes().all(|byte| byte.is_ascii_digit());
    (SCHEMES.contains(&scheme.as_str()) && is_place).then(|| format!("{scheme}://{place}{path}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::text::sanitize;

    const COMMIT_ID: &str = "3f2a91c5d0c1e7b2a4f6089d3e5c7b1a2f4d6e80";

    fn manifest(annotations: &Value) -> Value {
        let digest = format!("sha256:{}", "ab12".repeat(16));
        json!({
            "schemaVersion": 2, "mediaType": crate::manifest::OCI_IMAGE, "layers": [], "annotations": annotations,
            "config": { "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 1024 },
        })
    }

    fn key(name: &str) -> String {
        format!("org.opencontainers.image.{name}")
    }

    fn labels(annotations: &Value, labels: &Value) -> Labels {
        let config = json!({ "config": { "Labels": labels } }).to_string();
        Labelled::read(&manifest(annotations).to_string()).unwrap().with(Some(config.as_bytes()))
    }

    fn source(text: &str) -> Option<String> {
        labels(&json!({ key("source"): text }), &json!({})).source
    }

    #[test]
    fn labels_of_the_config_are_read() {
        let base = format!("sha256:{}", "cd".repeat(32));
        let stated = json!({
            key("source"): "https://github.com/acme/shop", key("revision"): COMMIT_ID,
            key("created"): "2026-03-02T09:59:00+01:00", key("base.name"): "docker.io/library/debian:13-slim",
            key("base.digest"): base, "maintainer": "x",
        });
        let expected = Labels {
            source: Some("https://github.com/acme/shop".to_owned()),
            revision: Some(COMMIT_ID.to_owned()),
            created: Some("2026-03-02T08:59:00Z".parse().unwrap()),
            base_name: Some("docker.io/library/debian:13-slim".to_owned()),
            base_digest: Some(base.try_into().unwrap()),
        };
        assert_eq!(labels(&Value::Null, &stated), expected);
        assert_eq!(labels(&stated, &json!({ "x": 1 })), expected, "annotations say the same");
    }

    #[test]
    fn annotation_wins_over_a_label_with_what_belongs_to_it() {
        let inherited = json!({
            key("source"): "https://github.com/base/base", key("revision"): "1", key("base.name"): "scratch",
            key("created"): "2025-01-01T00:00:00Z",
        });
        let said = labels(&json!({ key("source"): "https://github.com/acme/shop" }), &inherited);
        assert_eq!(said.source.as_deref(), Some("https://github.com/acme/shop"));
        assert_eq!(said.revision, None, "it is a revision of the base image's source");
        assert_eq!(said.base_name.as_deref(), Some("scratch"));
        assert!(said.created.is_some());
        let said = labels(&json!({ key("base.digest"): "sha256:ab" }), &inherited);
        assert_eq!((said.base_name, said.source.is_some()), (None, true));
    }

    #[test]
    fn only_the_manifest_of_a_container_image_is_read() {
        let good = manifest(&Value::Null);
        let read = |value: &Value| Labelled::read(&value.to_string());
        assert_eq!(read(&good).unwrap().config.size, 1024);
        let changed = |pointer: &str, value: Value| {
            let (parent, name) = pointer.rsplit_once('/').unwrap();
            let mut changed = good.clone();
            changed.pointer_mut(parent).unwrap()[name] = value;
            changed
        };
        for other in [
            changed("/mediaType", json!(crate::manifest::OCI_INDEX)),
            changed("/config/mediaType", json!("application/vnd.cncf.helm.config.v1+json")),
            changed("/config/digest", json!("sha256:ab")),
            changed("/config/digest", json!("../../etc")),
            changed("/config/size", json!(-1)),
            changed("/config", Value::Null),
            changed("/layers", json!({})),
            changed("/manifests", json!([])),
            changed("/annotations", json!("x")),
            json!([]),
        ] {
            assert_eq!(read(&other), None, "{other}");
        }
        assert_eq!(Labelled::read(r#"{"config":{},"config":{}}"#), None);
        let without = changed("/mediaType", Value::Null);
        assert!(read(&without).is_some(), "what does not name its media type may be an image");
    }

    #[test]
    fn one_label_is_not_nothing() {
        assert!(labels(&Value::Null, &json!({ "maintainer": "x" })).is_empty());
        assert!(!labels(&Value::Null, &json!({ key("base.name"): "scratch" })).is_empty());
    }

    #[test]
    fn config_that_cannot_be_read_says_nothing() {
        let stated = json!({ key("revision"): "1" });
        for config in [
            None,
            Some(&b""[..]),
            Some(b"[]"),
            Some(b"{}"),
            Some(b"{\"config\":null}"),
            Some(b"{\"config\":{\"Labels\":null}}"),
            Some(b"{\"config\":{\"Labels\":{\"org.opencontainers.image.source\":7}}}"),
        ] {
            let read = Labelled::read(&manifest(&stated).to_string()).unwrap().with(config);
            assert_eq!(read, Labels { revision: Some("1".to_owned()), ..Labels::default() }, "{config:?}");
        }
    }

    #[test]
    fn source_is_an_address_and_gives_no_secret_away() {
        for (stated, expected) in [
            ("HTTPS://github.com/acme/shop", "https://github.com/acme/shop"),
            (" http://git.example:8080/a?b#c ", "http://git.example:8080/a?b#c"),
            ("https://ci:glpat-secret@gitlab.example/a.git", "https://gitlab.example/a.git"),
            ("https://github.com@evil.example/a", "https://evil.example/a"),
            ("https://github.com:x@evil.example", "https://evil.example"),
            ("ssh://git@github.com/acme/shop.git", "ssh://github.com/acme/shop.git"),
            ("git@github.com:acme/shop.git", "git@github.com:acme/shop.git"),
        ] {
            assert_eq!(source(stated).as_deref(), Some(expected), "{stated}");
        }
        for stated in [
            "",
            "acme/shop",
            "github.com/acme/shop",
            "javascript:alert(1)",
            "javascript://%0aalert(1)",
            "data:text/html,a@b",
            "file:///etc/passwd",
            "https://",
            "https:///path",
            "https://exa mple/",
            "https://exämple/",
            "https://host\\@evil/",
            "https://a\">/",
            "https://host:port/",
            "@host:path",
            "git@:path",
            "git@host:",
            "https://example/\u{202e}",
        ] {
            assert_eq!(source(stated), None, "{stated}");
        }
    }

    #[test]
    fn time_before_there_were_containers_is_that_of_a_build_that_can_be_repeated() {
        let created = |text: &str| labels(&json!({ key("created"): text }), &json!({})).created;
        assert!(created("2013-01-01T00:00:00Z").is_some());
        for fixed in ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "1980-01-01T00:00:01Z", "yesterday", ""]
        {
            assert_eq!(created(fixed), None, "{fixed}");
        }
    }

    #[test]
    fn commit_is_shown_by_its_first_digits_and_another_revision_as_it_is() {
        let short = |revision: &str| {
            let labels = Labels { revision: Some(revision.to_owned()), ..Labels::default() };
            labels.short_revision().unwrap().to_owned()
        };
        assert_eq!(short(COMMIT_ID), "3f2a91c");
        assert_eq!((short("v1.4.0").as_str(), short("deadbeefdeadbeef").len()), ("v1.4.0", 16));
        assert_eq!(short(&"x".repeat(200)).len(), 40);
    }

    proptest! {
        #[test]
        fn hostile_labels_are_made_safe(
            texts in prop::collection::vec(hostile(), 10),
        ) {
            let names = ["source", "revision", "created", "base.name", "base.digest"];
            let stated = |texts: &[String]| -> Value {
                names.iter().zip(texts).map(|(name, text)| (key(name), json!(text))).collect()
            };
            let said = labels(&stated(&texts[..5]), &stated(&texts[5..]));
            for text in [&said.source, &said.revision, &said.base_name].into_iter().flatten() {
                prop_assert!(!text.is_empty() && text.len() <= LONGEST);
                prop_assert!(text.bytes().all(|byte| byte.is_ascii_graphic()));
                prop_assert_eq!(&sanitize(text), text);
            }
            if let Some((scheme, rest)) = said.source.as_deref().and_then(|source| source.split_once("://")) {
                prop_assert!(SCHEMES.contains(&scheme), "{}", scheme);
                let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
                prop_assert!(!authority.contains('@'), "{}", rest);
            }
            prop_assert!(said.revision.as_ref().is_none_or(|revision| said.short_revision().is_some_and(|short| revision.starts_with(short))));
            let kept: Labels = serde_json::from_str(&serde_json::to_string(&said).unwrap()).unwrap();
            prop_assert_eq!(kept, said);
        }

        #[test]
        fn any_bytes_are_read_without_a_panic(manifest in any::<String>(), config in any::<Vec<u8>>()) {
            let own = super::tests::manifest(&json!({ key("revision"): "1" })).to_string();
            let said = Labelled::read(&own).unwrap().with(Some(&config));
            prop_assert_eq!(said.revision.as_deref(), Some("1"));
            prop_assert!(Labelled::read(&manifest).is_none());
        }
    }

    /// Any text, and one that is nearly an address.
    fn hostile() -> impl Strategy<Value = String> {
        prop_oneof![
            any::<String>(),
            "(https?|HTTP|ssh|git|javascript)://[a-z@:.#?/\\\\]{0,300}",
            "[a-z.]{0,5}@?[a-z.]{0,5}:[ -~]{0,20}",
            "[!-~]{250,260}",
        ]
    }
}
