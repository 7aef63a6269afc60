//! An image, and how a request names it.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::scan::SeedScan;
use super::storage::Storage;
use crate::wire::parameters::Parameters;

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) tags: BTreeSet<String>,
    /// The digests of the manifests in an index.
    pub(crate) children: Vec<String>,
    /// In bytes.
    pub(crate) size: u64,
    pub(crate) storage: Storage,
    /// The digest of the image that this one refers to, as a signature does.
    pub(crate) subject: Option<String>,
    /// Milliseconds since 1970.
    pub(crate) pushed_at: i64,
    pub(crate) scan: Option<SeedScan>,
}

/// An `ImageIdentifier` of the API: a digest, a tag, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ImageName {
    pub(crate) digest: Option<String>,
    pub(crate) tag: Option<String>,
}

impl ImageName {
    pub(crate) fn read(identifier: Parameters<'_>) -> Self {
        Self {
            digest: identifier.text("imageDigest").map(str::to_owned),
            tag: identifier.text("imageTag").map(str::to_owned),
        }
    }

    pub(crate) fn write(&self) -> Value {
        let mut identifier = json!({});
        if let Some(digest) = &self.digest {
            identifier["imageDigest"] = json!(digest);
        }
        if let Some(tag) = &self.tag {
            identifier["imageTag"] = json!(tag);
        }
        identifier
    }

    /// Digest and tag as AWS's messages show them: `null` for one that is not given.
    pub(crate) fn or_null(&self) -> (String, String) {
        let or_null = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        (or_null(&self.digest), or_null(&self.tag))
    }
}
