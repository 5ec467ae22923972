//! `streamspace plugin consumers NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};
use crate::install::ConsumerState;

#[derive(Debug, Args)]
pub(in crate::cli) struct Consumers {
    /// The plugin
    name: String,
}

impl Consumers {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let consumers = target.consumers(&self.name)?;
        global.answer(&json!({"consumers": consumers}), |_| {
            if consumers.is_empty() {
                return format!("{} has no consumers.", self.name);
            }
            consumers.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }
}

fn line(consumer: &ConsumerState) -> String {
    let (view, counts) = (&consumer.view, &consumer.view.counts);
    let kind = match consumer.lag {
        Some(lag) => format!("durable, lag {lag}"),
        None => "ephemeral".to_owned(),
    };
    format!(
        "{} [{}] {kind}: {}, {:.1}/s, {} delivered, {} pending, {} in flight, {} retried, {} dropped, {} dead",
        view.name,
        view.filters.join(" "),
        consumer.state,
        consumer.rate,
        counts.delivered,
        counts.pending,
        consumer.in_flight,
        counts.retried,
        counts.dropped,
        counts.dead,
    )
}
