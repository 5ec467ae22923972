//! Emitting a plugin's own events.

use serde::Serialize;
use uuid::Uuid;

use super::{EmissionView, EmitterRef};
use crate::abi::{Bound, Fault, FaultKind, RSlice, RStr};

/// Emits events of this plugin.
#[derive(Debug, Clone, Copy)]
pub struct Events {
    plugin: &'static str,
    host: Option<Bound<EmitterRef>>,
}

impl Events {
    pub(crate) fn new(plugin: &'static str, host: Option<Bound<EmitterRef>>) -> Self {
        Self { plugin, host }
    }

    /// Emits `plugin.<name of this plugin>.<event>` with `data` as its payload and answers with the event's
    /// id. `event` is one or more tokens of letters, digits, `_` and `-`, separated by dots. Never waits for a
    /// consumer. If a durable consumer wants the event, waits until the event is in the host's log, so this is not to be
    /// called where blocking is not allowed.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// #[derive(serde::Serialize)]
    /// struct Invoice { number: u32 }
    ///
    /// fn invoiced(context: &Context) -> Result<()> {
    ///     context.events().emit("invoice.created", Some("session-7"), &Invoice { number: 12 })?;
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`EmitError`]; nothing was emitted then.
    pub fn emit<T: Serialize + ?Sized>(
        &self,
        event: &str,
        subject: Option<&str>,
        data: &T,
    ) -> Result<Uuid, EmitError> {
        let data = serde_json::to_vec(data).map_err(|why| EmitError::Invalid(why.to_string()))?;
        self.emit_json(event, subject, &data)
    }

    /// As [`emit`](Self::emit), with a payload that is JSON already.
    ///
    /// # Errors
    ///
    /// [`EmitError`]; nothing was emitted then.
    pub fn emit_json(&self, event: &str, subject: Option<&str>, data: &[u8]) -> Result<Uuid, EmitError> {
        let host = self.host.ok_or(EmitError::Unavailable)?;
        let topic = format!("plugin.{}.{event}", self.plugin);
        let view = EmissionView {
            topic: RStr::from_str(&topic),
            subject: RStr::from_str(subject.unwrap_or_default()),
            data: RSlice::from_slice(data),
        };
        host.table.emit()(host.handle, view).into_result().map(Uuid::from_bytes).map_err(EmitError::from)
    }
}

/// Why an event was not emitted.
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum EmitError {
    /// This host has no `events/1`.
    #[error("this host offers no events (`events/1`)")]
    Unavailable,
    /// The name, subject or payload is not valid.
    #[error("{0}")]
    Invalid(String),
    /// The payload is larger than the host takes.
    #[error("{0}")]
    TooLarge(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl From<Fault> for EmitError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::INVALID | FaultKind::DENIED => Self::Invalid(message),
            FaultKind::TOO_LARGE => Self::TooLarge(message),
            _ => Self::Other(message),
        }
    }
}
