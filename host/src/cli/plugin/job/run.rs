//! `streamspace plugin job run NAME JOB`

use clap::Args;

use super::{super::super::target::Target, Chosen, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Run {
    #[command(flatten)]
    chosen: Chosen,
}

impl Run {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        global.answer(&target.run_job(&self.chosen.plugin, &self.chosen.job)?, |job| {
            format!("A run of {} has begun.", job.name)
        })
    }
}
