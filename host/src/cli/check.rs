//! `streamspace check --against DATA_DIR`

use std::{fmt::Write, path::PathBuf};

use anyhow::bail;
use clap::Args;

use super::{Global, package::Undecided};
use crate::{
    config::{Config, Overrides},
    install::preflight::{self, Finding, Outcome, PluginReport, Report},
};

/// How wide what a finding is about is shown.
const ABOUT: usize = 13;

#[derive(Debug, Args)]
pub(super) struct Check {
    /// The data folder. It stays as it is, and a host may run on it
    #[arg(long, value_name = "DATA_DIR")]
    against: PathBuf,
}

impl Check {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let overrides = Overrides { data_dir: Some(self.against.clone()), ..Overrides::default() };
        let report = match Config::load(global.config.as_deref(), std::env::vars(), &overrides) {
            Ok(config) => preflight::preflight(&config),
            Err(why) => preflight::without_configuration(&self.against, &why),
        };
        global.answer(&report, words)?;
        let plugins = |outcome| report.plugins.iter().filter(|plugin| plugin.outcome == outcome).count();
        let of_all = |count: usize| format!("{count} of {} plugins", report.plugins.len());
        match report.outcome {
            Outcome::Ok | Outcome::Note => Ok(()),
            Outcome::Fails if report.host.iter().any(|finding| finding.outcome == Outcome::Fails) => {
                bail!("this host would not start on {}", self.against.display())
            }
            Outcome::Fails => bail!("{} would not load or not work", of_all(plugins(Outcome::Fails))),
            Outcome::Unknown if report.is_whole => {
                Err(Undecided::new(format!("{} could not be checked", of_all(plugins(Outcome::Unknown))))
                    .into())
            }
            Outcome::Unknown => {
                Err(Undecided::new(format!("{} could not be checked", self.against.display())).into())
            }
        }
    }
}

fn words(report: &Report) -> String {
    let mut text = format!(
        "streamspace {} with the interface {}, against {}",
        report.version,
        report.interface,
        report.data_dir.display()
    );
    if let Some(database) = report.database {
        // Writing to a text does not fail.
        let _ = write!(text, " ({database})");
    }
    for finding in &report.host {
        text.push_str(&told(finding));
    }
    if !report.is_whole {
        text.push_str("\nNothing behind that was looked at.");
        return text;
    }
    if report.plugins.is_empty() {
        text.push_str("\nNo plugin is installed.");
        return text;
    }
    let width = report.plugins.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0).max(6);
    let _ = write!(text, "\n\n{:width$}  {:10}  {:8}  {:9}  RESULT", "PLUGIN", "VERSION", "STATE", "TRUST");
    for plugin in &report.plugins {
        let PluginReport { name, version, enabled, trust, outcome, findings } = plugin;
        let state = if *enabled { "enabled" } else { "disabled" };
        let trust = trust.map_or("", |trust| trust.name());
        let _ = write!(text, "\n{name:width$}  {version:10}  {state:8}  {trust:9}  {}", shown(*outcome));
        for finding in findings {
            text.push_str(&told(finding));
        }
    }
    text
}

fn told(finding: &Finding) -> String {
    let code = finding.code.map_or_else(String::new, |code| format!(" ({code})"));
    let (about, message) = (finding.about.name(), &finding.message);
    format!("\n  {:7}  {about:ABOUT$}  {message}{code}", shown(finding.outcome))
}

fn shown(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Ok => "ok",
        Outcome::Note => "note",
        Outcome::Unknown => "unknown",
        Outcome::Fails => "FAILS",
    }
}
