//! Names with wildcards.

use globset::{GlobBuilder, GlobSet, GlobSetBuilder};
use serde::Deserialize;

/// A list of globs of which one must match. `*` also matches `/`: `prod/*` is all below `prod/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Patterns {
    set: GlobSet,
    written: Vec<String>,
}

impl Patterns {
    /// Whether one of them matches the whole name.
    pub fn matches(&self, name: &str) -> bool {
        self.set.is_match(name)
    }

    /// The globs.
    pub fn as_written(&self) -> &[String] {
        &self.written
    }
}

impl TryFrom<Vec<String>> for Patterns {
    type Error = String;

    fn try_from(globs: Vec<String>) -> Result<Self, String> {
        if globs.is_empty() {
            return Err(
                "empty list matches nothing: name a pattern, or leave the key out to match everything"
                    .to_owned(),
            );
        }
        let mut set = GlobSetBuilder::new();
        for glob in &globs {
            if glob.is_empty() {
                return Err("empty pattern matches nothing: expected a name or a glob".to_owned());
            }
            set.add(GlobBuilder::new(glob).build().map_err(|error| error.to_string())?);
        }
        let set = set.build().map_err(|error| error.to_string())?;
        Ok(Self { set, written: globs })
    }
}
