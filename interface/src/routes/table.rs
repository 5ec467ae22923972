//! `routes/1`, offered by the plugin.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr, RString, RVec},
};

use crate::{
    abi::{Handle, Outcome, Responder},
    http::{HeaderView, OwnedHeader},
};

/// The capability's id.
pub const ID: &str = "routes/1";

/// A route that a plugin asks for. Where a number is 0 the host's limit holds; it holds over every other number too.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct RouteSpec {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: RString,
    /// Below the plugin's own path: begins with `/`. `{name}` is one segment, a final `{*name}` the rest.
    pub path: RString,
    /// What the caller must be permitted, all of it.
    pub permissions: RVec<RString>,
    /// Whether anybody may call it, signed in or not.
    pub public: bool,
    /// Whether the handler promises not to block, and runs on the server's own thread.
    pub inline: bool,
    /// The largest body of a request, in bytes.
    pub max_body_bytes: u64,
    /// Milliseconds until the caller is told that the handler is late. Of a stream: until it begins, and until the
    /// client takes more of it.
    pub timeout_ms: u64,
    /// What it is for, in a sentence.
    pub description: RString,
}

impl RouteSpec {
    /// The route `method path`: for those who are signed in, on a thread that may block, with the host's limits.
    #[must_use]
    pub fn at(method: &str, path: &str) -> Self {
        Self {
            method: method.into(),
            path: path.into(),
            permissions: RVec::new(),
            public: false,
            inline: false,
            max_body_bytes: 0,
            timeout_ms: 0,
            description: RString::new(),
        }
    }
}

/// What a parameter of the path matched.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct ParamView<'a> {
    /// The name in the route's path.
    pub name: RStr<'a>,
    /// The value, decoded. Of `{name}` it has no `/`.
    pub value: RStr<'a>,
}

/// Who calls.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct CallerView<'a> {
    /// Whether the caller is signed in. If not, the rest is empty.
    pub signed_in: bool,
    /// Whether the caller is permitted everything, whatever `permissions` lists.
    pub unrestricted: bool,
    /// The account's id.
    pub id: RStr<'a>,
    /// The account's name.
    pub name: RStr<'a>,
    /// The caller's roles.
    pub roles: RSlice<'a, RStr<'a>>,
    /// What the caller is permitted.
    pub permissions: RSlice<'a, RStr<'a>>,
}

/// A request, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct IncomingView<'a> {
    /// The method, in capitals.
    pub method: RStr<'a>,
    /// The path below the plugin's own, decoded; begins with `/`.
    pub path: RStr<'a>,
    /// What the parameters of the route's path matched, in its order.
    pub params: RSlice<'a, ParamView<'a>>,
    /// What stood behind the `?`, as it was sent.
    pub query: RStr<'a>,
    /// The headers, names in lower case. Without the token that the caller signed in with.
    pub headers: RSlice<'a, HeaderView<'a>>,
    /// The body, whole.
    pub body: RSlice<'a, u8>,
    /// Who calls.
    pub caller: CallerView<'a>,
    /// The request's id, in the answer's `X-Request-Id` too.
    pub request_id: RStr<'a>,
    /// W3C's `traceparent` as it was sent, or empty.
    pub traceparent: RStr<'a>,
}

/// What the body of an answer is. A number and not an enum: a host that does not know one answers with an error.
#[repr(transparent)]
#[derive(StableAbi, Clone, Copy, PartialEq, Eq, Debug)]
pub struct BodyKind(pub u32);

impl BodyKind {
    /// The bytes themselves.
    pub const BYTES: Self = Self(1);
    /// The absolute path of a file, in UTF-8. The host sends it, in ranges if it is asked to.
    pub const FILE: Self = Self(2);
    /// A sentence for the caller, in UTF-8. The host makes a problem document of it.
    pub const PROBLEM: Self = Self(3);
    /// The answer was given through the responder, whole. Status, headers and body say nothing.
    pub const STREAMED: Self = Self(4);
}

/// An answer.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OutgoingAnswer {
    /// The status, 200–599.
    pub status: u16,
    /// The headers. Those of the connection, the length and cookies are the host's.
    pub headers: RVec<OwnedHeader>,
    /// One of the constants of [`BodyKind`].
    pub kind: BodyKind,
    /// What that says.
    pub body: RVec<u8>,
}

/// `routes/1`, the plugin's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = RoutesRef)))]
#[sabi(missing_field(option))]
pub struct Routes {
    /// `[setup]` After `load`: the routes that the plugin registers. Their position in the list is their number.
    pub list: extern "C" fn(Handle) -> Outcome<RVec<RouteSpec>>,
    /// `[request]` `[inline]` Handles a request to route number `u32`. Several calls at once.
    #[sabi(last_prefix_field)]
    pub handle: extern "C" fn(Handle, u32, IncomingView<'_>, Responder<'_>) -> Outcome<OutgoingAnswer>,
}
