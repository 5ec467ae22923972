//! `streamspace plugin audit --advisories PATH [NAME]`

use std::{fmt::Write, path::PathBuf};

use anyhow::{anyhow, bail};
use clap::Args;
use serde::Serialize;

use super::{super::target::Target, Global};
use crate::install::{Advisories, AuditFinding};

#[derive(Debug, Args)]
pub(in crate::cli) struct Audit {
    /// An advisory, or a folder of them in the form of RustSec, such as a copy of its database. Nothing is downloaded
    #[arg(long, value_name = "FILE|DIR")]
    advisories: PathBuf,
    /// The plugin; without it all installed ones
    name: Option<String>,
}

/// What came of it.
#[derive(Debug, Serialize)]
struct Report {
    /// How many advisories there were.
    advisories: usize,
    /// The plugins that say what they were built of, with the number of crates.
    audited: Vec<(String, usize)>,
    /// The others, with the reason.
    unknown: Vec<(String, String)>,
    findings: Vec<AuditFinding>,
}

impl Audit {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let advisories =
            Advisories::read(&self.advisories).map_err(|why| anyhow!("{why} ({})", why.code()))?;
        let names = match &self.name {
            Some(name) => vec![name.clone()],
            None => target.list()?.into_iter().map(|plugin| plugin.name).collect(),
        };
        let mut report = Report {
            advisories: advisories.count(),
            audited: Vec::new(),
            unknown: Vec::new(),
            findings: Vec::new(),
        };
        for name in names {
            match target.crates(&name) {
                Ok(view) => {
                    report.findings.extend(advisories.about(&view));
                    match (view.crates, view.reason) {
                        (Some(crates), _) => report.audited.push((name, crates.len())),
                        (None, reason) => report.unknown.push((name, reason.unwrap_or_default())),
                    }
                }
                // A damaged one does not keep the others from being looked at.
                Err(why) if self.name.is_none() => report.unknown.push((name, why.to_string())),
                Err(why) => return Err(why),
            }
        }
        global.answer(&report, words)?;
        let vulnerable = report.findings.iter().filter(|finding| finding.informational.is_none()).count();
        if vulnerable > 0 {
            bail!(
                "{vulnerable} vulnerabilities are known in the installed plugins: ask their vendors for newer versions"
            );
        }
        Ok(())
    }
}

fn words(report: &Report) -> String {
    let mut text = String::new();
    // Writing to a String does not fail.
    for finding in &report.findings {
        let kind = finding.informational.as_deref().unwrap_or("vulnerable");
        let better = match finding.patched.as_slice() {
            [] => "no version is better".to_owned(),
            patched => format!("better: {}", patched.join(" or ")),
        };
        let AuditFinding { plugin, krate, advisory, title, .. } = finding;
        let _ = writeln!(text, "{plugin}: {krate} is {kind}: {advisory}, {title} ({better})");
    }
    for (name, reason) in &report.unknown {
        let _ = writeln!(text, "{name}: not known: {reason}");
    }
    let crates: usize = report.audited.iter().map(|(_, crates)| crates).sum();
    let _ = writeln!(
        text,
        "{} crates of {} plugins were held against {} advisories; of {} plugins it is not known what they were built of.",
        crates,
        report.audited.len(),
        report.advisories,
        report.unknown.len()
    );
    text
}
