//! Redirects, each hop of which is a request of its own.

use streamspace_host::outbound::{OutboundError, Request};

use super::server::Server;
use super::{Client, config, ok, post};

fn to(location: &str) -> Server {
    Server::answering(format!(
        "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
    ))
}

fn following(origin: &str) -> Request {
    Request { max_redirects: 3, ..post(origin) }
}

#[tokio::test]
async fn a_redirect_is_a_response_unless_asked_for() {
    let server = to("http://elsewhere.test/");
    let response =
        Client::new(&config(&[("hooks.test", &server)])).send(post("http://hooks.test")).await.unwrap();
    assert_eq!(response.status, 302);
}

#[tokio::test]
async fn a_redirect_is_followed_without_credentials_to_another_host() {
    let target = Server::answering(ok("there"));
    let server = to("http://target.test/new");
    let client = Client::new(&config(&[("hooks.test", &server), ("target.test", &target)]));
    let response = client.send(following("http://hooks.test")).await.unwrap();
    assert_eq!(response.body.as_ref(), b"there");
    assert!(server.requests.recv().unwrap().to_lowercase().contains("authorization:"));
    let request = target.requests.recv().unwrap().to_lowercase();
    assert!(request.starts_with("get /new http/1.1\r\n"), "{request}");
    assert!(!request.contains("authorization:") && !request.contains("referer:"), "{request}");
}

#[tokio::test]
async fn a_loop_ends_at_the_limit() {
    let server = to("/SECRET");
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(following("http://hooks.test")).await;
    assert_eq!(error, OutboundError::TooManyRedirects { host: "hooks.test".to_owned(), limit: 3 });
    assert_eq!(server.requests.try_iter().count(), 4, "the request and three redirects");
}

#[tokio::test]
async fn a_plugin_cannot_ask_for_more_redirects_than_are_configured() {
    let server = to("/");
    let mut config = config(&[("hooks.test", &server)]);
    config.max_redirects = 1;
    let error = Client::new(&config).fail(following("http://hooks.test")).await;
    assert!(matches!(error, OutboundError::TooManyRedirects { limit: 1, .. }), "{error:?}");

    config.max_redirects = 0;
    let response = Client::new(&config).send(following("http://hooks.test")).await.unwrap();
    assert_eq!(response.status, 302);
}

#[tokio::test]
async fn a_redirect_to_a_refused_address_is_not_followed() {
    for location in
        ["http://169.254.169.254/SECRET", "http://0xa9fea9fe/SECRET", "http://metadata.test/SECRET"]
    {
        let server = to(location);
        let mut config = config(&[("hooks.test", &server)]);
        config.hosts.insert("metadata.test".to_owned(), "169.254.169.254".parse().unwrap());
        let error = Client::new(&config).fail(following("http://hooks.test")).await;
        let OutboundError::AddressRefused { address, .. } = error else { panic!("{location}: {error:?}") };
        assert_eq!(address.to_string(), "169.254.169.254");
    }
}

#[tokio::test]
async fn a_redirect_to_a_host_without_a_permission_is_denied() {
    let target = Server::answering(ok(""));
    let server = to("http://target.test/SECRET");
    let config = config(&[("hooks.test", &server), ("target.test", &target)]);
    let client = Client::with_permissions(&config, &["network:hooks.test"]);
    let error = client.fail(following("http://hooks.test")).await;
    assert!(
        matches!(&error, OutboundError::PermissionDenied { host, .. } if host == "target.test"),
        "{error:?}"
    );
    assert!(target.requests.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn a_redirect_to_no_web_address_is_refused() {
    for location in ["ftp://hooks.test/SECRET", "http://user:SECRET@hooks.test/", "http://[SECRET"] {
        let server = to(location);
        let error =
            Client::new(&config(&[("hooks.test", &server)])).fail(following("http://hooks.test")).await;
        assert!(matches!(error, OutboundError::RedirectRefused { .. }), "{location}: {error:?}");
    }
}
