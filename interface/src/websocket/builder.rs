//! Describing a WebSocket route.

use std::fmt;

use super::WebSocketSpec;

/// Describes a WebSocket route that was registered. What is not said has the host's defaults: signed-in callers only, any
/// sub-protocol, the host's own limit of a message (`plugins.max_message_bytes`), which is also the most that can be had.
pub struct WebSocketBuilder<'r> {
    spec: &'r mut WebSocketSpec,
}

impl<'r> WebSocketBuilder<'r> {
    pub(crate) fn new(spec: &'r mut WebSocketSpec) -> Self {
        Self { spec }
    }

    /// Lets in only callers who are permitted this; said several times, all of it.
    pub fn permission(self, permission: &str) -> Self {
        self.spec.permissions.push(permission.into());
        self
    }

    /// Lets in everybody, signed in or not. Other sites' pages stay out.
    pub fn public(self) -> Self {
        self.spec.public = true;
        self
    }

    /// The sub-protocols that it speaks. A client that offers none is let in; one that offers others alone is turned away
    /// before the handler is called.
    pub fn protocols<'p>(self, protocols: impl IntoIterator<Item = &'p str>) -> Self {
        self.spec.protocols.extend(protocols.into_iter().map(Into::into));
        self
    }

    /// The largest message of a client, in bytes. A larger one closes the socket with 1009.
    pub fn max_message_bytes(self, bytes: u64) -> Self {
        self.spec.max_message_bytes = bytes;
        self
    }

    /// Says in a sentence what it is for. Operators read it.
    pub fn describe(self, description: &str) -> Self {
        self.spec.description = description.into();
        self
    }
}

impl fmt::Debug for WebSocketBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebSocketBuilder").field("spec", &self.spec).finish()
    }
}
