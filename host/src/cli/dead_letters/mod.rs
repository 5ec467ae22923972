//! `streamspace dead-letters …`

mod drop;
mod list;
mod replay;
mod show;

use clap::{Args, Subcommand};
use uuid::Uuid;

use super::{Global, target::Target};
use crate::{config::Overrides, events::Which};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// List a plugin's dead letters, oldest first
    List(list::List),
    /// Show one, with its payload
    Show(show::Show),
    /// Have one, or all, tried again as if for the first time
    Replay(replay::Replay),
    /// Drop one, or all, for good
    Drop(drop::Drop),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        match self {
            Self::List(verb) => verb.run(global, &target),
            Self::Show(verb) => verb.run(global, &target),
            Self::Replay(verb) => verb.run(global, &target),
            Self::Drop(verb) => verb.run(global, &target),
        }
    }
}

/// One event, or all.
#[derive(Debug, Args)]
struct Chosen {
    /// The plugin
    plugin: String,
    /// The event's id
    #[arg(required_unless_present = "all")]
    event: Option<Uuid>,
    /// All of them
    #[arg(long, conflicts_with = "event")]
    all: bool,
    /// Only those of this consumer
    #[arg(long, value_name = "NAME")]
    consumer: Option<String>,
}

impl Chosen {
    fn which(&self) -> Which {
        Which { consumer: self.consumer.clone(), event: self.event }
    }
}

/// `3 dead letters`
fn counted(count: &serde_json::Value) -> String {
    if count == 1 { "1 dead letter".to_owned() } else { format!("{count} dead letters") }
}
