//! `streamspace probe FILE`: the child that tries a library. Not for people.

use std::path::PathBuf;

use clap::Args;

use crate::loader;

#[derive(Debug, Args)]
pub(super) struct Probe {
    /// The library
    file: PathBuf,
}

impl Probe {
    pub(super) fn run(&self) -> anyhow::Result<()> {
        Ok(loader::probed(&self.file, &mut std::io::stdout())?)
    }
}
