//! `streamspace plugin job show NAME JOB`

use clap::Args;

use super::{super::super::target::Target, Chosen, Global, line};

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    #[command(flatten)]
    chosen: Chosen,
}

impl Show {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let job = target.job(&self.chosen.plugin, &self.chosen.job)?;
        global.answer(&job, |job| {
            let mut lines = vec![line(job)];
            lines.extend(job.history.iter().flatten().map(|run| {
                let took =
                    run.duration_secs.map(|seconds| format!(" after {seconds:.3} s")).unwrap_or_default();
                let said = if run.message.is_empty() { String::new() } else { format!(": {}", run.message) };
                format!("{}  {}  {}{took}{said}", run.scheduled_at, run.cause, run.outcome)
            }));
            lines.join("\n")
        })
    }
}
