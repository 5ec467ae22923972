//! `streamspace dead-letters show PLUGIN EVENT`

use clap::Args;
use serde_json::json;
use uuid::Uuid;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Show {
    /// The plugin
    plugin: String,
    /// The event's id
    event: Uuid,
}

impl Show {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let letters = target.dead_letter(&self.plugin, self.event)?;
        global.answer(&json!({"dead_letters": letters}), |_| {
            let texts = letters.iter().map(|letter| {
                let data = letter.data.clone().unwrap_or_default();
                format!(
                    "event     {}\ntopic     {}\nsource    {}\nsubject   {}\nconsumer  {}\ngiven up  {}, after {} tries\nreason    {}\n{data:#}",
                    letter.event_id, letter.topic, letter.source, letter.subject, letter.consumer, letter.time,
                    letter.attempts, letter.reason
                )
            });
            texts.collect::<Vec<_>>().join("\n\n")
        })
    }
}
