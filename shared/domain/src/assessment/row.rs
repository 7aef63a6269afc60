//! A finding that was judged.

use std::borrow::Cow;

use jiff::Timestamp;

use crate::finding::KnownExploited;
use crate::ledger::{Entry, Standing};
use crate::policy::Ruling;

/// A finding and what the policy says of it.
#[derive(Debug, Clone)]
pub struct Row<'a> {
    /// By what the ledger remembers that it was announced: the finding's id, or in an index the vulnerability and its
    /// packages, because each platform and each rebuild has ids of its own.
    pub key: Cow<'a, str>,
    /// The finding; of several alike in an index the worst.
    pub entry: &'a Entry,
    /// The platforms that have it, where others do not.
    pub platforms: Vec<&'a str>,
    /// Since when its vulnerability is known in the image, under whichever id. An image that is deleted and pushed
    /// again has new ids for what it always had.
    pub known_since: Timestamp,
    pub standing: Standing,
    pub known_exploited: Option<KnownExploited>,
    /// `None` where the finding is resolved.
    pub ruling: Option<Ruling<'a>>,
}

impl Row<'_> {
    /// Whether it leads to quarantine at a certain time.
    pub fn quarantines(&self, at: Timestamp) -> bool {
        self.ruling.as_ref().and_then(Ruling::quarantine_from).is_some_and(|from| from <= at)
    }
}
