//! `http/1`, offered by the host.

use abi_stable::{
    StableAbi,
    std_types::{RSlice, RStr, RString, RVec},
};

use crate::abi::{Handle, Outcome};

/// The capability's id.
pub const ID: &str = "http/1";

/// A header of a request: name and value, the value as bytes.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct HeaderView<'a> {
    /// The name, in any case.
    pub name: RStr<'a>,
    /// The value.
    pub value: RSlice<'a, u8>,
}

/// A request, borrowed for the call.
#[repr(C)]
#[derive(StableAbi, Clone, Copy, Debug)]
pub struct RequestView<'a> {
    /// The method, e.g. `POST`.
    pub method: RStr<'a>,
    /// The URL: `http` or `https`, without user and password.
    pub url: RStr<'a>,
    /// The headers, sent in this order. `Host`, `Content-Length` and those of the connection are the host's.
    pub headers: RSlice<'a, HeaderView<'a>>,
    /// The body, possibly empty.
    pub body: RSlice<'a, u8>,
    /// Milliseconds for everything, 0 for the operator's limit; more than that limit means the limit.
    pub timeout_ms: u64,
    /// The largest body of an answer that is taken, in bytes, 0 for the operator's limit; more means the limit.
    pub max_response_bytes: u64,
    /// How many redirects are followed, 0 for none.
    pub max_redirects: u32,
}

/// A header of an answer.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct OwnedHeader {
    /// The name, in lower case.
    pub name: RString,
    /// The value.
    pub value: RVec<u8>,
}

/// An answer, whole.
#[repr(C)]
#[derive(StableAbi, Clone, Debug)]
pub struct Answer {
    /// The status, 200–599.
    pub status: u16,
    /// The headers, in the order in which they came.
    pub headers: RVec<OwnedHeader>,
    /// The body.
    pub body: RVec<u8>,
}

/// `http/1`, the host's half.
#[repr(C)]
#[derive(StableAbi, Debug)]
#[sabi(kind(Prefix(prefix_ref = HttpRef)))]
#[sabi(missing_field(option))]
pub struct Http {
    /// `[worker]` `[setup]` and threads of the plugin's own: sends a request and waits for the whole answer.
    #[sabi(last_prefix_field)]
    pub send: extern "C" fn(Handle, RequestView<'_>) -> Outcome<Answer>,
}
