//! `streamspace package inspect FILE`

use std::{collections::BTreeSet, path::PathBuf};

use clap::Args;

use super::{Global, at, bytes, look_into};
use crate::packaging::{Dependency, Summary};

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The package
    file: PathBuf,
}

impl Inspect {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let (mut package, size) = look_into(&self.file)?;
        let summary = Summary::of(&mut package, size).map_err(at(&self.file))?;
        global.answer(&summary, words)
    }
}

fn words(summary: &Summary) -> String {
    let mut lines = vec![format!("{} {}, {}", summary.name, summary.version, bytes(summary.size))];
    let mut line =
        |name: &str, text: String| lines.push(format!("  {name:<13} {text}").trim_end().to_owned());
    line("shown as", summary.display_name.clone());
    for (name, text) in [
        ("description", &summary.description),
        ("author", &summary.author),
        ("license", &summary.license),
        ("homepage", &summary.homepage),
        ("host", &summary.host),
    ] {
        if let Some(text) = text {
            line(name, text.clone());
        }
    }
    line("hash", summary.hash.clone());
    list(&mut line, "permissions", summary.permissions.iter().cloned());
    list(&mut line, "needs", summary.dependencies.iter().map(|(name, range)| format!("{name} {range}")));
    list(&mut line, "conflicts", summary.conflicts.iter().map(|(name, range)| format!("{name} {range}")));
    list(
        &mut line,
        "configuration",
        summary.config.iter().map(|(path, key)| {
            let must = if key.required { ", required" } else { "" };
            format!("{path} {}{must}", key.kind)
        }),
    );
    for (at, target) in summary.targets.iter().enumerate() {
        let mut needs: Vec<String> = target.cpu.iter().cloned().collect();
        needs.extend(target.glibc_min.as_ref().map(|glibc| format!("glibc {glibc} or newer")));
        needs.push(format!(
            "{} ({} packed)",
            bytes(target.library.size),
            bytes(target.library.compressed_size)
        ));
        line(if at == 0 { "targets" } else { "" }, format!("{}: {}", target.triple, needs.join(", ")));
        line(
            "",
            format!(
                "  interface {}, needs {}, SDK {}, {}",
                target.abi,
                target.needs.join(" "),
                target.sdk,
                target.rustc
            ),
        );
    }
    list(&mut line, "files", summary.files.iter().map(|file| format!("{}, {}", file.path, bytes(file.size))));
    match &summary.sbom {
        Some(sbom) => {
            line("made of", format!("CycloneDX {}, components: {}", sbom.spec_version, sbom.components))
        }
        None => line("made of", "it does not say".to_owned()),
    }
    let crates: BTreeSet<String> = summary
        .targets
        .iter()
        .filter_map(|target| target.crates.as_ref())
        .flatten()
        .filter(|one| !one.root && !one.build_only)
        .map(|Dependency { name, version, source, .. }| match source.as_str() {
            "crates.io" => format!("{name} {version}"),
            _ => format!("{name} {version} ({source})"),
        })
        .collect();
    match crates.is_empty() {
        true => line("crates", "the libraries do not say".to_owned()),
        false => list(&mut line, "crates", crates.into_iter()),
    }
    line("vendor's key", summary.signing_key_id.clone().unwrap_or_else(|| "none is named".to_owned()));
    if let Some(next) = &summary.next_key_id {
        line("next key", next.clone());
    }
    match summary.signatures.is_empty() {
        true => line("signatures", "none".to_owned()),
        false => list(
            &mut line,
            "signatures",
            summary.signatures.iter().map(|signature| {
                format!("by {}, not checked: {}", signature.key_id, signature.comment.replace('\t', ", "))
            }),
        ),
    }
    lines.join("\n")
}

/// A line for each, the first with the name.
fn list(line: &mut impl FnMut(&str, String), name: &str, all: impl Iterator<Item = String>) {
    for (at, one) in all.enumerate() {
        line(if at == 0 { name } else { "" }, one);
    }
}
