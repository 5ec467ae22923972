//! Describing a route.

use std::{fmt, time::Duration};

use super::RouteSpec;

/// Describes a route that was registered. What is not said has the host's defaults: signed-in callers only, on a thread
/// that may block, the host's own limit of a body (`server.max_body_bytes`) and its deadline of handlers
/// (`plugins.handler_deadline_secs`), which are also the most that can be had.
pub struct RouteBuilder<'r> {
    spec: &'r mut RouteSpec,
}

impl<'r> RouteBuilder<'r> {
    pub(crate) fn new(spec: &'r mut RouteSpec) -> Self {
        Self { spec }
    }

    /// Lets in only callers who are permitted this; said several times, all of it.
    pub fn permission(self, permission: &str) -> Self {
        self.spec.permissions.push(permission.into());
        self
    }

    /// Lets in everybody, signed in or not.
    pub fn public(self) -> Self {
        self.spec.public = true;
        self
    }

    /// Promises that the handler does not block, and runs it on the server's own thread as `[inline]`. It saves the way
    /// to another thread. Calls of the host that could block fail there, and a handler that takes long holds up every
    /// request of that thread: nobody can tell the caller that it is late.
    pub fn inline(self) -> Self {
        self.spec.inline = true;
        self
    }

    /// The largest body of a request, in bytes.
    pub fn body_limit(self, bytes: u64) -> Self {
        self.spec.max_body_bytes = bytes;
        self
    }

    /// After what time the caller is told that the handler is late (504). Of a stream: until it begins, and until the
    /// client takes more of it.
    pub fn timeout(self, time: Duration) -> Self {
        self.spec.timeout_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX).max(1);
        self
    }

    /// Says in a sentence what it is for. Operators read it.
    pub fn describe(self, description: &str) -> Self {
        self.spec.description = description.into();
        self
    }
}

impl fmt::Debug for RouteBuilder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteBuilder").field("spec", &self.spec).finish()
    }
}
