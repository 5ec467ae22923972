//! The top level of a manifest.

use std::collections::BTreeMap;

use semver::{Version, VersionReq};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    AdminUi, Api, ApiEndpoint, Bugs, Compatibility, ConfigFile, Database, Deprecation, Entrypoints,
    Lifecycle, Permission, PluginName, PluginType, Requirements, Scheduler, Ui,
};

/// Every key the host and the platform know, typed. Reached through [`Manifest`](super::Manifest), which dereferences to it.
///
/// A key that is absent is `None`, empty, or the section's default.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(rename_all = "camelCase", expecting = "an object")]
#[non_exhaustive]
pub struct Fields {
    /// `$schema`: address of a JSON Schema for editors. Not fetched.
    #[serde(rename = "$schema")]
    pub schema_address: Option<String>,
    /// `name`, required: folder, route segment and topic token of the plugin.
    pub name: PluginName,
    /// `version`, required: the plugin's own version, [semver 2.0](https://semver.org).
    pub version: Version,
    /// `displayName`, required: the name people read, 1 to 100 characters.
    pub display_name: String,
    /// `description`: what the plugin does, in 200 characters or fewer.
    pub description: Option<String>,
    /// `author`: person or company.
    pub author: Option<String>,
    /// `license`: an SPDX expression such as `MIT`.
    pub license: Option<String>,
    /// `type`, required: a label for catalogs.
    #[serde(rename = "type")]
    pub plugin_type: PluginType,
    /// `category`: a heading for catalogs, free text.
    pub category: Option<String>,
    /// `tags`: words for the catalog's search.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `keywords`: read like `tags`; an npm habit.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// `homepage`: an http or https address.
    pub homepage: Option<String>,
    /// `repository`: an http or https address of the source.
    pub repository: Option<String>,
    /// `bugs`: where to report faults.
    pub bugs: Option<Bugs>,
    /// `icon`: a file in the package, or an http or https address.
    pub icon: Option<String>,
    /// `requirements`: what must be there for the plugin to run.
    #[serde(default)]
    pub requirements: Requirements,
    /// `compatibility`: an older spelling of `requirements`, in the documents only.
    pub compatibility: Option<Compatibility>,
    /// `entrypoints`: which file of the package starts what.
    #[serde(default)]
    pub entrypoints: Entrypoints,
    /// `permissions`: what the plugin asks to be allowed. Asking is not having: the operator grants.
    #[serde(default)]
    pub permissions: Vec<Permission>,
    /// `configSchema`: read through [`Fields::config_schema`].
    config_schema: Option<Map<String, Value>>,
    /// `config`: an older place of the schema, in the documents only.
    pub config: Option<ConfigFile>,
    /// `defaultConfig`: configuration values that apply where the operator sets none; they win over the schema's defaults.
    pub default_config: Option<Map<String, Value>>,
    /// `dependencies`: plugins that must be installed, with the versions that will do. A bare `1.2` means `^1.2`.
    #[serde(default)]
    pub dependencies: BTreeMap<String, VersionReq>,
    /// `conflicts`: plugins that this one cannot be beside, with the versions that are meant; `*` means all. Neither is installed
    /// where the other one is.
    #[serde(default)]
    pub conflicts: BTreeMap<String, VersionReq>,
    /// `aliases`: names of other plugins in whose place this one is. Where none of such a name is installed, this one is shown and
    /// configured by it too. Each of them stands in `conflicts` as well, with `*`.
    #[serde(default)]
    pub aliases: Vec<PluginName>,
    /// `events`: topic to the name of the hook that takes it.
    #[serde(default)]
    pub events: BTreeMap<String, String>,
    /// `lifecycle`: which lifecycle hooks the plugin has.
    #[serde(default)]
    pub lifecycle: Lifecycle,
    /// `database`: tables the plugin keeps.
    #[serde(default)]
    pub database: Database,
    /// `api`: paths the plugin serves.
    #[serde(default)]
    pub api: Api,
    /// `apiEndpoints`: routes the plugin serves, with method and permissions.
    #[serde(default)]
    pub api_endpoints: Vec<ApiEndpoint>,
    /// `ui`: pages, widgets and login buttons.
    #[serde(default)]
    pub ui: Ui,
    /// `adminUI`: pages and widgets of the administration.
    #[serde(default, rename = "adminUI")]
    pub admin_ui: AdminUi,
    /// `scheduler`: jobs by the clock.
    #[serde(default)]
    pub scheduler: Scheduler,
    /// `stability`: `alpha`, `beta`, `stable`, `deprecated` or another word of the author's.
    pub stability: Option<String>,
    /// `deprecation`: the plan for a plugin that goes away.
    pub deprecation: Option<Deprecation>,
}

impl Fields {
    /// The JSON Schema of the configuration: `configSchema`, or else `config.schema`.
    #[must_use]
    pub fn config_schema(&self) -> Option<&Map<String, Value>> {
        self.config_schema.as_ref().or_else(|| self.config.as_ref()?.schema.as_ref())
    }

    /// All admin pages, of `ui.adminPages` and of `adminUI.pages`.
    pub fn admin_pages(&self) -> impl Iterator<Item = &super::Page> {
        self.ui.admin_pages.iter().chain(&self.admin_ui.pages)
    }
}
