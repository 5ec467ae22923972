//! Deadlines, sizes and concurrency.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use streamspace_host::outbound::{AllowedHosts, Deadline, OutboundError, Part, Request};

use super::server::Server;
use super::{Client, config, ok, post};

const SHORT: Duration = Duration::from_millis(200);

fn short() -> Request {
    Request { timeout: Some(SHORT), ..post("http://hooks.test") }
}

#[tokio::test]
async fn headers_that_do_not_come_in_time_are_a_timeout() {
    let server = Server::start(|connection| {
        connection.read_request();
        connection.write(b"HTTP/1.1 200 OK\r\nx-slow: ");
        connection.wait_for_close();
    });
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(short()).await;
    let host = "hooks.test".to_owned();
    assert_eq!(error, OutboundError::Timeout { host, which: Deadline::Total, limit: SHORT });
    assert_eq!(error.to_string(), "hooks.test took too long: expected a complete response within 200ms");
}

#[tokio::test]
async fn a_body_that_does_not_end_in_time_is_a_timeout() {
    let server = Server::start(|connection| {
        connection.read_request();
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nSEC");
        connection.wait_for_close();
    });
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(short()).await;
    assert!(matches!(error, OutboundError::Timeout { which: Deadline::Total, .. }), "{error:?}");
}

#[tokio::test]
async fn a_plugin_cannot_ask_for_more_time_than_is_configured() {
    let server = Server::start(|connection| connection.wait_for_close());
    let mut config = config(&[("hooks.test", &server)]);
    config.total_timeout_secs = 1;
    let request = Request { timeout: Some(Duration::from_secs(3600)), ..post("http://hooks.test") };
    let error = Client::new(&config).fail(request).await;
    let OutboundError::Timeout { limit, .. } = error else { panic!("{error:?}") };
    assert_eq!(limit, Duration::from_secs(1));
}

#[tokio::test]
async fn a_request_body_over_the_limit_is_not_sent() {
    let server = Server::answering(ok(""));
    let mut config = config(&[("hooks.test", &server)]);
    config.max_request_bytes = 5;
    let error = Client::new(&config).fail(post("http://hooks.test")).await;
    let host = "hooks.test".to_owned();
    assert_eq!(error, OutboundError::TooLarge { host, part: Part::Request, limit: 5 });
    assert!(server.requests.try_recv().is_err(), "nothing was sent");
}

#[tokio::test]
async fn a_response_that_announces_too_much_is_not_read() {
    // The body never comes: only the announcement can be what is refused.
    let server = Server::start(|connection| {
        connection.read_request();
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\n");
        connection.wait_for_close();
    });
    let mut config = config(&[("hooks.test", &server)]);
    config.max_response_bytes = 10;
    let error = Client::new(&config).fail(post("http://hooks.test")).await;
    let host = "hooks.test".to_owned();
    assert_eq!(error, OutboundError::TooLarge { host, part: Part::Response, limit: 10 });
}

#[tokio::test]
async fn a_response_that_grows_too_large_is_cut_off() {
    let server = Server::start(|connection| {
        connection.read_request();
        connection
            .write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n6\r\nSECRET\r\n6\r\nSECRET\r\n");
        connection.wait_for_close();
    });
    let request = Request { max_response_bytes: Some(10), ..post("http://hooks.test") };
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(request).await;
    assert!(matches!(error, OutboundError::TooLarge { part: Part::Response, limit: 10, .. }), "{error:?}");
}

#[tokio::test]
async fn a_response_of_just_the_limit_passes() {
    let server = Server::answering(ok("0123456789"));
    let request = Request { max_response_bytes: Some(10), ..post("http://hooks.test") };
    let response = Client::new(&config(&[("hooks.test", &server)])).send(request).await.unwrap();
    assert_eq!(response.body.len(), 10);
}

#[tokio::test]
async fn the_length_that_a_head_response_announces_is_no_body() {
    let server = Server::answering("HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n");
    let mut request = Request::new("HEAD", "http://hooks.test/");
    request.max_response_bytes = Some(10);
    let response = Client::new(&config(&[("hooks.test", &server)])).send(request).await.unwrap();
    assert!(response.body.is_empty());
}

#[tokio::test]
async fn waiting_for_earlier_requests_counts_against_the_deadline() {
    let held = Arc::new(Barrier::new(2));
    let server = Server::start({
        let held = Arc::clone(&held);
        move |connection| {
            if connection.read_request().is_some_and(|request| request.starts_with("GET /held")) {
                held.wait();
            }
            connection.write(ok("").as_bytes());
        }
    });
    let mut config = config(&[("hooks.test", &server)]);
    config.max_concurrent_per_plugin = 1;
    let client = Client::new(&config);
    let other = client.outbound.caller("other", AllowedHosts::from_permissions(["network"]).unwrap());

    let first = client.send(Request::new("GET", "http://hooks.test/held"));
    let rest = async {
        let error = client.fail(short()).await;
        assert!(matches!(error, OutboundError::Timeout { which: Deadline::Total, .. }), "{error:?}");
        let unaffected = client.outbound.send(&other, post("http://hooks.test")).await;
        assert!(unaffected.is_ok(), "{unaffected:?}");
        held.wait();
    };
    let (first, ()) = tokio::join!(first, rest);
    assert!(first.is_ok(), "{first:?}");
    assert!(client.send(post("http://hooks.test")).await.is_ok());
}

#[tokio::test]
async fn an_abandoned_request_gives_back_its_place() {
    let server = Server::start(|connection| match connection.read_request() {
        Some(request) if request.starts_with("GET /stuck") => connection.wait_for_close(),
        _ => connection.write(ok("").as_bytes()),
    });
    let mut config = config(&[("hooks.test", &server)]);
    config.max_concurrent_per_plugin = 1;
    let client = Client::new(&config);
    let stuck = client.send(Request::new("GET", "http://hooks.test/stuck"));
    assert!(tokio::time::timeout(SHORT, stuck).await.is_err());
    assert!(client.send(post("http://hooks.test")).await.is_ok());
}
