//! What kind of plugin a manifest describes.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// The `type` of a plugin: a label for catalogs and filters. It grants nothing and limits nothing.
///
/// The words are the union of what the platform's parser, its catalog, its manifests and its documents use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PluginType {
    /// Adds features of its own.
    Extension,
    /// Sends events to a service outside.
    Webhook,
    /// Connects a service outside, in both directions.
    Integration,
    /// Adds HTTP routes.
    Api,
    /// Adds pages and widgets.
    Ui,
    /// Changes how the interface looks.
    Theme,
    /// Replaces or extends a part of the platform.
    System,
    /// Adds commands. `CLI` is read too.
    Cli,
}

impl PluginType {
    /// Every type, in the order the documents list them.
    pub const ALL: [Self; 8] = [
        Self::Extension,
        Self::Webhook,
        Self::Integration,
        Self::Api,
        Self::Ui,
        Self::Theme,
        Self::System,
        Self::Cli,
    ];

    /// The word in the manifest.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Extension => "extension",
            Self::Webhook => "webhook",
            Self::Integration => "integration",
            Self::Api => "api",
            Self::Ui => "ui",
            Self::Theme => "theme",
            Self::System => "system",
            Self::Cli => "cli",
        }
    }
}

/// A `type` that is none of [`PluginType::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a plugin type: expected one of extension, webhook, integration, api, ui, theme, system, cli; \
     use `extension` where none fits better"
)]
pub struct PluginTypeError(String);

impl FromStr for PluginType {
    type Err = PluginTypeError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let word = if text == "CLI" { "cli" } else { text };
        Self::ALL
            .into_iter()
            .find(|t| t.as_str() == word)
            .ok_or_else(|| PluginTypeError(text.chars().take(80).collect()))
    }
}

impl<'de> Deserialize<'de> for PluginType {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for PluginType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_is_read_back_from_its_word() {
        for t in PluginType::ALL {
            assert_eq!(t.as_str().parse(), Ok(t));
            assert_eq!(serde_json::to_value(t).expect("a word"), t.as_str());
        }
        assert_eq!("CLI".parse(), Ok(PluginType::Cli));
    }

    #[test]
    fn another_word_is_answered_with_the_list() {
        let error = "plugin".parse::<PluginType>().expect_err("no such type").to_string();
        assert!(error.contains("\"plugin\"") && error.contains("integration"), "{error}");
    }
}
