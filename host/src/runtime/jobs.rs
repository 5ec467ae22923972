//! A plugin as what runs its jobs.

use std::sync::{Arc, Weak};

use slog::{error, warn};
use streamspace_plugin::{
    abi::{Bound, Fault},
    scheduler::{JobsRef, RunView},
};

use super::{Runtime, failures::Failures, instance::JOB};
use crate::{
    log::PluginLog,
    scheduler::{Job, Outcome, Target},
};

/// Has the plugin run its jobs, and tells what became of them.
pub(super) struct Runner {
    jobs: Bound<JobsRef>,
    failures: Arc<Failures>,
    log: Arc<PluginLog>,
    logger: slog::Logger,
    runtime: Weak<Runtime>,
}

impl Runner {
    pub(super) fn new(
        jobs: Bound<JobsRef>,
        failures: &Arc<Failures>,
        log: &Arc<PluginLog>,
        logger: &slog::Logger,
        runtime: &Weak<Runtime>,
    ) -> Self {
        Self {
            jobs,
            failures: Arc::clone(failures),
            log: Arc::clone(log),
            logger: logger.clone(),
            runtime: Weak::clone(runtime),
        }
    }
}

impl std::fmt::Debug for Runner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Runner").finish_non_exhaustive()
    }
}

impl Target for Runner {
    fn run(&self, job: u32, run: RunView) -> Result<(), Fault> {
        self.jobs.table.run()(self.jobs.handle, job, run).into_result()
    }

    fn redact(&self, text: &str) -> String {
        self.log.redact(text)
    }

    fn ended(&self, job: &Job, outcome: Outcome, message: &str) {
        let name = &job.options().name;
        if outcome != Outcome::Ok {
            self.failures.note(&format!("job `{name}`: {message}"));
        }
        // A job that fails often must not push others' records out of the log.
        if outcome != Outcome::Ok && self.log.admits() {
            let fields = slog::o!("reason" => message.to_owned(), "job" => name.clone(), "plugin" => job.plugin().to_string());
            match outcome {
                Outcome::Panicked => error!(self.logger, "A job panicked."; fields),
                _ => warn!(self.logger, "A job failed."; fields),
            }
        }
        let Some(runtime) = self.runtime.upgrade() else { return };
        runtime.bus().notice(JOB, || {
            serde_json::json!({
                "plugin": **job.plugin(), "job": name, "outcome": outcome.name(), "message": message,
            })
        });
        if outcome == Outcome::Panicked {
            runtime.note_panic(job.plugin(), message);
        }
    }
}
