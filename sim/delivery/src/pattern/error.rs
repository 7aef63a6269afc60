use thiserror::Error;

/// Why a pattern was refused, and where in the pattern.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("event pattern at `{path}`: {reason}")]
pub struct PatternError {
    /// The names of the fields that lead there, joined by dots; `$` is the whole pattern.
    pub path: String,
    pub reason: String,
}

impl PatternError {
    pub(super) fn new(path: &str, reason: impl Into<String>) -> Self {
        Self { path: path.to_owned(), reason: reason.into() }
    }
}
