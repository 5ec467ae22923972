//! `manifest.json`: what a plugin says about itself.
//!
//! [`Manifest`] is read by the host, by the package tools and by the SDK. It takes every manifest of the platform the host
//! replaces: what the platform's own parser refused or dropped (the types `integration` and `system`, the sections `events`,
//! `ui`, `scheduler` and their siblings) is typed here, and what nobody knows is kept and [warned about](Manifest::warnings).
//!
//! ```
//! use streamspace_plugin::manifest::Manifest;
//!
//! let manifest = Manifest::parse(br#"{
//!     "name": "streamspace-slack",
//!     "version": "1.0.0",
//!     "displayName": "Slack Integration",
//!     "type": "webhook",
//!     "permissions": ["network:hooks.slack.com"],
//!     "licence": "MIT"
//! }"#)?;
//! assert_eq!(manifest.name.as_str(), "streamspace-slack");
//! assert_eq!(manifest.permissions[0].network_host(), Some("hooks.slack.com"));
//! assert!(manifest.warnings().iter().any(|w| w.to_string().contains("resembles `license`")));
//! # Ok::<(), streamspace_plugin::manifest::ManifestError>(())
//! ```
#![forbid(unsafe_code)]

mod behaviour;
mod error;
mod fields;
mod keys;
mod name;
mod network_host;
mod package;
mod permission;
mod plugin_type;
mod rules;
mod told;
mod ui;

use std::{ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::{Map, Value};

use self::told::Told;

pub use behaviour::{Api, ApiEndpoint, Database, Job, Lifecycle, Scheduler};
pub use error::{Finding, ManifestError, Warning};
pub use fields::Fields;
pub use name::{PluginName, PluginNameError};
pub use network_host::NetworkHostError;
pub use package::{Bugs, Compatibility, ConfigFile, Deprecation, Entrypoints, Requirements};
pub use permission::{Permission, PermissionError};
pub use plugin_type::{PluginType, PluginTypeError};
pub use ui::{AdminUi, LoginButton, MenuItem, Page, SettingsPage, Ui, Widget};

/// Largest manifest that is read, in bytes: 1 MiB. The platform's largest has 6 kB.
pub const MAX_BYTES: usize = 1024 * 1024;

/// Most type errors told about one document; each costs one more reading of it.
const MAX_TYPE_ERRORS: usize = 20;

/// A manifest that keeps the rules: read-only, dereferences to its [`Fields`], and serializes to the document it was read
/// from, with unknown keys and in its order.
#[derive(Debug, Clone)]
pub struct Manifest {
    document: Map<String, Value>,
    fields: Fields,
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    ///
    /// [`ManifestError::TooLarge`] above [`MAX_BYTES`], before anything is parsed; [`ManifestError::Syntax`] where it is not
    /// JSON; [`ManifestError::Invalid`] with all findings where it breaks a rule.
    pub fn parse(bytes: &[u8]) -> Result<Self, ManifestError> {
        if bytes.len() > MAX_BYTES {
            return Err(ManifestError::TooLarge { size: bytes.len() });
        }
        // Editors on Windows write a byte order mark; RFC 8259, section 8.1 lets a parser skip it.
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
        let document: Value = serde_json::from_slice(bytes).map_err(|e| ManifestError::Syntax {
            line: e.line(),
            column: e.column(),
            reason: reason(&e),
        })?;
        Self::checked(document, |track| {
            let mut json = serde_json::Deserializer::from_slice(bytes);
            Fields::deserialize(serde_path_to_error::Deserializer::new(&mut json, track))
        })
    }

    /// What the author probably did not mean: unknown keys with the known key each resembles, permissions that grant nothing,
    /// recommended keys that are missing. Empty for a manifest without such; 100 at most, then a last one that counts the rest.
    #[must_use]
    pub fn warnings(&self) -> Vec<Warning> {
        rules::advice(&self.document, &self.fields).warnings()
    }

    /// The whole document as it was read, with the keys nobody knows.
    #[must_use]
    pub fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    /// Checks `document`; `first` is the first try at typing it, which may know lines and columns.
    fn checked(
        document: Value,
        first: impl FnOnce(&mut serde_path_to_error::Track) -> serde_json::Result<Fields>,
    ) -> Result<Self, ManifestError> {
        let Value::Object(document) = document else {
            let found = format!("expected an object in braces, found {}", kind(&document));
            return Err(ManifestError::Invalid(vec![Finding::new("", found)]));
        };
        let mut findings = rules::of_document(&document);
        let mut track = serde_path_to_error::Track::new();
        let mut typed = first(&mut track);
        let mut remaining = document.clone();
        // Typing stops at the first fault, so it is tried again without the key that had it.
        for _ in 0..MAX_TYPE_ERRORS {
            let Err(error) = &typed else { break };
            let path = track.path();
            let Some(serde_path_to_error::Segment::Map { key }) = path.iter().next() else {
                break;
            };
            add(&mut findings, path.to_string(), error);
            remaining.shift_remove(key);
            track = serde_path_to_error::Track::new();
            typed = Fields::deserialize(serde_path_to_error::Deserializer::new(
                Value::Object(remaining.clone()),
                &mut track,
            ));
        }
        match typed {
            Ok(fields) if findings.is_empty() => {
                let findings = rules::of_fields(&fields);
                if findings.is_empty() { Ok(Self { document, fields }) } else { Err(invalid(findings)) }
            }
            // A fault of the document itself: a known key written twice.
            Err(error) if findings.is_empty() => {
                add(&mut findings, String::new(), &error);
                Err(invalid(findings))
            }
            _ => Err(invalid(findings)),
        }
    }
}

fn invalid(findings: Told<Finding>) -> ManifestError {
    ManifestError::Invalid(findings.findings())
}

/// Adds a type error, or only its place where a rule has found the fault already.
fn add(findings: &mut Told<Finding>, path: String, error: &serde_json::Error) {
    let position = (error.line() > 0).then(|| (error.line(), error.column()));
    match findings.find(|finding| finding.path == path) {
        Some(finding) => finding.position = position,
        None => findings.add(|| Finding { path, position, problem: reason(error) }),
    }
}

/// The parser's message without its position, in JSON's words.
fn reason(error: &serde_json::Error) -> String {
    let message = error.to_string();
    let position = format!(" at line {} column {}", error.line(), error.column());
    let message = message.strip_suffix(&position).unwrap_or(&message);
    message
        .replace("a sequence", "a list")
        .replace("a map", "an object")
        .replace("sequence,", "list,")
        .replace("map,", "object,")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}

impl Deref for Manifest {
    type Target = Fields;

    fn deref(&self) -> &Fields {
        &self.fields
    }
}

impl PartialEq for Manifest {
    fn eq(&self, other: &Self) -> bool {
        self.document == other.document
    }
}

impl FromStr for Manifest {
    type Err = ManifestError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text.as_bytes())
    }
}

impl Serialize for Manifest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.document.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Manifest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let document = Value::deserialize(deserializer)?;
        let typed = document.clone();
        Self::checked(document, |track| {
            Fields::deserialize(serde_path_to_error::Deserializer::new(typed, track))
        })
        .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
