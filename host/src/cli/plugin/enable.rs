//! `streamspace plugin enable NAME`

use clap::Args;

use super::{super::target::Target, Global, answer_running};

#[derive(Debug, Args)]
pub(in crate::cli) struct Enable {
    /// The plugin
    name: String,
}

impl Enable {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        answer_running(global, "enabled", &target.enable(&self.name)?)
    }
}
