//! `streamspace catalog remove NAME`

use clap::Args;

use super::super::target::Target;

#[derive(Debug, Args)]
pub(in crate::cli) struct Remove {
    /// The catalogue's name
    name: String,
}

impl Remove {
    pub(super) fn run(&self, target: &Target) -> anyhow::Result<()> {
        target.remove_catalog(&self.name)?;
        println!("The catalogue {} is removed. What was installed from it stays.", self.name);
        Ok(())
    }
}
