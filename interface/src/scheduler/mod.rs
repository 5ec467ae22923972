//! Jobs by the clock: `scheduler/1`.
//!
//! A plugin registers jobs in [`Plugin::register`](crate::Plugin::register). The host finds those that are due, and runs
//! each on a thread of its own.
//!
//! # Expressions
//!
//! | form | examples |
//! |---|---|
//! | five fields: minute, hour, day of the month, month, day of the week | `*/5 * * * *`, `0 9 * * MON-FRI`, `30 2 1,15 * *` |
//! | six fields, the second first | `*/10 * * * * *` |
//! | names | `@yearly`, `@annually`, `@monthly`, `@weekly`, `@daily`, `@midnight`, `@hourly` |
//! | a distance, in whole seconds, from the start of the last run that was due | `@every 90s`, `@every 1h30m` |
//! | the platform's intervals, which keep to the clock | `1m`, `5 minutes`, `30m`, `hourly`, `6h`, `1 day`, `weekly` |
//!
//! `TZ=Europe/Berlin` or `CRON_TZ=…` in front names the time zone. Where a day of the month and one of the week are given,
//! either will do.
//!
//! When clocks go forward, a fixed time that does not exist comes once, at the moment of the change. When they go back, a
//! fixed time that exists twice comes once, the first time. A time with `*` in its second, minute or hour keeps to the clock:
//! it comes whenever the clock shows it.

mod job;
mod run;
mod table;

pub(crate) use self::job::Job;
pub use self::{
    job::{IntoRan, JobBuilder},
    run::Run,
    table::{Cause, ID, JobSpec, Jobs, JobsRef, MissedRuns, RunView, Timetable, TimetableRef},
};
use crate::{
    Error, Result,
    abi::{Bound, RStr},
};

/// Changes when jobs of this plugin run. Made by [`Context::scheduler`](crate::Context::scheduler).
#[derive(Debug, Clone, Copy)]
pub struct Scheduler(Option<Bound<TimetableRef>>);

impl Scheduler {
    pub(crate) fn new(host: Option<Bound<TimetableRef>>) -> Self {
        Self(host)
    }

    /// `[worker]` Has a job that the plugin registered run by another expression, from now on and until the plugin is
    /// loaded anew. `time_zone` is an IANA name, or empty for UTC. With an empty expression the job has no times any more,
    /// and runs only by hand.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn less_often(context: &Context) -> Result<()> {
    ///     context.scheduler().reschedule("poll", "@every 10m", "")
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// If there is no such job, or the expression or the time zone is not one: nothing is changed then. And if this host
    /// has no `scheduler/1`.
    pub fn reschedule(&self, job: &str, schedule: &str, time_zone: &str) -> Result<()> {
        let host =
            self.0.ok_or_else(|| Error::new("this host offers no jobs by the clock (`scheduler/1`)"))?;
        let done = host.table.reschedule()(
            host.handle,
            RStr::from_str(job),
            RStr::from_str(schedule),
            RStr::from_str(time_zone),
        );
        done.into_result().map_err(|fault| Error::new(fault.message))
    }
}
