//! `streamspace plugin show NAME`

use std::fmt::Write;

use clap::Args;

use super::{super::target::Target, Global};
use crate::install::PluginView;

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The plugin
    name: String,
}

impl Show {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        global.answer(&target.show(&self.name)?, words)
    }
}

fn words(plugin: &PluginView) -> String {
    let mut text = format!("{} {} ({})\n", plugin.name, plugin.version, plugin.display_name);
    let mut line = |name: &str, value: &str| {
        // Writing into a text does not fail.
        let _ = writeln!(text, "{name:12}{value}");
    };
    line("state", &plugin.state);
    if let Some(reason) = &plugin.reason {
        line("reason", reason);
    }
    line("installed", &plugin.installed_at);
    line("permissions", &plugin.permissions.join(", "));
    for warning in &plugin.warnings {
        line("warning", warning);
    }
    for consumer in &plugin.consumers {
        let counts = &consumer.counts;
        line(
            "consumer",
            &format!(
                "{} [{}] {}: {} delivered, {} pending, {} retried, {} dropped, {} dead",
                consumer.name,
                consumer.filters.join(" "),
                if consumer.durable { "durable" } else { "ephemeral" },
                counts.delivered,
                counts.pending,
                counts.retried,
                counts.dropped,
                counts.dead,
            ),
        );
    }
    for job in plugin.jobs.iter().flatten() {
        line("job", &super::job::line(job));
    }
    for letter in plugin.dead_letters.iter().flatten() {
        line(
            "dead letter",
            &format!(
                "{} {} {} after {} tries of {}: {}",
                letter.time, letter.topic, letter.event_id, letter.attempts, letter.consumer, letter.reason
            ),
        );
    }
    text
}
