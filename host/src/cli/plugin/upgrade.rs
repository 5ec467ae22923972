//! `streamspace plugin upgrade DIR`

use std::path::PathBuf;

use clap::Args;

use super::{super::target::Target, Global, answer};

#[derive(Debug, Args)]
pub(in crate::cli) struct Upgrade {
    /// The folder with the new version's manifest.json and library, on the host's machine
    dir: PathBuf,
}

impl Upgrade {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let plugin = target.upgrade(&self.dir)?;
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            eprintln!("It does not run: {reason}");
        }
        Ok(())
    }
}
