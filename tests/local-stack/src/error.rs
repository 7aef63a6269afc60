//! Why a template was refused.

use thiserror::Error;

use crate::pattern::PatternError;

/// A template that cannot be understood, or that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    /// The text is not YAML, or not a template at all.
    #[error("the template cannot be read: {0}")]
    Text(String),
    /// A parameter has no value, a value that is not allowed, or does not exist.
    #[error("parameter {name}: {reason}")]
    Parameter {
        /// The parameter's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A condition cannot be decided.
    #[error("condition {name}: {reason}")]
    Condition {
        /// The condition's name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A resource says something that is wrong or not understood.
    #[error("resource {logical_id}: {reason}")]
    Resource {
        /// The resource's logical id.
        logical_id: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The event pattern of a rule was refused.
    #[error("resource {logical_id}: {source}")]
    Pattern {
        /// The rule's logical id.
        logical_id: String,
        /// What is wrong, and where in the pattern.
        source: PatternError,
    },
}

impl TemplateError {
    pub(crate) fn resource(logical_id: &str, reason: impl Into<String>) -> Self {
        Self::Resource { logical_id: logical_id.to_owned(), reason: reason.into() }
    }
}
