//! State that several clients reach at the same time.

use std::sync::{Arc, Mutex, PoisonError};

/// A value that all clones share and that one caller at a time may touch.
#[derive(Debug, Default)]
pub(crate) struct Guarded<T>(Arc<Mutex<T>>);

impl<T> Clone for Guarded<T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<T> Guarded<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(value)))
    }

    /// Lends the value out. A caller that panicked in the middle does not lock the others out:
    /// a failing test should report its own failure, not everybody else's.
    pub(crate) fn with<R>(&self, borrow: impl FnOnce(&mut T) -> R) -> R {
        borrow(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
