//! `streamspace session list`

use clap::Args;

use super::{
    super::target::{Client, Method},
    Global, line,
};
use crate::platform::sessions::{SessionPage, State};

#[derive(Debug, Args)]
pub(in crate::cli) struct List {
    /// Only this user's
    #[arg(long, value_name = "USER")]
    owner: Option<String>,
    /// Only those in this state
    #[arg(long)]
    state: Option<State>,
    /// Only those from this template
    #[arg(long, value_name = "NAME")]
    template: Option<String>,
    /// Only those with this tag
    #[arg(long)]
    tag: Option<String>,
    /// Only those that are shared with this user
    #[arg(long, value_name = "USER")]
    shared_with: Option<String>,
    /// Only those whose id, owner or template contain this
    #[arg(long)]
    text: Option<String>,
    /// At most so many
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Go on where another page ended: `next` of its JSON
    #[arg(long, value_name = "NEXT")]
    after: Option<String>,
}

impl List {
    pub(super) fn run(&self, global: &Global, client: &Client) -> anyhow::Result<()> {
        let filters = [
            ("owner", self.owner.clone()),
            ("state", self.state.map(|state| state.to_string())),
            ("template", self.template.clone()),
            ("tag", self.tag.clone()),
            ("shared_with", self.shared_with.clone()),
            ("text", self.text.clone()),
            ("after", self.after.clone()),
            ("limit", Some(self.limit.to_string())),
        ];
        let query: Vec<_> =
            filters.into_iter().filter_map(|(name, value)| value.map(|value| (name, value))).collect();
        let page: SessionPage = client.call_with(Method::Get, &["sessions"], &query, None)?;
        global.answer(&page, |page| {
            if page.sessions.is_empty() {
                return "There are no such sessions.".to_owned();
            }
            let mut lines: Vec<_> = page.sessions.iter().map(line).collect();
            if let Some(next) = &page.next {
                lines.push(format!("There are more: --after {next}"));
            }
            lines.join("\n")
        })
    }
}
