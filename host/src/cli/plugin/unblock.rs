//! `streamspace plugin unblock HASH`

use clap::Args;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Unblock {
    /// The SHA-256 of the library's file, or the first 8 digits of it or more
    hash: String,
}

impl Unblock {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let library = target.unblock(&self.hash)?;
        global.answer(&library, |library| {
            let plugin = library.plugin.as_deref().unwrap_or("?");
            format!("The library {} of {plugin} is tried again when it is next loaded.", library.hash)
        })
    }
}
