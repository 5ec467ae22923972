//! What the plugin needs around it and what its package holds: `requirements`, `compatibility`, `entrypoints`, `config`,
//! `bugs`, `deprecation`.

use serde::Deserialize;
use serde_json::{Map, Value};

/// `requirements`: versions of what the plugin runs on. A range is `>=1.0.0`, `^2.0.0`, `>=1.0, <3.0`; absent means any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Requirements {
    /// `streamspaceVersion`: range of host versions.
    pub streamspace_version: Option<String>,
    /// `kubernetes`: range of Kubernetes versions, for plugins that speak to a cluster.
    pub kubernetes: Option<String>,
    /// `minimumVersion`: lowest host version, inclusive.
    pub minimum_version: Option<String>,
    /// `maximumVersion`: highest host version, inclusive.
    pub maximum_version: Option<String>,
    /// `plugins`: names of plugins that must be running. `dependencies` says the same with versions.
    pub plugins: Vec<String>,
}

/// `compatibility`: the documents' older spelling of `requirements`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Compatibility {
    /// `streamspace`: range of host versions.
    pub streamspace: Option<String>,
}

/// `entrypoints`: files of the package, as paths relative to it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Entrypoints {
    /// `main`: the source file in the platform's manifests. The host loads `library` and only shows this.
    pub main: Option<String>,
    /// `ui`: script of the plugin's pages.
    pub ui: Option<String>,
    /// `api`: source of the routes.
    pub api: Option<String>,
    /// `webhook`: source of the webhook receiver.
    pub webhook: Option<String>,
    /// `cli`: source of the commands.
    pub cli: Option<String>,
    /// `library`: file name or stem of the native library, without a folder. Default: the plugin's name with `_` for `-`.
    pub library: Option<String>,
}

impl Entrypoints {
    /// Each entry point that is set, with its key.
    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("main", &self.main),
            ("ui", &self.ui),
            ("api", &self.api),
            ("webhook", &self.webhook),
            ("cli", &self.cli),
            ("library", &self.library),
        ]
        .into_iter()
        .filter_map(|(key, path)| Some((key, path.as_deref()?)))
    }
}

/// `config`: an older place of the configuration's schema.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct ConfigFile {
    /// `schema`: JSON Schema of the configuration; `configSchema` wins.
    pub schema: Option<Map<String, Value>>,
}

/// `bugs`: where to report faults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged, expecting = "an address, or an object with `url` and `email`")]
#[non_exhaustive]
pub enum Bugs {
    /// An http or https address.
    Address(String),
    /// Address and mail.
    Contact {
        /// An http or https address.
        url: Option<String>,
        /// A mail address.
        email: Option<String>,
    },
}

impl Bugs {
    /// The web address, if there is one.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Address(url) => Some(url),
            Self::Contact { url, .. } => url.as_deref(),
        }
    }
}

/// `deprecation`: the plan for a plugin that goes away. Dates are free text, `2026-01-31` by habit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, expecting = "an object")]
#[non_exhaustive]
pub struct Deprecation {
    /// `announced`: date it was made known.
    pub announced: Option<String>,
    /// `sunset`: date after which it is not kept up.
    pub sunset: Option<String>,
    /// `alternative`: the plugin to use instead.
    pub alternative: Option<String>,
    /// `migration_guide`: address of the way over.
    pub migration_guide: Option<String>,
}
