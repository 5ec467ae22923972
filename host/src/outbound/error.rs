//! What can go wrong with a request.
//!
//! No error carries the client's own, and none the URL's path or query, a header's value or a body: a webhook's path
//! is a secret. What is kept of a cause is text that cannot hold them.

use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::resolver::ResolveError;

/// Why [`Outbound`](super::Outbound) could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SetupError {
    /// The file of `outbound.ca_file` cannot be read.
    #[error("cannot read outbound.ca_file {}: {source}; check the path and its permissions", path.display())]
    CaFileUnreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file of `outbound.ca_file` holds no certificates, or one that cannot be used.
    #[error(
        "outbound.ca_file {} cannot be used: {reason}; expected root certificates in PEM form",
        path.display()
    )]
    CaFileInvalid {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The HTTP client could not be made.
    #[error("cannot set up outbound HTTP: {reason}")]
    Client {
        /// What the client said.
        reason: String,
    },
}

/// Why a plugin's request got no response.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OutboundError {
    /// The request itself is wrong; nothing was sent.
    #[error("the request is not valid: {reason}")]
    InvalidRequest {
        /// What is wrong, what was expected and found.
        reason: String,
    },
    /// The plugin has no permission for the host.
    #[error(
        "the plugin `{plugin}` may not reach {host}:{port}: its permissions allow {allowed}; to let it, add the \
         permission `network:{host}` to the plugin's manifest"
    )]
    PermissionDenied {
        /// The plugin.
        plugin: String,
        /// The host it asked for.
        host: String,
        /// The port it asked for.
        port: u16,
        /// The hosts it may reach.
        allowed: String,
    },
    /// The host's name has no address.
    #[error("the name {host} has no known address ({reason}); check its spelling, and the machine's DNS")]
    UnknownHost {
        /// The host.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// Every address of the host is one that plugins may not reach.
    #[error(
        "{host} is not reached: expected a public address, found {address}, which is {nature}; to allow it, add \
         \"{address}\" or its network to outbound.allow_addresses in streamspace.toml"
    )]
    AddressRefused {
        /// The host.
        host: String,
        /// The address.
        address: IpAddr,
        /// What the address is, such as `loopback`.
        nature: &'static str,
    },
    /// No connection came about.
    #[error("cannot connect to {host}: {reason}; check that it runs and that no firewall is in between")]
    Connect {
        /// The host.
        host: String,
        /// What the operating system said.
        reason: String,
    },
    /// The TLS handshake failed.
    #[error("no secure connection to {host}: {reason}; {advice}")]
    Tls {
        /// The host.
        host: String,
        /// What the TLS library said.
        reason: String,
        /// What to do.
        advice: &'static str,
    },
    /// A deadline passed.
    #[error("{host} took too long: expected {which} within {limit:?}")]
    Timeout {
        /// The host first asked.
        host: String,
        /// The deadline that passed.
        which: Deadline,
        /// How long it was.
        limit: Duration,
    },
    /// A body is larger than its limit.
    #[error(
        "the {part} body for {host} is too large: expected at most {limit} bytes; see outbound.max_{part}_bytes in \
         streamspace.toml, and the request's own limit"
    )]
    TooLarge {
        /// The host.
        host: String,
        /// Whose body it is.
        part: Part,
        /// The limit, in bytes.
        limit: u64,
    },
    /// The response redirects once more than is allowed.
    #[error("{host} redirects too often: expected at most {limit} redirects; look for a loop")]
    TooManyRedirects {
        /// The host of the last redirect.
        host: String,
        /// The redirects allowed.
        limit: u32,
    },
    /// The response redirects to where the host does not follow.
    #[error("the redirect from {host} is not followed: {reason}")]
    RedirectRefused {
        /// The host that redirects.
        host: String,
        /// What is wrong with the target.
        reason: &'static str,
    },
    /// The connection ended before the response did.
    #[error(
        "the connection to {host} was lost before the response was complete: {reason}; the request may have been \
         handled all the same"
    )]
    ConnectionLost {
        /// The host.
        host: String,
        /// How it ended.
        reason: String,
    },
    /// A fault of the plugin host's.
    #[error(
        "outbound HTTP failed within the plugin host: {reason}; this is a fault of the host, please report it"
    )]
    Internal {
        /// What happened.
        reason: &'static str,
    },
}

/// A deadline of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deadline {
    /// Name resolution, connection and TLS: `outbound.connect_timeout_secs`.
    Connect,
    /// Everything: `outbound.total_timeout_secs`, or the request's own.
    Total,
}

impl fmt::Display for Deadline {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Connect => "a connection",
            Self::Total => "a complete response",
        })
    }
}

/// The request or the response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The request.
    Request,
    /// The response.
    Response,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Request => "request",
            Self::Response => "response",
        })
    }
}

impl OutboundError {
    /// What the client's error means for a request to `host`.
    pub(super) fn from_client(
        error: &reqwest::Error,
        host: &str,
        connect: Duration,
        has_roots: bool,
    ) -> Self {
        let host = host.to_owned();
        let mut last_io = None;
        for cause in causes(error) {
            match cause.downcast_ref::<ResolveError>() {
                Some(ResolveError::Unknown(reason)) => {
                    return Self::UnknownHost { host, reason: reason.clone() };
                }
                Some(ResolveError::Refused(refused)) => {
                    return Self::AddressRefused { host, address: refused.address, nature: refused.nature };
                }
                None => {}
            }
            if let Some(error) = cause.downcast_ref::<rustls::Error>() {
                return Self::Tls { host, reason: error.to_string(), advice: advice(has_roots) };
            }
            if let Some(error) = cause.downcast_ref::<io::Error>() {
                last_io = Some(describe(error));
            }
        }
        if error.is_builder() {
            return Self::InvalidRequest { reason: format!("the URL or a header for {host} cannot be sent") };
        }
        if error.is_connect() {
            if error.is_timeout() {
                return Self::Timeout { host, which: Deadline::Connect, limit: connect };
            }
            return Self::Connect { host, reason: last_io.unwrap_or_else(|| "no connection".to_owned()) };
        }
        let reason = last_io.unwrap_or_else(|| "it ended early, or was not HTTP".to_owned());
        Self::ConnectionLost { host, reason }
    }
}

fn advice(has_roots: bool) -> &'static str {
    if has_roots {
        "if its certificate is from an authority of your own, name that authority's file in outbound.ca_file in \
         streamspace.toml"
    } else {
        "this machine has no root certificates: install the system's package for them (ca-certificates), or set \
         outbound.ca_file in streamspace.toml"
    }
}

/// What the operating system said: never the text of an error that merely travels in an `io::Error`.
fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(code) => io::Error::from_raw_os_error(code).to_string(),
        None => error.kind().to_string(),
    }
}

/// The error's causes, outermost first. An `io::Error` passes over the error it wraps when asked for its source, so
/// that one is asked for by name.
fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    fn next<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a (dyn StdError + 'static)> {
        match error.downcast_ref::<io::Error>() {
            Some(error) => error.get_ref().map(|inner| inner as _),
            None => error.source(),
        }
    }
    std::iter::successors(error.source(), |error| next(*error))
}
