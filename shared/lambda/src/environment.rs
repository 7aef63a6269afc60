//! The environment variables of a function.

use std::fmt::Display;
use std::str::FromStr;

use thiserror::Error;

/// A variable that is missing or invalid. The function cannot start.
#[derive(Debug, Error, PartialEq, Eq)]
#[error("environment variable {name}: {reason}")]
pub struct EnvironmentError {
    pub name: &'static str,
    pub reason: String,
}

/// The variables of the process, or a look-up that replaces them in tests and in the simulator.
pub struct Environment<'a>(&'a dyn Fn(&str) -> Option<String>);

impl Environment<'static> {
    pub fn of_process() -> Self {
        Self(&|name| std::env::var(name).ok())
    }
}

impl<'a> Environment<'a> {
    pub fn new(look_up: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self(look_up)
    }

    /// A variable that must be set.
    pub fn required(&self, name: &'static str) -> Result<String, EnvironmentError> {
        self.optional(name).ok_or_else(|| EnvironmentError { name, reason: "not set".to_owned() })
    }

    /// A variable that may be absent. An empty one counts as absent.
    pub fn optional(&self, name: &str) -> Option<String> {
        self.0(name).filter(|value| !value.is_empty())
    }

    /// A variable that has a default.
    pub fn parsed<T>(&self, name: &'static str) -> Result<T, EnvironmentError>
    where
        T: FromStr<Err: Display> + Default,
    {
        self.optional(name)
            .map_or_else(|| Ok(T::default()), |value| value.parse())
            .map_err(|reason: T::Err| EnvironmentError { name, reason: reason.to_string() })
    }
}
