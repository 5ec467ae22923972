//! What was found.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use serde::Serialize;

use crate::{config::Config, store::TrustLevel};

/// What came of looking at something. The later ones outweigh the earlier ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// It is fine.
    Ok,
    /// It is fine, and there is something to know.
    Note,
    /// It could not be looked at, which does not say that it is wrong.
    Unknown,
    /// It would not be loaded, or would not work.
    Fails,
}

/// What something was found about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum About {
    /// A configuration: the host's, or a plugin's.
    Configuration,
    /// The data folder.
    Folder,
    /// The host's own tables.
    Database,
    /// The key that secrets are sealed with.
    Secrets,
    /// What was begun and is not done.
    Journal,
    /// What the database knows of a plugin.
    Record,
    /// Who answers for it.
    Trust,
    /// Its files.
    Files,
    /// Its manifest.
    Manifest,
    /// Its migrations.
    Migrations,
    /// Its library.
    Library,
    /// The plugins that it needs.
    Dependencies,
}

impl About {
    /// As it is shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Configuration => "configuration",
            Self::Folder => "folder",
            Self::Database => "database",
            Self::Secrets => "secrets",
            Self::Journal => "journal",
            Self::Record => "record",
            Self::Trust => "trust",
            Self::Files => "files",
            Self::Manifest => "manifest",
            Self::Migrations => "migrations",
            Self::Library => "library",
            Self::Dependencies => "dependencies",
        }
    }
}

/// Something that was found.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// What it is about.
    pub about: About,
    /// What came of it.
    pub outcome: Outcome,
    /// The stable code of why it fails.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub code: Option<&'static str>,
    /// What was found, and what to do.
    pub message: String,
}

impl Finding {
    pub(super) fn new(
        about: About,
        outcome: Outcome,
        code: impl Into<Option<&'static str>>,
        message: impl fmt::Display,
    ) -> Self {
        Self { about, outcome, code: code.into(), message: message.to_string() }
    }
}

/// What was found of an installed plugin.
#[derive(Debug, Clone, Serialize)]
pub struct PluginReport {
    /// Its name.
    pub name: String,
    /// Its version; empty if its record cannot be read.
    pub version: String,
    /// Whether it is to run.
    pub enabled: bool,
    /// Why its files are taken.
    pub trust: Option<TrustLevel>,
    /// The gravest of what was found.
    pub outcome: Outcome,
    /// What was found; nothing if it is fine.
    pub findings: Vec<Finding>,
}

/// What was found in a data folder.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// This host's version.
    pub version: &'static str,
    /// The number of the interface that it has for plugins.
    pub interface: u32,
    /// The folder.
    pub data_dir: PathBuf,
    /// `sqlite` or `postgres`; `None` if the configuration does not say.
    pub database: Option<&'static str>,
    /// The gravest of all.
    pub outcome: Outcome,
    /// Whether everything was looked at: the last finding of the host says why not.
    #[serde(rename = "complete")]
    pub is_whole: bool,
    /// What was found of the host's own.
    pub host: Vec<Finding>,
    /// The installed plugins, by name.
    pub plugins: Vec<PluginReport>,
}

impl Report {
    pub(super) fn new(data_dir: &Path, config: Option<&Config>) -> Self {
        let database =
            config.map(|config| if config.database.url.postgres().is_some() { "postgres" } else { "sqlite" });
        let valid = Finding::new(About::Configuration, Outcome::Ok, None, "it is valid");
        Self {
            version: env!("CARGO_PKG_VERSION"),
            interface: streamspace_plugin::abi::ABI_MAJOR,
            data_dir: data_dir.to_owned(),
            database,
            outcome: Outcome::Ok,
            is_whole: true,
            host: config.is_some().then_some(valid).into_iter().collect(),
            plugins: Vec::new(),
        }
    }

    pub(super) fn conclude(mut self) -> Self {
        let of_plugins = self.plugins.iter().map(|plugin| plugin.outcome);
        let all = self.host.iter().map(|finding| finding.outcome).chain(of_plugins);
        self.outcome = all.max().unwrap_or(Outcome::Ok);
        self
    }
}
