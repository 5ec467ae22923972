//! Outbound HTTP: `http/1`.
//!
//! The host sends the request. It allows the hosts that the manifest's permissions name (`network:hooks.slack.com`,
//! `network:*.example.com`, or `network` for all), refuses loopback, link-local and private addresses unless the
//! operator allowed them, follows no redirect unless asked to, and bounds time and size.

mod table;

use std::{fmt, time::Duration};

use serde::{Serialize, de::DeserializeOwned};

pub use self::table::{Answer, HeaderView, Http as HttpTable, HttpRef, ID, OwnedHeader, RequestView};
use crate::abi::{Bound, Fault, FaultKind, RSlice, RStr};

/// Sends HTTP requests through the host.
#[derive(Debug, Clone, Copy)]
pub struct Http(Option<Bound<HttpRef>>);

impl Http {
    pub(crate) fn new(host: Option<Bound<HttpRef>>) -> Self {
        Self(host)
    }

    /// `[worker]` `[setup]` Sends `request` and waits for the whole answer. A status of 400 and above is an answer,
    /// not an error.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn notify(context: &Context) -> Result<()> {
    ///     let request = Request::post("https://hooks.example.com/T0/B0").json(&serde_json::json!({"text": "hi"}));
    ///     let response = context.http().send(&request)?;
    ///     if response.status() == 429 {
    ///         // too fast
    ///     }
    ///     Ok(())
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`HttpError`], one variant for each thing that a plugin may want to tell apart.
    pub fn send(&self, request: &Request) -> Result<Response, HttpError> {
        let host = self.0.ok_or(HttpError::Unavailable)?;
        let headers: Vec<HeaderView<'_>> = request
            .headers
            .iter()
            .map(|(name, value)| HeaderView {
                name: RStr::from_str(name),
                value: RSlice::from_slice(value.as_bytes()),
            })
            .collect();
        let view = RequestView {
            method: RStr::from_str(request.method),
            url: RStr::from_str(&request.url),
            headers: RSlice::from_slice(&headers),
            body: RSlice::from_slice(&request.body),
            timeout_ms: request
                .timeout
                .map_or(0, |timeout| u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1)),
            max_response_bytes: request.max_response_bytes,
            max_redirects: request.max_redirects,
        };
        host.table.send()(host.handle, view).into_result().map(Response).map_err(HttpError::from)
    }
}

/// A request to be sent.
///
/// ```
/// # use std::time::Duration;
/// # use streamspace_plugin::prelude::*;
/// let request = Request::get("https://api.example.com/v1/status")
///     .header("Authorization", "Bearer …")
///     .timeout(Duration::from_secs(3))
///     .max_response_bytes(64 * 1024);
/// assert!(!format!("{request:?}").contains("Bearer"));
/// ```
///
/// Its `Debug` form shows neither path nor headers nor body: any of them may be a secret.
#[derive(Clone)]
pub struct Request {
    method: &'static str,
    url: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    timeout: Option<Duration>,
    max_response_bytes: u64,
    max_redirects: u32,
}

impl Request {
    fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self {
            method,
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            timeout: None,
            max_response_bytes: 0,
            max_redirects: 0,
        }
    }

    /// A `GET` of `url`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST` to `url`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// A `PUT` to `url`.
    pub fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// A `PATCH` of `url`.
    pub fn patch(url: impl Into<String>) -> Self {
        Self::new("PATCH", url)
    }

    /// A `DELETE` of `url`.
    pub fn delete(url: impl Into<String>) -> Self {
        Self::new("DELETE", url)
    }

    /// Adds a header. `Host`, `Content-Length` and the headers of the connection are the host's to set.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body as it is.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to `value` as JSON, with its `Content-Type`.
    ///
    /// # Panics
    ///
    /// If `value` cannot be written as JSON, which takes a map whose keys are not texts.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let body = serde_json::to_vec(value).expect("the value's maps have texts as keys");
        self.header("Content-Type", "application/json").body(body)
    }

    /// The time for everything, up to the operator's limit, which is also the default (10 s unless changed).
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// The largest answer that is taken, in bytes, up to the operator's limit, which is also the default (10 MiB
    /// unless changed).
    #[must_use]
    pub fn max_response_bytes(mut self, bytes: u64) -> Self {
        self.max_response_bytes = bytes;
        self
    }

    /// Follows up to `count` redirects; the default is none. Each hop is checked as the first one was.
    #[must_use]
    pub fn follow_redirects(mut self, count: u32) -> Self {
        self.max_redirects = count;
        self
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("body_bytes", &self.body.len())
            .finish_non_exhaustive()
    }
}

/// An answer, whole.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// // What a test of a plugin makes, and the host otherwise.
/// let response = Response::new(429, [("Retry-After", "7")], "slow down");
/// assert_eq!((response.status(), response.header("retry-after")), (429, Some("7")));
/// ```
#[derive(Clone)]
pub struct Response(Answer);

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // As with a request, any of the rest may be a secret.
        f.debug_struct("Response")
            .field("status", &self.0.status)
            .field("body_bytes", &self.0.body.len())
            .finish_non_exhaustive()
    }
}

impl Response {
    /// An answer as the host would give it, for tests of a plugin.
    pub fn new<'a>(
        status: u16,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: impl Into<Vec<u8>>,
    ) -> Self {
        let headers = headers.into_iter().map(|(name, value)| OwnedHeader {
            name: name.to_ascii_lowercase().into(),
            value: value.as_bytes().to_vec().into(),
        });
        Self(Answer { status, headers: headers.collect(), body: body.into().into() })
    }

    /// The status, 200–599.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status
    }

    /// The first header of that name, in any case, if it is a text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.0
            .headers
            .iter()
            .find(|header| header.name.eq_ignore_ascii_case(name))
            .and_then(|header| std::str::from_utf8(&header.value).ok())
    }

    /// The body.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.0.body
    }

    /// The body as a text; bytes that are not UTF-8 become U+FFFD.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Errors
    ///
    /// When it is not JSON, or not of the shape of a `T`.
    pub fn json<T: DeserializeOwned>(&self) -> serde_json::Result<T> {
        serde_json::from_slice(&self.0.body)
    }
}

/// Why no answer came. The messages name the host, never the rest of the URL.
///
/// ```
/// # use streamspace_plugin::prelude::*;
/// fn handled(error: HttpError) -> Handled {
///     match error {
///         HttpError::PermissionDenied(why) => Handled::reject(format!("ask the operator: {why}")),
///         error if error.is_transient() => Handled::retry(error.to_string()),
///         error => Handled::reject(error.to_string()),
///     }
/// }
/// # assert!(matches!(handled(HttpError::Unavailable), Handled::Reject { .. }));
/// ```
#[derive(Debug, Clone, thiserror::Error, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// This host has no `http/1`.
    #[error("this host offers no outbound HTTP (`http/1`)")]
    Unavailable,
    /// The request itself is not valid.
    #[error("{0}")]
    InvalidRequest(String),
    /// The manifest's permissions do not include the host of the URL.
    #[error("{0}")]
    PermissionDenied(String),
    /// The host name does not resolve.
    #[error("{0}")]
    UnknownHost(String),
    /// The name resolves only to addresses that the operator does not allow.
    #[error("{0}")]
    AddressRefused(String),
    /// No connection could be made.
    #[error("{0}")]
    Connect(String),
    /// The TLS handshake failed.
    #[error("{0}")]
    Tls(String),
    /// The time was up.
    #[error("{0}")]
    TimedOut(String),
    /// The request or the answer is larger than allowed.
    #[error("{0}")]
    TooLarge(String),
    /// A redirect was refused, or there were too many.
    #[error("{0}")]
    RedirectRefused(String),
    /// The connection was lost before the answer was complete.
    #[error("{0}")]
    ConnectionLost(String),
    /// Anything else.
    #[error("{0}")]
    Other(String),
}

impl HttpError {
    /// Whether the same request may succeed later: true for what the network does, false for what rules and the
    /// request itself forbid.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Self::UnknownHost(_)
                | Self::Connect(_)
                | Self::Tls(_)
                | Self::TimedOut(_)
                | Self::ConnectionLost(_)
                | Self::Other(_)
        )
    }
}

impl From<Fault> for HttpError {
    fn from(fault: Fault) -> Self {
        let message = fault.message.into_string();
        match fault.kind {
            FaultKind::INVALID => Self::InvalidRequest(message),
            FaultKind::DENIED => Self::PermissionDenied(message),
            FaultKind::UNKNOWN_HOST => Self::UnknownHost(message),
            FaultKind::ADDRESS_REFUSED => Self::AddressRefused(message),
            FaultKind::CONNECT => Self::Connect(message),
            FaultKind::TLS => Self::Tls(message),
            FaultKind::TIMED_OUT => Self::TimedOut(message),
            FaultKind::TOO_LARGE => Self::TooLarge(message),
            FaultKind::REDIRECT_REFUSED => Self::RedirectRefused(message),
            FaultKind::CONNECTION_LOST => Self::ConnectionLost(message),
            _ => Self::Other(message),
        }
    }
}
