//! `streamspace plugin blocked`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct ListBlocked {}

impl ListBlocked {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let libraries = target.blocked()?;
        global.answer(&json!({"libraries": libraries}), |_| {
            if libraries.is_empty() {
                return "No library is blocked.".to_owned();
            }
            let lines = libraries.iter().map(|library| {
                let plugin = library.plugin.as_deref().unwrap_or("?");
                let (short, since) = (library.hash.get(..12).unwrap_or(&library.hash), &library.blocked_at);
                let (file, found, code) = (library.file.display(), &library.reason, &library.code);
                format!("{short}  {plugin}  {file}\n    since {since}: found {found} ({code})")
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}
