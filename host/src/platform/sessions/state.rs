//! The states of a session: which follow each other, and what is emitted then.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// What has become of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Asked for. No controller has begun to make its desktop.
    Pending,
    /// A controller makes its desktop.
    Creating,
    /// Its desktop can be used.
    Running,
    /// Its desktop rests, and can be woken.
    Hibernated,
    /// Something went wrong.
    Failed,
    /// It is to go, for good. A controller takes its desktop down.
    Deleting,
    /// Nothing but this record is left of it.
    Deleted,
}

/// A text that names no state.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0:.40}` is not a state: expected `pending`, `creating`, `running`, `hibernated`, `failed`, `deleting` or `deleted`"
)]
pub struct UnknownState(String);

impl State {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::Pending,
        Self::Creating,
        Self::Running,
        Self::Hibernated,
        Self::Failed,
        Self::Deleting,
        Self::Deleted,
    ];

    /// Its name, as it is written everywhere.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Creating => "creating",
            Self::Running => "running",
            Self::Hibernated => "hibernated",
            Self::Failed => "failed",
            Self::Deleting => "deleting",
            Self::Deleted => "deleted",
        }
    }

    /// The states that may follow.
    #[must_use]
    pub fn next(self) -> &'static [Self] {
        match self {
            Self::Pending => &[Self::Creating, Self::Failed, Self::Deleting],
            Self::Creating => &[Self::Running, Self::Failed, Self::Deleting],
            Self::Running => &[Self::Hibernated, Self::Failed, Self::Deleting],
            Self::Hibernated => &[Self::Running, Self::Failed, Self::Deleting],
            Self::Failed => &[Self::Pending, Self::Deleting],
            Self::Deleting => &[Self::Deleted, Self::Failed],
            Self::Deleted => &[],
        }
    }

    /// Whether whoever owns a session may ask for this step. The others are for those who make desktops.
    pub(super) fn is_for_owners(self, to: Self) -> bool {
        matches!(
            (self, to),
            (Self::Running, Self::Hibernated)
                | (Self::Hibernated, Self::Running)
                | (Self::Failed, Self::Pending)
                | (_, Self::Deleting)
        )
    }

    /// Whether there may be a desktop that can be reached.
    pub(super) fn has_desktop(self) -> bool {
        matches!(self, Self::Creating | Self::Running)
    }

    /// Whether it may still be changed.
    pub(super) fn is_alive(self) -> bool {
        !matches!(self, Self::Deleting | Self::Deleted)
    }

    /// The topics of this step, `session.state.changed` apart, which goes ahead of them.
    pub(super) fn topics(self, to: Self) -> &'static [&'static str] {
        match (self, to) {
            (Self::Hibernated, Self::Running) => &["session.woken"],
            (_, Self::Running) => &["session.started"],
            (_, Self::Hibernated) => &["session.hibernated"],
            (Self::Running, Self::Failed) => &["session.stopped", "session.failed", "session.error"],
            (_, Self::Failed) => &["session.failed", "session.error"],
            (Self::Running, Self::Deleting) => &["session.stopped", "session.terminated"],
            (_, Self::Deleting) => &["session.terminated"],
            (_, Self::Deleted) => &["session.deleted"],
            (_, Self::Pending | Self::Creating) => &[],
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL.into_iter().find(|state| state.name() == text).ok_or_else(|| UnknownState(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_state_but_the_last_leads_to_the_end_and_none_to_itself() {
        for state in State::ALL {
            assert_eq!(state.name().parse(), Ok(state));
            assert!(!state.next().contains(&state), "{state}");
            assert_eq!(state.next().is_empty(), state == State::Deleted, "{state}");
            if state.is_alive() {
                assert!(state.next().contains(&State::Deleting), "{state}");
            }
        }
        assert!("stopped".parse::<State>().is_err());
    }

    #[test]
    fn an_owner_is_offered_no_step_that_is_none() {
        for from in State::ALL {
            for to in State::ALL.into_iter().filter(|to| from.is_alive() && from.is_for_owners(*to)) {
                assert!(from == to || from.next().contains(&to), "{from} {to}");
            }
        }
    }
}
