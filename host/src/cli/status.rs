//! `streamspace status`

use clap::Args;

use super::{Global, target::Target};
use crate::{config::Overrides, http::Status};

#[derive(Debug, Args)]
pub(super) struct ShowStatus {}

impl ShowStatus {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        global.answer(&target.status()?, words)
    }
}

fn words(status: &Status) -> String {
    let plugins: Vec<String> =
        status.plugins.iter().map(|(state, count)| format!("{count} {state}")).collect();
    let plugins = if plugins.is_empty() { "none".to_owned() } else { plugins.join(", ") };
    format!(
        "streamspace {} has been running for {} s and is {}ready.\n\
         database    {}\n\
         plugins     {plugins}\n\
         consumers   {}\n\
         event log   {} events were written, {} bytes are kept\n\
         streams     {}",
        status.version,
        status.uptime_secs,
        if status.ready { "" } else { "not " },
        status.database,
        status.consumers,
        status.event_log.head,
        status.event_log.bytes,
        status.streams,
    )
}
