//! `streamspace logs`, and what it has in common with `streamspace plugin logs NAME`.

use std::{io::Write, thread, time::Duration};

use clap::Args;

use super::{Global, target::Target};
use crate::{
    config::Overrides,
    log::{LogLine, LogPage},
};

/// How often a log that is followed is asked for.
const FOLLOW: Duration = Duration::from_millis(500);
/// How many lines are asked for at once.
const PAGE: usize = 1000;

#[derive(Debug, Args)]
pub(super) struct HostLogs {
    #[command(flatten)]
    lines: Lines,
}

/// Which lines, and how.
#[derive(Debug, Args)]
pub(super) struct Lines {
    /// The least severe level that is shown
    #[arg(long, value_name = "LEVEL", value_parser = clap::builder::PossibleValuesParser::new(crate::config::Level::NAMES))]
    level: Option<String>,
    /// How many of the latest lines, 1000 at most
    #[arg(long, value_name = "N", default_value_t = 100)]
    lines: usize,
    /// Go on with what is written from now on, until interrupted. With --json: one object a line
    #[arg(long)]
    follow: bool,
}

impl HostLogs {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        self.lines.show(global, &Target::find(&global.load(Overrides::default())?)?, None)
    }
}

impl Lines {
    /// Shows the log of a plugin, or of the host.
    pub(super) fn show(&self, global: &Global, target: &Target, plugin: Option<&str>) -> anyhow::Result<()> {
        let query = |after: Option<u64>, limit: usize| {
            let level = self.level.clone().map(|level| ("level", level));
            let after = after.map(|after| ("after", after.to_string()));
            level.into_iter().chain(after).chain([("limit", limit.to_string())]).collect::<Vec<_>>()
        };
        let mut page: LogPage = target.logs(plugin, &query(None, self.lines.clamp(1, PAGE)))?;
        if !self.follow {
            return global.answer(&page, |page| page.lines.iter().map(words).collect::<Vec<_>>().join("\n"));
        }
        loop {
            let mut out = std::io::stdout().lock();
            if page.lost {
                eprintln!("Lines were written faster than they were shown: some are left out.");
            }
            for line in &page.lines {
                let text = if global.json { serde_json::to_string(line)? } else { words(line) };
                writeln!(out, "{text}")?;
            }
            out.flush()?;
            drop(out);
            if !page.more {
                thread::sleep(FOLLOW);
            }
            page = target.logs(plugin, &query(Some(page.next), PAGE))?;
        }
    }
}

/// A line for people.
fn words(line: &LogLine) -> String {
    let mut text = format!("{} {:8} {}", line.time, line.level.to_uppercase(), line.message);
    for (name, value) in &line.fields {
        text.push_str(&format!(", {name}: {value}"));
    }
    text
}
