//! `streamspace plugin upgrade FILE|NAME[@RANGE]|DIR|--all`

use std::path::PathBuf;

use anyhow::bail;
use clap::Args;

use super::{
    super::target::Target,
    Global, answer,
    consent::{PackageOptions, package_file},
    install_listed,
};
use crate::{
    config::Config,
    install::{OutdatedView, PlanView},
};

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
        let Some(what) = &self.what else { return self.all(global, target, config) };
        let plugin = if what.is_dir() {
            target.upgrade(what)?
        } else if let Some(name) = install_listed::name(what) {
            return self.named(global, target, config, &name);
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

    /// From a catalogue: one of those that are installed, with what it needs.
    fn named(&self, global: &Global, target: &Target, config: &Config, asked: &str) -> anyhow::Result<()> {
        let (name, range) = asked.split_once('@').unwrap_or((asked, ""));
        // That it is there; resolving would install it.
        let plugin = target.show(name)?;
        let mut known = target.outdated()?;
        known.retain(|plugin| plugin.name == name);
        if let (Some(pinned), true, Some(newest)) = (&plugin.pinned, range.is_empty(), newer(&known)) {
            bail!(
                "`{name}` is pinned to {pinned}, and {newest} is the newest. Take the pin away first: `streamspace plugin pin \
                 {name} --off` (SSP-DEP-002)"
            );
        }
        // What was asked for in another range than all is not held back by what is newer than that.
        known.retain(|_| range.is_empty());
        self.listed(global, target, config, &[asked.to_owned()], &known)
    }

    /// From catalogues: everything of which there is a newer version that fits.
    fn all(&self, global: &Global, target: &Target, config: &Config) -> anyhow::Result<()> {
        let known = target.outdated()?;
        let fits = |plugin: &&OutdatedView| plugin.fitting.is_some();
        let names: Vec<String> = known.iter().filter(fits).map(|plugin| plugin.name.clone()).collect();
        self.listed(global, target, config, &names, &known)
    }

    fn listed(
        &self,
        global: &Global,
        target: &Target,
        config: &Config,
        names: &[String],
        known: &[OutdatedView],
    ) -> anyhow::Result<()> {
        let plan = target.resolve(names, true)?;
        for plugin in known {
            if let Some(words) = held_back(plugin, &plan) {
                eprintln!("{words}");
            }
        }
        if plan.steps.is_empty() {
            return global.answer(&plan, |_| "Nothing is to be upgraded.".to_owned());
        }
        install_listed::carry_out(global, target, config, &plan, &self.options)
    }
}

/// The newest version of a plugin, if that is newer than what is installed.
fn newer(known: &[OutdatedView]) -> Option<&String> {
    known.first().filter(|plugin| plugin.is_outdated())?.newest.as_ref()
}

/// Why a plugin does not become as new as it could, if it does not.
fn held_back(plugin: &OutdatedView, plan: &PlanView) -> Option<String> {
    let OutdatedView { name, installed, newest, pinned, .. } = plugin;
    let newest = newest.as_ref().filter(|_| plugin.is_outdated())?;
    let step = plan.steps.iter().find(|step| step.name == *name);
    let becomes = step.map_or(installed, |step| &step.to);
    if becomes == newest {
        return None;
    }
    Some(if *pinned {
        format!("{name} stays at {installed}, to which it is pinned; {newest} is the newest.")
    } else {
        let (stays, at) = if step.is_some() { ("becomes", becomes) } else { ("stays at", installed) };
        format!(
            "{name} {stays} {at}: {newest} does not go with the other plugins. `streamspace plugin install --dry-run \
             {name}@={newest}` says why."
        )
    })
}
