//! The verbs, one file each.

mod deployment;
pub(crate) mod play;
pub(crate) mod rescan;
pub(crate) mod resume;
pub(crate) mod serve;
pub(crate) mod story;

use std::path::{Path, PathBuf};

/// The root of the checkout, where template.yaml and the policy are.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
