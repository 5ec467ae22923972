//! What a plugin's HTTP request comes to, when it does not come to an answer: each thing is told apart.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, LogLine, Provider, Reply};

const PLUGIN: &str = "fixture-outbound";

/// A host whose names `allowed.test`, `a.wild.test` and `forbidden.test` lead to the provider.
fn start(provider: &Provider, change: impl FnOnce(Installation) -> Installation) -> Host {
    let names = ["allowed.test", "a.wild.test", "forbidden.test"];
    let host = change(Installation::new().provider(provider, &names)).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn fetch(host: &Host, request: &Value) -> LogLine {
    let id = host.post_event("test.fetch", request).json()["ids"][0].as_str().unwrap_or_default().to_owned();
    host.logged("the outcome of a request", |line| line.message() == "Fetched." && line.text("event") == id)
}

#[track_caller]
fn comes_to(host: &Host, request: &Value, outcome: &str) -> LogLine {
    let line = fetch(host, request);
    assert_eq!(line.text("outcome"), outcome, "{}", line.raw);
    line
}

fn same(installation: Installation) -> Installation {
    installation
}

#[test]
fn an_answer_whatever_its_status() {
    let provider = Provider::https(&["allowed.test", "a.wild.test"]);
    let host = start(&provider, same);
    for (url, status) in
        [("https://allowed.test/a?b", 200), ("https://a.wild.test/", 404), ("https://ALLOWED.test/", 503)]
    {
        provider.reply(Reply::new(status).body("12345"));
        let line = comes_to(&host, &json!({"url": url}), "Answered");
        assert_eq!((line.field("status"), line.field("bytes")), (&json!(status), &json!(5)));
    }
    assert_eq!(provider.requests()[0].path, "/a?b");
}

#[test]
fn a_host_that_the_manifest_does_not_name() {
    let provider = Provider::https(&["forbidden.test", "wild.test"]);
    let host = start(&provider, same);
    for url in ["https://forbidden.test/", "https://wild.test/", "https://allowed.test.forbidden.test/"] {
        let line = comes_to(&host, &json!({"url": url}), "PermissionDenied");
        assert_eq!(line.field("transient"), false);
    }
    assert!(provider.requests().is_empty(), "nothing is sent");
}

#[test]
fn a_name_that_does_not_exist() {
    let host = start(&Provider::http(), same);
    let line = comes_to(&host, &json!({"url": "https://nothing.invalid/"}), "UnknownHost");
    assert!(line.text("reason").contains("nothing.invalid"), "{}", line.raw);
}

#[test]
fn an_address_that_the_operator_did_not_allow() {
    let provider = Provider::http();
    let host = start(&provider, |installation| {
        installation.set("outbound.allow_addresses", toml_list(&["10.0.0.0/8"]))
    });
    let port = provider.address().port();
    for name in ["127.0.0.1", "localhost", "allowed.test"] {
        let url = format!("http://{name}:{port}/");
        comes_to(&host, &json!({"url": url}), "AddressRefused");
    }
    assert!(provider.requests().is_empty(), "nothing is sent");
}

fn toml_list(items: &[&str]) -> Vec<String> {
    items.iter().map(|item| (*item).to_owned()).collect()
}

#[test]
fn an_answer_that_is_too_large() {
    let provider = Provider::http();
    let host = start(&provider, |installation| installation.set("outbound.max_response_bytes", 4096));
    let url = format!("http://127.0.0.1:{}/", provider.address().port());
    for (size, limit, outcome) in [
        (1024, Some(1024), "Answered"),
        (1025, Some(1024), "TooLarge"),
        (4096, None, "Answered"),
        (4097, None, "TooLarge"),
        // A plugin cannot ask for more than the operator gives.
        (4097, Some(1_000_000), "TooLarge"),
    ] {
        provider.reply(Reply::new(200).body(vec![b'x'; size]));
        comes_to(&host, &json!({"url": url, "max_response_bytes": limit}), outcome);
    }
}

#[test]
fn an_answer_that_does_not_come_in_time() {
    let provider = Provider::http();
    let host = start(&provider, |installation| installation.set("outbound.total_timeout_secs", 1));
    let url = format!("http://127.0.0.1:{}/", provider.address().port());
    // The plugin's own limit, the operator's, and one above the operator's.
    for timeout_ms in [Some(200), None, Some(3_600_000)] {
        provider.reply(Reply::hang());
        let line = comes_to(&host, &json!({"url": url, "timeout_ms": timeout_ms}), "TimedOut");
        assert_eq!(line.field("transient"), true);
    }
    assert_eq!(provider.requests_wait(3, DEADLINE).len(), 3);
}

#[test]
fn a_connection_that_is_lost() {
    let provider = Provider::http();
    let host = start(&provider, same);
    let url = format!("http://127.0.0.1:{}/", provider.address().port());
    for reply in [Reply::reset(), Reply::new(200).body("0123456789").cut_off()] {
        provider.reply(reply);
        comes_to(&host, &json!({"url": url}), "ConnectionLost");
    }
}

#[test]
fn a_port_where_nobody_listens() {
    let provider = Provider::http();
    let host = start(&provider, same);
    let url = format!("http://127.0.0.1:{}/", provider.address().port());
    drop(provider);
    comes_to(&host, &json!({"url": url}), "Connect");
}

#[test]
fn a_certificate_of_another_name() {
    let provider = Provider::https(&["other.test"]);
    let host = start(&provider, same);
    comes_to(&host, &json!({"url": "https://allowed.test/"}), "Tls");
    assert!(provider.requests().is_empty(), "nothing is sent");
}

#[test]
fn a_redirect_is_not_followed_unless_asked_and_allowed() {
    let provider = Provider::https(&["allowed.test", "a.wild.test"]);
    let host = start(&provider, same);
    let to = |url: &str| provider.reply(Reply::new(302).header("Location", url));
    let url = "https://allowed.test/";

    to("https://a.wild.test/next");
    assert_eq!(comes_to(&host, &json!({"url": url}), "Answered").field("status"), 302);
    to("https://a.wild.test/next");
    let followed = comes_to(&host, &json!({"url": url, "max_redirects": 1}), "Answered");
    assert_eq!(followed.field("status"), 200);
    // Each hop is checked as the first one was.
    let before = provider.requests().len();
    to("https://forbidden.test/");
    let line = fetch(&host, &json!({"url": url, "max_redirects": 1}));
    assert!(["RedirectRefused", "PermissionDenied"].contains(&line.text("outcome")), "{}", line.raw);
    assert_eq!(provider.requests().len(), before + 1);
}

#[test]
fn what_is_no_request() {
    let host = start(&Provider::http(), same);
    for url in ["", "allowed.test", "file:///etc/passwd", "ftp://allowed.test/"] {
        comes_to(&host, &json!({"url": url}), "InvalidRequest");
    }
}
