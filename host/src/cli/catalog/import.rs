//! `streamspace catalog import FILE`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Import {
    /// catalog.yaml, catalog.json, or a folder with a manifest for each plugin, on the host's machine
    file: PathBuf,
    /// The catalogue's name, instead of the one in the file
    #[arg(long)]
    name: Option<String>,
}

impl Import {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let file =
            self.file.canonicalize().with_context(|| format!("cannot find {}", self.file.display()))?;
        let view = target.import_catalog(&file, self.name.clone())?;
        global.answer(&view, |view| {
            format!(
                "The catalogue {} lists {} plugins. They have no native code for this host, and cannot be installed.",
                view.name, view.plugins
            )
        })
    }
}
