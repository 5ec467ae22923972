//! `streamspace db …`

mod backup;
mod restore;

use clap::Subcommand;

use super::Global;
use crate::config::Overrides;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Write everything that the host and its plugins keep into a file. The host may run meanwhile
    Backup(backup::Backup),
    /// Replace everything that a stopped host and its plugins keep by what is in a backup
    Restore(restore::Restore),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(Overrides::default())?;
        match self {
            Self::Backup(verb) => verb.run(global, &config),
            Self::Restore(verb) => verb.run(global, &config),
        }
    }
}
