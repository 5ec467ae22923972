//! `websocket/1`, the plugin's half and the host's.

use abi_stable::{
    StableAbi,
    std_types::{ROption, RStr, RString, RVec},
};

use crate::{
    abi::{Handle, Outcome},
    routes::{IncomingView, OutgoingAnswer},
};

/// The capability's id, on both sides.
pub const ID: &str = "websocket/1";

/// A route that a plugin asks for. Where a number is 0 the host's limit holds; it holds over every other number too.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct WebSocketSpec {
    /// As that of a route, which answers `GET`: one path has one of the two.
    pub path: RString,
    /// What the caller must be permitted, all of it.
    pub permissions: RVec<RString>,
    /// Whether anybody may open it, signed in or not.
    pub public: bool,
    /// The sub-protocols that it speaks. If there are any, a client that offers others alone is turned away.
    pub protocols: RVec<RString>,
    /// The largest message of a client, in bytes.
    pub max_message_bytes: u64,
    /// What it is for, in a sentence.
    pub description: RString,
}

impl WebSocketSpec {
    /// The route at `path`: for those who are signed in, of any sub-protocol, with the host's limits.
    #[must_use]
    pub fn at(path: &str) -> Self {
        Self {
            path: path.into(),
            permissions: RVec::new(),
            public: false,
            protocols: RVec::new(),
            max_message_bytes: 0,
            description: RString::new(),
        }
    }
}

/// What a message is. A number and not an enum: either side refuses one that it does not know.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct MessageKind(pub u32);

impl MessageKind {
    /// Bytes.
    pub const BINARY: Self = Self(1);
    /// A text.
    pub const TEXT: Self = Self(2);
}

/// What came of waiting. A number and not an enum: a plugin takes one that it does not know for nothing.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ReceivedKind(pub u32);

impl ReceivedKind {
    /// Nothing came in time.
    pub const NOTHING: Self = Self(0);
    /// Bytes, in `bytes`.
    pub const BINARY: Self = Self(1);
    /// A text, in `text`.
    pub const TEXT: Self = Self(2);
    /// The socket is closed, for the reason in `closed`, with `code` and what `text` says.
    pub const CLOSED: Self = Self(3);
}

/// Why a socket is closed. A number and not an enum: hosts may have further reasons.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct ClosedKind(pub u32);

impl ClosedKind {
    /// It is not.
    pub const NOT: Self = Self(0);
    /// The client closed it, with the code and the reason that are told.
    pub const CLIENT: Self = Self(1);
    /// The connection is gone.
    pub const GONE: Self = Self(2);
    /// The client gave no sign for too long.
    pub const SILENT: Self = Self(3);
    /// The client took nothing for too long.
    pub const SLOW: Self = Self(4);
    /// The client sent a message that is too large.
    pub const TOO_LARGE: Self = Self(5);
    /// The client sent what is no WebSocket's.
    pub const PROTOCOL: Self = Self(6);
    /// The plugin is to end, or the host.
    pub const STOPPING: Self = Self(7);
    /// The plugin closed it.
    pub const PLUGIN: Self = Self(8);
}

/// What came of waiting for a message, owned: nothing is copied on its way.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct ReceivedMessage {
    /// One of the constants of [`ReceivedKind`].
    pub kind: ReceivedKind,
    /// The bytes of a message.
    pub bytes: RVec<u8>,
    /// The text of a message, or what was said when the socket was closed.
    pub text: RString,
    /// One of the constants of [`ClosedKind`].
    pub closed: ClosedKind,
    /// The code (RFC 6455, 7.4) that the client closed the socket with, or that it was told; 1005 for none.
    pub code: u16,
}

/// `websocket/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = WebSocketsRef)))]
#[sabi(missing_field(option))]
pub struct WebSockets {
    /// `[setup]` After `load`: the routes that the plugin registers. Their position in the list is their number.
    pub list: extern "C" fn(Handle) -> Outcome<RVec<WebSocketSpec>>,
    /// `[socket]` Serves the socket of that handle on route number `u32`, until it is closed. Several calls at once. If the
    /// handshake was not accepted, what is answered goes to the client as the answer of a route.
    #[sabi(last_prefix_field)]
    pub serve: extern "C" fn(Handle, u32, IncomingView<'_>, Handle) -> Outcome<ROption<OutgoingAnswer>>,
}

/// `websocket/1`, the host's half. The first argument of all of them is the handle of a socket, which names nothing any more
/// once `serve` has returned.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = SocketRef)))]
#[sabi(missing_field(option))]
pub struct SocketTable {
    /// `[socket]` Accepts the handshake, once. The sub-protocol is told to the client if it offers it; empty for none.
    pub accept: extern "C" fn(Handle, RStr<'_>) -> Outcome<()>,
    /// `[socket]` and threads of the plugin's own: waits up to so many milliseconds for a message. One call at a time.
    pub receive: extern "C" fn(Handle, u64) -> Outcome<ReceivedMessage>,
    /// `[socket]` and other threads that may block: sends a message, and waits for room.
    pub send: extern "C" fn(Handle, MessageKind, RVec<u8>) -> Outcome<()>,
    /// `[socket]` and other threads that may block: closes the socket, behind what was sent, with a code and a reason.
    pub close: extern "C" fn(Handle, u16, RStr<'_>) -> Outcome<()>,
    /// `[any]` Why it is closed: one of the constants of [`ClosedKind`].
    #[sabi(last_prefix_field)]
    pub closed: extern "C" fn(Handle) -> ClosedKind,
}
