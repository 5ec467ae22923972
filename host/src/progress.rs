//! How far something is that takes a while: told to whoever wants to show it.

use std::fmt;

/// Takes how far something is. One thing at a time.
pub trait Progress: fmt::Debug + Send + Sync {
    /// Something begins: what, and how many bytes it has.
    fn begin(&self, what: &str, bytes: u64);

    /// So many bytes are done, of those that were announced.
    fn at(&self, bytes: u64);

    /// It is done, or was given up.
    fn end(&self);
}

/// Tells nobody.
#[derive(Debug, Clone, Copy, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn begin(&self, _: &str, _: u64) {}

    fn at(&self, _: u64) {}

    fn end(&self) {}
}
