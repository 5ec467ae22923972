//! `streamspace emit TOPIC JSON`

use anyhow::{Context, bail};
use clap::Args;
use serde_json::{Value, json};

use super::{Global, target::Target};
use crate::config::Overrides;

#[derive(Debug, Args)]
pub(super) struct Emit {
    /// The topic, e.g. session.created
    topic: String,
    /// The payload, a JSON value
    #[arg(value_name = "JSON", default_value = "null")]
    data: String,
    /// What the event is about, e.g. a session's id
    #[arg(long)]
    subject: Option<String>,
    /// Who emits it
    #[arg(long, default_value = "/streamspace/cli")]
    source: String,
}

impl Emit {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let data: Value = serde_json::from_str(&self.data).context("JSON is not one")?;
        let client = match Target::find(&global.load(Overrides::default())?)? {
            Target::Running(client) => client,
            Target::Stopped { .. } => {
                bail!(
                    "no host is running on this data folder, and events are not kept while none is: start it with \
                     `streamspace serve`"
                )
            }
        };
        let mut event = json!({
            "specversion": "1.0",
            "id": uuid::Uuid::now_v7(),
            "source": self.source,
            "type": self.topic,
            "data": data,
        });
        if let Some(subject) = &self.subject {
            event["subject"] = Value::from(subject.as_str());
        }
        let accepted = client.post_event(&event)?;
        global.answer(&accepted, |accepted| {
            let id = accepted.pointer("/ids/0").and_then(Value::as_str).unwrap_or("?");
            format!("Accepted as {id}.")
        })
    }
}
