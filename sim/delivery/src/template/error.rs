use thiserror::Error;

use crate::pattern::PatternError;

/// A template that cannot be understood, or that AWS would refuse.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum TemplateError {
    #[error("the template cannot be read: {0}")]
    Text(String),
    #[error("parameter `{name}`: {reason}")]
    Parameter { name: String, reason: String },
    #[error("condition `{name}`: {reason}")]
    Condition { name: String, reason: String },
    #[error("resource `{logical_id}`: {reason}")]
    Resource { logical_id: String, reason: String },
    #[error("resource `{logical_id}`: {source}")]
    Pattern { logical_id: String, source: PatternError },
}

impl TemplateError {
    pub(crate) fn resource(logical_id: &str, reason: impl Into<String>) -> Self {
        Self::Resource { logical_id: logical_id.to_owned(), reason: reason.into() }
    }
}
