//! `streamspace plugin uninstall NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Uninstall {
    /// The plugin
    name: String,
}

impl Uninstall {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        target.uninstall(&self.name)?;
        global.answer(&json!({"name": self.name, "state": "gone"}), |_| {
            format!("{} is uninstalled.", self.name)
        })
    }
}
