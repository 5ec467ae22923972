//! The suites' own provider: what they rely on when they say that something was sent, and how.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
    time::{Duration, Instant},
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::ring,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};
use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Provider, Reply};

trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// Connects as `name`, over TLS if the provider has it.
fn connect(provider: &Provider, name: &str) -> Box<dyn Connection> {
    let stream = TcpStream::connect(provider.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let Some(file) = provider.ca_file() else { return Box::new(stream) };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(file).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(name.to_owned()).unwrap();
    Box::new(StreamOwned::new(ClientConnection::new(Arc::new(config), name).unwrap(), stream))
}

fn post(path: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

/// Reads one answer: its status and body.
fn answer(connection: &mut dyn Connection) -> io::Result<(u16, String)> {
    let mut bytes = Vec::new();
    loop {
        let mut headers = [httparse::EMPTY_HEADER; 16];
        let mut parsed = httparse::Response::new(&mut headers);
        if let httparse::Status::Complete(head) = parsed.parse(&bytes).map_err(io::Error::other)? {
            let length = parsed.headers.iter().find(|header| header.name == "Content-Length").unwrap();
            let length: usize = std::str::from_utf8(length.value).unwrap().parse().unwrap();
            if bytes.len() >= head + length {
                let status = parsed.code.unwrap();
                return Ok((status, String::from_utf8_lossy(&bytes[head..head + length]).into_owned()));
            }
        }
        let mut chunk = [0; 4096];
        match connection.read(&mut chunk)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn ask(connection: &mut dyn Connection, path: &str, body: &str) -> io::Result<(u16, String)> {
    connection.write_all(&post(path, body))?;
    connection.flush()?;
    answer(connection)
}

#[test]
fn requests_are_recorded_and_scripted_answers_come_in_order() {
    let provider = Provider::https(&["api.test"]);
    provider.reply(Reply::new(429).header("Retry-After", "1").body("slowly"));
    let mut connection = connect(&provider, "api.test");
    assert_eq!(ask(&mut *connection, "/a?b=c", "{}").unwrap(), (429, "slowly".to_owned()));
    assert_eq!(ask(&mut *connection, "/d", "[1]").unwrap(), (200, "ok".to_owned()));

    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!((requests[0].method.as_str(), requests[0].path.as_str()), ("POST", "/a?b=c"));
    assert_eq!(requests[0].header("Content-Type"), "application/json");
    assert_eq!(requests[1].json(), json!([1]));
    assert!(requests[0].arrived <= requests[1].arrived);
}

#[test]
fn the_certificate_is_for_its_names_alone() {
    let provider = Provider::https(&["api.test"]);
    let failure = ask(&mut *connect(&provider, "other.test"), "/", "").unwrap_err();
    assert!(failure.to_string().contains("certificate"), "{failure}");
    assert!(provider.requests().is_empty());
}

#[test]
fn a_reset_connection_is_reset() {
    for provider in [Provider::http(), Provider::https(&["api.test"])] {
        provider.reply(Reply::reset());
        let failure = ask(&mut *connect(&provider, "api.test"), "/", "").unwrap_err();
        assert_eq!(failure.kind(), io::ErrorKind::ConnectionReset);
        assert_eq!(ask(&mut *connect(&provider, "api.test"), "/", "").unwrap().0, 200);
        assert_eq!(provider.requests().len(), 2);
    }
}

#[test]
fn an_answer_can_be_cut_off() {
    let provider = Provider::http();
    provider.reply(Reply::new(200).body("0123456789").cut_off());
    let failure = ask(&mut *connect(&provider, ""), "/", "").unwrap_err();
    assert_eq!(failure.kind(), io::ErrorKind::UnexpectedEof);
}

#[test]
fn an_answer_can_be_late() {
    let provider = Provider::http();
    provider.reply(Reply::default().after(Duration::from_millis(300)));
    let asked = Instant::now();
    assert_eq!(ask(&mut *connect(&provider, ""), "/", "").unwrap().0, 200);
    assert!(asked.elapsed() >= Duration::from_millis(300));
}

#[test]
fn a_request_without_an_answer_ends_with_the_provider() {
    let provider = Provider::http();
    provider.reply(Reply::hang());
    let mut connection = connect(&provider, "");
    connection.write_all(&post("/", "")).unwrap();
    assert_eq!(provider.requests_wait(1, DEADLINE).len(), 1);
    drop(provider);
    assert!(answer(&mut *connection).is_err());
}

const HOOK: &str = "/services/T0/B0/secret";

/// What Slack answers to `message`.
fn slack_says(message: &Value) -> (u16, String) {
    let provider = Provider::slack();
    let answer = ask(&mut *connect(&provider, "hooks.slack.com"), HOOK, &message.to_string()).unwrap();
    let refused = (answer.0 != 200).then(|| answer.1.clone());
    assert_eq!(provider.violations(), Vec::from_iter(refused), "what is answered is what is recorded");
    answer
}

fn plain(text: &str) -> Value {
    json!({"type": "plain_text", "text": text})
}

#[test]
fn slack_takes_what_it_documents() {
    let fields: Vec<Value> = (0..10).map(|_| plain(&"f".repeat(2000))).collect();
    let buttons: Vec<Value> =
        (0..25).map(|_| json!({"type": "button", "text": plain("Open"), "url": "https://x.test/"})).collect();
    let blocks = json!([
        {"type": "header", "text": plain(&"ü".repeat(150))},
        {"type": "section", "fields": fields},
        {"type": "section", "text": {"type": "mrkdwn", "text": "*a*"}},
        {"type": "context", "elements": vec![plain("c"); 10]},
        {"type": "actions", "elements": buttons},
        {"type": "divider"},
    ]);
    for message in [
        json!({"text": "hi"}),
        json!({"blocks": blocks}),
        json!({"text": "hi", "attachments": [{"color": "#36a64f", "blocks": blocks}]}),
    ] {
        assert_eq!(slack_says(&message), (200, "ok".to_owned()), "{message}");
    }
}

#[test]
fn slack_refuses_what_breaks_its_limits() {
    let block = |block: Value| json!({"text": "hi", "blocks": [block]});
    let button = |text: &str, url: &str| {
        block(json!({"type": "actions", "elements": [{"type": "button", "text": plain(text), "url": url}]}))
    };
    for (message, word) in [
        (json!([]), "invalid_payload"),
        (json!({}), "no_text"),
        (json!({"text": "  "}), "no_text"),
        (json!({"text": 7}), "invalid_payload"),
        (json!({"text": "hi", "attachments": vec![json!({}); 101]}), "too_many_attachments"),
        (json!({"blocks": vec![json!({"type": "divider"}); 51]}), "invalid_blocks"),
        (block(json!({"type": "header", "text": plain(&"h".repeat(151))})), "invalid_blocks"),
        (block(json!({"type": "header", "text": {"type": "mrkdwn", "text": "h"}})), "invalid_blocks"),
        (block(json!({"type": "section"})), "invalid_blocks"),
        (block(json!({"type": "section", "text": plain("")})), "invalid_blocks"),
        (block(json!({"type": "section", "text": plain(&"s".repeat(3001))})), "invalid_blocks"),
        (block(json!({"type": "section", "fields": vec![plain("f"); 11]})), "invalid_blocks"),
        (block(json!({"type": "section", "fields": [plain(&"f".repeat(2001))]})), "invalid_blocks"),
        (block(json!({"type": "section", "fields": [plain("")]})), "invalid_blocks"),
        (block(json!({"type": "context", "elements": vec![plain("c"); 11]})), "invalid_blocks"),
        (block(json!({"type": "context", "elements": []})), "invalid_blocks"),
        (block(json!({"type": "unheard_of"})), "invalid_blocks"),
        (block(json!({"type": "divider", "block_id": "b".repeat(256)})), "invalid_blocks"),
        (button(&"b".repeat(76), "https://x.test/"), "invalid_blocks"),
        (button("Open", "javascript:alert(1)"), "invalid_blocks"),
        (json!({"text": "hi", "attachments": [{"blocks": [{"type": "section"}]}]}), "invalid_blocks"),
    ] {
        assert_eq!(slack_says(&message), (400, word.to_owned()), "{message}");
    }
}

#[test]
fn slack_knows_its_hooks_and_json_alone() {
    let provider = Provider::slack();
    let mut connection = connect(&provider, "hooks.slack.com");
    assert_eq!(ask(&mut *connection, "/services/T0", "{}").unwrap(), (404, "no_service".to_owned()));
    assert_eq!(ask(&mut *connection, HOOK, "text=hi").unwrap(), (400, "invalid_payload".to_owned()));
    assert_eq!(provider.violations(), ["no_service", "invalid_payload"]);
}
