//! `streamspace plugin export`

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Export {
    /// The file, which is replaced; `-` for the standard output
    #[arg(long, short, value_name = "FILE", default_value = "streamspace.lock")]
    output: PathBuf,
    /// Leave out plugins whose package is not known
    #[arg(long)]
    partial: bool,
}

impl Export {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let lock = target.lock(self.partial)?;
        if self.output.as_os_str() == "-" {
            print!("{}", lock.to_text());
            return Ok(());
        }
        std::fs::write(&self.output, lock.to_text())
            .with_context(|| format!("cannot write {}", self.output.display()))?;
        global.answer(&lock, |lock| format!("{} has {} plugins.", self.output.display(), lock.plugins.len()))
    }
}
