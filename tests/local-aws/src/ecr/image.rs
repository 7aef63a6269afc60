//! One image, and how a request names one.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::scan::BasicScan;
use crate::parameters::Parameters;

/// Where an image is kept: the `imageStatus` of the ECR API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ImageStatus {
    /// It can be pulled.
    #[default]
    Active,
    /// It is in the archive storage class: it cannot be pulled, and listings leave it out unless asked for it.
    Archived,
    /// It is on its way back from the archive.
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

#[derive(Debug, Clone)]
pub(crate) struct Image {
    pub(crate) manifest: String,
    pub(crate) media_type: String,
    pub(crate) tags: BTreeSet<String>,
    /// The images that this one holds, if it is an index.
    pub(crate) children: Vec<String>,
    /// Bytes.
    pub(crate) size: u64,
    pub(crate) status: ImageStatus,
    /// Milliseconds since 1970.
    pub(crate) pushed_at: i64,
    pub(crate) scan: Option<BasicScan>,
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

    /// How AWS's messages write a part that was not given.
    pub(crate) fn words(&self) -> (String, String) {
        let word = |part: &Option<String>| part.clone().unwrap_or_else(|| "null".to_owned());
        (word(&self.digest), word(&self.tag))
    }
}
