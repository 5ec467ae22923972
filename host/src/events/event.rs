//! One event, held once for all its consumers.

use std::sync::Arc;

use bytes::Bytes;
use streamspace_plugin::{
    abi::{RSlice, RStr},
    events::EventView,
};
use uuid::Uuid;

/// An event that was accepted. Immutable, and shared by everything that holds it.
#[derive(Debug)]
pub struct Event {
    /// A UUID of version 7, made by the host.
    pub id: Uuid,
    /// When the host accepted it, microseconds since 1970-01-01 UTC, unless the emitter gave a time.
    pub time_us: u64,
    /// The topic.
    pub topic: Arc<str>,
    /// Who emitted it.
    pub source: Arc<str>,
    /// What it is about within the source; empty if not given.
    pub subject: Box<str>,
    /// The payload, a JSON value.
    pub data: Bytes,
    /// Further CloudEvents attributes as a JSON object; empty if there are none.
    pub attributes: Bytes,
}

impl Event {
    /// The view that a plugin gets.
    #[must_use]
    pub fn view(&self, attempt: u32) -> EventView<'_> {
        EventView {
            id: *self.id.as_bytes(),
            time_us: self.time_us,
            attempt,
            topic: RStr::from_str(&self.topic),
            source: RStr::from_str(&self.source),
            subject: RStr::from_str(&self.subject),
            data: RSlice::from_slice(&self.data),
            attributes: RSlice::from_slice(&self.attributes),
        }
    }
}

/// An event that someone wants to emit.
#[derive(Debug, Clone)]
pub struct NewEvent<'a> {
    /// The topic; checked by the bus.
    pub topic: &'a str,
    /// Who emits it.
    pub source: Arc<str>,
    /// What it is about within the source; empty if not given.
    pub subject: &'a str,
    /// When it happened, microseconds since 1970-01-01 UTC; `None` for now.
    pub time_us: Option<u64>,
    /// The payload, a JSON value.
    pub data: Bytes,
    /// Further CloudEvents attributes as a JSON object; empty if there are none.
    pub attributes: Bytes,
}
