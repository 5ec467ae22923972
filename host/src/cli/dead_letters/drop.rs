//! `streamspace dead-letters drop PLUGIN EVENT`

use clap::Args;

use super::{super::target::Target, Chosen, Global, counted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Drop {
    #[command(flatten)]
    chosen: Chosen,
}

impl Drop {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let done = target.drop_dead_letters(&self.chosen.plugin, &self.chosen.which())?;
        global
            .answer(&done, |done| format!("Dropped {} of {}.", counted(&done["dropped"]), self.chosen.plugin))
    }
}
