//! A plugin's configuration, held against its manifest's `configSchema`.
//!
//! [`ConfigSchema`] is made once for a manifest. [`ConfigSchema::effective`] turns what the operator set into what the plugin
//! gets: defaults added, everything checked, all violations told at once. Secrets are the values the schema marks with
//! `format: password`, `sensitive: true` or `writeOnly: true`: they are hidden from whoever reads a configuration
//! ([`ConfigSchema::redact`]), put back when it is sent again ([`ConfigSchema::unredact`]), and known to the log
//! ([`ConfigSchema::secrets`]).

mod capability;
mod defaults;
mod merge;
mod normal;
mod place;
mod secrets;
mod violation;

use std::{collections::BTreeSet, fmt};

use jsonschema::Validator;
use serde_json::{Map, Value};
use streamspace_plugin::manifest::Manifest;

use place::{Branches, Place};

pub(crate) use capability::{PluginConfig, open as open_config};
pub use merge::merge_patch;
pub use secrets::REDACTED;
pub use violation::Violation;

/// Why a schema or a configuration was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// The schema refers to another document. Nothing is ever fetched for a schema.
    #[error(
        "The configuration schema refers to {reference:?} at `{path}`; expected a place in the same document. \
         Put the schema under `$defs` and refer to it as `#/$defs/NAME`, and give no part an `$id` of its own."
    )]
    Reference {
        /// Where in the manifest.
        path: String,
        /// What it refers to.
        reference: String,
    },
    /// The schema is no JSON Schema.
    #[error("The configuration schema is not a JSON Schema: `{path}`: {reason}. Correct it in the manifest.")]
    Schema {
        /// Where in the manifest.
        path: String,
        /// What is wrong there.
        reason: String,
    },
    /// The schema's defaults multiply without end.
    #[error(
        "The configuration schema's defaults reach more than {} places. Parts of it refer to each other many times over; \
         give the outer part a `default` instead.",
        defaults::MAX_PLACES
    )]
    TooManyDefaults,
    /// The configuration breaks the schema.
    #[error("The configuration breaks {} of its schema: {}.", rules(.0.len()), joined(.0))]
    Invalid(Vec<Violation>),
}

impl ConfigError {
    /// The stable code of this error, for documentation and machines.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Reference { .. } => "SSP-CFG-001",
            Self::Schema { .. } => "SSP-CFG-002",
            Self::TooManyDefaults => "SSP-CFG-003",
            Self::Invalid(_) => "SSP-CFG-004",
        }
    }

    /// The single violations of [`ConfigError::Invalid`]; empty for the other variants.
    #[must_use]
    pub fn violations(&self) -> &[Violation] {
        match self {
            Self::Invalid(violations) => violations,
            _ => &[],
        }
    }
}

fn rules(count: usize) -> String {
    match count {
        1 => "1 rule".to_owned(),
        n => format!("{n} rules"),
    }
}

fn joined(violations: &[Violation]) -> String {
    violations.iter().map(Violation::to_string).collect::<Vec<_>>().join("; ")
}

/// Most violations told about one configuration.
const MAX_VIOLATIONS: usize = 100;

/// A compiled `configSchema` with the manifest's `defaultConfig`.
pub struct ConfigSchema {
    schema: Value,
    validator: Validator,
    default_config: Map<String, Value>,
}

impl ConfigSchema {
    /// Compiles the schema of `manifest`. Without one, any object is accepted and nothing is secret.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Reference`] for a reference that leaves the document, [`ConfigError::Schema`] for what is no JSON Schema
    /// (draft 2020-12, or the one `$schema` names), [`ConfigError::TooManyDefaults`] for defaults without end.
    pub fn compile(manifest: &Manifest) -> Result<Self, ConfigError> {
        let mut schema = Value::Object(manifest.config_schema().cloned().unwrap_or_default());
        normal::normalize(&mut schema, "configSchema")?;
        let validator =
            jsonschema::options().offline().should_validate_formats(true).build(&schema).map_err(|e| {
                ConfigError::Schema {
                    path: format!("configSchema{}", e.instance_path().as_str().replace('/', ".")),
                    reason: e.to_string(),
                }
            })?;
        let compiled =
            Self { schema, validator, default_config: manifest.default_config.clone().unwrap_or_default() };
        compiled.with_defaults(&Map::new())?;
        Ok(compiled)
    }

    /// The configuration the plugin gets for what the operator set: the operator's values over the manifest's `defaultConfig`
    /// over the schema's defaults. Objects merge at every depth, arrays replace each other.
    ///
    /// # Errors
    ///
    /// [`ConfigError::Invalid`] with every violation, 100 at most; [`ConfigError::TooManyDefaults`] where the schema has no end of
    /// defaults for what the operator set.
    pub fn effective(&self, user: &Map<String, Value>) -> Result<Effective, ConfigError> {
        let config = Value::Object(self.with_defaults(user)?);
        if let Some(violation) = violation::of_depth(&config) {
            return Err(ConfigError::Invalid(vec![violation]));
        }
        let violations: Vec<Violation> = self
            .validator
            .iter_errors(&config)
            .flat_map(|error| violation::of(&self.schema, &config, &error))
            .take(MAX_VIOLATIONS)
            .collect();
        match config {
            Value::Object(config) if violations.is_empty() => Ok(Effective(config)),
            _ => Err(ConfigError::Invalid(violations)),
        }
    }

    /// The texts of all secrets in `config`, sorted, each once: what the log must not show. Those shorter than 6 characters
    /// are left out: hiding them would hide ordinary words.
    #[must_use]
    pub fn secrets(&self, config: &Value) -> Vec<String> {
        let mut found = BTreeSet::new();
        secrets::collect(&self.place(), config, &mut found);
        found.into_iter().collect()
    }

    /// `config` with [`REDACTED`] for each secret. `null` and the empty string stay: they tell that none is set.
    #[must_use]
    pub fn redact(&self, config: &Value) -> Value {
        secrets::redact(&self.place(), config)
    }

    /// `new` with the secrets of `old` wherever it holds [`REDACTED`] at a secret's place, as a client sends it that read a
    /// redacted configuration and changed something else. Items of arrays are the same item if they have the same `name`, or,
    /// without names, the same index. Where `old` has nothing to put back, the key or item is left out.
    #[must_use]
    pub fn unredact(&self, new: Value, old: &Value) -> Value {
        secrets::unredact(&self.place(), new, Some(old)).unwrap_or_default()
    }

    fn with_defaults(&self, user: &Map<String, Value>) -> Result<Map<String, Value>, ConfigError> {
        let mut config = self.default_config.clone();
        merge::overlay(&mut config, user.clone());
        defaults::fill(&self.schema, config).map_err(|_| ConfigError::TooManyDefaults)
    }

    fn place(&self) -> Place<'_> {
        Place::root(&self.schema, Branches::Possible)
    }
}

impl fmt::Debug for ConfigSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfigSchema").field("schema", &self.schema).finish_non_exhaustive()
    }
}

/// A configuration that is complete and valid. Its `Debug` form shows keys only: the values may be secrets.
#[derive(Clone, PartialEq)]
pub struct Effective(Map<String, Value>);

impl Effective {
    /// The configuration.
    #[must_use]
    pub fn as_map(&self) -> &Map<String, Value> {
        &self.0
    }

    /// The configuration as a value, for the plugin or for [`ConfigSchema::secrets`].
    #[must_use]
    pub fn into_value(self) -> Value {
        Value::Object(self.0)
    }
}

impl fmt::Debug for Effective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Effective").field(&self.0.keys().collect::<Vec<_>>()).finish()
    }
}

#[cfg(test)]
mod tests;
