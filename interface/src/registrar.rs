//! What a plugin wants to be called for.

use std::fmt;

use crate::{
    events::{Consumer, ConsumerBuilder},
    scheduler::{IntoRan, Job, JobBuilder, Run},
};

/// Collects a plugin's registrations in [`Plugin::register`](crate::Plugin::register). They belong to the host: when
/// the plugin goes, all of them go.
pub struct Registrar<P> {
    consumers: Vec<Consumer<P>>,
    jobs: Vec<Job<P>>,
}

impl<P> Registrar<P> {
    pub(crate) fn new() -> Self {
        Self { consumers: Vec::new(), jobs: Vec::new() }
    }

    /// Describes a consumer of events. `name` is unique within the plugin and stays the same over its versions: it is
    /// what a durable consumer is recognised by. Lower-case letters, digits and `-`, at most 64.
    pub fn consumer(&mut self, name: &str) -> ConsumerBuilder<'_, P> {
        ConsumerBuilder::new(self, name)
    }

    /// Registers a job that runs by an [expression](crate::scheduler). `name` is unique within the plugin and stays the same
    /// over its versions: it is what its history is kept under. Letters, digits, `-` and `_`, at most 64. What is answered
    /// takes further wishes.
    ///
    /// `handler` runs as `[worker]`, on a thread of its own, one call at a time unless the job may overlap. An error or a
    /// panic is the run's outcome, and nothing else.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streamspace_plugin::prelude::*;
    /// # struct Digest;
    /// # impl Plugin for Digest {
    /// #     type Config = ();
    /// #     fn load(_: &Context, _: ()) -> Result<Self> { Ok(Self) }
    /// fn register(&self, on: &mut Registrar<Self>) {
    ///     on.job("flush", "*/5 * * * *", Self::flush);
    ///     on.job("report", "0 9 * * MON-FRI", Self::report)
    ///         .time_zone("Europe/Berlin")
    ///         .run_missed_once()
    ///         .deadline(Duration::from_secs(600));
    /// }
    /// # }
    /// # impl Digest {
    /// fn flush(&self, _run: &Run<'_>) {}
    ///
    /// fn report(&self, run: &Run<'_>) -> Result<()> {
    ///     log::info!("Due at {:?}.", run.scheduled());
    ///     Ok(())
    /// }
    /// # }
    /// ```
    pub fn job<R: IntoRan>(
        &mut self,
        name: &str,
        schedule: &str,
        handler: impl Fn(&P, &Run<'_>) -> R + Send + Sync + 'static,
    ) -> JobBuilder<'_> {
        let job = self.jobs.len();
        self.jobs.push(Job::new(name, schedule, handler));
        JobBuilder::new(&mut self.jobs[job].spec)
    }

    /// As [`job`](Self::job), with the expression that the manifest has for a job of this name (`scheduler.jobs`).
    pub fn job_of_manifest<R: IntoRan>(
        &mut self,
        name: &str,
        handler: impl Fn(&P, &Run<'_>) -> R + Send + Sync + 'static,
    ) -> JobBuilder<'_> {
        self.job(name, "", handler)
    }

    pub(crate) fn add_consumer(&mut self, consumer: Consumer<P>) {
        self.consumers.push(consumer);
    }

    pub(crate) fn into_parts(self) -> (Vec<Consumer<P>>, Vec<Job<P>>) {
        (self.consumers, self.jobs)
    }
}

impl<P> fmt::Debug for Registrar<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registrar")
            .field("consumers", &self.consumers.len())
            .field("jobs", &self.jobs.len())
            .finish()
    }
}
