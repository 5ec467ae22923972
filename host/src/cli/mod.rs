//! The command line: one file a verb.

#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command line answers on the standard streams"
)]

mod catalog;
mod check;
mod config;
mod db;
mod dead_letters;
mod emit;
mod events;
mod group;
mod logs;
mod manifest;
mod openapi;
mod package;
mod password;
mod plugin;
mod probe;
mod progress;
mod secrets;
mod serve;
mod session;
mod status;
mod target;
mod token;
mod trust;
mod user;

use std::{
    io::{self, Write},
    path::PathBuf,
    process::ExitCode,
};

use anyhow::Context;
use clap::{Args, Parser, Subcommand};

use crate::config::{Config, Overrides};

/// The StreamSpace plugin host.
#[derive(Debug, Parser)]
#[command(name = "streamspace", version, about, propagate_version = true, max_term_width = 110)]
struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Args)]
struct Global {
    /// The configuration file [default: STREAMSPACE_CONFIG, else ./streamspace.toml if it exists]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder, instead of the configured one
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Run the host until SIGINT or SIGTERM
    Serve(serve::Serve),
    /// Emit an event into a running host
    Emit(emit::Emit),
    /// List the newest events of the event log
    Events(events::Events),
    /// Show the latest lines of the host's own log
    Logs(logs::HostLogs),
    /// Show how a running host is
    Status(status::ShowStatus),
    /// Install, look at, configure and remove plugins
    #[command(subcommand)]
    Plugin(plugin::Verb),
    /// Build, sign, check and look into packages of plugins
    #[command(subcommand)]
    Package(package::Verb),
    /// Say whose packages are taken: trust and revoke keys, sign packages for this host
    #[command(subcommand)]
    Trust(trust::Verb),
    /// Add, sync and search catalogues of plugins, and build one
    #[command(subcommand)]
    Catalog(catalog::Verb),
    /// Look at desktop sessions, make them, change their states and share them
    #[command(subcommand)]
    Session(session::Verb),
    /// Back up and restore what the host and its plugins keep
    #[command(subcommand)]
    Db(db::Verb),
    /// Look at events that were given up, have them tried again, or drop them
    #[command(subcommand)]
    DeadLetters(dead_letters::Verb),
    /// Change the key that secrets are sealed with
    #[command(subcommand)]
    Secrets(secrets::Verb),
    /// Make, look at and change accounts
    #[command(subcommand)]
    User(user::Verb),
    /// Make, look at and change groups of accounts
    #[command(subcommand)]
    Group(group::Verb),
    /// Make, list and revoke tokens of accounts
    #[command(subcommand)]
    Token(token::Verb),
    /// Say what of a data folder this program would not load, before it takes the place of another version
    Check(check::Check),
    /// Look at the host's own configuration
    #[command(subcommand)]
    Config(config::Verb),
    #[command(hide = true)]
    Probe(probe::Probe),
    /// Look at a plugin's manifest
    #[command(subcommand)]
    Manifest(manifest::Verb),
    Openapi(openapi::Openapi),
}

/// Runs the command line of this process. 0: done, 1: refused or failed, 2: not understood, 3: could not be checked.
#[must_use]
pub fn run() -> ExitCode {
    let cli = Cli::parse();
    let result = match &cli.verb {
        Verb::Serve(serve) => serve.run(&cli.global),
        Verb::Emit(emit) => emit.run(&cli.global),
        Verb::Events(events) => events.run(&cli.global),
        Verb::Logs(logs) => logs.run(&cli.global),
        Verb::Status(status) => status.run(&cli.global),
        Verb::Plugin(verb) => verb.run(&cli.global),
        Verb::Package(verb) => verb.run(&cli.global),
        Verb::Trust(verb) => verb.run(&cli.global),
        Verb::Catalog(verb) => verb.run(&cli.global),
        Verb::Session(verb) => verb.run(&cli.global),
        Verb::Check(check) => check.run(&cli.global),
        Verb::Config(verb) => verb.run(&cli.global),
        Verb::Db(verb) => verb.run(&cli.global),
        Verb::DeadLetters(verb) => verb.run(&cli.global),
        Verb::Secrets(verb) => verb.run(&cli.global),
        Verb::User(verb) => verb.run(&cli.global),
        Verb::Group(verb) => verb.run(&cli.global),
        Verb::Token(verb) => verb.run(&cli.global),
        Verb::Probe(probe) => probe.run(),
        Verb::Manifest(verb) => verb.run(&cli.global),
        Verb::Openapi(openapi) => openapi.run(&cli.global),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {}", told(&why));
            if why.is::<package::Undecided>() { ExitCode::from(3) } else { ExitCode::FAILURE }
        }
    }
}

/// An error and its causes in one line. Many errors tell their cause themselves; it is not told again.
fn told(error: &anyhow::Error) -> String {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
    }
    text
}

impl Global {
    /// The host's configuration, with the flags over it.
    fn load(&self, mut overrides: Overrides) -> anyhow::Result<Config> {
        overrides.data_dir.clone_from(&self.data_dir);
        Ok(Config::load(self.config.as_deref(), std::env::vars(), &overrides)?)
    }

    /// Answers in JSON if that was asked for, else in words.
    fn answer<T: serde::Serialize>(&self, value: &T, words: impl FnOnce(&T) -> String) -> anyhow::Result<()> {
        let text = if self.json { serde_json::to_string_pretty(value)? } else { words(value) };
        say(text.trim_end())
    }
}

/// Writes to the standard output. That nobody reads it any more, as behind `| head`, is no failure.
fn say(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match writeln!(out, "{text}").and_then(|()| out.flush()) {
        Err(why) if why.kind() != io::ErrorKind::BrokenPipe => {
            Err(why).context("cannot write to the standard output")
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_verbs_and_their_options_fit_together() {
        Cli::command().debug_assert();
    }
}
