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
        answer(global, "installed", &target.install(&self.dir)?)
    }
}
