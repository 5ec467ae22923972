//! `streamspace serve`

use clap::Args;

use super::Global;
use crate::{app, config::Overrides};

#[derive(Debug, Args)]
pub(super) struct Serve {
    /// Where to listen, instead of the configured address
    #[arg(long, value_name = "ADDRESS:PORT")]
    address: Option<String>,
    /// The host's log level: trace, debug, info, warning, error or critical
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
}

impl Serve {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let overrides = Overrides {
            address: self.address.clone(),
            log_level: self.log_level.clone(),
            ..Overrides::default()
        };
        app::serve(&global.load(overrides)?)
    }
}
