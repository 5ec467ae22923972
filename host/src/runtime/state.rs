//! The states of a plugin, and which follow which.

use std::fmt;

use serde::Serialize;

/// Where a plugin is in its life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "state", content = "reason", rename_all = "lowercase")]
pub enum State {
    /// Installed, and not asked to run.
    Installed,
    /// Being loaded.
    Loading,
    /// Loaded, and getting its events.
    Running,
    /// Getting its events, while another version is put in its place.
    Upgrading,
    /// Stopped by the operator.
    Disabled,
    /// Being stopped: intake is closed, handlers are running out.
    Retiring,
    /// Not running because something failed.
    Failed(String),
    /// Stopped by the host because it kept failing.
    Quarantined(String),
    /// Uninstalled.
    Gone,
}

impl State {
    /// The state's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Installed => "installed",
            Self::Loading => "loading",
            Self::Running => "running",
            Self::Upgrading => "upgrading",
            Self::Disabled => "disabled",
            Self::Retiring => "retiring",
            Self::Failed(_) => "failed",
            Self::Quarantined(_) => "quarantined",
            Self::Gone => "gone",
        }
    }

    /// Why it failed or was quarantined.
    #[must_use]
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Failed(reason) | Self::Quarantined(reason) => Some(reason),
            _ => None,
        }
    }

    /// Whether nothing of the plugin runs and nothing is being done with it.
    #[must_use]
    pub fn is_at_rest(&self) -> bool {
        matches!(self, Self::Installed | Self::Disabled | Self::Failed(_) | Self::Quarantined(_))
    }

    pub(super) fn is_running(&self) -> bool {
        *self == Self::Running
    }

    pub(super) fn is_upgrading(&self) -> bool {
        *self == Self::Upgrading
    }

    pub(super) fn is_loading(&self) -> bool {
        *self == Self::Loading
    }

    pub(super) fn is_retiring(&self) -> bool {
        *self == Self::Retiring
    }

    /// Whether `next` may follow.
    #[must_use]
    pub(super) fn may_become(&self, next: &Self) -> bool {
        use State::{Disabled, Failed, Gone, Installed, Loading, Quarantined, Retiring, Running, Upgrading};
        matches!(
            (self, next),
            (
                Installed | Disabled | Failed(_) | Quarantined(_),
                Loading | Installed | Disabled | Failed(_) | Gone
            ) | (Loading, Running | Failed(_))
                | (Running, Retiring | Loading | Upgrading)
                | (Upgrading, Running | Failed(_))
                | (Retiring, Disabled | Failed(_) | Quarantined(_) | Installed | Gone)
        )
    }

    /// The event that tells the platform of it.
    pub(super) fn topic(&self) -> Option<&'static str> {
        match self {
            Self::Running => Some("plugin.loaded"),
            Self::Disabled => Some("plugin.disabled"),
            Self::Failed(_) => Some("plugin.failed"),
            Self::Quarantined(_) => Some("plugin.quarantined"),
            Self::Installed | Self::Loading | Self::Upgrading | Self::Retiring | Self::Gone => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
