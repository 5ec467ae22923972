//! `streamspace plugin job pause NAME JOB`

use clap::Args;

use super::{super::super::target::Target, Chosen, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Pause {
    #[command(flatten)]
    chosen: Chosen,
}

impl Pause {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        global.answer(&target.pause_job(&self.chosen.plugin, &self.chosen.job, true)?, |job| {
            format!("{} is paused.", job.name)
        })
    }
}
