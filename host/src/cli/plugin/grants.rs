//! `streamspace plugin grants NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Grants {
    /// The plugin
    name: String,
}

impl Grants {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let grants = target.grants(&self.name)?;
        global.answer(&json!({"grants": grants}), |_| {
            if grants.is_empty() {
                return format!("{} was granted nothing.", self.name);
            }
            let lines = grants
                .iter()
                .map(|grant| format!("{} ({}): {}", grant.permission, grant.granted_at, grant.explanation));
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}
