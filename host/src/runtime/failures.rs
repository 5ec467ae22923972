//! What went wrong in one instance's handlers, for those who decide whether it stays.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

/// Calls that failed or panicked, of one instance.
#[derive(Debug, Default)]
pub(super) struct Failures {
    count: AtomicU64,
    last: Mutex<String>,
}

impl Failures {
    /// Counts one. `what` has no secrets.
    pub(super) fn note(&self, what: &str) {
        what.clone_into(&mut self.last.lock().unwrap_or_else(PoisonError::into_inner));
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many, and what was the last one.
    pub(super) fn so_far(&self) -> (u64, String) {
        let count = self.count.load(Ordering::Acquire);
        (count, self.last.lock().unwrap_or_else(PoisonError::into_inner).clone())
    }
}
