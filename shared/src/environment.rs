//! What a function is told by its environment variables.

use thiserror::Error;

/// A variable that is missing or makes no sense. The function cannot start.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("environment variable {name}: {reason}")]
pub struct EnvironmentError {
    /// Its name.
    pub name: &'static str,
    /// What is wrong.
    pub reason: String,
}

/// The variables, from the process or, in tests and in the local runner, from a map.
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl<'a> Environment<'a> {
    /// The variables behind a look-up.
    pub fn new(look_up: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(look_up)
    }

    /// A variable that must be there.
    pub fn required(&self, name: &'static str) -> Result<String, EnvironmentError> {
        self.optional(name).ok_or_else(|| EnvironmentError { name, reason: "not set".to_owned() })
    }

    /// A variable that may be absent; an empty one is.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.0(name).filter(|value| !value.is_empty())
    }
}

/// The process's own variable of a name.
pub fn process(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
