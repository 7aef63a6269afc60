//! Under which circumstances an alert is written.

use domain::quarantine::Mode;
use jiff::Timestamp;

/// Under which circumstances an alert is written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Circumstances {
    /// An alert must not say that an image was tagged where nothing is.
    pub(crate) mode: Mode,
    /// Whether images without a tag are marked.
    pub(crate) untagged: bool,
    /// Whether the same alert may have gone out before.
    pub(crate) may_repeat: bool,
    pub(crate) now: Timestamp,
}
