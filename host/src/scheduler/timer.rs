//! The beat: once a second, what is due begins.
//!
//! The beat alone is `job_scheduler_ng`'s own loop: its jobs know the system's clock and offsets that never change, and run
//! on the thread that ticks.

use std::{
    io::{Error, ErrorKind},
    sync::Arc,
    thread,
};

use job_scheduler_ng::{Cron, Job, JobScheduler};
use streamspace_plugin::abi::guard;

use super::Scheduler;

const EVERY_SECOND: &str = "* * * * * *";

/// Starts the beat, until the scheduler is gone.
pub(super) fn start(scheduler: &Arc<Scheduler>) -> std::io::Result<()> {
    let beat: Cron =
        EVERY_SECOND.parse().map_err(|why| Error::new(ErrorKind::InvalidInput, format!("{why}")))?;
    let scheduler = Arc::downgrade(scheduler);
    let logger = scheduler.upgrade().map(|scheduler| scheduler.logger.clone());
    thread::Builder::new().name("ss:timer".to_owned()).spawn(move || {
        let mut timer = JobScheduler::new();
        let fired = scheduler.clone();
        timer.add(Job::new(beat, move || {
            let Some(scheduler) = fired.upgrade() else { return };
            if let (Err(why), Some(logger)) = (guard("the timer", || scheduler.fire()), &logger) {
                slog::error!(logger, "The timer failed; it goes on with the next second."; "error" => %why);
            }
        }));
        while scheduler.strong_count() > 0 {
            timer.tick();
            thread::sleep(timer.time_till_next_job());
        }
    })?;
    Ok(())
}
