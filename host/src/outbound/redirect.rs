//! Where a redirect leads (RFC 9110, section 15.4).

use http::header::LOCATION;
use http::{HeaderMap, Method, StatusCode};
use url::Url;

use super::error::OutboundError;
use super::request::{Hop, check_url};

/// Headers that describe a body, which a request turned into GET no longer has.
const OF_THE_BODY: &[&str] = &["content-type", "content-encoding", "content-language", "content-location"];

/// Headers that are for one origin alone.
const OF_THE_ORIGIN: &[&str] = &["authorization", "cookie", "cookie2"];

/// The request that follows the response to `hop`, if the response is a redirect.
pub(super) fn next(hop: &Hop, status: StatusCode, headers: &HeaderMap) -> Result<Option<Hop>, OutboundError> {
    if !matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let Some(location) = headers.get(LOCATION) else {
        return Ok(None);
    };
    let refused = |reason| OutboundError::RedirectRefused { host: hop.host().to_owned(), reason };

    let url = std::str::from_utf8(location.as_bytes())
        .ok()
        .and_then(|location| hop.url.join(location).ok())
        .ok_or_else(|| refused("its Location is not a URL"))?;
    check_url(&url).map_err(refused)?;
    if hop.url.scheme() == "https" && url.scheme() == "http" {
        return Err(refused("it leads from https to http"));
    }
    Ok(Some(follow(hop, status, url)))
}

fn follow(hop: &Hop, status: StatusCode, url: Url) -> Hop {
    let mut next =
        Hop { method: hop.method.clone(), headers: hop.headers.clone(), body: hop.body.clone(), url };
    let becomes_get = match status {
        StatusCode::SEE_OTHER => hop.method != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => hop.method == Method::POST,
        _ => false,
    };
    let mut dropped: Vec<&str> = Vec::new();
    if becomes_get {
        next.method = Method::GET;
        next.body.clear();
        dropped.extend(OF_THE_BODY);
    }
    if hop.url.origin() != next.url.origin() {
        dropped.extend(OF_THE_ORIGIN);
    }
    for name in dropped {
        next.headers.remove(name);
    }
    next
}

#[cfg(test)]
mod tests {
    use http::header::{AUTHORIZATION, CONTENT_TYPE, COOKIE};

    use super::super::request::Request;
    use super::*;

    fn hop(method: &str, url: &str) -> Hop {
        let mut request = Request::new(method, url);
        request.headers = ["authorization", "cookie", "content-type", "accept"]
            .map(|name| (name.to_owned(), b"x".to_vec()))
            .to_vec();
        request.body = "body".into();
        Hop::new(request).expect("a valid request")
    }

    fn follow(hop: &Hop, status: u16, location: &str) -> Result<Option<Hop>, OutboundError> {
        let mut headers = HeaderMap::new();
        headers.insert(LOCATION, location.parse().expect("a header's value"));
        next(hop, StatusCode::from_u16(status).expect("a status"), &headers)
    }

    fn followed(hop: &Hop, status: u16, location: &str) -> Hop {
        follow(hop, status, location).expect("a redirect that is followed").expect("a redirect")
    }

    #[test]
    fn the_method_and_body_follow_the_status() {
        for (method, status, expected) in [
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
        ] {
            let next = followed(&hop(method, "https://a.test/"), status, "/b");
            assert_eq!(next.method, expected, "{method} {status}");
            let kept = method == expected;
            assert_eq!((next.body.is_empty(), next.headers.contains_key(CONTENT_TYPE)), (!kept, kept));
        }
    }

    #[test]
    fn credentials_stay_with_their_origin() {
        let from = hop("GET", "https://a.test/");
        let same = followed(&from, 302, "https://a.test:443/b");
        assert!(same.headers.contains_key(AUTHORIZATION) && same.headers.contains_key(COOKIE));
        for location in ["https://b.test/", "https://a.test:8443/", "//b.test/"] {
            let other = followed(&from, 302, location);
            assert!(
                !other.headers.contains_key(AUTHORIZATION) && !other.headers.contains_key(COOKIE),
                "{location}"
            );
            assert!(other.headers.contains_key("accept"));
        }
    }

    #[test]
    fn a_redirect_to_what_is_not_followed_is_refused() {
        let from = hop("GET", "https://a.test/");
        for location in ["http://a.test/", "file:///etc/passwd", "https://user:pass@a.test/", "https://[::"] {
            let error = follow(&from, 302, location).err().expect("refused");
            assert!(matches!(error, OutboundError::RedirectRefused { .. }), "{location}: {error:?}");
        }
    }

    #[test]
    fn other_responses_are_not_redirects() {
        let from = hop("GET", "https://a.test/");
        for status in [200, 201, 300, 304] {
            assert!(follow(&from, status, "/b").expect("no redirect").is_none(), "{status}");
        }
        assert!(next(&from, StatusCode::FOUND, &HeaderMap::new()).expect("no redirect").is_none());
    }
}
