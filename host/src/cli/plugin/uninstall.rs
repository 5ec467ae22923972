//! `streamspace plugin uninstall NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Uninstall {
    /// The plugin
    name: String,
    /// Remove what it has stored too, for good
    #[arg(long)]
    purge: bool,
}

impl Uninstall {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        target.uninstall(&self.name, self.purge)?;
        global.answer(&json!({"name": self.name, "state": "gone", "purged": self.purge}), |_| {
            let stored =
                if self.purge { "What it had stored is gone." } else { "What it has stored is kept." };
            format!("{} is uninstalled. {stored}", self.name)
        })
    }
}
