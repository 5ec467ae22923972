//! A WebSocket, before and after its handshake was accepted.

use std::{
    fmt,
    time::{Duration, Instant},
};

use super::{Closed, MessageKind, ReceivedKind, SocketError, SocketRef};
use crate::abi::{Bound, Handle, RStr, RVec};

/// The way to one socket of the host.
#[derive(Clone, Copy)]
struct Link {
    host: Option<Bound<SocketRef>>,
    socket: Handle,
}

impl Link {
    fn table(&self) -> Result<SocketRef, SocketError> {
        self.host.map(|host| host.table).ok_or(SocketError::Unavailable)
    }

    fn send(&self, kind: MessageKind, bytes: Vec<u8>) -> Result<(), SocketError> {
        // The buffer itself crosses: it is freed when the client has the bytes.
        self.table()?.send()(self.socket, kind, RVec::from(bytes)).into_result().map_err(SocketError::from)
    }

    fn close(&self, code: u16, reason: &str) -> Result<(), SocketError> {
        self.table()?.close()(self.socket, code, RStr::from_str(reason))
            .into_result()
            .map_err(SocketError::from)
    }

    fn closed(&self) -> Option<Closed> {
        match self.host {
            Some(host) => Closed::of_kind(host.table.closed()(self.socket)),
            None => Some(Closed::Gone),
        }
    }
}

/// A client's wish to open a socket. What the handler fails with before it [accepts](Self::accept) is the answer, as of a route.
pub struct Upgrade {
    link: Link,
    protocol: Option<String>,
}

impl Upgrade {
    pub(super) fn new(host: Option<Bound<SocketRef>>, socket: Handle, protocol: Option<String>) -> Self {
        Self { link: Link { host, socket }, protocol }
    }

    /// The first of the sub-protocols that the client offers which the route speaks.
    #[must_use]
    pub fn protocol(&self) -> Option<&str> {
        self.protocol.as_deref()
    }

    /// `[socket]` Accepts. The client is told this sub-protocol, if it offers it; with `None`, [the one](Self::protocol) that
    /// both speak.
    ///
    /// # Errors
    ///
    /// [`SocketError::Closed`] if the client has gone meanwhile, or was told that the handler is late.
    pub fn accept(self, protocol: Option<&str>) -> Result<Socket, SocketError> {
        let protocol = protocol.or(self.protocol()).unwrap_or_default();
        self.link.table()?.accept()(self.link.socket, RStr::from_str(protocol)).into_result()?;
        Ok(Socket { link: self.link })
    }
}

impl fmt::Debug for Upgrade {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upgrade").field("protocol", &self.protocol).finish_non_exhaustive()
    }
}

/// Until when is waited: for a [`Duration`], or up to an [`Instant`].
pub trait Patience {
    /// For how long from now on.
    fn left(self) -> Duration;
}

impl Patience for Duration {
    fn left(self) -> Duration {
        self
    }
}

impl Patience for Instant {
    fn left(self) -> Duration {
        self.saturating_duration_since(Instant::now())
    }
}

/// A socket that is open. It is closed at the latest when the handler returns.
///
/// Dropping it does not close it.
pub struct Socket {
    link: Link,
}

impl Socket {
    /// `[socket]` Waits for a message, for as long as is said: a [`Duration`] or an [`Instant`]. At most some messages wait in
    /// the host; while the plugin takes none, the client can send no more.
    ///
    /// Once the socket is closed, what came before that is received first, and then [`Received::Closed`], each time. Only of
    /// [`Closed::Stopping`] it is told at once.
    ///
    /// # Errors
    ///
    /// [`SocketError`], but not that the socket is closed.
    pub fn receive(&mut self, deadline: impl Patience) -> Result<Received, SocketError> {
        // Rounded up: what is left of a millisecond is not waited for in a circle.
        let millis = u64::try_from(deadline.left().as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
        let received = self.link.table()?.receive()(self.link.socket, millis);
        let received = match received.into_result().map_err(SocketError::from) {
            Ok(received) => received,
            // The handler has returned: whoever has the socket still need not tell the two apart.
            Err(SocketError::Closed(_)) => return Ok(Received::Closed(Closed::Done)),
            Err(why) => return Err(why),
        };
        Ok(match received.kind {
            ReceivedKind::BINARY => Received::Message(Message::Binary(MessageBytes(received.bytes))),
            ReceivedKind::TEXT => Received::Message(Message::Text(received.text.into_string())),
            ReceivedKind::CLOSED => Received::Closed(Closed::of_message(received)),
            _ => Received::Nothing,
        })
    }

    /// `[socket]` Sends a binary message. Waits for room, as long as the host does (`plugins.socket_send_deadline_secs`); then
    /// the client is cut off as one that is too slow. The buffer is handed over as it is.
    ///
    /// # Errors
    ///
    /// [`SocketError::Closed`] once the socket is.
    pub fn send(&mut self, bytes: impl Into<Vec<u8>>) -> Result<(), SocketError> {
        self.link.send(MessageKind::BINARY, bytes.into())
    }

    /// `[socket]` Sends a text, as [`send`](Self::send).
    ///
    /// # Errors
    ///
    /// As [`send`](Self::send).
    pub fn send_text(&mut self, text: impl Into<String>) -> Result<(), SocketError> {
        self.link.send(MessageKind::TEXT, text.into().into_bytes())
    }

    /// `[socket]` Closes it, behind what was sent. `code` is 1000 where all is well, and from 4000 on the plugin's own
    /// (RFC 6455, 7.4); of the reason 123 bytes are told.
    ///
    /// # Errors
    ///
    /// [`SocketError::Invalid`] for a code that may not be sent, [`SocketError::Closed`] if it is closed already.
    pub fn close(&mut self, code: u16, reason: &str) -> Result<(), SocketError> {
        self.link.close(code, reason)
    }

    /// `[any]` Whether it is closed. Messages may still be there to be received.
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.closed().is_some()
    }

    /// `[any]` Something that sends, for other threads: what is sent from several is sent whole, one after the other.
    #[must_use]
    pub fn sender(&self) -> Sender {
        Sender { link: self.link }
    }
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Socket").field("handle", &self.link.socket).finish()
    }
}

/// Sends into a socket from any thread that may block, also from one of the plugin's own. Once the socket's handler has
/// returned, everything fails as closed.
#[derive(Clone)]
pub struct Sender {
    link: Link,
}

impl Sender {
    /// As [`Socket::send`]. Not to be called where blocking is not allowed.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`].
    pub fn send(&self, bytes: impl Into<Vec<u8>>) -> Result<(), SocketError> {
        self.link.send(MessageKind::BINARY, bytes.into())
    }

    /// As [`Socket::send_text`]. Not to be called where blocking is not allowed.
    ///
    /// # Errors
    ///
    /// As [`Socket::send`].
    pub fn send_text(&self, text: impl Into<String>) -> Result<(), SocketError> {
        self.link.send(MessageKind::TEXT, text.into().into_bytes())
    }

    /// As [`Socket::close`]. Not to be called where blocking is not allowed.
    ///
    /// # Errors
    ///
    /// As [`Socket::close`].
    pub fn close(&self, code: u16, reason: &str) -> Result<(), SocketError> {
        self.link.close(code, reason)
    }

    /// `[any]` As [`Socket::is_closed`].
    #[must_use]
    pub fn is_closed(&self) -> bool {
        self.link.closed().is_some()
    }
}

impl fmt::Debug for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sender").field("handle", &self.link.socket).finish()
    }
}

/// What came of waiting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Received {
    /// A message, whole.
    Message(Message),
    /// Nothing came in time.
    Nothing,
    /// The socket is closed: nothing comes any more.
    Closed(Closed),
}

/// A message of a client.
#[derive(Clone, PartialEq, Eq)]
pub enum Message {
    /// Bytes.
    Binary(MessageBytes),
    /// A text.
    Text(String),
}

impl Message {
    /// Its bytes, of whichever kind it is.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Binary(bytes) => bytes,
            Self::Text(text) => text.as_bytes(),
        }
    }
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The rest may be a secret.
        let (kind, bytes) = match self {
            Self::Binary(bytes) => ("Binary", bytes.len()),
            Self::Text(text) => ("Text", text.len()),
        };
        f.debug_struct(kind).field("bytes", &bytes).finish_non_exhaustive()
    }
}

/// The bytes of a message, as the host has them: read through `Deref`.
#[derive(Clone, PartialEq, Eq)]
pub struct MessageBytes(RVec<u8>);

impl std::ops::Deref for MessageBytes {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl AsRef<[u8]> for MessageBytes {
    fn as_ref(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl From<MessageBytes> for Vec<u8> {
    /// Copies: the host's buffer goes back to the host.
    fn from(payload: MessageBytes) -> Self {
        payload.0.into_vec()
    }
}

impl fmt::Debug for MessageBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MessageBytes").field("bytes", &self.0.len()).finish_non_exhaustive()
    }
}
