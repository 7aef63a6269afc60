//! What tells one policy from another, so that it is seen which one an image was judged by.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// How many bytes of the hash are kept. Nobody gains anything by a collision: it would leave images as an earlier policy
/// judged them until they are judged anew.
const BYTES: usize = 8;

/// The start of the SHA-256 of a policy file, in hex, and whether what images had when they were adopted quarantines
/// them.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Fingerprint(String);

impl Fingerprint {
    pub(crate) fn of(file: &str) -> Self {
        let hash = Sha256::digest(file);
        Self(hash.iter().take(BYTES).fold(String::new(), |text, byte| format!("{text}{byte:02x}")))
    }

    pub(super) fn with_adopted(self) -> Self {
        Self(self.0 + "+adopted")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
