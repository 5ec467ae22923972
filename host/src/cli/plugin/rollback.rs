//! `streamspace plugin rollback NAME`

use clap::Args;

use super::{super::target::Target, Global, answer};

#[derive(Debug, Args)]
pub(in crate::cli) struct Rollback {
    /// The plugin
    name: String,
    /// The version to go back to; the one before the current one, unless given
    #[arg(long, value_name = "VERSION")]
    to: Option<String>,
}

impl Rollback {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        answer(global, "installed again", &target.rollback(&self.name, self.to.as_deref())?)
    }
}
