//! Hosts that are not there, and servers that fail.

use std::net::TcpListener;

use streamspace_host::outbound::{Deadline, OutboundError};

use super::server::Server;
use super::{Client, config, post};

#[tokio::test]
async fn a_name_without_an_address_is_unknown() {
    // A label of more than 63 bytes cannot be asked for: the answer needs no network.
    let name = format!("{}.test", "a".repeat(64));
    let error = Client::new(&config(&[])).fail(post(&format!("http://{name}"))).await;
    let OutboundError::UnknownHost { host, .. } = error else { panic!("{error:?}") };
    assert_eq!(host, name);
}

#[tokio::test]
async fn a_port_where_nobody_listens_is_a_connect_error() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = Client::new(&config(&[])).fail(post(&format!("http://{address}"))).await;
    let OutboundError::Connect { host, reason } = error else { panic!("{error:?}") };
    assert_eq!(host, "127.0.0.1");
    assert!(reason.to_lowercase().contains("refused"), "{reason}");
}

#[tokio::test]
async fn a_connection_that_does_not_come_about_in_time_is_a_connect_timeout() {
    let server = Server::start(|connection| connection.wait_for_close());
    let mut config = config(&[]);
    config.connect_timeout_secs = 1;
    let error = Client::new(&config).fail(post(&format!("https://{}", server.address))).await;
    assert!(matches!(error, OutboundError::Timeout { which: Deadline::Connect, .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_before_the_response_is_lost() {
    let server = Server::start(|connection| drop(connection.read_request()));
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(post("http://hooks.test")).await;
    assert!(matches!(error, OutboundError::ConnectionLost { .. }), "{error:?}");
}

#[tokio::test]
async fn a_connection_closed_within_the_body_is_lost() {
    for head in ["content-length: 10", "transfer-encoding: chunked"] {
        let server = Server::answering(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n3\r\nSEC"));
        let error = Client::new(&config(&[("hooks.test", &server)])).fail(post("http://hooks.test")).await;
        assert!(matches!(error, OutboundError::ConnectionLost { .. }), "{head}: {error:?}");
    }
}

#[tokio::test]
async fn a_connection_reset_within_the_body_is_lost() {
    // A socket closed with bytes still to be read is reset instead.
    let server = Server::start(|connection| {
        drop(connection.stream.read(&mut [0]));
        connection.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nSEC");
    });
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(post("http://hooks.test")).await;
    assert!(matches!(error, OutboundError::ConnectionLost { .. }), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_is_not_http_is_a_lost_connection() {
    let server = Server::answering("220 SECRET.test ESMTP\r\n");
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(post("http://hooks.test")).await;
    assert!(matches!(error, OutboundError::ConnectionLost { .. }), "{error:?}");
}
