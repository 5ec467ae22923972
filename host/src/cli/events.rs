//! `streamspace events`

use clap::Args;

use super::{Global, target::Target};
use crate::{config::Overrides, http::EventView};

#[derive(Debug, Args)]
pub(super) struct Events {
    /// Only topics that this filter names, such as session.* or plugin.>
    #[arg(value_name = "FILTER")]
    topic: Option<String>,
    /// Those after this number of the log, instead of the newest
    #[arg(long, value_name = "NUMBER", conflicts_with = "before")]
    after: Option<u64>,
    /// Those before this number of the log
    #[arg(long, value_name = "NUMBER")]
    before: Option<u64>,
    /// How many, 500 at most
    #[arg(long, value_name = "N", default_value_t = 50)]
    limit: usize,
}

impl Events {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let target = Target::find(&global.load(Overrides::default())?)?;
        let mut query = vec![("limit", self.limit.to_string())];
        query.extend(self.topic.clone().map(|topic| ("topic", topic)));
        query.extend(self.after.map(|after| ("after", after.to_string())));
        query.extend(self.before.map(|before| ("before", before.to_string())));
        global.answer(&target.events(&query)?, |page| {
            if page.events.is_empty() {
                return "There are no such events in the log.".to_owned();
            }
            page.events.iter().map(line).collect::<Vec<_>>().join("\n")
        })
    }
}

fn line(event: &EventView) -> String {
    let data = match event.data_left_out {
        true => format!("({} bytes)", event.data_bytes),
        false => event.data.to_string(),
    };
    format!("{} {} {} {} {data}", event.number.unwrap_or_default(), event.time, event.topic, event.subject)
}
