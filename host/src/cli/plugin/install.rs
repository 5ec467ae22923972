//! `streamspace plugin install DIR`

use std::path::PathBuf;

use clap::Args;

use super::{super::target::Target, Global, answer};

#[derive(Debug, Args)]
pub(in crate::cli) struct Install {
    /// The folder with manifest.json and the library, on the host's machine
    dir: PathBuf,
}

impl Install {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let plugin = target.install(&self.dir)?;
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            // It is installed, which is what was asked for: most often it only wants a configuration yet.
            eprintln!("It does not run yet: {reason}");
        }
        Ok(())
    }
}
