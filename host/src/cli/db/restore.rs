//! `streamspace db restore FILE`

use std::path::PathBuf;

use anyhow::{anyhow, bail};
use clap::Args;
use serde_json::json;

use super::Global;
use crate::{backup, config::Config, store::DataDir};

#[derive(Debug, Args)]
pub(in crate::cli) struct Restore {
    /// A file that `db backup` wrote
    file: PathBuf,
}

impl Restore {
    pub(super) fn run(&self, global: &Global, config: &Config) -> anyhow::Result<()> {
        let data = DataDir::open(&config.data_dir)?;
        let Some(_lock) = data.try_lock()? else {
            bail!("a host or another command holds the data folder {}: stop it first", data.path().display());
        };
        let network = super::network()?;
        let restored = backup::restore(config, &data, &self.file, network.handle())
            .map_err(|why| anyhow!("{why} ({})", why.code()))?;
        let backup::Restored { facts, before, database } = &restored;
        global.answer(&json!({"backup": facts, "before": before, "before_database": database}), |_| {
            let kept: Vec<_> =
                [before, database].into_iter().flatten().map(|path| path.display().to_string()).collect();
            let mut text = format!("Restored the backup of {}.", facts.created);
            if !kept.is_empty() {
                text.push_str(&format!(" What was there before is in {}.", kept.join(" and ")));
            }
            text
        })
    }
}
