//! `streamspace plugin disable NAME`

use clap::Args;

use super::{super::target::Target, Global, answer};

#[derive(Debug, Args)]
pub(in crate::cli) struct Disable {
    /// The plugin
    name: String,
}

impl Disable {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        answer(global, "disabled", &target.disable(&self.name)?)
    }
}
