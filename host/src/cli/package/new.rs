//! `streamspace package new NAME`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;
use serde_json::json;
use streamspace_plugin::manifest::PluginName;

use super::{Coded, Global};
use crate::packaging::begin;

#[derive(Debug, Args)]
pub(in crate::cli) struct New {
    /// The plugin's name, which becomes the folder's: 2 to 64 lower-case letters, digits and `-`
    name: PluginName,
    /// The folder of the crate streamspace-plugin, which is `interface` in a copy of StreamSpace's repository [default:
    /// ../streamspace/interface, from the new folder]
    #[arg(long, value_name = "DIR")]
    sdk: Option<PathBuf>,
}

impl New {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let folder = PathBuf::from(self.name.as_str());
        let sdk = self.sdk.as_ref().map(|sdk| {
            let found = sdk.join("Cargo.toml").canonicalize().ok();
            let found = found.and_then(|file| Some(file.parent()?.to_owned()));
            found.with_context(|| {
                format!("{} has no Cargo.toml: expected the folder of the SDK", sdk.display())
            })
        });
        begin(&folder, &self.name, sdk.transpose()?.as_deref()).map_err(Coded)?;
        global.answer(&json!({ "folder": folder }), |_| {
            let shown = folder.display();
            format!(
                "A plugin to begin with is in {shown}. It greets whoever starts a session.\n  \
                 streamspace package lint {shown}\n  streamspace package build {shown}"
            )
        })
    }
}
