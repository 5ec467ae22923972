//! What a plugin asks to be allowed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, de};

use super::network_host::{self, NetworkHostError};

/// Names that need no parameter to mean something.
const PLAIN: [&str; 15] = [
    "admin",
    "admin_ui",
    "api",
    "database",
    "events",
    "execute",
    "filesystem",
    "kubernetes",
    "network",
    "notifications",
    "scheduler",
    "storage",
    "streams",
    "ui",
    "webhooks",
];

/// Things that `read:THING`, `write:THING`, `THING:read`, `THING:write` and `THING.read` speak of.
const SUBJECTS: [&str; 10] = [
    "admin",
    "analytics",
    "billing",
    "compliance",
    "config",
    "infrastructure",
    "plugins",
    "recording",
    "sessions",
    "templates",
];

/// One permission: `NAME` or `NAME:PARAMETER`, as the manifest writes it.
///
/// A name is lowercase letters, digits, `_` and `-`, in parts joined by dots, 64 bytes at most. A parameter is 1 to 255
/// visible ASCII characters. Every vocabulary of the platform is of this form: `admin_ui`, `read:sessions`, `sessions:read`,
/// `plugin.slack.send`. The parameter of `network` is a host, see [`Permission::network_host`].
///
/// ```
/// use streamspace_plugin::manifest::Permission;
///
/// let permission: Permission = "network:*.example.com".parse()?;
/// assert_eq!(permission.name(), "network");
/// assert_eq!(permission.network_host(), Some("*.example.com"));
/// # Ok::<(), streamspace_plugin::manifest::PermissionError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct Permission(String);

/// Why a text is no permission.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PermissionError {
    /// The part before the colon is empty, too long, or holds a character that is not allowed.
    #[error(
        "{0:?} is not a permission: expected a name of lowercase letters, digits, `_`, `-` and dots between its parts, \
         64 bytes at most, such as `database` or `read:sessions`"
    )]
    Name(String),
    /// The part after the colon is empty, too long, or holds a character that is not allowed.
    #[error(
        "the parameter of permission {0:?} is not usable: expected 1 to 255 visible ASCII characters after the colon; \
         leave the colon out where no parameter is meant"
    )]
    Parameter(String),
    /// The parameter of `network` is no host.
    #[error("permission {permission:?} names no usable host: {reason}")]
    Host {
        /// The permission as written.
        permission: String,
        /// What is wrong with its host.
        reason: NetworkHostError,
    },
}

impl Permission {
    /// The whole permission as written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The part before the first colon: `network` of `network:hooks.slack.com`.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.split_once(':').map_or(self.0.as_str(), |(name, _)| name)
    }

    /// The part after the first colon, if there is one.
    #[must_use]
    pub fn parameter(&self) -> Option<&str> {
        self.0.split_once(':').map(|(_, parameter)| parameter)
    }

    /// The host of a `network:HOST` permission: a name, `*.` and a name, an IPv4 address or an IPv6 address in brackets,
    /// each with an optional `:PORT`. `None` for any other permission, and for plain `network`, which names no host.
    #[must_use]
    pub fn network_host(&self) -> Option<&str> {
        if self.name() == "network" { self.parameter() } else { None }
    }

    /// Whether this is a permission of one of the platform's vocabularies or the host's own. A plugin may define others
    /// for its own routes, under `plugin.`.
    #[must_use]
    pub fn is_known(&self) -> bool {
        let subject = |word: &str| word == "users" || SUBJECTS.contains(&word);
        let verb = |word: &str| matches!(word, "read" | "write" | "read/write");
        match (self.name(), self.parameter()) {
            ("network", Some(_)) | ("streams", Some("tap" | "connect")) => true,
            (name, Some(parameter)) => {
                (verb(name) && subject(parameter)) || (subject(name) && verb(parameter))
            }
            (name, None) => match name.split_once('.') {
                Some((first, rest)) => {
                    first == "plugin" || (subject(first) && (verb(rest) || first == "admin"))
                }
                None => PLAIN.contains(&name),
            },
        }
    }

    /// The known plain names, for suggestions.
    pub(super) fn plain_names() -> &'static [&'static str] {
        &PLAIN
    }
}

impl FromStr for Permission {
    type Err = PermissionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let shown = || text.chars().take(80).collect::<String>();
        let (name, parameter) = match text.split_once(':') {
            Some((name, parameter)) => (name, Some(parameter)),
            None => (text, None),
        };
        let part = |part: &str| {
            !part.is_empty()
                && part
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
        };
        let starts = name.bytes().next().is_some_and(|b| b.is_ascii_lowercase());
        if !starts || name.len() > 64 || !name.split('.').all(part) {
            return Err(PermissionError::Name(shown()));
        }
        if let Some(parameter) = parameter {
            if !(1..=255).contains(&parameter.len()) || !parameter.bytes().all(|b| b.is_ascii_graphic()) {
                return Err(PermissionError::Parameter(shown()));
            }
            if name == "network" {
                network_host::check(parameter)
                    .map_err(|reason| PermissionError::Host { permission: shown(), reason })?;
            }
        }
        Ok(Self(text.to_owned()))
    }
}

impl<'de> Deserialize<'de> for Permission {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_vocabulary_of_the_platform_is_known() {
        for text in [
            "network",
            "admin_ui",
            "database",
            "api",
            "scheduler",
            "storage",
            "kubernetes",
            "admin",
            "filesystem",
            "execute",
            "notifications",
            "webhooks",
            "read:sessions",
            "write:sessions",
            "read:users",
            "write:users",
            "read:templates",
            "write:templates",
            "read:plugins",
            "read:billing",
            "write:billing",
            "write:config",
            "sessions:read",
            "sessions:write",
            "analytics:write",
            "compliance:read",
            "compliance:read/write",
            "billing:read",
            "infrastructure:write",
            "recording:read",
            "plugin.slack.send",
            "plugin.slack.config.write",
            "plugin.slack.webhooks.delete",
            "sessions.read",
            "admin.read",
            "admin.plugins.manage",
            "streams:tap",
            "streams:connect",
        ] {
            let permission: Permission = text.parse().expect(text);
            assert!(permission.is_known(), "{text} is not known");
            assert_eq!(permission.as_str(), text);
        }
    }

    #[test]
    fn an_unknown_name_is_a_permission_all_the_same() {
        for text in ["netwerk", "read:stars", "streams:all", "slack.preview", "x"] {
            assert!(!text.parse::<Permission>().expect(text).is_known(), "{text} is known");
        }
    }

    #[test]
    fn refuses_texts_that_are_not_of_the_form() {
        for text in ["", ":x", "Network", "a b", "a..b", ".a", "a.", "1a", "a:", "a:b c", "a:\u{e9}", "a\n"] {
            assert!(text.parse::<Permission>().is_err(), "{text:?} was accepted");
        }
    }

    #[test]
    fn a_network_parameter_must_be_a_host() {
        let permission: Permission = "network:hooks.slack.com".parse().expect("a host");
        assert_eq!((permission.name(), permission.network_host()), ("network", Some("hooks.slack.com")));
        assert_eq!("network".parse::<Permission>().expect("plain").network_host(), None);
        for text in ["network:https://a.example", "network:*", "network:a_b.example", "network:Example.com"] {
            assert!(matches!(text.parse::<Permission>(), Err(PermissionError::Host { .. })), "{text}");
        }
    }
}
