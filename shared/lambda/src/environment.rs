//! What a function is told by its environment variables.

use std::fmt::Display;
use std::str::FromStr;

use thiserror::Error;

/// A variable that is missing or makes no sense. The function cannot start.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("environment variable {name}: {reason}")]
pub struct EnvironmentError {
    pub name: &'static str,
    pub reason: String,
}

/// The variables, from the process or, in tests and in the simulator, from a map.
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'static> {
    /// The variables of the process.
    pub fn of_process() -> Self {
        Self(&|name| std::env::var(name).ok())
    }
}

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

    /// A variable that may be absent, and then has its default.
    pub fn parsed<T>(&self, name: &'static str) -> Result<T, EnvironmentError>
    where
        T: FromStr<Err: Display> + Default,
    {
        self.optional(name)
            .map_or_else(|| Ok(T::default()), |value| value.parse())
            .map_err(|reason: T::Err| EnvironmentError { name, reason: reason.to_string() })
    }
}
