//! `streamspace plugin …`

mod apply;
mod audit;
mod blocked;
mod config;
mod consent;
mod consumers;
mod contributions;
mod disable;
mod enable;
mod export;
mod generations;
mod grants;
mod health;
mod inspect;
mod install;
mod install_listed;
mod job;
mod jobs;
mod list;
mod logs;
mod outdated;
mod pin;
mod plan;
mod rollback;
mod routes;
mod show;
mod unblock;
mod uninstall;
mod upgrade;

use anyhow::bail;
use clap::Subcommand;

use super::{Global, target::Target};
use crate::{config::Overrides, install::PluginView};

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Install a plugin from a package, by its name from a catalogue, or from a folder with its manifest.json and library
    Install(install::Install),
    /// Show what installing a package, or upgrading to it, would change
    Plan(plan::ShowPlan),
    /// Put another version of a plugin in the place of the installed one, while it serves
    Upgrade(upgrade::Upgrade),
    /// Go back to an earlier version that is kept
    Rollback(rollback::Rollback),
    /// List the versions of a plugin that are kept
    Generations(generations::Generations),
    /// Have a plugin stay at a version
    Pin(pin::Pin),
    /// List the installed plugins of which catalogues have newer versions
    Outdated(outdated::Outdated),
    /// Hold what the installed libraries were built of against advisories
    Audit(audit::Audit),
    /// Write the installed plugins, down to the bytes of their packages, into streamspace.lock
    Export(export::Export),
    /// Install, upgrade and remove what it takes to be as a streamspace.lock says
    Apply(apply::Apply),
    /// List the installed plugins
    List(list::List),
    /// Show a plugin, its consumers, its jobs and its dead letters
    Show(show::Show),
    /// Say in one word how a plugin is, and why
    Health(health::ShowHealth),
    /// Show the latest lines of a plugin's log
    Logs(logs::Logs),
    /// List a plugin's consumers and how they are doing
    Consumers(consumers::Consumers),
    /// List what a plugin is allowed
    Grants(grants::Grants),
    /// List the HTTP routes of a plugin that runs
    Routes(routes::ListRoutes),
    /// List what a plugin that runs shows in the console
    Contributions(contributions::ListContributions),
    /// Have a plugin run
    Enable(enable::Enable),
    /// Have a plugin not run
    Disable(disable::Disable),
    /// Look at and change a plugin's configuration
    #[command(subcommand)]
    Config(config::Verb),
    /// List a plugin's jobs
    Jobs(jobs::Jobs),
    /// Look at a job, run it now, pause and resume it
    #[command(subcommand)]
    Job(job::Verb),
    /// Stop and remove a plugin
    Uninstall(uninstall::Uninstall),
    /// Show what a library's file says, and whether this host would load it. Loads nothing
    Inspect(inspect::Inspect),
    /// List the libraries that crashed or hung the process that tried them
    Blocked(blocked::ListBlocked),
    /// Have a blocked library tried again
    Unblock(unblock::Unblock),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        let config = global.load(Overrides::default())?;
        let target = || Target::find(&config);
        match self {
            Self::Plan(verb) => verb.run(global, &target()?, &config),
            Self::Upgrade(verb) => verb.run(global, &target()?, &config),
            Self::Rollback(verb) => verb.run(global, &target()?),
            Self::Generations(verb) => verb.run(global, &target()?),
            Self::Pin(verb) => verb.run(global, &target()?),
            Self::Install(verb) => verb.run(global, &target()?, &config),
            Self::Audit(verb) => verb.run(global, &target()?),
            Self::Export(verb) => verb.run(global, &target()?),
            Self::Apply(verb) => verb.run(global, &target()?, &config),
            Self::Outdated(verb) => verb.run(global, &target()?),
            Self::List(verb) => verb.run(global, &target()?),
            Self::Show(verb) => verb.run(global, &target()?),
            Self::Health(verb) => verb.run(global, &target()?),
            Self::Logs(verb) => verb.run(global, &target()?),
            Self::Consumers(verb) => verb.run(global, &target()?),
            Self::Grants(verb) => verb.run(global, &target()?),
            Self::Routes(verb) => verb.run(global, &target()?),
            Self::Contributions(verb) => verb.run(global, &target()?),
            Self::Enable(verb) => verb.run(global, &target()?),
            Self::Disable(verb) => verb.run(global, &target()?),
            Self::Config(verb) => verb.run(global, &target()?),
            Self::Jobs(verb) => verb.run(global, &target()?),
            Self::Job(verb) => verb.run(global, &target()?),
            Self::Uninstall(verb) => verb.run(global, &target()?),
            Self::Inspect(verb) => verb.run(global, &config),
            Self::Blocked(verb) => verb.run(global, &target()?),
            Self::Unblock(verb) => verb.run(global, &target()?),
        }
    }
}

/// Says how a plugin is after it was changed.
fn answer(global: &Global, done: &str, plugin: &PluginView) -> anyhow::Result<()> {
    global.answer(plugin, |plugin| {
        let state = match plugin.state.as_str() {
            // As it is on a host that does not run.
            "installed" => "starts with the host".to_owned(),
            state => format!("is {state}"),
        };
        format!("{} {} is {done}; it {state}.", plugin.name, plugin.version)
    })
}

/// As [`answer`], for a change after which the plugin should run: one that does not is a failure.
fn answer_running(global: &Global, done: &str, plugin: &PluginView) -> anyhow::Result<()> {
    answer(global, done, plugin)?;
    match &plugin.reason {
        Some(reason) => bail!("{} {} is {}: {reason}", plugin.name, plugin.version, plugin.state),
        None => Ok(()),
    }
}
