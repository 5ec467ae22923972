//! Cookies, and whether a call that has one comes from the host's own pages.

use std::{
    borrow::Cow,
    io::Write,
    net::{IpAddr, SocketAddr},
};

use actix_web::{
    HttpRequest,
    http::{
        Method, StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    web,
};

use super::{Edge, Problem};
use crate::{config::SecureCookie, platform::access::csrf_token};

/// The cookie's name over plain HTTP.
pub(super) const PLAIN: &str = "streamspace";
/// Its name over HTTPS: a browser takes this one from the host itself alone, for all of its paths (RFC 6265bis, 4.1.3.2).
const SECURE: &str = "__Host-streamspace";
/// Where a page says what it proves itself with.
pub(super) const CSRF_HEADER: HeaderName = HeaderName::from_static("x-csrf-token");
/// Whom a proxy has a request from. Plugins are told in it whom the host has it from: a client can send it as it likes.
pub(super) static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The sign-in's cookie, by the name that it has on this connection.
pub(super) fn cookie(request: &HttpRequest) -> Option<&str> {
    // Looked at first: a request without cookies pays nothing else.
    request.headers().get(header::COOKIE)?;
    let name = if is_secure(request) { SECURE } else { PLAIN };
    let mut pairs = request.headers().get_all(header::COOKIE).filter_map(|header| header.to_str().ok());
    pairs.find_map(|header| {
        let mut pairs = header.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
    })
}

/// `Cookie` without the host's own; `None` if nothing is left.
pub(super) fn without_own_cookies(header: &HeaderValue) -> Option<Cow<'_, [u8]>> {
    // What is no text could hold anything.
    let header = header.to_str().ok()?;
    let is_own = |pair: &&str| {
        let name = pair.split('=').next().unwrap_or_default().trim();
        name == PLAIN || name == SECURE
    };
    if !header.split(';').any(|pair| is_own(&pair)) {
        return Some(Cow::Borrowed(header.as_bytes()));
    }
    let others: Vec<&str> = header.split(';').map(str::trim).filter(|pair| !is_own(pair)).collect();
    (!others.is_empty()).then(|| Cow::Owned(others.join("; ").into_bytes()))
}

/// `Set-Cookie` for a sign-in, or, without one, to have it forgotten.
pub(super) fn set_cookie(request: &HttpRequest, cookie: Option<&str>, lifetime_secs: u64) -> String {
    let secure = is_secure(request);
    let (name, attribute) = if secure { (SECURE, "; Secure") } else { (PLAIN, "") };
    let (value, age) = cookie.map_or(("", 0), |cookie| (cookie, lifetime_secs));
    format!("{name}={value}; Path=/; Max-Age={age}; HttpOnly; SameSite=Strict{attribute}")
}

/// Whether the browser speaks HTTPS, as far as is known.
fn is_secure(request: &HttpRequest) -> bool {
    let Some(edge) = request.app_data::<web::Data<Edge>>() else { return false };
    edge.sign_in.secure_cookie == SecureCookie::Always
        || (is_proxied(request, edge)
            && text(request.headers(), "x-forwarded-proto")
                .is_some_and(|proto| proto.eq_ignore_ascii_case("https")))
}

fn is_proxied(request: &HttpRequest, edge: &Edge) -> bool {
    let peer = request.peer_addr();
    peer.is_some_and(|peer| is_trusted(edge, peer.ip()))
}

fn is_trusted(edge: &Edge, address: IpAddr) -> bool {
    edge.sign_in.trusted_proxies.iter().any(|network| network.contains(address.to_canonical()))
}

/// Who the client is: the other end of the connection, or whom a trusted proxy names.
pub(super) fn address(request: &HttpRequest, edge: &Edge) -> Option<IpAddr> {
    client(request.peer_addr(), request.headers(), edge)
}

/// The same, of a request that has not gone the web server's way yet.
pub(super) fn client(peer: Option<SocketAddr>, headers: &HeaderMap, edge: &Edge) -> Option<IpAddr> {
    let peer = peer?.ip();
    if !is_trusted(edge, peer) {
        return Some(peer);
    }
    let all = headers.get_all(&FORWARDED_FOR).filter_map(|header| header.to_str().ok());
    let named: Vec<&str> = all.flat_map(|header| header.split(',')).map(str::trim).collect();
    // From the last on: each proxy appends whom it sees. What stands before the first that is not trusted may be invented.
    for text in named.into_iter().rev() {
        match text.parse::<IpAddr>() {
            Ok(address) if is_trusted(edge, address) => {}
            Ok(address) => return Some(address),
            Err(_) => return Some(peer),
        }
    }
    Some(peer)
}

/// A client's address, as plugins are told it in [`FORWARDED_FOR`]. It is written in place: this is done for each request to a plugin.
pub(super) struct Client {
    text: [u8; 48],
    length: usize,
}

impl Client {
    /// What the host knows of it, whatever the client says.
    pub(super) fn of(peer: Option<SocketAddr>, headers: &HeaderMap, edge: &Edge) -> Self {
        let mut text = [0; 48];
        let mut left = &mut text[..];
        if let Some(address) = client(peer, headers, edge) {
            // No address is longer than 39 letters, or 45 where one of IPv4 is written within one of IPv6.
            let _ = write!(left, "{}", address.to_canonical());
        }
        let length = 48 - left.len();
        Self { text, length }
    }

    /// `None`: there is none, as on a connection that is none of a network.
    pub(super) fn header(&self) -> Option<(&'static str, &[u8])> {
        (self.length > 0).then(|| (FORWARDED_FOR.as_str(), &self.text[..self.length]))
    }
}

/// Refuses a call with a cookie that changes something and was not made by one of the host's own pages.
pub(super) fn check_call(request: &HttpRequest, cookie: &str) -> Result<(), Problem> {
    if matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return Ok(());
    }
    check_origin(request)?;
    let sent = request.headers().get(&CSRF_HEADER).map(HeaderValue::as_bytes).unwrap_or_default();
    let expected = csrf_token(cookie);
    // All of it is looked at, so that the time says nothing of where it differs.
    let differs = sent.iter().zip(expected.as_bytes()).fold(0, |differs, (a, b)| differs | (a ^ b));
    if sent.len() == expected.len() && differs == 0 {
        return Ok(());
    }
    Err(forged(
        "a call with a cookie takes `X-CSRF-Token`, with the `csrf_token` that signing in and `GET /api/v1/me` answer",
    ))
}

/// Refuses what a browser sends from somebody else's page.
pub(super) fn check_origin(request: &HttpRequest) -> Result<(), Problem> {
    let foreign = || forged("the call comes from another site's page");
    match text(request.headers(), "sec-fetch-site") {
        Some("same-origin" | "none") => return Ok(()),
        Some(_) => return Err(foreign()),
        // Browsers leave it out over plain HTTP, and programs always.
        None => {}
    }
    let Some(origin) = request.headers().get(header::ORIGIN) else { return Ok(()) };
    let origin = origin.to_str().ok().and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    let host = text(request.headers(), "host");
    if origin.is_some() && origin == host { Ok(()) } else { Err(foreign()) }
}

fn forged(detail: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "SSP-AUT-005", detail)
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_cookies_stay_and_the_hosts_go() {
        let without = |text: &str| {
            let header = HeaderValue::from_str(text).expect("a header");
            without_own_cookies(&header).map(|left| String::from_utf8_lossy(&left).into_owned())
        };
        assert_eq!(without("a=1; streamspace=x; b=2").as_deref(), Some("a=1; b=2"));
        assert_eq!(without("streamspace=x; __Host-streamspace=y"), None);
        assert_eq!(without("streamspaces=x").as_deref(), Some("streamspaces=x"));
        assert_eq!(without(" streamspace = x"), None);
    }
}
