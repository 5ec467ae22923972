//! `streamspace trust sign FILE`: by whoever has the data folder, whether the host runs or not.

use std::path::PathBuf;

use anyhow::anyhow;
use clap::Args;
use serde_json::json;

use super::super::Global;
use crate::{config::Config, install::sign_locally, store::DataDir};

#[derive(Debug, Args)]
pub(in crate::cli) struct Sign {
    /// The package. It gets another signature, beside those that it has
    file: PathBuf,
}

impl Sign {
    pub(super) fn run(&self, global: &Global, config: &Config) -> anyhow::Result<()> {
        let data = DataDir::open(&config.data_dir)?;
        let signed = sign_locally(&data, &self.file, config.packages.max_bytes);
        let key = signed.map_err(|why| anyhow!("{why} ({})", why.code()))?;
        global.answer(&json!({"file": self.file, "key": key}), |_| {
            format!(
                "{} is signed with this host's key, {key}. It is taken on this host.",
                self.file.display()
            )
        })
    }
}
