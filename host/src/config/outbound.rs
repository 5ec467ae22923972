use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use serde::{Deserialize, Serialize};

/// `[outbound]`: HTTP requests made on behalf of plugins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Outbound {
    /// How long a connection may take, name resolution and TLS included, in seconds. 1 to 300, default 5.
    pub connect_timeout_secs: u64,
    /// How long a request may take in all, from the plugin's call to the last byte of the response, in seconds; a
    /// plugin may ask for less. 1 to 3600, default 10.
    pub total_timeout_secs: u64,
    /// Largest request body, in bytes. 1024 to 1073741824 (1 GiB), default 1048576 (1 MiB).
    pub max_request_bytes: u64,
    /// Largest response body, in bytes; a plugin may ask for less. 1024 to 1073741824 (1 GiB), default 10485760
    /// (10 MiB).
    pub max_response_bytes: u64,
    /// Ceiling on the redirects followed for a plugin that asks for redirects. 0 to 20, default 5.
    pub max_redirects: u32,
    /// Requests one plugin may have under way; more wait within their own timeout. 1 to 1024, default 16.
    pub max_concurrent_per_plugin: u32,
    /// Addresses that may be reached although they are not public, as CIDR networks or single addresses. Default
    /// empty.
    pub allow_addresses: Vec<Network>,
    /// A PEM file with root certificates that are trusted besides the platform's. A relative path is taken from the
    /// working directory. Default none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    /// `[outbound.hosts]`: fixed addresses for names, as `/etc/hosts` gives them: `"name" = "ip"` or
    /// `"name" = "ip:port"`, where the port stands in for the scheme's own when a URL names none. The rules on
    /// addresses still apply. Default empty.
    pub hosts: BTreeMap<String, StaticAddress>,
}

impl Default for Outbound {
    fn default() -> Self {
        Self {
            connect_timeout_secs: 5,
            total_timeout_secs: 10,
            max_request_bytes: 1024 * 1024,
            max_response_bytes: 10 * 1024 * 1024,
            max_redirects: 5,
            max_concurrent_per_plugin: 16,
            allow_addresses: Vec::new(),
            ca_file: None,
            hosts: BTreeMap::new(),
        }
    }
}

/// A text that is not an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected {expected}, found {found:?}")]
pub struct InvalidAddress {
    /// What the text should have been.
    pub expected: &'static str,
    /// The text.
    pub found: String,
}

/// A network in CIDR notation, or a single address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Network(pub IpNet);

impl Network {
    pub(super) const EXPECTED: &'static str = "an IP address or a network such as \"10.0.0.0/8\"";

    /// Whether `address` lies in the network.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address)
    }
}

impl FromStr for Network {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let network = text.parse::<IpNet>().ok().or_else(|| text.parse::<IpAddr>().ok().map(IpNet::from));
        network
            .map(|network| Self(network.trunc()))
            .ok_or_else(|| InvalidAddress { expected: Self::EXPECTED, found: text.to_owned() })
    }
}

impl TryFrom<String> for Network {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.prefix_len() == self.0.max_prefix_len() { self.0.addr().fmt(f) } else { self.0.fmt(f) }
    }
}

impl From<Network> for String {
    fn from(network: Network) -> Self {
        network.to_string()
    }
}

/// The fixed address of a name: an IP address, with a port if it is not the scheme's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StaticAddress {
    /// The address.
    pub ip: IpAddr,
    /// The port used when a URL names none; `None` is the scheme's own.
    pub port: Option<u16>,
}

impl StaticAddress {
    pub(super) const EXPECTED: &'static str =
        "an IP address, with or without a port, such as \"10.0.0.5:8443\"";
}

impl FromStr for StaticAddress {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        if let Ok(ip) = text.parse() {
            return Ok(Self { ip, port: None });
        }
        match text.parse::<SocketAddr>() {
            Ok(address) if address.port() != 0 => Ok(Self { ip: address.ip(), port: Some(address.port()) }),
            _ => Err(InvalidAddress { expected: Self::EXPECTED, found: text.to_owned() }),
        }
    }
}

impl TryFrom<String> for StaticAddress {
    type Error = InvalidAddress;

    fn try_from(text: String) -> Result<Self, InvalidAddress> {
        text.parse()
    }
}

impl fmt::Display for StaticAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.port {
            Some(port) => SocketAddr::new(self.ip, port).fmt(f),
            None => self.ip.fmt(f),
        }
    }
}

impl From<StaticAddress> for String {
    fn from(address: StaticAddress) -> Self {
        address.to_string()
    }
}
