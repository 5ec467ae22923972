//! Secure connections, and the roots they are checked against.

use std::path::PathBuf;
use std::process::Command;

use streamspace_host::outbound::{Outbound, OutboundError, Request, SetupError};

use super::server::{Server, authority};
use super::{Client, config, ok, post};

/// A TLS server for `hooks.test`, and the file with its root.
fn server() -> (Server, tempfile::TempDir, PathBuf) {
    let (root, config) = authority("hooks.test");
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("roots.pem");
    std::fs::write(&ca_file, root).unwrap();
    let server = Server::tls(config, |connection| {
        if connection.read_request().is_some() {
            connection.write(ok("secure").as_bytes());
        }
    });
    (server, directory, ca_file)
}

#[tokio::test]
async fn a_root_of_the_ca_file_is_trusted() {
    let (server, _directory, ca_file) = server();
    let mut config = config(&[("hooks.test", &server)]);
    config.ca_file = Some(ca_file);
    let client = Client::new(&config);
    assert!(client.outbound.has_roots());
    let response = client.send(post("https://hooks.test")).await.unwrap();
    assert_eq!(response.body.as_ref(), b"secure");
}

#[tokio::test]
async fn an_unknown_root_is_a_tls_error() {
    let (server, ..) = server();
    let error = Client::new(&config(&[("hooks.test", &server)])).fail(post("https://hooks.test")).await;
    assert!(matches!(&error, OutboundError::Tls { host, .. } if host == "hooks.test"), "{error:?}");
    assert!(error.to_string().contains("outbound.ca_file"), "{error}");
}

#[tokio::test]
async fn a_certificate_for_another_name_is_a_tls_error() {
    let (server, _directory, ca_file) = server();
    let mut config = config(&[("other.test", &server)]);
    config.ca_file = Some(ca_file);
    let error = Client::new(&config).fail(post("https://other.test")).await;
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_server_that_speaks_plain_http_is_a_tls_error() {
    let server = Server::start(|connection| connection.write(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let error = Client::new(&config(&[])).fail(post(&format!("https://{}", server.address))).await;
    assert!(matches!(error, OutboundError::Tls { .. }), "{error:?}");
}

#[tokio::test]
async fn a_redirect_from_https_to_http_is_refused() {
    let (root, tls) = authority("hooks.test");
    let directory = tempfile::tempdir().unwrap();
    let ca_file = directory.path().join("roots.pem");
    std::fs::write(&ca_file, root).unwrap();
    let server = Server::tls(tls, |connection| {
        connection.read_request();
        connection
            .write(b"HTTP/1.1 302 Found\r\nlocation: http://hooks.test/SECRET\r\ncontent-length: 0\r\n\r\n");
    });
    let mut config = config(&[("hooks.test", &server)]);
    config.ca_file = Some(ca_file);
    let request = Request { max_redirects: 1, ..post("https://hooks.test") };
    let error = Client::new(&config).fail(request).await;
    assert!(matches!(error, OutboundError::RedirectRefused { .. }), "{error:?}");
}

#[test]
fn a_ca_file_that_cannot_be_used_is_an_error_at_the_start() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(&[]);
    config.ca_file = Some(directory.path().join("missing.pem"));
    assert!(matches!(Outbound::new(&config), Err(SetupError::CaFileUnreadable { .. })));

    let path = directory.path().join("roots.pem");
    config.ca_file = Some(path.clone());
    for text in [
        "",
        "not PEM",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n",
    ] {
        std::fs::write(&path, text).unwrap();
        let result = Outbound::new(&config);
        assert!(matches!(result, Err(SetupError::CaFileInvalid { .. })), "{text}: {result:?}");
    }
}

/// Runs in a process of its own, whose environment hides the platform's roots.
#[tokio::test]
async fn a_platform_without_roots_is_no_obstacle() {
    const HIDDEN: &str = "/nonexistent";
    if std::env::var_os("SSL_CERT_FILE").is_none_or(|file| file != HIDDEN) {
        let output = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "tls::a_platform_without_roots_is_no_obstacle"])
            .env("SSL_CERT_FILE", HIDDEN)
            .env("SSL_CERT_DIR", HIDDEN)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && text.contains("1 passed"), "{text}");
        return;
    }

    let (server, _directory, ca_file) = server();
    let mut config = config(&[("hooks.test", &server)]);
    let without = Client::new(&config);
    if cfg!(target_os = "linux") {
        assert!(!without.outbound.has_roots());
        let error = without.fail(post("https://hooks.test")).await;
        assert!(error.to_string().contains("no root certificates"), "{error}");
    }
    config.ca_file = Some(ca_file);
    assert!(Client::new(&config).send(post("https://hooks.test")).await.is_ok());
}
