//! One event, as a handler sees it.

use std::{
    fmt,
    time::{Duration, SystemTime},
};

use serde::de::DeserializeOwned;
use uuid::Uuid;

use super::EventView;
use crate::decode::{Mismatch, decode};

/// An event, borrowed from the host for the call of the handler.
///
/// ```
/// # use streamspace_plugin::{abi::{RSlice, RStr}, events::EventView, prelude::*};
/// // What a test of a plugin makes, and the host otherwise.
/// let view = EventView {
///     id: [0; 16],
///     time_us: 1_767_323_045_000_000,
///     attempt: 1,
///     topic: RStr::from_str("session.created"),
///     source: RStr::from_str("/streamspace/sessions"),
///     subject: RStr::from_str("s1"),
///     data: RSlice::from_slice(br#"{"id": "s1", "user_id": "ada"}"#),
///     attributes: RSlice::from_slice(b""),
/// };
/// let event = Event::new(&view);
///
/// let session: payload::Session = event.decode()?;
/// assert_eq!((event.subject(), session.user.as_str()), (Some("s1"), "ada"));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Copy)]
pub struct Event<'a>(&'a EventView<'a>);

impl<'a> Event<'a> {
    /// Wraps what came over the interface. Made by the SDK before it calls a handler, and by tests of plugins.
    #[must_use]
    pub fn new(view: &'a EventView<'a>) -> Self {
        Self(view)
    }

    /// The host's id of the event, the same at every try: what to de-duplicate by.
    #[must_use]
    pub fn id(&self) -> Uuid {
        Uuid::from_bytes(self.0.id)
    }

    /// When it happened, to the microsecond.
    #[must_use]
    pub fn time(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(self.0.time_us)
    }

    /// How often it was handed to this consumer, this time included: 1 and up.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.0.attempt
    }

    /// The topic, e.g. `session.created`.
    #[must_use]
    pub fn topic(&self) -> &'a str {
        self.0.topic.as_str()
    }

    /// Who emitted it, e.g. `/streamspace/sessions` or `plugin:streamspace-billing`.
    #[must_use]
    pub fn source(&self) -> &'a str {
        self.0.source.as_str()
    }

    /// What it is about within the source, e.g. a session's id.
    #[must_use]
    pub fn subject(&self) -> Option<&'a str> {
        Some(self.0.subject.as_str()).filter(|subject| !subject.is_empty())
    }

    /// The payload: the bytes of a JSON value.
    #[must_use]
    pub fn data(&self) -> &'a [u8] {
        self.0.data.as_slice()
    }

    /// Further CloudEvents attributes, e.g. `traceparent`: the bytes of a JSON object, or nothing.
    #[must_use]
    pub fn attributes(&self) -> Option<&'a [u8]> {
        Some(self.0.attributes.as_slice()).filter(|attributes| !attributes.is_empty())
    }

    /// Reads the payload as a `T`, one of [`payload`](super::payload) or a type of your own.
    ///
    /// # Errors
    ///
    /// [`DecodeError`] when it is not of that shape. Returned from a handler with `?`, it rejects the event.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, DecodeError> {
        decode(self.data()).map_err(|Mismatch { path, reason }| DecodeError {
            topic: self.topic().to_owned(),
            path,
            reason,
        })
    }
}

impl fmt::Debug for Event<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Event")
            .field("id", &self.id())
            .field("topic", &self.topic())
            .field("attempt", &self.attempt())
            .finish_non_exhaustive()
    }
}

/// An event's payload is not of the shape that the plugin reads it as. Says where, and not what stood there.
#[derive(Debug, Clone, thiserror::Error)]
#[error("the payload of `{topic}` does not have the expected shape at `{path}`: {reason}")]
pub struct DecodeError {
    topic: String,
    path: String,
    reason: String,
}
