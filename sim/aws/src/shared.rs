//! State that clones of a service share.

use std::sync::{Arc, Mutex, PoisonError};

#[derive(Debug, Default)]
pub(crate) struct Shared<T>(Arc<Mutex<T>>);

impl<T> Clone for Shared<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Shared<T> {
    /// Locks the value for the closure. Ignores poisoning: after a test has panicked, the others should
    /// fail for their own reasons only.
    pub(crate) fn with<R>(&self, borrow: impl FnOnce(&mut T) -> R) -> R {
        borrow(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
