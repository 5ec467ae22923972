//! `streamspace plugin list`

use clap::Args;
use serde_json::json;

use super::{super::target::Target, Global};

#[derive(Debug, Args)]
pub(in crate::cli) struct List {}

impl List {
    pub(super) fn run(&self, global: &Global, target: &Target) -> anyhow::Result<()> {
        let plugins = target.list()?;
        global.answer(&json!({"plugins": plugins}), |_| {
            if plugins.is_empty() {
                return "No plugin is installed. Install one with `streamspace plugin install FILE`."
                    .to_owned();
            }
            let width = plugins.iter().map(|plugin| plugin.name.len()).max().unwrap_or(0).max(4);
            let mut lines = vec![format!(
                "{:width$}  {:10}  {:11}  {:9}  DESCRIPTION",
                "NAME", "VERSION", "STATE", "TRUST"
            )];
            for plugin in &plugins {
                let about = plugin.reason.as_deref().unwrap_or(&plugin.description);
                let until = plugin.unsigned_until.as_ref();
                let until = until.map_or_else(String::new, |until| format!("UNSIGNED until {until}: "));
                lines.push(format!(
                    "{:width$}  {:10}  {:11}  {:9}  {until}{about}",
                    plugin.name,
                    plugin.version,
                    plugin.state,
                    plugin.trust.name()
                ));
            }
            lines.join("\n")
        })
    }
}
