//! `streamspace plugin job …`

mod pause;
mod resume;
mod run;
mod show;

use clap::{Args, Subcommand};

use super::{super::target::Target, Global};
use crate::install::JobView;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum Verb {
    /// Show a job and its newest runs
    Show(show::Show),
    /// Begin a run now, and do not wait for its end
    Run(run::Run),
    /// Have it run by hand alone
    Pause(pause::Pause),
    /// Have it run by its times again
    Resume(resume::Resume),
}

impl Verb {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        match self {
            Self::Show(verb) => verb.run(global, target),
            Self::Run(verb) => verb.run(global, target),
            Self::Pause(verb) => verb.run(global, target),
            Self::Resume(verb) => verb.run(global, target),
        }
    }
}

/// A job of a plugin.
#[derive(Debug, Args)]
struct Chosen {
    /// The plugin
    plugin: String,
    /// The job
    job: String,
}

/// `flush  */5 * * * * (Europe/Berlin)  next 2026-01-31T12:00:00Z  last 2026-01-31T11:55:00Z: ok`
pub(super) fn line(job: &JobView) -> String {
    let mut line =
        format!("{}  {}", job.name, if job.schedule.is_empty() { "by hand" } else { &job.schedule });
    if !job.time_zone.is_empty() {
        line.push_str(&format!(" ({})", job.time_zone));
    }
    if job.paused {
        line.push_str("  paused");
    }
    if let Some(next) = &job.next_run_at {
        line.push_str(&format!("  next {next}"));
    }
    if let Some(seconds) = job.running_secs {
        line.push_str(&format!("  running for {seconds:.1} s"));
    }
    if let Some(last) = &job.last_run_at {
        line.push_str(&format!("  last {last}: {}", job.last_outcome.as_deref().unwrap_or("?")));
    }
    line
}
