//! The quality list: what a plugin should have before others install it.

mod documents;
mod example;
mod library;
mod manifest;
mod migrations;
mod readme;
mod secrets;

use std::path::Path;

use serde::Serialize;
use streamspace_plugin::manifest::{self as plugin_manifest, Manifest};

use super::packed_files;
use crate::store::read_bounded;

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// The package should not be given to others.
    Error,
    /// It could be better.
    Warning,
}

/// What was found, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The stable code.
    pub code: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// The file, by its path in the plugin's folder.
    pub file: String,
    /// The line in it, from 1, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// What is wrong.
    pub problem: String,
    /// What to do.
    pub action: String,
}

/// What a look at a plugin's files found.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    findings: Vec<Finding>,
}

impl Report {
    /// All of it, what matters first.
    #[must_use]
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// How many findings are of a severity.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.findings.iter().filter(|finding| finding.severity == severity).count()
    }

    fn error(
        &mut self,
        code: &'static str,
        file: &str,
        problem: impl Into<String>,
        action: impl Into<String>,
    ) {
        self.add(Severity::Error, code, file, None, problem.into(), action.into());
    }

    fn warning(
        &mut self,
        code: &'static str,
        file: &str,
        problem: impl Into<String>,
        action: impl Into<String>,
    ) {
        self.add(Severity::Warning, code, file, None, problem.into(), action.into());
    }

    fn add(
        &mut self,
        severity: Severity,
        code: &'static str,
        file: &str,
        line: Option<usize>,
        problem: String,
        action: String,
    ) {
        let file = file.to_owned();
        self.findings.push(Finding { code, severity, file, line, problem, action });
    }
}

/// A library of a plugin.
#[derive(Debug)]
pub struct Library {
    /// What it is called in findings.
    pub file: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// Looks at a plugin: at the files in `folder` that are packed, as they are in its crate or in a package, and at
/// `libraries`, if there are any yet.
#[must_use]
pub fn lint(folder: &Path, libraries: &[Library]) -> Report {
    let mut report = Report::default();
    let mut files = vec![manifest::FILE.to_owned()];
    if let Some(manifest) = manifest::read(folder, &mut report) {
        manifest::check(&manifest, &mut report);
        documents::check(folder, &manifest, &mut report);
        readme::check(folder, &manifest, &mut report);
        example::check(folder, &manifest, &mut report);
        migrations::check(folder, &manifest, &mut report);
        for library in libraries {
            library::check(library, &manifest, &mut report);
        }
        match packed_files(folder, &manifest) {
            Ok(packed) => files.extend(packed),
            Err(why) => report.error(
                "SSP-LNT-051",
                "",
                why.to_string(),
                "correct it; nothing else was looked through",
            ),
        }
    }
    secrets::check(folder, &files, &mut report);
    report
        .findings
        .sort_by(|a, b| (a.severity, &a.file, a.line, a.code).cmp(&(b.severity, &b.file, b.line, b.code)));
    report
}

/// A text file of the folder; `None` if there is none, or none that is read.
fn text(folder: &Path, name: &str) -> Option<String> {
    let bytes = read_bounded(&folder.join(name), plugin_manifest::MAX_BYTES as u64).ok()?;
    String::from_utf8(bytes).ok()
}

/// Whether something is there at a place in a plugin's folder.
fn exists(folder: &Path, name: &str) -> bool {
    folder.join(name).is_file()
}

/// Whether a manifest has something to configure.
fn is_configurable(manifest: &Manifest) -> bool {
    manifest
        .config_schema()
        .and_then(|schema| schema.get("properties"))
        .is_some_and(|properties| properties.as_object().is_some_and(|properties| !properties.is_empty()))
}
