//! A plugin's name.

use std::{fmt, ops::Deref, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

/// Names a file system somewhere reserves for devices, whatever their extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8", "com9",
    "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Paths below `/api/plugins` and `/api/v1/plugins` that the host keeps for itself.
const KEPT: [&str; 2] = ["catalog", "ui"];

/// The name of a plugin: 2 to 64 characters, `[a-z][a-z0-9-]{1,63}`.
///
/// The host makes it a folder, a route segment and a topic token, so nothing else is let through: no dots, slashes,
/// blanks or capitals.
///
/// ```
/// use streamspace_plugin::manifest::PluginName;
///
/// let name: PluginName = "streamspace-slack".parse()?;
/// assert_eq!(name.as_str(), "streamspace-slack");
/// assert!("../../etc".parse::<PluginName>().is_err());
/// # Ok::<(), streamspace_plugin::manifest::PluginNameError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PluginName(String);

/// Why a text is no plugin name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PluginNameError {
    /// Too short, too long, or with a character that is not allowed.
    #[error(
        "{0:?} is not a plugin name: expected 2 to 64 characters, a lowercase letter first, then lowercase letters, \
         digits and hyphens, such as `streamspace-slack`"
    )]
    Malformed(String),
    /// It is a path of the host's own, beside those of plugins.
    #[error(
        "{0:?} is a name that the host keeps for itself, as a path beside those of plugins; choose another plugin name"
    )]
    Kept(String),
    /// A device name on some systems: it cannot be a folder there.
    #[error(
        "{0:?} is reserved for a device on some systems and cannot name a folder; choose another plugin name"
    )]
    Reserved(String),
}

impl PluginName {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PluginName {
    type Err = PluginNameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut bytes = text.bytes();
        let first = bytes.next().is_some_and(|b| b.is_ascii_lowercase());
        let rest = bytes.all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        if !(first && rest && (2..=64).contains(&text.len())) {
            return Err(PluginNameError::Malformed(text.chars().take(80).collect()));
        }
        if RESERVED.contains(&text) {
            return Err(PluginNameError::Reserved(text.to_owned()));
        }
        if KEPT.contains(&text) {
            return Err(PluginNameError::Kept(text.to_owned()));
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for PluginName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for PluginName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Deref for PluginName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl AsRef<str> for PluginName {
    fn as_ref(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_kebab_case() {
        let longest = "a".repeat(64);
        for name in ["ab", "streamspace-slack", "a1", "a-b-2", longest.as_str()] {
            assert_eq!(name.parse::<PluginName>().expect(name).as_str(), name);
        }
    }

    #[test]
    fn refuses_what_could_leave_a_folder_or_split_a_topic() {
        let too_long = "a".repeat(65);
        for name in [
            "",
            "a",
            "A-b",
            "1a",
            "-a",
            "a.b",
            "a/b",
            "a\\b",
            "..",
            "../x",
            "a b",
            "a_b",
            "a*",
            "a>",
            "é-a",
            "ab\0",
            "ab\n",
            too_long.as_str(),
        ] {
            assert!(name.parse::<PluginName>().is_err(), "{name:?} was accepted");
        }
    }

    #[test]
    fn refuses_what_the_host_keeps_for_itself() {
        for kept in ["catalog", "ui"] {
            assert!(matches!(kept.parse::<PluginName>(), Err(PluginNameError::Kept(_))));
        }
        assert!("ui-kit".parse::<PluginName>().is_ok());
    }

    #[test]
    fn refuses_device_names() {
        assert!(matches!("nul".parse::<PluginName>(), Err(PluginNameError::Reserved(_))));
        assert!("nul-device".parse::<PluginName>().is_ok());
    }
}
