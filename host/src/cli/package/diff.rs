//! `streamspace package diff OLD NEW`

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Global, at, bytes, look_into};
use crate::packaging::{Diff, Summary};

#[derive(Debug, Args)]
pub(in crate::cli) struct ShowDiff {
    /// The package that is there
    old: PathBuf,
    /// The package that it would become
    new: PathBuf,
}

impl ShowDiff {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let diff = Diff::between(&read(&self.old)?, &read(&self.new)?);
        global.answer(&diff, words)
    }
}

fn read(file: &Path) -> anyhow::Result<Summary> {
    let (mut package, size) = look_into(file)?;
    Ok(Summary::of(&mut package, size).map_err(at(file))?)
}

fn words(diff: &Diff) -> String {
    let mut lines =
        vec![format!("{} → {}, {} → {}", diff.from, diff.to, bytes(diff.size_from), bytes(diff.size_to))];
    for (name, changes) in diff.sections().iter().filter(|(_, changes)| !changes.is_empty()) {
        lines.push(name.to_string());
        for (sign, all) in [('+', &changes.added), ('-', &changes.removed), ('~', &changes.changed)] {
            lines.extend(all.iter().map(|one| format!("  {sign} {one}")));
        }
    }
    if lines.len() == 1 {
        lines.push("Nothing else changes.".to_owned());
    }
    lines.join("\n")
}
