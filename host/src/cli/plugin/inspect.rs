//! `streamspace plugin inspect FILE`

use std::{fmt::Write, path::PathBuf};

use anyhow::bail;
use clap::Args;
use serde_json::{Value, json};
use streamspace_plugin::{CapabilityFacts, Facts};

use super::Global;
use crate::{
    config::Config,
    loader::{HostFacts, Inspection, Refusal, inspect},
};

#[derive(Debug, Args)]
pub(in crate::cli) struct Inspect {
    /// The library
    file: PathBuf,
}

impl Inspect {
    pub(super) fn run(&self, global: &Global, config: &Config) -> anyhow::Result<()> {
        let host = HostFacts::this(&config.plugins.denied_compilers);
        let inspection = inspect(&self.file);
        let judged = match &inspection {
            Ok(inspection) => host.judge(&self.file, inspection, None),
            Err(refusal) => Err(refusal.clone()),
        };
        let inspection = inspection.as_ref().ok();
        let refusal = judged.as_ref().err();
        global.answer(&self.members(inspection, refusal), |_| self.words(inspection, refusal))?;
        match refusal {
            Some(refusal) => bail!("{refusal} ({})", refusal.code()),
            None => Ok(()),
        }
    }

    fn members(&self, inspection: Option<&Inspection>, refusal: Option<&Refusal>) -> Value {
        let contents = inspection.and_then(|inspection| inspection.contents.as_ref().ok());
        json!({
            "file": self.file,
            "format": inspection.map(|inspection| inspection.format),
            "system": inspection.map(|inspection| &inspection.system),
            "architecture": inspection.map(|inspection| &inspection.architecture),
            "kind": contents.map(|contents| &contents.kind),
            "glibc": contents.and_then(|contents| contents.glibc),
            "facts": contents.and_then(|contents| contents.facts.as_ref().ok()),
            "refusal": refusal.map(|refusal| json!({
                "code": refusal.code(),
                "rule": refusal.rule,
                "expected": refusal.expected,
                "found": refusal.found,
                "action": refusal.action(),
            })),
        })
    }

    fn words(&self, inspection: Option<&Inspection>, refusal: Option<&Refusal>) -> String {
        let mut words = self.file.display().to_string();
        if let Some(inspection) = inspection {
            // Writing into a text cannot fail.
            let _ = write!(
                words,
                "\n  file          {}, {}, {}",
                inspection.format, inspection.system, inspection.architecture
            );
            if let Ok(contents) = &inspection.contents {
                let _ = write!(words, "\n  kind          {}", contents.kind);
                if let Some(glibc) = contents.glibc {
                    let _ = write!(words, "\n  glibc         {glibc} or newer");
                }
                if let Ok(facts) = &contents.facts {
                    words.push_str(&described(facts));
                }
            }
        }
        words.push_str(match refusal {
            Some(_) => "\nThis host refuses it:",
            None => "\nThis host admits it, as far as the file tells.",
        });
        words
    }
}

fn described(facts: &Facts) -> String {
    let cpu = if facts.cpu.is_empty() { "any of its architecture".to_owned() } else { facts.cpu.join(", ") };
    let list = |capabilities: &[CapabilityFacts]| {
        let ids: Vec<&str> = capabilities.iter().map(|capability| &*capability.id).collect();
        if ids.is_empty() { "nothing".to_owned() } else { ids.join(", ") }
    };
    [
        ("plugin", format!("{} {}", facts.name, facts.version)),
        ("interface", facts.abi.to_string()),
        ("SDK", facts.sdk.to_string()),
        ("compiler", facts.rustc.to_string()),
        ("panics", facts.panic.to_string()),
        ("target", facts.target.to_string()),
        ("processor", cpu),
        ("needs", list(&facts.needs)),
        ("uses", list(&facts.uses)),
        ("offers", list(&facts.offers)),
    ]
    .iter()
    .map(|(name, value)| format!("\n  {name:12}  {value}"))
    .collect()
}
