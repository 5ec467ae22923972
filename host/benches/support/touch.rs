//! The handler of all benchmarks, natively: what `fixture-touch` does.

use std::{
    hint::black_box,
    sync::atomic::{AtomicU64, Ordering},
};

/// What a consumer does with an event's data.
pub(crate) trait Handler: Send + Sync {
    fn handle(&self, data: &[u8]);
}

/// Touches the first and the last byte and counts. One call at a time. On a cache line of its own.
#[derive(Default)]
#[repr(align(128))]
pub(crate) struct Touch(AtomicU64);

impl Handler for Touch {
    fn handle(&self, data: &[u8]) {
        black_box((data.first(), data.last()));
        self.0.store(self.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }
}
