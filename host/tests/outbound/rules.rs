//! What is refused before anything is sent.

use streamspace_host::outbound::{OutboundError, Request};

use super::server::Server;
use super::{Client, config, ok, post};

async fn invalid(request: Request) -> String {
    match Client::new(&config(&[])).fail(request).await {
        OutboundError::InvalidRequest { reason } => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_url_that_is_no_plain_web_address_is_invalid() {
    for (origin, expected) in [
        ("ftp://hooks.test", "neither http nor https"),
        ("file://", "neither http nor https"),
        ("http://user:SECRET@hooks.test", "user or a password"),
        ("http://SECRET@hooks.test", "user or a password"),
        ("https://hooks.test:0", "port is 0"),
        ("http://", "names no host"),
        ("http:", "names no host"),
        ("https://\\", "names no host"),
        ("https://\t/", "control character"),
        ("https://?", "cannot be read"),
        ("hooks.test", "cannot be read"),
        ("http://999.1.1.1", "cannot be read"),
    ] {
        let reason = invalid(post(origin)).await;
        assert!(reason.contains(expected), "{origin}: {reason}");
    }
}

#[tokio::test]
async fn headers_of_the_connection_are_not_the_plugins_to_set() {
    for name in
        ["Host", "content-length", "Transfer-Encoding", "CONNECTION", "upgrade", "Proxy-Authorization", "te"]
    {
        let mut request = post("http://hooks.test");
        request.headers.push((name.to_owned(), b"SECRET".to_vec()));
        let reason = invalid(request).await;
        assert!(reason.contains(&name.to_lowercase()), "{reason}");
    }
}

#[tokio::test]
async fn a_malformed_header_or_method_is_invalid() {
    for (name, value) in [("x y", "a"), ("", "a"), ("x-a", "SECRET\r\nhost: evil.test"), ("SECRET:", "a")] {
        let mut request = post("http://hooks.test");
        request.headers.push((name.to_owned(), value.into()));
        invalid(request).await;
    }
    for method in ["", "GE T", "CONNECT"] {
        let mut request = post("http://hooks.test");
        request.method = method.to_owned();
        invalid(request).await;
    }
}

#[tokio::test]
async fn a_host_without_a_permission_is_denied_by_name() {
    let server = Server::answering(ok(""));
    let config = config(&[("hooks.test", &server), ("evil.test", &server)]);
    let client = Client::with_permissions(&config, &["database", "network:hooks.test"]);
    let error = client.fail(post("http://evil.test")).await;
    assert_eq!(
        error.to_string(),
        "the plugin `slack` may not reach evil.test:80: its permissions allow hooks.test; to let it, add the \
         permission `network:evil.test` to the plugin's manifest"
    );
    assert!(client.send(post("http://hooks.test")).await.is_ok());
}

#[tokio::test]
async fn without_permissions_every_host_is_denied() {
    let error = Client::with_permissions(&config(&[]), &[]).fail(post("http://127.0.0.1")).await;
    assert!(matches!(error, OutboundError::PermissionDenied { .. }), "{error:?}");
}

#[tokio::test]
async fn an_address_is_refused_however_it_is_written() {
    let client = Client::new(&config::Outbound::default());
    for (origin, expected) in [
        ("http://127.0.0.1", "127.0.0.1"),
        ("http://2130706433", "127.0.0.1"),
        ("http://0x7f.1", "127.0.0.1"),
        ("http://017700000001", "127.0.0.1"),
        ("http://127.1.", "127.0.0.1"),
        ("http://%31%32%37.0.0.1", "127.0.0.1"),
        ("http://①②⑦.0.0.1", "127.0.0.1"),
        ("https://[::1]", "::1"),
        ("https://[::ffff:127.0.0.1]", "::ffff:127.0.0.1"),
        ("https://[64:ff9b::a00:1]", "64:ff9b::a00:1"),
        ("http://169.254.169.254", "169.254.169.254"),
        ("http://0", "0.0.0.0"),
    ] {
        let error = client.fail(post(origin)).await;
        let OutboundError::AddressRefused { address, .. } = error else { panic!("{origin}: {error:?}") };
        assert_eq!(address, expected.parse::<std::net::IpAddr>().unwrap(), "{origin}");
    }
}

#[tokio::test]
async fn a_name_that_leads_to_a_refused_address_is_refused() {
    let client = Client::new(&config::Outbound::default());
    let error = client.fail(post("http://localhost")).await;
    let OutboundError::AddressRefused { host, nature, .. } = &error else { panic!("{error:?}") };
    assert_eq!((host.as_str(), *nature), ("localhost", "loopback"));
}

#[tokio::test]
async fn the_rules_hold_for_fixed_hosts_too() {
    let server = Server::answering(ok(""));
    let mut config = config(&[("hooks.test", &server)]);
    config.allow_addresses.clear();
    let error = Client::new(&config).fail(post("http://hooks.test")).await;
    assert_eq!(
        error.to_string(),
        "hooks.test is not reached: expected a public address, found 127.0.0.1, which is loopback; to allow it, add \
         \"127.0.0.1\" or its network to outbound.allow_addresses in streamspace.toml"
    );
    assert!(server.requests.try_recv().is_err(), "nothing was sent");
}
