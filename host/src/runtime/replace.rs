//! Another version of a plugin in the place of the one that runs, without a moment in which neither serves.
//!
//! The new one is loaded beside the old one. Then requests, events, jobs and what the console shows go over to it, all at
//! once. For a while it is watched. Whatever goes wrong until then, the old one goes on: it is there still, with its
//! intake closed, and neither `disable` nor `unload` was called.

use super::{PluginSpec, Runtime, RuntimeError};

/// A step of a replacement, in their order. Whoever keeps a journal is told before each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The new version is looked at, tried in a child process, and its migrations are applied. A crash from here on until
    /// [`Keep`](Self::Keep) leaves the old one: its next start takes the migrations back.
    Prepare,
    /// It is loaded and enabled beside the old one.
    Load,
    /// Requests, events, jobs and contributions go over to it.
    Switch,
    /// It passed: **here the record is to be written**, which makes it the version that is installed. A failure takes
    /// everything back. After this nothing is taken back any more.
    Keep,
    /// The old one is ended. Failures of the call are of no consequence from here on.
    Retire,
    /// Something went wrong: everything goes back to the old one. What was written at [`Keep`](Self::Keep), if that is
    /// what failed, is to be undone. A failure of the call is of no consequence.
    TakeBack,
}

/// A version was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaced {
    /// The version that ran.
    pub from: String,
    /// The version that runs now.
    pub to: String,
    /// Why something of the old one was left behind.
    pub left_behind: Option<String>,
}

impl Runtime {
    /// Puts the version of `spec` in the place of the one of this name that runs. While it lasts, the state is
    /// [`Upgrading`](super::State::Upgrading), and nothing else is done with the plugin. `before` is told of each [`Step`], and
    /// refuses it by an error. Blocks, for as long as the load, the drains and `plugins.health_gate_secs` take.
    ///
    /// `spec.library` must be at another path than the old one's, unless it is the same file. Both are mapped
    /// afterwards. `spec.config` is what the new version is given; the old one keeps its own.
    ///
    /// # Errors
    ///
    /// [`RuntimeError::State`] if no version runs; [`RuntimeError::Stopping`]; [`RuntimeError::Replace`] if the new version was not
    /// taken: the old one runs then, as before, unless the reason says otherwise.
    pub fn replace(
        &self,
        spec: PluginSpec,
        before: &mut dyn FnMut(Step) -> Result<(), String>,
    ) -> Result<Replaced, RuntimeError> {
        before(Step::Prepare).map_err(|reason| RuntimeError::Replace {
            plugin: spec.name.clone(),
            version: spec.version.clone(),
            reason,
        })?;
        Err(RuntimeError::Replace { plugin: spec.name, version: spec.version, reason: "not yet".to_owned() })
    }
}
