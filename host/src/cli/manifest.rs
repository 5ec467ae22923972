//! `streamspace manifest check FILE`

use std::{fs::File, io::Read, path::PathBuf};

use anyhow::Context;
use clap::Subcommand;
use serde_json::json;
use streamspace_plugin::manifest::{MAX_BYTES, Manifest};

use super::Global;
use crate::{plugin_config::ConfigSchema, ui::Declared};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Check a manifest, and name what is questionable in it
    Check {
        /// The manifest.json
        file: PathBuf,
    },
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let Self::Check { file } = self;
        let shown = file.display();
        let mut text = Vec::new();
        File::open(file)
            .and_then(|opened| opened.take(MAX_BYTES as u64 + 1).read_to_end(&mut text))
            .with_context(|| format!("cannot read {shown}"))?;
        let manifest = Manifest::parse(&text).with_context(|| format!("{shown} is refused"))?;
        ConfigSchema::compile(&manifest).with_context(|| format!("{shown} is refused"))?;
        let declared = Declared::by(&manifest);
        declared.check(&manifest.name).with_context(|| format!("{shown} is refused"))?;
        let mut warnings: Vec<String> = manifest.warnings().iter().map(ToString::to_string).collect();
        warnings.extend(declared.notes().iter().cloned());
        let answer = json!({
            "name": manifest.name.as_str(),
            "version": manifest.version.to_string(),
            "warnings": warnings,
        });
        global.answer(&answer, |_| {
            let mut lines = vec![format!("{} {} is valid.", manifest.name.as_str(), manifest.version)];
            lines.extend(warnings.iter().map(|warning| format!("warning: {warning}")));
            lines.join("\n")
        })
    }
}
