//! `streamspace plugin logs NAME`

use clap::Args;

use super::{
    super::{logs::Lines, target::Target},
    Global,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Logs {
    /// The plugin
    name: String,
    #[command(flatten)]
    lines: Lines,
}

impl Logs {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        self.lines.show(global, target, Some(&self.name))
    }
}
