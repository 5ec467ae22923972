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

    pub(super) fn views(&self) -> HeaderViews<'_> {
        let mut from = (0, 0);
        let view = |to: &(usize, usize)| {
            let header = (&self.names[from.0..to.0], &self.values[from.1..to.1]);
            from = *to;
            header
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

/// Headers, lent.
#[derive(Default)]
pub struct HeaderViews<'a>(SmallVec<[HeaderView<'a>; 16]>);

impl<'a> FromIterator<(&'a str, &'a [u8])> for HeaderViews<'a> {
    fn from_iter<T: IntoIterator<Item = (&'a str, &'a [u8])>>(headers: T) -> Self {
        Self(headers.into_iter().map(|(name, value)| view(name, value)).collect())
    }
}

fn view<'a>(name: &'a str, value: &'a [u8]) -> HeaderView<'a> {
    HeaderView { name: RStr::from_str(name), value: RSlice::from_slice(value) }
}

impl<'a> HeaderViews<'a> {
    /// Adds one.
    pub fn push(&mut self, name: &'a str, value: &'a [u8]) {
        self.0.push(view(name, value));
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[HeaderView<'a>] {
        &self.0
    }
}

/// A request that goes to another thread.
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

impl Request {
    /// `headers` are views of its own.
    pub(super) fn lend<'a>(&'a self, headers: &'a [HeaderView<'a>]) -> Lent<'a> {
        Lent {
            path: &self.path,
            query: &self.query,
            headers,
            body: &self.body,
            caller: &self.caller,
            id: &self.id,
            traceparent: &self.traceparent,
        }
    }
}

/// A request that is answered where it is: nothing of it is copied.
pub struct Lent<'a> {
    /// The path below the plugin's own, decoded.
    pub path: &'a str,
    /// What stood behind the `?`.
    pub query: &'a str,
    /// The headers, without the token that the caller signed in with.
    pub headers: &'a [HeaderView<'a>],
    /// The body.
    pub body: &'a [u8],
    /// Who calls.
    pub caller: &'a Caller,
    /// Its id.
    pub id: &'a str,
    /// W3C's `traceparent`, or nothing.
    pub traceparent: &'a str,
}

macro_rules! debug {
    ($($type:ty),*) => {$(
        impl std::fmt::Debug for $type {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                // The rest may be a secret.
                f.debug_struct(stringify!($type)).field("id", &self.id).finish_non_exhaustive()
            }
        }
    )*};
}

debug!(Request, Lent<'_>);

impl std::fmt::Debug for HeaderViews<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Values may be secrets.
        f.debug_struct("HeaderViews").field("count", &self.0.len()).finish_non_exhaustive()
    }
}

impl Lent<'_> {
    /// Makes a view of it. `names` are those of the parameters, `params` is where their values stand in the path.
    pub(super) fn with_view<T>(
        &self,
        method: &str,
        names: &[String],
        params: &[Param],
        call: impl FnOnce(IncomingView<'_>) -> T,
    ) -> T {
        let params: SmallVec<[ParamView<'_>; 2]> = names
            .iter()
            .zip(params)
            .map(|(name, at)| ParamView {
                name: RStr::from_str(name.as_str()),
                value: RStr::from_str(&self.path[at.clone()]),
            })
            .collect();
        let roles: SmallVec<[RStr<'_>; 2]> =
            self.caller.roles().iter().map(|role| RStr::from_str(role)).collect();
        let permissions: SmallVec<[RStr<'_>; 8]> =
            self.caller.permissions().iter().map(|permission| RStr::from_str(permission)).collect();
        call(IncomingView {
            method: RStr::from_str(method),
            path: RStr::from_str(self.path),
            params: RSlice::from_slice(&params),
            query: RStr::from_str(self.query),
            headers: RSlice::from_slice(self.headers),
            body: RSlice::from_slice(self.body),
            caller: CallerView {
                signed_in: self.caller.is_signed_in(),
                unrestricted: self.caller.is_unrestricted(),
                id: RStr::from_str(self.caller.id()),
                name: RStr::from_str(self.caller.name()),
                roles: RSlice::from_slice(&roles),
                permissions: RSlice::from_slice(&permissions),
            },
            request_id: RStr::from_str(self.id),
            traceparent: RStr::from_str(self.traceparent),
        })
    }
}
