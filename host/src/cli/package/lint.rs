//! `streamspace package lint FILE|DIR`

use std::path::PathBuf;

use anyhow::{Context, bail};
use clap::Args;
use serde_json::json;
use streamspace_package::Folder;

use super::{Coded, Global, at, look_into};
use crate::{
    packaging::{Library, PackagingError, Report, Severity, lint},
    store::{Store, read_bounded},
};

/// The largest library that is looked into, in bytes.
const MAX_LIBRARY_BYTES: u64 = 512 * 1024 * 1024;

#[derive(Debug, Args)]
pub(in crate::cli) struct Lint {
    /// A package, or the folder of a plugin with its manifest.json
    path: PathBuf,
}

impl Lint {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let report = if self.path.is_dir() { self.of_folder()? } else { self.of_package()? };
        let (errors, warnings) = (report.count(Severity::Error), report.count(Severity::Warning));
        let answer = json!({ "errors": errors, "warnings": warnings, "findings": report.findings() });
        global.answer(&answer, |_| words(&report, errors, warnings))?;
        match errors {
            0 => Ok(()),
            1 => bail!("{} has 1 fault", self.path.display()),
            _ => bail!("{} has {errors} faults", self.path.display()),
        }
    }

    fn of_folder(&self) -> anyhow::Result<Report> {
        let mut libraries = Vec::new();
        // In a crate it is elsewhere, if it is built at all.
        if let Ok(manifest) = Store::read_manifest(&self.path)
            && let Ok(path) = Store::library_in(&self.path, &manifest)
        {
            let bytes =
                read_bounded(&path, MAX_LIBRARY_BYTES).map_err(|why| Coded(PackagingError::Files(why)))?;
            let file = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            libraries.push(Library { file, bytes });
        }
        Ok(lint(&self.path, &libraries))
    }

    fn of_package(&self) -> anyhow::Result<Report> {
        let failed = || at(&self.path);
        let (mut package, _) = look_into(&self.path)?;
        let targets = package.document().targets.clone();
        let folder = tempfile::tempdir().context("cannot make a folder to unpack into")?;
        let mut libraries = Vec::new();
        for (at, target) in targets.iter().enumerate() {
            if at == 0 {
                package.unpack(target, |_| true, &mut Folder::new(folder.path())).map_err(failed())?;
            }
            let mut bytes = Vec::new();
            package.copy(&target.library.path, &target.library.blob, &mut bytes).map_err(failed())?;
            libraries.push(Library { file: format!("{} ({})", target.library.path, target.triple), bytes });
        }
        Ok(lint(folder.path(), &libraries))
    }
}

fn words(report: &Report, errors: usize, warnings: usize) -> String {
    let mut lines = Vec::new();
    for finding in report.findings() {
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let line = finding.line.map(|line| format!(":{line}")).unwrap_or_default();
        lines.push(format!("{severity}[{}] {}{line}: {}", finding.code, finding.file, finding.problem));
        lines.push(format!("    {}", finding.action));
    }
    lines.push(match (errors, warnings) {
        (0, 0) => "Nothing is missing.".to_owned(),
        _ => format!("Errors: {errors}, warnings: {warnings}."),
    });
    lines.join("\n")
}
