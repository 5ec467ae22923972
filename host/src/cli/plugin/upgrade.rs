//! `streamspace plugin upgrade FILE|NAME[@RANGE]|DIR|--all`

use std::path::PathBuf;

use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
    install_listed,
};
use crate::config::Config;

#[derive(Debug, Args)]
pub(in crate::cli) struct Upgrade {
    /// The package with the new version; NAME[@RANGE] of a catalogue; or, for development, a folder with its manifest.json
    /// and library, on the host's machine
    #[arg(value_name = "FILE|NAME[@RANGE]|DIR", required_unless_present = "all")]
    what: Option<PathBuf>,
    /// All plugins of which catalogues have newer versions, but those that are pinned
    #[arg(long, conflicts_with = "what")]
    all: bool,
    #[command(flatten)]
    options: PackageOptions,
}

impl Upgrade {
    pub(super) fn run(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        let Some(what) = &self.what else { return self.listed(global, target, config, &outdated(target)?) };
        let plugin = if what.is_dir() {
            target.upgrade(what)?
        } else if let Some(name) = install_listed::name(what) {
            return self.listed(global, target, config, &[name]);
        } else {
            let package = self.options.package(target, &package_file(what)?)?;
            let plan = target.plan(&package)?;
            let consent = self.options.consent_to(&plan)?;
            target.upgrade_package(&plan.plugin, &package, &consent)?
        };
        answer(global, "installed", &plugin)?;
        if let Some(reason) = &plugin.reason {
            eprintln!("It does not run: {reason}");
        }
        Ok(())
    }

    fn listed(
        &self,
        global: &Global,
        target: &Target,
        config: &Config,
        names: &[String],
    ) -> anyhow::Result<()> {
        let plan = target.resolve(names, true)?;
        if plan.steps.is_empty() {
            return global.answer(&plan, |_| "Nothing is newer.".to_owned());
        }
        install_listed::carry_out(global, target, config, &plan, &self.options)
    }
}

/// The names of those that can become newer.
fn outdated(target: &Target) -> anyhow::Result<Vec<String>> {
    let mut outdated = target.outdated()?;
    outdated.retain(|plugin| plugin.fitting.as_ref().is_some_and(|fitting| *fitting != plugin.installed));
    Ok(outdated.into_iter().map(|plugin| plugin.name).collect())
}
