//! `streamspace dead-letters list PLUGIN`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};
use crate::events::Which;

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// The plugin
    plugin: String,
    /// Only those of this consumer
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
}

impl List {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let which = Which { consumer: self.consumer.clone(), event: None };
        let letters = target.dead_letters(&self.plugin, &which, self.limit)?;
        global.answer(&json!({"dead_letters": letters}), |_| {
            if letters.is_empty() {
                return format!("{} has no dead letters.", self.plugin);
            }
            let lines = letters.iter().map(|letter| {
                format!(
                    "{}  {}  {}  {}, after {} tries\n    {}",
                    letter.event_id,
                    letter.time,
                    letter.consumer,
                    letter.topic,
                    letter.attempts,
                    letter.reason
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}
