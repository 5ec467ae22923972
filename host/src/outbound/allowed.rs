//! The hosts a plugin's permissions name.

use std::fmt;

use url::{Host, Url};

use super::resolver::normalise;

/// A `network` permission that names no host.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the permission `{permission}` is not valid: {reason}; expected `network`, `network:HOST`, \
     `network:*.DOMAIN` or one of these with `:PORT`"
)]
pub struct InvalidPermission {
    /// The permission.
    pub permission: String,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// The hosts a plugin may reach, from its permissions. Without any, none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AllowedHosts {
    patterns: Vec<Pattern>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Pattern {
    hosts: Hosts,
    /// `None` is any port.
    port: Option<u16>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Hosts {
    Any,
    /// One host, as a URL's host reads when it is normalised.
    Exact(String),
    /// Every name below this one.
    Below(String),
}

impl AllowedHosts {
    /// Reads the `network` permissions among `permissions`: `network` is any host, `network:HOST` one host,
    /// `network:*.DOMAIN` every name below a domain (not the domain itself), and `:PORT` behind either restricts
    /// it to a port. A host compares without regard to case and in its IDNA form. Other permissions are passed over.
    ///
    /// # Errors
    ///
    /// When a permission begins with `network:` and names no valid host.
    pub fn from_permissions<'a>(
        permissions: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, InvalidPermission> {
        let mut patterns = Vec::new();
        for permission in permissions {
            if permission == "network" {
                patterns.push(Pattern { hosts: Hosts::Any, port: None });
            } else if let Some(text) = permission.strip_prefix("network:") {
                let invalid = |reason| InvalidPermission { permission: permission.to_owned(), reason };
                patterns.push(Pattern::parse(text).map_err(invalid)?);
            }
        }
        Ok(Self { patterns })
    }

    /// Whether the URL's host and port are among them.
    #[must_use]
    pub fn allows(&self, url: &Url) -> bool {
        let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else {
            return false;
        };
        let host = normalise(host);
        self.patterns.iter().any(|pattern| pattern.allows(&host, port))
    }
}

impl Pattern {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let (host, port) = match text.rsplit_once(':') {
            Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
            _ => (text, None),
        };
        let port = match port.map(str::parse) {
            None => None,
            Some(Ok(0) | Err(_)) => return Err("the port is not a number from 1 to 65535"),
            Some(Ok(port)) => Some(port),
        };
        let (name, below) = match host.strip_prefix("*.") {
            Some(name) => (name, true),
            None => (host, false),
        };
        if name.contains('*') {
            return Err("`*` stands only for the whole first part of a name");
        }
        let hosts = match (Host::parse(name), below) {
            (Ok(Host::Domain(_)), true) => Hosts::Below(format!(".{}", normalise(name))),
            (Ok(_), true) => return Err("an address has no names below it"),
            (Ok(_), false) => Hosts::Exact(normalise(name)),
            (Err(_), _) => return Err("the host is not a valid name or address"),
        };
        Ok(Self { hosts, port })
    }

    fn allows(&self, host: &str, port: u16) -> bool {
        let host_allowed = match &self.hosts {
            Hosts::Any => true,
            Hosts::Exact(exact) => host == exact,
            Hosts::Below(suffix) => host.len() > suffix.len() && host.ends_with(suffix.as_str()),
        };
        host_allowed && self.port.is_none_or(|allowed| allowed == port)
    }
}

impl fmt::Display for AllowedHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.patterns.is_empty() {
            return f.write_str("no host");
        }
        for (index, Pattern { hosts, port }) in self.patterns.iter().enumerate() {
            let separator = if index == 0 { "" } else { ", " };
            match hosts {
                Hosts::Any => write!(f, "{separator}any host")?,
                Hosts::Exact(host) => write!(f, "{separator}{host}")?,
                Hosts::Below(suffix) => write!(f, "{separator}*{suffix}")?,
            }
            if let Some(port) = port {
                write!(f, ":{port}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allows(permission: &str, url: &str) -> bool {
        let allowed = AllowedHosts::from_permissions([permission]).expect("a permission");
        allowed.allows(&Url::parse(url).expect("a URL"))
    }

    #[test]
    fn without_a_network_permission_nothing_is_allowed() {
        assert!(!allows("database", "https://example.com/"));
        assert!(!AllowedHosts::default().allows(&Url::parse("https://example.com/").expect("a URL")));
    }

    #[test]
    fn the_bare_permission_allows_any_host() {
        assert!(allows("network", "https://example.com/"));
        assert!(allows("network", "http://[2606:4700::1]:8080/"));
    }

    #[test]
    fn a_host_is_exact_but_for_its_spelling() {
        for url in ["https://example.com/", "http://EXAMPLE.com:8080/", "https://example.com./"] {
            assert!(allows("network:Example.COM", url), "{url}");
        }
        for url in ["https://a.example.com/", "https://example.com.evil.test/", "https://badexample.com/"] {
            assert!(!allows("network:example.com", url), "{url}");
        }
        assert!(allows("network:bücher.example", "https://xn--bcher-kva.example/"));
        assert!(allows("network:127.0.0.1", "http://2130706433/"));
        assert!(allows("network:[::1]", "http://[0:0:0:0:0:0:0:1]/"));
    }

    #[test]
    fn a_wildcard_allows_the_names_below_a_domain_only() {
        for url in ["https://a.example.com/", "https://b.A.example.com/"] {
            assert!(allows("network:*.example.com", url), "{url}");
        }
        for url in ["https://example.com/", "https://.example.com/", "https://badexample.com/"] {
            assert!(!allows("network:*.example.com", url), "{url}");
        }
    }

    #[test]
    fn a_port_restricts_the_host() {
        assert!(allows("network:example.com:443", "https://example.com/"));
        assert!(!allows("network:example.com:443", "http://example.com/"));
        assert!(allows("network:*.example.com:8443", "https://a.example.com:8443/"));
        assert!(allows("network:[::1]:80", "http://[::1]/"));
    }

    #[test]
    fn a_permission_that_names_no_host_is_invalid() {
        for permission in [
            "network:",
            "network:*",
            "network:*.*.com",
            "network:a.*.com",
            "network:example.com:0",
            "network:example.com:http",
            "network:exa mple.com",
            "network:*.127.0.0.1",
            "network:https://example.com",
        ] {
            let result = AllowedHosts::from_permissions([permission]);
            assert!(result.is_err(), "{permission}");
        }
    }
}
