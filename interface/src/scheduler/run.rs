//! One run of a job, as its handler sees it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use super::{Cause, RunView};

/// A run of a job.
///
/// ```
/// # use streamspace_plugin::{prelude::*, scheduler::{Cause, RunView}};
/// // What a test of a plugin makes, and the host otherwise.
/// let view = RunView { scheduled_us: 1_767_323_040_000_000, started_us: 1_767_323_040_012_000, cause: Cause::DUE };
/// let run = Run::new(&view);
///
/// assert!(!run.is_by_hand() && !run.is_late());
/// assert!(run.started() >= run.scheduled());
/// ```
#[derive(Clone, Copy)]
pub struct Run<'a>(&'a RunView);

impl<'a> Run<'a> {
    /// Wraps what came over the interface. Made by the SDK before it calls a handler, and by tests of plugins.
    #[must_use]
    pub fn new(view: &'a RunView) -> Self {
        Self(view)
    }

    /// When it was due, to the second; of a run by hand, when that was asked for.
    #[must_use]
    pub fn scheduled(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.scheduled_us)
    }

    /// When it began.
    #[must_use]
    pub fn started(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.started_us)
    }

    /// Whether an operator asked for it.
    #[must_use]
    pub fn is_by_hand(&self) -> bool {
        self.0.cause == Cause::BY_HAND
    }

    /// Whether it was due while the plugin did not run, and is made up for now.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.0.cause == Cause::MISSED
    }
}

impl fmt::Debug for Run<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
