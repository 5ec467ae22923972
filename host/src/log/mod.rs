//! The host's log, and its half of `log/1`.
//!
//! One record a line on the standard output: JSON, or a form for people when it is a terminal. A plugin's records pass
//! its level, its rate limit and the redaction of its secrets first.

mod drain;
mod plugin;
mod redact;
mod ring;

pub(crate) use self::{
    drain::WRITTEN_ONLY,
    plugin::{PluginLog, open as open_plugin_log},
};
pub use self::{
    drain::{Format, LogGuard, Logs},
    redact::Redactor,
    ring::{LogLine, LogPage, Wanted, Whose},
};
