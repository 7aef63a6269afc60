//! The ledger: all that is known of one image, and what was said of it.
//!
//! Its two parts follow different rules. The [`Facts`] are a state-based CRDT (a convergent replicated data type):
//! every field is a join semilattice and [`Ledger::merge`] is the join, so the order of the evidence, its
//! repetition and its division into batches do not matter. [`Announced`] is a memory: it is replaced as a whole
//! when an assessment is drawn up, and no evidence changes it.

mod announced;
mod coverage;
mod due;
mod encoding;
mod evidence;
mod facts;
mod lineage;
mod links;
mod merge;
mod retention;
mod standing;

use crate::image::ImageId;

pub use announced::{Announced, AnnouncedFinding};
pub use coverage::{
    COVERAGE_HOLDS, COVERAGE_MARGIN, Coverage, CoverageAnswer, InUse, ScanReason, USAGE_LAG, Usage,
};
pub use encoding::{EncodingError, decode, encode};
pub use evidence::Evidence;
pub(crate) use facts::TAG_MARKS;
pub use facts::{Entry, Exploitation, Facts, INDEX_COMES_WITHIN, Link, NO_HOLDS, Scans, TagMark};
pub use retention::{Retention, RetentionError};
pub use standing::{CLOSED_ARE_LISTED, LISTING_LAG, Standing, is_outdated};

/// All that is known of one image, and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ledger {
    pub image: ImageId,
    /// The evidence, merged.
    pub facts: Facts,
    pub announced: Announced,
}

impl Ledger {
    /// The ledger of an image of which nothing is known.
    pub fn new(image: ImageId) -> Self {
        Self { image, facts: Facts::default(), announced: Announced::default() }
    }

    /// Takes in what was learnt. Returns whether that changed anything that is known.
    pub fn merge(&mut self, evidence: Evidence) -> bool {
        self.facts.merge(evidence)
    }
}

#[cfg(test)]
mod tests;
