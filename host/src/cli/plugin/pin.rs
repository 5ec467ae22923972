//! `streamspace plugin pin NAME`

use clap::Args;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Pin {
    /// The plugin
    name: String,
    /// The version to stay at; the one that is installed, unless given
    #[arg(value_name = "VERSION")]
    at: Option<String>,
    /// Let it go to other versions again
    #[arg(long, conflicts_with = "at")]
    off: bool,
}

impl Pin {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let plugin = match self.off {
            true => target.unpin(&self.name)?,
            false => target.pin(&self.name, self.at.as_deref())?,
        };
        global.answer(&plugin, |plugin| match &plugin.pinned {
            Some(version) => format!("{} stays at version {version}.", plugin.name),
            None => format!("{} may be upgraded.", plugin.name),
        })
    }
}
