//! `streamspace catalog add URL|DIR --key KEY`

use std::path::Path;

use anyhow::Context;
use clap::Args;

use super::{
    super::{package::keys, target::Target},
    Global,
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Add {
    /// The address of the catalogue's folder, or a folder on the host's machine
    #[arg(value_name = "URL|DIR")]
    location: String,
    /// The minisign public key that its index is signed with: the key, or a file with it
    #[arg(long, value_name = "KEY|FILE")]
    key: String,
    /// Its name here, instead of the one that it gives itself
    #[arg(long)]
    name: Option<String>,
}

impl Add {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let key = keys::public(&self.key)?;
        let location = match self.location.contains("://") {
            true => self.location.clone(),
            false => {
                let folder = Path::new(&self.location);
                let folder = folder
                    .canonicalize()
                    .with_context(|| format!("cannot find the folder {}", folder.display()))?;
                folder.to_str().context("the folder's path is not UTF-8")?.to_owned()
            }
        };
        let view = target.add_catalog(&location, key, self.name.clone())?;
        global.answer(&view, |view| {
            format!(
                "The catalogue {} is added: {} plugins, index {} until {}.",
                view.name,
                view.plugins,
                view.version,
                view.expires_at.as_deref().unwrap_or("ever")
            )
        })
    }
}
