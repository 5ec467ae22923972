//! Outbound HTTP on behalf of plugins.
//!
//! A plugin reaches the hosts its permissions name, and of those only public addresses and the ones the operator
//! allows. Both are checked for every hop of a redirect; the addresses where they are used, in the client's own name
//! resolution, so that no second answer of the DNS can slip past. No proxy and no cookies; bodies pass as they are.

mod address;
mod allowed;
mod capability;
mod error;
mod redirect;
mod request;
mod resolver;
pub(crate) mod tls;

use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::sync::Semaphore;
use url::{Host, Url};

use crate::config;
use address::AddressRules;
use request::Hop;
use resolver::Resolver;

pub use allowed::{AllowedHosts, InvalidPermission};
pub use error::{Deadline, OutboundError, Part, SetupError};
pub use request::{Request, Response};

pub(crate) use capability::{PluginHttp, open as open_http};

const USER_AGENT: &str = concat!("StreamSpace/", env!("CARGO_PKG_VERSION"));

/// The HTTP client all plugins share.
#[derive(Debug)]
pub struct Outbound {
    client: reqwest::Client,
    has_roots: bool,
    rules: Arc<AddressRules>,
    config: config::Outbound,
}

/// A plugin as it makes requests: what it may reach, and how many requests it has under way.
#[derive(Debug)]
pub struct Caller {
    plugin: String,
    allowed: AllowedHosts,
    permits: Semaphore,
}

impl Outbound {
    /// Sets up the client. Nothing is connected to.
    ///
    /// # Errors
    ///
    /// When `ca_file` cannot be read or used. A platform without root certificates is not an error; see
    /// [`has_roots`](Self::has_roots).
    pub fn new(config: &config::Outbound) -> Result<Self, SetupError> {
        let rules = Arc::new(AddressRules::new(&config.allow_addresses));
        let resolver = Arc::new(Resolver::new(&config.hosts, Arc::clone(&rules)));
        let builder = || {
            reqwest::Client::builder()
                .user_agent(USER_AGENT)
                .no_proxy()
                .redirect(reqwest::redirect::Policy::none()) // followed here, where each hop is checked
                .referer(false)
                .connect_timeout(Duration::from_secs(config.connect_timeout_secs))
                .dns_resolver(Arc::clone(&resolver))
        };
        let tls::Built { client, has_roots } = tls::build(builder, config.ca_file.as_deref())?;
        Ok(Self { client, has_roots, rules, config: config.clone() })
    }

    /// Whether there is any root certificate to trust. Without, every `https` request fails with
    /// [`OutboundError::Tls`]; worth a warning when the host starts.
    #[must_use]
    pub fn has_roots(&self) -> bool {
        self.has_roots
    }

    /// A plugin that makes requests. Requests made through one `Caller` share its limit of concurrent requests.
    #[must_use]
    pub fn caller(&self, plugin: impl Into<String>, allowed: AllowedHosts) -> Caller {
        let permits =
            usize::try_from(self.config.max_concurrent_per_plugin).unwrap_or(Semaphore::MAX_PERMITS);
        Caller { plugin: plugin.into(), allowed, permits: Semaphore::new(permits) }
    }

    /// Sends a request and reads the response whole. A status of 400 and above is a response, not an error.
    ///
    /// The deadline spans everything: waiting for the plugin's earlier requests, connecting, every redirect, and the
    /// body. Dropping the future abandons the request; whether the other side has seen it is then unknown.
    ///
    /// # Errors
    ///
    /// See [`OutboundError`]. With [`InvalidRequest`](OutboundError::InvalidRequest),
    /// [`PermissionDenied`](OutboundError::PermissionDenied) and a request body that is
    /// [`TooLarge`](OutboundError::TooLarge), nothing was sent, unless a redirect led there.
    pub async fn send(&self, caller: &Caller, request: Request) -> Result<Response, OutboundError> {
        let total = Duration::from_secs(self.config.total_timeout_secs);
        let total = request.timeout.map_or(total, |timeout| timeout.min(total));
        let limits = Limits {
            redirects: request.max_redirects.min(self.config.max_redirects),
            response: request
                .max_response_bytes
                .map_or(self.config.max_response_bytes, |bytes| bytes.min(self.config.max_response_bytes)),
        };
        let hop = Hop::new(request)?;
        self.admit(caller, &hop.url)?;
        let host = hop.host().to_owned();
        if exceeds(hop.body.len(), self.config.max_request_bytes) {
            let limit = self.config.max_request_bytes;
            return Err(OutboundError::TooLarge { host, part: Part::Request, limit });
        }

        let work = async {
            let _permit =
                caller.permits.acquire().await.map_err(|_| OutboundError::Internal {
                    reason: "the plugin's limit of requests is gone",
                })?;
            self.follow(caller, hop, limits).await
        };
        match tokio::time::timeout(total, work).await {
            Ok(result) => result,
            Err(_) => Err(OutboundError::Timeout { host, which: Deadline::Total, limit: total }),
        }
    }

    async fn follow(&self, caller: &Caller, mut hop: Hop, limits: Limits) -> Result<Response, OutboundError> {
        let mut followed = 0;
        loop {
            let request = self
                .client
                .request(hop.method.clone(), hop.url.clone())
                .headers(hop.headers.clone())
                .body(hop.body.clone());
            let response = request.send().await.map_err(|error| self.failed(&error, hop.host()))?;
            if limits.redirects == 0 {
                return self.read(response, hop.host(), limits.response).await;
            }
            let Some(next) = redirect::next(&hop, response.status(), response.headers())? else {
                return self.read(response, hop.host(), limits.response).await;
            };
            if followed == limits.redirects {
                let host = hop.host().to_owned();
                return Err(OutboundError::TooManyRedirects { host, limit: limits.redirects });
            }
            followed += 1;
            self.admit(caller, &next.url)?;
            hop = next;
        }
    }

    /// Checks the permission for a URL's host, and its address where the URL gives one instead of a name: such a
    /// host is never resolved.
    fn admit(&self, caller: &Caller, url: &Url) -> Result<(), OutboundError> {
        let host = url.host_str().unwrap_or_default().to_owned();
        if !caller.allowed.allows(url) {
            return Err(OutboundError::PermissionDenied {
                plugin: caller.plugin.clone(),
                host,
                port: url.port_or_known_default().unwrap_or_default(),
                allowed: caller.allowed.to_string(),
            });
        }
        let literal = match url.host() {
            Some(Host::Ipv4(address)) => self.rules.check(address.into()),
            Some(Host::Ipv6(address)) => self.rules.check(address.into()),
            Some(Host::Domain(_)) | None => Ok(()),
        };
        literal.map_err(|refused| OutboundError::AddressRefused {
            host,
            address: refused.address,
            nature: refused.nature,
        })
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        host: &str,
        limit: u64,
    ) -> Result<Response, OutboundError> {
        let too_large = || OutboundError::TooLarge { host: host.to_owned(), part: Part::Response, limit };
        if response.content_length().is_some_and(|length| length > limit) {
            return Err(too_large());
        }
        let headers = response
            .headers()
            .iter()
            .map(|(name, value)| (name.as_str().to_owned(), value.as_bytes().to_vec()))
            .collect();
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| self.failed(&error, host))? {
            if exceeds(body.len() + chunk.len(), limit) {
                return Err(too_large());
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Response { status: response.status().as_u16(), headers, body: body.freeze() })
    }

    fn failed(&self, error: &reqwest::Error, host: &str) -> OutboundError {
        let connect = Duration::from_secs(self.config.connect_timeout_secs);
        OutboundError::from_client(error, host, connect, self.has_roots)
    }
}

/// A request's limits, each the smaller of the plugin's and the operator's.
#[derive(Clone, Copy)]
struct Limits {
    redirects: u32,
    response: u64,
}

fn exceeds(length: usize, limit: u64) -> bool {
    u64::try_from(length).is_ok_and(|length| length > limit)
}
