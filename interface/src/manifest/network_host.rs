//! The host in a `network:HOST` permission.

use std::net::{Ipv4Addr, Ipv6Addr};

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkHostError {
    /// A scheme, path, user or query came with it.
    #[error(
        "expected a host alone, found parts of a URL; write `hooks.slack.com`, not `https://hooks.slack.com/services`"
    )]
    Url,
    /// A bare `*`.
    #[error("`*` stands for every host; write plain `network` for that")]
    AnyHost,
    /// A `*` that is not a whole first label before at least two more.
    #[error(
        "expected `*` only as the whole first part before a domain of two parts or more, such as `*.example.com`"
    )]
    Wildcard,
    /// The port is not a number from 1 to 65535.
    #[error(
        "expected a port from 1 to 65535 after the last colon; write an IPv6 address in brackets, `[2001:db8::1]`"
    )]
    Port,
    /// The text in brackets is no IPv6 address.
    #[error("expected an IPv6 address in the brackets")]
    Ipv6,
    /// All digits and dots, and no IPv4 address.
    #[error("expected an IPv4 address of four numbers from 0 to 255")]
    Ipv4,
    /// A label breaks the rules of RFC 1123, section 2.1.
    #[error(
        "expected labels of 1 to 63 lowercase letters, digits and inner hyphens, joined by dots, 253 characters in all; \
         write an international name in its `xn--` form"
    )]
    Label,
}

/// Whether `text` is a host name, `*.` and a domain, or an IP address, with an optional port.
pub(super) fn check(text: &str) -> Result<(), NetworkHostError> {
    if text == "*" {
        return Err(NetworkHostError::AnyHost);
    }
    if text.contains(['/', '@', '?', '#']) {
        return Err(NetworkHostError::Url);
    }
    if let Some(rest) = text.strip_prefix('[') {
        let (address, rest) = rest.split_once(']').ok_or(NetworkHostError::Ipv6)?;
        address.parse::<Ipv6Addr>().map_err(|_| NetworkHostError::Ipv6)?;
        return match rest.strip_prefix(':') {
            Some(digits) => port(digits),
            None if rest.is_empty() => Ok(()),
            None => Err(NetworkHostError::Ipv6),
        };
    }
    match text.split_once(':') {
        Some((host, digits)) => port(digits).and_then(|()| name(host)),
        None => name(text),
    }
}

fn port(digits: &str) -> Result<(), NetworkHostError> {
    let plain = digits.bytes().all(|b| b.is_ascii_digit());
    match digits.parse::<u16>() {
        Ok(1..) if plain => Ok(()),
        _ => Err(NetworkHostError::Port),
    }
}

fn name(host: &str) -> Result<(), NetworkHostError> {
    let domain = host.strip_prefix("*.").unwrap_or(host);
    if domain.contains('*') || (domain.len() < host.len() && !domain.contains('.')) {
        return Err(NetworkHostError::Wildcard);
    }
    // A name whose last label is a number would be taken for an address (WHATWG URL, "ends in a number").
    if domain
        .rsplit('.')
        .next()
        .is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
    {
        let address = domain.len() == host.len() && domain.parse::<Ipv4Addr>().is_ok();
        return if address { Ok(()) } else { Err(NetworkHostError::Ipv4) };
    }
    if host.len() <= 253 && domain.split('.').all(label) { Ok(()) } else { Err(NetworkHostError::Label) }
}

fn label(label: &str) -> bool {
    (1..=63).contains(&label.len())
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts_names_wildcards_and_addresses() {
        for host in [
            "hooks.slack.com",
            "localhost",
            "*.example.com",
            "10.0.0.5",
            "10.0.0.5:8080",
            "smtp.example.com:587",
            "[2001:db8::1]",
            "[::1]:443",
            "xn--bcher-kva.example",
            "a-1.b2.c3x",
        ] {
            assert_eq!(check(host), Ok(()), "{host}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_the_rest() {
        use NetworkHostError as E;
        let long = format!("{}.example", "a".repeat(64));
        for (host, error) in [
            ("*", E::AnyHost),
            ("https://a.example", E::Url),
            ("a.example/x", E::Url),
            ("10.0.0.0/8", E::Url),
            ("user@a.example", E::Url),
            ("*.com", E::Wildcard),
            ("a.*.com", E::Wildcard),
            ("*a.example.com", E::Wildcard),
            ("a.example:0", E::Port),
            ("a.example:65536", E::Port),
            ("a.example:+80", E::Port),
            ("2001:db8::1", E::Port),
            ("[2001:db8::1", E::Ipv6),
            ("[a.example]", E::Ipv6),
            ("[::1]x", E::Ipv6),
            ("256.1.1.1", E::Ipv4),
            ("1.2.3", E::Ipv4),
            ("*.1.2.3.4", E::Ipv4),
            ("A.example", E::Label),
            ("-a.example", E::Label),
            ("a-.example", E::Label),
            ("a..example", E::Label),
            ("a.example.", E::Label),
            ("", E::Label),
            (long.as_str(), E::Label),
        ] {
            assert_eq!(check(host), Err(error), "{host}");
        }
    }
}
