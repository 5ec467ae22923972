//! What a plugin is allowed, in words.

use serde::{Deserialize, Serialize};
use streamspace_plugin::manifest::Permission;

use super::{InstallError, Plugins};
use crate::clock;

/// A permission that a plugin was granted.
#[derive(Debug, Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct GrantView {
    /// As the manifest writes it.
    pub permission: String,
    /// What it allows, for people.
    pub explanation: String,
    /// When it was granted, RFC 3339.
    pub granted_at: String,
}

impl Plugins {
    /// What a plugin was granted, by permission.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`]; [`InstallError::Store`].
    pub fn grants(&self, name: &str) -> Result<Vec<GrantView>, InstallError> {
        self.installed(name)?;
        let view = |(permission, granted_us): (String, u64)| GrantView {
            explanation: explain(&permission),
            granted_at: clock::rfc3339(granted_us),
            permission,
        };
        Ok(self.store.grants(name)?.into_iter().map(view).collect())
    }
}

/// What a permission allows.
fn explain(permission: &str) -> String {
    let Ok(parsed) = permission.parse::<Permission>() else {
        return "Nothing: it is no permission".to_owned();
    };
    if let Some(host) = parsed.network_host() {
        return format!("Send HTTP requests to {host}");
    }
    let known = match (parsed.name(), parsed.parameter()) {
        ("database", None) => Some("Have tables of its own, and keys and values of its own"),
        ("storage", None) => Some("Have keys and values of its own"),
        ("network", None) => Some("Nothing by itself: a host must be named, as in `network:example.com`"),
        ("admin" | "admin_ui", None) => Some("Show pages and widgets to administrators"),
        ("ui", None) => Some("Show pages and widgets to users"),
        ("api" | "webhooks", None) => Some("Answer HTTP requests below its own path"),
        ("events", None) => Some("Receive events, and emit its own"),
        ("scheduler", None) => Some("Run jobs by the clock"),
        ("notifications", None) => Some("Notify users"),
        ("streams", None) => Some("Take part in the streams of sessions"),
        ("execute" | "filesystem" | "kubernetes", None) => Some("Nothing: this host grants no such thing"),
        _ => None,
    };
    if let Some(known) = known {
        return known.to_owned();
    }
    let words = permission.split([':', '.']).collect::<Vec<_>>();
    match words.as_slice() {
        [verb @ ("read" | "write" | "read/write"), subject]
        | [subject, verb @ ("read" | "write" | "read/write")] => {
            let verb = match *verb {
                "read" => "See",
                "write" => "Change",
                _ => "See and change",
            };
            format!("{verb} {subject}")
        }
        ["plugin", ..] => "A permission that the plugin defines for its own routes".to_owned(),
        _ => "Nothing that this host knows".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_permission_is_explained_in_words() {
        for (permission, expected) in [
            ("network:*.example.com", "Send HTTP requests to *.example.com"),
            ("read:sessions", "See sessions"),
            ("sessions:write", "Change sessions"),
            ("sessions.read", "See sessions"),
            ("plugin.slack.send", "A permission that the plugin defines for its own routes"),
            ("something", "Nothing that this host knows"),
        ] {
            assert_eq!(explain(permission), expected, "{permission}");
        }
    }
}
