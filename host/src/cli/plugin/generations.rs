//! `streamspace plugin generations NAME`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct Generations {
    /// The plugin
    name: String,
}

impl Generations {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let all = target.generations(&self.name)?;
        global.answer(&json!({"generations": all}), |_| {
            let lines = all.iter().map(|generation| {
                let current = if generation.current { '*' } else { ' ' };
                let signer = generation.signer.as_deref().unwrap_or("nobody");
                format!(
                    "{current} {:10}  {:9}  signed by {signer}  installed {}",
                    generation.version,
                    generation.trust.name(),
                    generation.installed_at
                )
            });
            lines.collect::<Vec<_>>().join("\n")
        })
    }
}
