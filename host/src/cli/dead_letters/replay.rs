//! `streamspace dead-letters replay PLUGIN EVENT`

use clap::Args;

use super::{super::target::Target, Chosen, Global, counted};

#[derive(Debug, Args)]
pub(in crate::cli) struct Replay {
    #[command(flatten)]
    chosen: Chosen,
}

impl Replay {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let done = target.replay(&self.chosen.plugin, &self.chosen.which())?;
        global.answer(&done, |done| {
            format!("{} of {} will be tried again.", counted(&done["replayed"]), self.chosen.plugin)
        })
    }
}
