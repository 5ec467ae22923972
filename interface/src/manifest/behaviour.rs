//! What the plugin does while it runs: `lifecycle`, `database`, `api`, `apiEndpoints`, `scheduler`.

use serde::Deserialize;

use super::Permission;

/// `lifecycle`: which hooks the plugin has. The host finds out by itself; this is for readers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Lifecycle {
    /// `onLoad`: acts when loaded. Default: true.
    pub on_load: bool,
    /// `onUnload`: acts when unloaded. Default: true.
    pub on_unload: bool,
}

impl Default for Lifecycle {
    fn default() -> Self {
        Self { on_load: true, on_unload: true }
    }
}

/// `database`: what the plugin keeps in its database.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Database {
    /// `tables`: names of the plugin's own tables, without a prefix.
    pub tables: Vec<String>,
}

/// `api`: the short form of the routes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Api {
    /// `endpoints`: paths, each from `/`, with `:name` for a parameter.
    pub endpoints: Vec<String>,
}

/// One entry of `apiEndpoints`: the long form of a route.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct ApiEndpoint {
    /// `method`, required: `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: String,
    /// `path`, required: from `/`, with `:name` for a parameter.
    pub path: String,
    /// `description`: what the route does.
    pub description: Option<String>,
    /// `permissions`: what the caller must hold, all of them. Default: none.
    #[serde(default)]
    pub permissions: Vec<Permission>,
}

/// `scheduler`: jobs by the clock.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default, expecting = "an object")]
#[non_exhaustive]
pub struct Scheduler {
    /// `jobs`: the jobs, each name once.
    pub jobs: Vec<Job>,
}

/// One entry of `scheduler.jobs`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct Job {
    /// `name`, required: unique in the plugin.
    pub name: String,
    /// `schedule`, required: a cron expression such as `*/15 * * * *`.
    pub schedule: String,
    /// `description`: what the job does.
    pub description: Option<String>,
}
