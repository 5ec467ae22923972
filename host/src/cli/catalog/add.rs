//! `streamspace catalog add URL|DIR --key KEY`

use std::path::Path;

use anyhow::Context;
use clap::Args;
use streamspace_package::PublicKey;

use super::{super::target::Target, Global};

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
        let key = public_key(&self.key)?;
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

/// A public key, or the file that holds it.
pub(super) fn public_key(text: &str) -> anyhow::Result<PublicKey> {
    /// Far more than a key's file has.
    const MOST: u64 = 4096;
    let path = Path::new(text);
    if !path.is_file() {
        return text.parse().with_context(|| format!("`--key`: {text:?} is neither a file nor a public key"));
    }
    let bytes = crate::store::read_bounded(path, MOST)?;
    let text = String::from_utf8(bytes).with_context(|| format!("{} is not UTF-8", path.display()))?;
    Ok(PublicKey::from_file_text(&text)?)
}
