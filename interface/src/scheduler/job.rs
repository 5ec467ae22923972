//! Registering jobs.

use std::{fmt, time::Duration};

use super::{JobSpec, MissedRuns, Run};
use crate::{Error, Result};

type Handler<P> = Box<dyn Fn(&P, &Run<'_>) -> Result<()> + Send + Sync>;

/// A job that was registered: what the host is told, and the handler.
pub(crate) struct Job<P> {
    pub(crate) spec: JobSpec,
    pub(crate) handler: Handler<P>,
}

impl<P> Job<P> {
    pub(crate) fn new<R: IntoRan>(
        name: &str,
        schedule: &str,
        handler: impl Fn(&P, &Run<'_>) -> R + Send + Sync + 'static,
    ) -> Self {
        Self {
            spec: JobSpec::named(name, schedule),
            handler: Box::new(move |plugin, run| handler(plugin, run).into_ran()),
        }
    }
}

/// What else a job asks for. The job is registered already.
///
/// Defaults: UTC, no overlap, runs that were missed are noted and not made up for, a deadline of 60 s a run.
pub struct JobBuilder<'r>(&'r mut JobSpec);

impl<'r> JobBuilder<'r> {
    pub(crate) fn new(spec: &'r mut JobSpec) -> Self {
        Self(spec)
    }

    /// The time zone that the expression is read in: an IANA name such as `Europe/Berlin`. One that the expression
    /// begins with (`TZ=Europe/Berlin 0 9 * * *`) comes first.
    pub fn time_zone(self, name: &str) -> Self {
        self.0.time_zone = name.into();
        self
    }

    /// Begins a run also while an earlier one has not ended. Otherwise such a run is noted as skipped.
    pub fn may_overlap(self) -> Self {
        self.0.may_overlap = true;
        self
    }

    /// Runs once as soon as the plugin runs, if it was due while the plugin did not, however often.
    pub fn run_missed_once(self) -> Self {
        self.0.missed = MissedRuns::RUN_ONCE;
        self
    }

    /// After what time a run that has not ended is reported as hanging.
    pub fn deadline(self, time: Duration) -> Self {
        self.0.deadline_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self
    }
}

impl fmt::Debug for JobBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What the handler of a job may return: `Result<()>`, or nothing.
#[diagnostic::on_unimplemented(
    message = "the handler of a job may not return `{Self}`",
    label = "expects a handler that returns `Result<()>` or nothing",
    note = "a job's handler is `fn(&Self, &Run<'_>) -> Result<()>`",
    note = "its error is `streamspace_plugin::Error`, which any `std::error::Error` becomes with `?`",
    note = "it is not `async`: it runs on a thread of its own and may block"
)]
pub trait IntoRan {
    /// What came of the run.
    ///
    /// # Errors
    ///
    /// The handler's.
    fn into_ran(self) -> Result<()>;
}

impl IntoRan for () {
    fn into_ran(self) -> Result<()> {
        Ok(())
    }
}

impl<E: Into<Error>> IntoRan for Result<(), E> {
    fn into_ran(self) -> Result<()> {
        self.map_err(Into::into)
    }
}
