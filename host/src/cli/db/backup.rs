//! `streamspace db backup FILE`

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;

use super::Global;
use crate::{backup, config::Config};

#[derive(Debug, Args)]
pub(in crate::cli) struct Backup {
    /// The file, which must not be there yet
    file: PathBuf,
}

impl Backup {
    pub(super) fn run(&self, global: &Global, config: &Config) -> anyhow::Result<()> {
        let facts = backup::write(config, &self.file, super::network()?.handle())
            .map_err(|why| anyhow!("{why} ({})", why.code()))?;
        global.answer(&facts, |facts| {
            format!(
                "Wrote {}. Plugins in it: {}. Keep `secret.key` of the data folder apart from it: without the key, the \
                 secrets in it are lost.",
                self.file.display(),
                facts.plugins.len()
            )
        })
    }
}
