//! The fixture's sockets, from the client's side.

use std::{fs, net::TcpStream};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation};
use tungstenite::{ClientRequestBuilder, Message, WebSocket, client, http::Uri};

pub(crate) const PLUGIN: &str = "fixture-sockets";

pub(crate) type Socket = WebSocket<TcpStream>;

pub(crate) fn start() -> Host {
    start_with(|installation| installation)
}

pub(crate) fn start_with(set: impl FnOnce(Installation) -> Installation) -> Host {
    let host = set(Installation::new()).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

pub(crate) fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

/// What whoever has the administrator's token sends.
pub(crate) fn bearer(host: &Host) -> String {
    format!("Bearer {}", fs::read_to_string(host.data().join("admin.token")).unwrap().trim())
}

/// What a handshake was answered with instead.
#[derive(Debug, PartialEq)]
pub(crate) struct Refused {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Refused {
    pub(crate) fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Opens a WebSocket, and answers the sub-protocol that was chosen.
pub(crate) fn open_with(
    host: &Host,
    path: &str,
    headers: &[(&str, &str)],
    protocols: &[&str],
) -> Result<(Socket, Option<String>), Refused> {
    let stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.set_write_timeout(Some(DEADLINE)).unwrap();
    let uri: Uri = format!("ws://{}{path}", host.address()).parse().unwrap();
    let request = ClientRequestBuilder::new(uri);
    let request = headers.iter().fold(request, |request, (name, value)| request.with_header(*name, *value));
    let request = protocols.iter().fold(request, |request, protocol| request.with_sub_protocol(*protocol));
    match client(request, stream) {
        Ok((socket, answer)) => {
            let chosen = answer.headers().get("sec-websocket-protocol");
            Ok((socket, chosen.map(|chosen| chosen.to_str().unwrap().to_owned())))
        }
        Err(tungstenite::HandshakeError::Failure(tungstenite::Error::Http(answer))) => {
            let body = String::from_utf8_lossy(answer.body().as_deref().unwrap_or_default()).into_owned();
            Err(Refused { status: answer.status().as_u16(), body })
        }
        Err(why) => panic!("{why}"),
    }
}

pub(crate) fn open(host: &Host, path: &str) -> Result<Socket, Refused> {
    let bearer = bearer(host);
    open_with(host, &at(path), &[("Authorization", &bearer)], &[]).map(|(socket, _)| socket)
}

#[track_caller]
pub(crate) fn refused(opened: Result<Socket, Refused>) -> (u16, String) {
    let refused = opened.expect_err("it is refused");
    (refused.status, refused.code())
}

/// The next message.
#[track_caller]
pub(crate) fn read(socket: &mut Socket) -> Message {
    loop {
        match socket.read().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[track_caller]
pub(crate) fn read_text(socket: &mut Socket) -> String {
    match read(socket) {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

/// With what the host closes the socket, whatever comes before that.
#[track_caller]
pub(crate) fn closed(socket: &mut Socket) -> (u16, String) {
    loop {
        match read(socket) {
            Message::Close(frame) => {
                let frame = frame.expect("a frame that says why");
                return (frame.code.into(), frame.reason.to_string());
            }
            Message::Binary(_) | Message::Text(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

pub(crate) fn text(text: &str) -> Message {
    Message::Text(text.into())
}

pub(crate) fn metric(host: &Host, name: &str) -> u64 {
    let all = host.api().get("/metrics").expect(200).body;
    let line = all.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {all}"));
    line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64
}

pub(crate) fn wait_open(host: &Host, count: u64) {
    let name = format!("streamspace_sockets{{plugin=\"{PLUGIN}\"}}");
    host.wait_for(DEADLINE, &format!("{count} open sockets"), || {
        (metric(host, &name) == count).then_some(())
    });
}

pub(crate) fn closed_for(host: &Host, reason: &str) -> u64 {
    metric(host, &format!("streamspace_sockets_closed_total{{plugin=\"{PLUGIN}\",reason=\"{reason}\"}}"))
}

/// Waits until `count` handlers stand at the gate.
pub(crate) fn waiting(host: &Host, count: usize) {
    host.wait_for(DEADLINE, "handlers to wait", || {
        (host.log().count(|line| line.is_of(PLUGIN) && line.message() == "Waiting.") >= count).then_some(())
    });
}

pub(crate) fn why_closed(host: &Host) -> String {
    let line = host.logged("why a socket was closed", |line| line.message() == "A socket was closed.");
    line.text("why").to_owned()
}
