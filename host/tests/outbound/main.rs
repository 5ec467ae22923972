//! Outbound HTTP against real servers on loopback.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod failures;
mod limits;
mod redirects;
mod rules;
mod server;
mod tls;

use streamspace_host::config;
use streamspace_host::outbound::{AllowedHosts, Caller, Outbound, OutboundError, Request, Response};

use server::Server;

/// Stands wherever a secret may: no error may ever show it.
const SECRET: &str = "SECRET";

/// A configuration that reaches loopback, with `hosts` at their servers.
fn config(hosts: &[(&str, &Server)]) -> config::Outbound {
    let mut config = config::Outbound::default();
    config.allow_addresses.push("127.0.0.0/8".parse().unwrap());
    for (name, server) in hosts {
        config.hosts.insert((*name).to_owned(), server.address.to_string().parse().unwrap());
    }
    config
}

/// The client, with a plugin that may reach any host.
struct Client {
    outbound: Outbound,
    caller: Caller,
}

impl Client {
    fn new(config: &config::Outbound) -> Self {
        Self::with_permissions(config, &["network"])
    }

    fn with_permissions(config: &config::Outbound, permissions: &[&str]) -> Self {
        let outbound = Outbound::new(config).unwrap();
        let allowed = AllowedHosts::from_permissions(permissions.iter().copied()).unwrap();
        let caller = outbound.caller("slack", allowed);
        Self { outbound, caller }
    }

    async fn send(&self, request: Request) -> Result<Response, OutboundError> {
        self.outbound.send(&self.caller, request).await
    }

    /// The error of a request that fails, having checked that it shows no secret.
    async fn fail(&self, request: Request) -> OutboundError {
        let shown = format!("{request:?}");
        let error = self.send(request).await.expect_err("the request was to fail");
        for text in [shown, error.to_string(), format!("{error:?}")] {
            assert!(!text.contains(SECRET), "a secret is shown: {text}");
        }
        error
    }
}

/// A request with a secret everywhere one may be.
fn post(origin: &str) -> Request {
    let mut request = Request::new("POST", format!("{origin}/{SECRET}?token={SECRET}"));
    request.headers.push(("x-token".to_owned(), SECRET.into()));
    request.headers.push(("Authorization".to_owned(), SECRET.into()));
    request.body = SECRET.into();
    request
}

fn ok(body: &str) -> String {
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}", body.len())
}

#[tokio::test]
async fn a_request_arrives_whole_and_so_does_its_response() {
    let server = Server::answering("HTTP/1.1 418 Teapot\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 3\r\n\r\ntea");
    let client = Client::new(&config(&[("hooks.test", &server)]));
    let response = client.send(post("http://hooks.test")).await.unwrap();
    assert_eq!((response.status, response.body.as_ref()), (418, b"tea".as_ref()));
    let doubled: Vec<_> =
        response.headers.iter().filter(|(name, _)| name == "x-a").map(|(_, value)| value).collect();
    assert_eq!(doubled, [b"1", b"2"]);

    let request = server.requests.recv().unwrap();
    assert!(request.starts_with("POST /SECRET?token=SECRET HTTP/1.1\r\n"), "{request}");
    assert!(request.ends_with("\r\n\r\nSECRET"), "{request}");
    let lower = request.to_lowercase();
    for line in
        ["host: hooks.test\r\n", "content-length: 6\r\n", "x-token: secret\r\n", "user-agent: streamspace/"]
    {
        assert!(lower.contains(line), "{line} in {request}");
    }
    assert!(!lower.contains("accept-encoding"), "{request}");
}

#[tokio::test]
async fn a_compressed_body_passes_as_it_is() {
    let server =
        Server::answering("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1fabc");

    let client = Client::new(&config(&[("hooks.test", &server)]));
    let response = client.send(Request::new("GET", "http://hooks.test/")).await.unwrap();
    assert_eq!(response.body.as_ref(), b"\x1fabc");
}

#[tokio::test]
async fn a_port_in_the_url_goes_before_a_fixed_hosts_port() {
    let server = Server::answering(ok("right"));
    let mut config = config(&[]);
    config.hosts.insert("hooks.test".to_owned(), "127.0.0.1:1".parse().unwrap());
    let url = format!("http://Hooks.Test.:{}/", server.address.port());
    let response = Client::new(&config).send(Request::new("GET", url)).await.unwrap();
    assert_eq!(response.body.as_ref(), b"right");
}

#[tokio::test]
async fn an_address_in_the_url_is_reached_when_it_is_allowed() {
    let server = Server::answering(ok("here"));
    let url = format!("http://{}/", server.address);
    let response = Client::new(&config(&[])).send(Request::new("GET", url)).await.unwrap();
    assert_eq!(response.body.as_ref(), b"here");
}
