//! `streamspace plugin job resume NAME JOB`

use clap::Args;

use super::{super::super::target::Target, Chosen, Global, line};

#[derive(Debug, Args)]
pub(in crate::cli) struct Resume {
    #[command(flatten)]
    chosen: Chosen,
}

impl Resume {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        global.answer(&target.pause_job(&self.chosen.plugin, &self.chosen.job, false)?, line)
    }
}
