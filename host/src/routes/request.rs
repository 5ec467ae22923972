//! A request, as it goes to a handler.

use std::sync::Arc;

use bytes::Bytes;
use smallvec::SmallVec;
use streamspace_plugin::{
    abi::{RSlice, RStr},
    http::HeaderView,
    routes::{CallerView, IncomingView, ParamView},
};

use super::{Caller, table::Param};

/// Headers, copied into one piece of memory: a handler runs on another thread than the one that has them.
#[derive(Default)]
pub struct Headers {
    names: String,
    values: Vec<u8>,
    /// Where the name and the value of each end.
    ends: SmallVec<[(usize, usize); 16]>,
}

impl Headers {
    /// Adds one.
    pub fn push(&mut self, name: &str, value: &[u8]) {
        self.names.push_str(name);
        self.values.extend_from_slice(value);
        self.ends.push((self.names.len(), self.values.len()));
    }

    fn views(&self) -> SmallVec<[HeaderView<'_>; 16]> {
        let mut from = (0, 0);
        let view = |to: &(usize, usize)| {
            let view = HeaderView {
                name: RStr::from_str(&self.names[from.0..to.0]),
                value: RSlice::from_slice(&self.values[from.1..to.1]),
            };
            from = *to;
            view
        };
        self.ends.iter().map(view).collect()
    }
}

impl std::fmt::Debug for Headers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_struct("Headers").field("count", &self.ends.len()).finish_non_exhaustive()
    }
}

/// A request.
pub struct Request {
    /// The path below the plugin's own, decoded.
    pub path: String,
    /// What stood behind the `?`.
    pub query: String,
    /// The headers, without the token that the caller signed in with.
    pub headers: Headers,
    /// The body.
    pub body: Bytes,
    /// Who calls.
    pub caller: Arc<Caller>,
    /// Its id.
    pub id: String,
    /// W3C's `traceparent`, or nothing.
    pub traceparent: String,
}

impl std::fmt::Debug for Request {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The rest may be a secret.
        f.debug_struct("Request").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Request {
    /// Lends it.
    pub(super) fn with_view<T>(
        &self,
        method: &str,
        params: &[Param],
        call: impl FnOnce(IncomingView<'_>) -> T,
    ) -> T {
        let params: SmallVec<[ParamView<'_>; 2]> = params
            .iter()
            .map(|(name, at)| ParamView {
                name: RStr::from_str(name.as_str()),
                value: RStr::from_str(&self.path[at.clone()]),
            })
            .collect();
        let headers = self.headers.views();
        let roles: SmallVec<[RStr<'_>; 2]> =
            self.caller.roles().iter().map(|role| RStr::from_str(role)).collect();
        let permissions: SmallVec<[RStr<'_>; 8]> =
            self.caller.permissions().iter().map(|permission| RStr::from_str(permission)).collect();
        call(IncomingView {
            method: RStr::from_str(method),
            path: RStr::from_str(&self.path),
            params: RSlice::from_slice(&params),
            query: RStr::from_str(&self.query),
            headers: RSlice::from_slice(&headers),
            body: RSlice::from_slice(&self.body),
            caller: CallerView {
                signed_in: self.caller.is_signed_in(),
                unrestricted: self.caller.is_unrestricted(),
                id: RStr::from_str(self.caller.id()),
                name: RStr::from_str(self.caller.name()),
                roles: RSlice::from_slice(&roles),
                permissions: RSlice::from_slice(&permissions),
            },
            request_id: RStr::from_str(&self.id),
            traceparent: RStr::from_str(&self.traceparent),
        })
    }
}
