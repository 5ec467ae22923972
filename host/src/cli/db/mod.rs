//! `streamspace db …`

mod backup;
mod restore;

use anyhow::Context;
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

/// Where connections to PostgreSQL live.
fn network() -> anyhow::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .context("cannot start a thread for the database")
}
