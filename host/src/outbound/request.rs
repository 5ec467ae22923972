//! What a plugin asks for, what it gets, and what of it is checked before anything is sent.

use std::fmt;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use url::Url;

use super::error::OutboundError;

/// Headers that belong to the connection or are made from the request; a plugin does not set them (RFC 9110,
/// section 7.6.1).
const RESERVED: &[&str] = &[
    "connection",
    "content-length",
    "host",
    "http2-settings",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// An HTTP request of a plugin. Its `Debug` shows neither path nor headers nor body: they may hold secrets.
#[derive(Clone)]
pub struct Request {
    /// The method, such as `GET`.
    pub method: String,
    /// The URL: `http` or `https`, without user and password.
    pub url: String,
    /// The headers, in order. `Host`, `Content-Length` and those of the connection are set by the host.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body; at most `outbound.max_request_bytes`.
    pub body: Bytes,
    /// How long the request may take in all; at most `outbound.total_timeout_secs`, which is also the default.
    pub timeout: Option<Duration>,
    /// Largest response body, in bytes; at most `outbound.max_response_bytes`, which is also the default.
    pub max_response_bytes: Option<u64>,
    /// Redirects that are followed; at most `outbound.max_redirects`. With 0, a redirect is a response like others.
    /// To another origin, `Authorization` and cookies are not sent on; other headers are.
    pub max_redirects: u32,
}

impl Request {
    /// A request without headers and body, under the configured limits, that follows no redirects.
    #[must_use]
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        Self {
            method: method.into(),
            url: url.into(),
            headers: Vec::new(),
            body: Bytes::new(),
            timeout: None,
            max_response_bytes: None,
            max_redirects: 0,
        }
    }
}

impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = parse_url(&self.url).ok().and_then(|url| url.host_str().map(str::to_owned));
        f.debug_struct("Request")
            .field("method", &self.method)
            .field("host", &host)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .field("timeout", &self.timeout)
            .field("max_response_bytes", &self.max_response_bytes)
            .field("max_redirects", &self.max_redirects)
            .finish()
    }
}

/// The response to a plugin's request: the last one, where redirects were followed.
#[derive(Clone, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The headers, in order, with their names in lower case.
    pub headers: Vec<(String, Vec<u8>)>,
    /// The body as it was sent: it is not decompressed.
    pub body: Bytes,
}

impl fmt::Debug for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .field("body_bytes", &self.body.len())
            .finish()
    }
}

/// One request on its way: the plugin's, or the one that follows a redirect.
pub(super) struct Hop {
    pub(super) method: Method,
    pub(super) url: Url,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Hop {
    pub(super) fn new(request: Request) -> Result<Self, OutboundError> {
        let invalid = |reason: String| OutboundError::InvalidRequest { reason };
        let method = match Method::from_bytes(request.method.as_bytes()) {
            Ok(Method::CONNECT) => {
                return Err(invalid("the method CONNECT is not for plugins".to_owned()));
            }
            Ok(method) => method,
            Err(_) => {
                return Err(invalid("the method is not an HTTP token such as GET".to_owned()));
            }
        };
        let url = parse_url(&request.url).map_err(invalid)?;
        let headers = headers(&request.headers).map_err(invalid)?;
        Ok(Self { method, url, headers, body: request.body })
    }

    pub(super) fn host(&self) -> &str {
        self.url.host_str().unwrap_or_default()
    }
}

/// Reads a plugin's URL, more strictly than the URL standard: that one forgives a missing host and takes the path's
/// first part for it, which would carry a part of the path into messages.
fn parse_url(text: &str) -> Result<Url, String> {
    if text.contains(|character: char| character.is_ascii_control()) {
        return Err("the URL holds a control character".to_owned());
    }
    let url = Url::parse(text).map_err(|error| format!("the URL cannot be read: {error}"))?;
    check_url(&url)?;
    match text.split_once("://") {
        Some((_, rest)) if !rest.starts_with(['/', '\\']) => Ok(url),
        _ => Err("the URL names no host: expected http://HOST/… or https://HOST/…".to_owned()),
    }
}

/// Checks what every URL must be, the plugin's own or one it is redirected to.
pub(super) fn check_url(url: &Url) -> Result<(), &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the URL's scheme is neither http nor https");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL holds a user or a password; send them in the Authorization header");
    }
    if url.port() == Some(0) {
        return Err("the URL's port is 0, to which nothing can connect");
    }
    Ok(())
}

fn headers(given: &[(String, Vec<u8>)]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (index, (name, value)) in given.iter().enumerate() {
        // Neither text is shown where it is not what it should be: a value may have come in the name's place.
        let name = HeaderName::from_bytes(name.as_bytes())
            .map_err(|_| format!("the name of header {} is not an HTTP token", index + 1))?;
        if RESERVED.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(format!("the header {name} is set by the plugin host; leave it out"));
        }
        let value = HeaderValue::from_bytes(value)
            .map_err(|_| format!("the value of the header {name} holds a control character"))?;
        if headers.try_append(name, value).is_err() {
            return Err("there are too many headers".to_owned());
        }
    }
    Ok(headers)
}
