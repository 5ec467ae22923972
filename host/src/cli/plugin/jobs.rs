//! `streamspace plugin jobs NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Jobs {
    /// The plugin
    name: String,
}

impl Jobs {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let jobs = target.jobs(&self.name)?;
        global.answer(&json!({"jobs": jobs}), |_| {
            if jobs.is_empty() {
                return format!("{} has no jobs.", self.name);
            }
            jobs.iter().map(super::job::line).collect::<Vec<_>>().join("\n")
        })
    }
}
