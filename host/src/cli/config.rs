//! `streamspace config check`

use clap::Subcommand;

use super::Global;
use crate::config::Overrides;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check file, environment and flags, and show what holds
    Check,
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let Self::Check = self;
        let config = global.load(Overrides::default())?;
        global.answer(&config, |config| {
            toml::to_string_pretty(config)
                .unwrap_or_else(|why| format!("The configuration is valid ({why})."))
        })
    }
}
