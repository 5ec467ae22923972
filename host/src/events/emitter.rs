//! The host's half of `events/1`: a plugin emits its own events.

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use streamspace_plugin::{
    abi::{Capability, Fault, FaultKind, Handle, IntoTable, Outcome, guard},
    events::{EmissionView, Emitter, EmitterRef},
};

use super::{Bus, EmitError, NewEvent};
use crate::{
    blocking,
    handles::{Handles, Opened},
};

/// What a plugin emits with.
#[derive(Debug)]
pub(crate) struct PluginEmitter {
    pub(crate) bus: Arc<Bus>,
    /// `plugin:NAME`.
    pub(crate) source: Arc<str>,
    /// `plugin.NAME.`: what every topic of the plugin begins with.
    pub(crate) prefix: String,
}

static EMITTERS: LazyLock<Handles<PluginEmitter>> = LazyLock::new(Handles::new);

/// Gives a plugin its half.
pub(crate) fn open(emitter: PluginEmitter) -> (Capability, Opened) {
    let opened = EMITTERS.open(Arc::new(emitter));
    (Capability::new(table(), opened.handle()), opened)
}

fn table() -> EmitterRef {
    static TABLE: LazyLock<EmitterRef> = LazyLock::new(|| Emitter { emit }.leak_into_prefix());
    *TABLE
}

extern "C" fn emit(handle: Handle, emission: EmissionView<'_>) -> Outcome<[u8; 16]> {
    guard("the host's `emit`", || EMITTERS.with(handle, |emitter| emitter.emit(emission)))
        .and_then(|answer| answer)
        .into()
}

impl PluginEmitter {
    fn emit(&self, emission: EmissionView<'_>) -> Result<[u8; 16], Fault> {
        let topic = emission.topic.as_str();
        if !topic.starts_with(&self.prefix) {
            return Err(Fault::new(
                FaultKind::DENIED,
                format_args!(
                    "a plugin emits only its own events: expected `{}…`, found `{topic:.80}`",
                    self.prefix
                ),
            ));
        }
        let data = emission.data.as_slice();
        let (found, limit) = (data.len(), self.bus.limits().max_data_bytes);
        if found > limit {
            return Err(Fault::new(FaultKind::TOO_LARGE, EmitError::TooLarge { found, limit }));
        }
        // The payload goes to other plugins as JSON; what is not JSON stops here.
        let text = std::str::from_utf8(data)
            .map_err(|why| Fault::new(FaultKind::INVALID, format_args!("the payload is not UTF-8: {why}")))?;
        serde_json::from_str::<serde::de::IgnoredAny>(text)
            .map_err(|why| Fault::new(FaultKind::INVALID, format_args!("the payload is not JSON: {why}")))?;
        if blocking::is_forbidden() && self.bus.is_durable(topic) {
            blocking::check("emitting a durable event")?;
        }
        let event = NewEvent {
            topic,
            source: Arc::clone(&self.source),
            subject: emission.subject.as_str(),
            time_us: None,
            data: Bytes::copy_from_slice(data),
            attributes: Bytes::new(),
        };
        match self.bus.emit(event) {
            Ok(id) => Ok(*id.as_bytes()),
            Err(why @ (EmitError::Topic(_) | EmitError::Nul(_))) => Err(Fault::new(FaultKind::INVALID, why)),
            Err(why @ EmitError::Log(_)) => Err(Fault::new(FaultKind::UNREACHABLE, why)),
            Err(why @ EmitError::TooLarge { .. }) => Err(Fault::new(FaultKind::TOO_LARGE, why)),
        }
    }
}
