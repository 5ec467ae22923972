//! The host's half of `scheduler/1`.

use std::sync::{Arc, LazyLock, OnceLock};

use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, RStr, guard},
    scheduler::{Timetable, TimetableRef},
};

use super::{Job, Scheduler};
use crate::handles::{Handles, Opened};

/// What one plugin may do with its jobs.
#[derive(Debug)]
pub(crate) struct PluginJobs {
    pub(crate) scheduler: Arc<Scheduler>,
    /// Its jobs, once they are registered. Not by name among all: another version may have one of the same name.
    pub(crate) jobs: Arc<OnceLock<Vec<Arc<Job>>>>,
}

static JOBS: LazyLock<Handles<PluginJobs>> = LazyLock::new(Handles::new);

/// Gives a plugin its timetable, for as long as the [`Opened`] is kept.
pub(crate) fn open(jobs: PluginJobs) -> (Capability, Opened) {
    let opened = JOBS.open(Arc::new(jobs));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> TimetableRef {
    static TABLE: LazyLock<TimetableRef> = LazyLock::new(|| Timetable { reschedule }.leak_into_prefix());
    *TABLE
}

extern "C" fn reschedule(
    handle: Handle,
    job: RStr<'_>,
    schedule: RStr<'_>,
    time_zone: RStr<'_>,
) -> Outcome<()> {
    let done = guard("`reschedule`", || {
        JOBS.with(handle, |jobs| {
            let own = jobs.jobs.get().into_iter().flatten();
            let job = own.clone().find(|own| own.options.name == *job).ok_or_else(|| {
                Fault::new(FaultKind::INVALID, format_args!("the plugin has not registered a job `{job}`"))
            })?;
            let done = jobs.scheduler.reschedule(job, &schedule, &time_zone);
            done.map_err(|why| Fault::new(FaultKind::INVALID, format_args!("{why} ({})", why.code())))
        })
    });
    done.and_then(|done| done).into()
}
