//! WebSockets of plugins, as clients see them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use streamspace_tests::{Answer, Api, DEADLINE, Folder, Host, Installation, replace};
use tungstenite::{
    ClientRequestBuilder, Message, WebSocket, client,
    http::Uri,
    protocol::{CloseFrame, frame::coding::CloseCode},
};

const PLUGIN: &str = "fixture-sockets";

type Socket = WebSocket<TcpStream>;

fn start() -> Host {
    start_with(|installation| installation)
}

fn start_with(set: impl FnOnce(Installation) -> Installation) -> Host {
    let host = set(Installation::new()).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

/// What whoever has the administrator's token sends.
fn bearer(host: &Host) -> String {
    format!("Bearer {}", fs::read_to_string(host.data().join("admin.token")).unwrap().trim())
}

/// An account of these permissions, by its token.
fn account(host: &Host, name: &str, permissions: &[&str]) -> (Api, String) {
    let new = json!({"username": name, "role": "user", "permissions": permissions});
    let _ = host.api().post_json("/api/v1/users", &new).expect(201);
    let (token, _) = host.add_token(name, &["*"]);
    (host.api().with_token(Some(&token)), format!("Bearer {token}"))
}

/// What a handshake was answered with instead.
#[derive(Debug, PartialEq)]
struct Refused {
    status: u16,
    body: String,
}

impl Refused {
    fn code(&self) -> String {
        let problem: Value = serde_json::from_str(&self.body).unwrap_or_default();
        problem["code"].as_str().unwrap_or_default().to_owned()
    }
}

/// Opens a WebSocket, and answers the sub-protocol that was chosen.
fn open_with(
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

fn open(host: &Host, path: &str) -> Result<Socket, Refused> {
    let bearer = bearer(host);
    open_with(host, &at(path), &[("Authorization", &bearer)], &[]).map(|(socket, _)| socket)
}

#[track_caller]
fn refused(opened: Result<Socket, Refused>) -> (u16, String) {
    let refused = opened.expect_err("it is refused");
    (refused.status, refused.code())
}

/// The next message.
#[track_caller]
fn read(socket: &mut Socket) -> Message {
    loop {
        match socket.read().unwrap() {
            Message::Ping(_) | Message::Pong(_) => {}
            message => return message,
        }
    }
}

#[track_caller]
fn read_text(socket: &mut Socket) -> String {
    match read(socket) {
        Message::Text(text) => text.to_string(),
        other => panic!("{other:?}"),
    }
}

/// With what the host closes the socket, whatever comes before that.
#[track_caller]
fn closed(socket: &mut Socket) -> (u16, String) {
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

fn text(text: &str) -> Message {
    Message::Text(text.into())
}

fn metric(host: &Host, name: &str) -> u64 {
    let all = host.api().get("/metrics").expect(200).body;
    let line = all.lines().find(|line| line.starts_with(name)).unwrap_or_else(|| panic!("no {name}: {all}"));
    line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap() as u64
}

fn wait_open(host: &Host, count: u64) {
    let name = format!("streamspace_sockets{{plugin=\"{PLUGIN}\"}}");
    host.wait_for(DEADLINE, &format!("{count} open sockets"), || {
        (metric(host, &name) == count).then_some(())
    });
}

fn closed_for(host: &Host, reason: &str) -> u64 {
    metric(host, &format!("streamspace_sockets_closed_total{{plugin=\"{PLUGIN}\",reason=\"{reason}\"}}"))
}

/// Waits until `count` handlers stand at the gate.
fn waiting(host: &Host, count: usize) {
    host.wait_for(DEADLINE, "handlers to wait", || {
        (host.log().count(|line| line.is_of(PLUGIN) && line.message() == "Waiting.") >= count).then_some(())
    });
}

fn why_closed(host: &Host) -> String {
    let line = host.logged("why a socket was closed", |line| line.message() == "A socket was closed.");
    line.text("why").to_owned()
}

#[test]
fn both_kinds_of_messages_come_back_as_they_were() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    for length in [0, 1, 125, 126, 65_535, 65_536, 1_000_000] {
        let sent: Vec<u8> = (0..length).map(|n: usize| (n * 7) as u8).collect();
        socket.send(Message::Binary(sent.clone().into())).unwrap();
        assert_eq!(read(&mut socket), Message::Binary(sent.into()), "{length}");
    }
    for said in ["", "ü and 🦀", &"x".repeat(100_000)] {
        socket.send(text(said)).unwrap();
        assert_eq!(read_text(&mut socket), said);
    }
    // Many, before the first is read.
    for number in 0..1000 {
        socket.send(text(&number.to_string())).unwrap();
    }
    for number in 0..1000 {
        assert_eq!(read_text(&mut socket), number.to_string());
    }
    socket.send(Message::Ping("are you there".into())).unwrap();
    loop {
        match socket.read().unwrap() {
            Message::Pong(said) => break assert_eq!(&said[..], b"are you there"),
            Message::Ping(_) => {}
            other => panic!("{other:?}"),
        }
    }
    socket.close(Some(CloseFrame { code: CloseCode::Library(4002), reason: "enough".into() })).unwrap();
    assert_eq!(closed(&mut socket).0, 4002, "the code is sent back");
    assert_eq!(why_closed(&host), "Client { code: 4002, reason: \"enough\" }");
    wait_open(&host, 0);
    assert_eq!(closed_for(&host, "client"), 1);
    let of =
        |name: &str, way: &str| metric(&host, &format!("{name}{{plugin=\"{PLUGIN}\",direction=\"{way}\"}}"));
    assert_eq!(of("streamspace_socket_messages_total", "in"), 1010);
    assert_eq!(of("streamspace_socket_bytes_total", "in"), of("streamspace_socket_bytes_total", "out"));
    host.stop();
}

#[test]
fn what_a_handler_says_before_it_accepts_is_an_answer() {
    let host = start();
    assert_eq!(refused(open(&host, "/refuses")), (409, "SSP-RTE-021".into()));
    assert_eq!(refused(open(&host, "/fails-early")), (500, "SSP-RTE-018".into()));
    assert_eq!(refused(open(&host, "/unaccepted")), (500, "SSP-WSK-007".into()));
    assert_eq!(refused(open(&host, "/panics-early")), (500, "SSP-RTE-017".into()));
    let bearer = bearer(&host);
    let headers = [("Authorization", bearer.as_str()), ("X-Stop", "1")];
    let stopped = open_with(&host, &at("/echo"), &headers, &[]).map(drop).unwrap_err();
    assert_eq!(stopped, Refused { status: 418, body: "stopped".into() }, "what stands ahead of all handlers");
    assert!(host.log().has(|line| line.text("reason").contains("a reason of its own")));
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn a_handler_that_does_not_decide_is_late_and_cannot_accept_any_more() {
    let host = start_with(|installation| installation.set("plugins.handler_deadline_secs", 1));
    assert_eq!(refused(open(&host, "/late")), (504, "SSP-RTE-016".into()));
    let _ = host.api().post(&at("/open")).expect(204);
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn what_is_no_handshake_never_comes_to_the_plugin() {
    let host = start();
    let problem = host.api().get(&at("/echo")).problem(&[426]);
    assert_eq!(problem["code"], "SSP-WSK-001");
    let headers = [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "8")];
    let problem = host.api().send("GET", &at("/echo"), &headers, None).problem(&[400]);
    assert_eq!(problem["code"], "SSP-WSK-002");
    let _ = host.api().post(&at("/echo")).problem(&[405]);
    assert_eq!(refused(open(&host, "/nothing")), (404, "SSP-RTE-011".into()));
    host.stop();
}

#[test]
fn a_sub_protocol_is_one_that_both_speak() {
    let host = start();
    let bearer = bearer(&host);
    let spoken = |path: &str, more: &[(&str, &str)], offered: &[&str]| {
        let mut headers = vec![("Authorization", bearer.as_str())];
        headers.extend_from_slice(more);
        open_with(&host, &at(path), &headers, offered).map(|(_, chosen)| chosen)
    };
    assert_eq!(spoken("/spoken", &[], &["third", "second", "first"]), Ok(Some("second".into())));
    let refused = spoken("/spoken", &[], &["third"]).unwrap_err();
    assert_eq!((refused.status, refused.code()), (400, "SSP-WSK-006".into()));
    assert_eq!(spoken("/spoken", &[], &[]), Ok(None));
    assert_eq!(spoken("/echo", &[("X-Protocol", "mine")], &["other", "mine"]), Ok(Some("mine".into())));
    assert_eq!(spoken("/echo", &[("X-Protocol", "mine")], &[]), Ok(None), "not offered, not told");
    host.stop();
}

#[test]
fn only_who_may_is_let_in() {
    let host = start();
    let (_, allowed) = account(&host, "ada", &["things.write"]);
    let (_, other) = account(&host, "bob", &[]);
    let as_who = |path: &str, bearer: &str| {
        open_with(&host, &at(path), &[("Authorization", bearer)], &[]).map(|(socket, _)| socket)
    };
    assert!(as_who("/echo/7", &allowed).is_ok() && as_who("/echo", &other).is_ok());
    assert_eq!(refused(as_who("/echo/7", &other)), (403, "SSP-RTE-013".into()));
    assert_eq!(refused(as_who("/echo", "Bearer wrong")).0, 401);
    let nobody = |path: &str, headers: &[(&str, &str)]| {
        open_with(&host, &at(path), headers, &[]).map(|(socket, _)| socket)
    };
    assert_eq!(refused(nobody("/echo", &[])), (401, "SSP-AUT-001".into()));

    let forged = [("X-Forwarded-For", "192.0.2.7")];
    let known: Value = serde_json::from_str(&read_text(&mut nobody("/public", &forged).unwrap())).unwrap();
    assert_eq!((&known["signed_in"], &known["forwarded_for"]), (&json!(false), &json!("127.0.0.1")));
    let known: Value = serde_json::from_str(&read_text(&mut as_who("/public", &allowed).unwrap())).unwrap();
    assert_eq!(known["caller"], "ada");
    assert!(!known["headers"].as_array().unwrap().contains(&json!("authorization")), "{known}");
    // Other sites' pages, also where everybody may.
    let evil = [("Origin", "https://evil.example")];
    assert_eq!(refused(nobody("/public", &evil)), (403, "SSP-AUT-005".into()));
    let evil = [("Authorization", allowed.as_str()), ("Sec-Fetch-Site", "cross-site")];
    assert_eq!(refused(nobody("/echo", &evil)), (403, "SSP-AUT-005".into()));
    let own = format!("http://{}", host.address());
    assert!(nobody("/public", &[("Origin", &own)]).is_ok());
    // A browser's cookie.
    host.add_user("cleo", "user");
    let cookie = host.browser("cleo").cookie;
    assert!(nobody("/echo", &[("Cookie", &cookie), ("Origin", &own)]).is_ok());
    host.stop();
}

fn ticket(api: &Api, path: &str) -> Answer {
    api.post_json(&format!("/api/v1/plugins/{PLUGIN}/tickets"), &json!({ "path": path }))
}

#[test]
fn a_ticket_is_for_one_path_and_one_use_and_the_plugin_is_not_told() {
    let host = start();
    let (ada, _) = account(&host, "ada", &["things.write"]);
    let (bob, _) = account(&host, "bob", &[]);
    let bare = |path: &str| open_with(&host, path, &[], &[]).map(|(socket, _)| socket);

    let good = ticket(&ada, "/echo/a%20b").expect(201).json();
    assert_eq!(good["expires_in_secs"], 30);
    let way = good["path"].as_str().unwrap();
    let mut socket = bare(way).unwrap();
    socket.send(text("x")).unwrap();
    assert_eq!(read_text(&mut socket), "x");
    assert_eq!(refused(bare(way)), (401, "SSP-WSK-003".into()), "twice");
    let other = ticket(&ada, "/echo/1").expect(201).json()["ticket"].as_str().unwrap().to_owned();
    let elsewhere = format!("{}?ticket={other}", at("/echo/2"));
    assert_eq!(refused(bare(&elsewhere)), (401, "SSP-WSK-003".into()), "of another path");

    assert_eq!(ticket(&bob, "/echo/1").problem(&[403])["code"], "SSP-RTE-013");
    for path in ["/nothing", "/open", "", "echo", "/../x", "/echo/1?a", "x/echo"] {
        assert_eq!(ticket(&ada, path).problem(&[404])["code"], "SSP-RTE-011", "{path}");
    }
    let gone = ada.post_json("/api/v1/plugins/nobody/tickets", &json!({"path": "/echo"}));
    assert_eq!(gone.problem(&[404])["code"], "SSP-RTE-011");
    let _ = ticket(&host.api().with_token(None), "/echo").problem(&[401]);

    let way = ticket(&ada, "/public").expect(201).json()["path"].as_str().unwrap().to_owned();
    let known: Value = serde_json::from_str(&read_text(&mut bare(&format!("{way}&a=1")).unwrap())).unwrap();
    assert_eq!((&known["query"], &known["caller"]), (&json!("a=1"), &json!("ada")));
    assert!(!host.log().text().contains(&other), "a ticket was logged");
    host.stop();
}

#[test]
fn a_message_that_is_too_large_closes_the_socket_with_1009() {
    let host = start();
    let send = |message: Message| {
        let mut socket = open(&host, "/echo/7").unwrap();
        socket.send(Message::Binary(vec![1; 1000].into())).unwrap();
        assert_eq!(read(&mut socket).len(), 1000, "the largest that is taken");
        socket.send(message).unwrap();
        closed(&mut socket)
    };
    assert_eq!(send(Message::Binary(vec![1; 1001].into())).0, 1009);
    assert_eq!(send(text(&"x".repeat(100_000))).0, 1009);
    // The same in pieces, each of which is small.
    let mut socket = open(&host, "/echo/7").unwrap();
    let stream = socket.get_mut();
    stream.write_all(&frame(0x02, &[1; 100])).unwrap();
    for _ in 0..10 {
        stream.write_all(&frame(0x00, &[1; 100])).unwrap();
    }
    assert_eq!(closed(&mut socket).0, 1009);
    wait_open(&host, 0);
    assert_eq!(closed_for(&host, "too_large"), 3);
    host.stop();
}

/// A client's frame, of less than 126 bytes: its first byte has the kind, and whether it is the last.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first, 0x80 | payload.len() as u8, 1, 2, 3, 4];
    frame.extend(payload.iter().zip([1, 2, 3, 4].iter().cycle()).map(|(byte, mask)| byte ^ mask));
    frame
}

#[test]
fn what_is_no_websockets_closes_the_socket_with_what_is_wrong() {
    let host = start();
    for (bytes, code) in [
        (vec![0x82, 0x01, b'x'], 1002),
        (frame(0xf2, b"x"), 1002),
        (frame(0x83, b"x"), 1002),
        (frame(0x00, b"x"), 1002),
        ([frame(0x02, b"x"), frame(0x82, b"y")].concat(), 1002),
        (frame(0x81, b"\xff"), 1007),
        ([frame(0x01, b"\xc3"), frame(0x80, b"\x28")].concat(), 1007),
    ] {
        let mut socket = open(&host, "/echo").unwrap();
        socket.get_mut().write_all(&bytes).unwrap();
        assert_eq!(closed(&mut socket).0, code, "{bytes:?}");
    }
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn frames_of_one_byte_are_put_together_and_a_letter_may_be_apart() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    let said = "ü and 🦀 ".repeat(2000);
    let mut bytes = Vec::new();
    for (number, byte) in said.bytes().enumerate() {
        let is_last = if number + 1 == said.len() { 0x80 } else { 0 };
        bytes.extend(frame(is_last | u8::from(number == 0), &[byte]));
        if number % 1000 == 0 {
            // Between the pieces of a message.
            bytes.extend(frame(0x89, b"?"));
        }
    }
    socket.get_mut().write_all(&bytes).unwrap();
    assert_eq!(read_text(&mut socket), said);

    // Messages of one byte, each of which is one.
    let bytes: Vec<u8> = (0..5000).flat_map(|_| frame(0x82, b"x")).collect();
    let mut writer = socket.get_ref().try_clone().unwrap();
    let writing = thread::spawn(move || writer.write_all(&bytes).unwrap());
    for _ in 0..5000 {
        assert_eq!(read(&mut socket), Message::Binary(b"x"[..].into()));
    }
    writing.join().unwrap();
    host.stop();
}

fn memory(host: &Host) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", host.pid())).unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_client_that_takes_nothing_is_bounded_and_cut_off() {
    let host = start_with(|installation| installation.set("plugins.socket_send_deadline_secs", 1));
    let before = memory(&host);
    let slow = open(&host, "/floods").unwrap();
    let ended = host.logged("the flood to end", |line| line.message() == "The flood ended.");
    assert!(ended.text("why").contains("took nothing"), "{ended:?}");
    let sent = ended.field("sent").as_u64().unwrap();
    assert!(sent < 64 * 1024 * 1024, "nothing holds it up: {sent}");
    assert!(memory(&host) < before + 64 * 1024, "{before} KiB became {} KiB", memory(&host));
    host.wait_for(DEADLINE, "the socket to be closed", || (closed_for(&host, "slow") == 1).then_some(()));
    // That the client is slow is no failure of the plugin.
    assert!(!host.log().has(|line| line.message() == "A request failed."));
    // Others are served meanwhile.
    let mut other = open(&host, "/echo").unwrap();
    other.send(text("x")).unwrap();
    assert_eq!(read_text(&mut other), "x");
    drop(slow);
    other.close(None).unwrap();
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn a_handler_that_takes_nothing_holds_up_its_client_and_loses_nothing() {
    let host = start();
    let mut socket = open(&host, "/holds").unwrap();
    waiting(&host, 1);
    let before = memory(&host);
    let mut writer = socket.get_ref().try_clone().unwrap();
    writer.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Frames of 100 bytes, as many as the host and the kernel take.
    let piece: Vec<u8> = (0..1000).flat_map(|_| frame(0x82, &[7; 100])).collect();
    let mut written = 0_usize;
    let mut pending = Vec::new();
    while pending.is_empty() {
        let mut at = 0;
        while at < piece.len() {
            match writer.write(&piece[at..]) {
                Ok(count) => at += count,
                Err(_) => break,
            }
        }
        written += 1000;
        pending = piece[at..].to_vec();
        assert!(written < 10_000_000, "nothing holds the client up");
    }
    assert!(memory(&host) < before + 32 * 1024, "{before} KiB became {} KiB", memory(&host));
    let _ = host.api().post(&at("/open")).expect(204);
    writer.set_write_timeout(Some(DEADLINE)).unwrap();
    writer.write_all(&pending).unwrap();
    socket.send(text("count")).unwrap();
    let counted: Value = serde_json::from_str(&read_text(&mut socket)).unwrap();
    assert_eq!(counted, json!({"messages": written, "bytes": written * 100}));
    host.stop();
}

#[test]
fn a_client_that_vanishes_ends_its_handler() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    socket.send(text("x")).unwrap();
    assert_eq!(read_text(&mut socket), "x");
    socket.get_ref().shutdown(Shutdown::Both).unwrap();
    assert_eq!(why_closed(&host), "Gone");
    wait_open(&host, 0);
    assert_eq!(closed_for(&host, "gone"), 1);
    host.stop();
}

#[test]
fn a_client_is_asked_for_a_sign_and_gone_without_one() {
    let host = start_with(|installation| installation.set("plugins.socket_silence_secs", 2));
    let mut silent = open(&host, "/echo").unwrap();
    assert!(matches!(silent.read().unwrap(), Message::Ping(_)), "it is asked");
    // One that answers, as this client does while it reads, stays for longer.
    let mut answering = open(&host, "/echo").unwrap();
    let until = Instant::now() + Duration::from_secs(4);
    while Instant::now() < until {
        assert!(matches!(answering.read().unwrap(), Message::Ping(_)));
    }
    assert_eq!(why_closed(&host), "Silent");
    let mut raw = Vec::new();
    let _ = silent.get_mut().read_to_end(&mut raw);
    assert!(raw.windows(2).any(|two| two == 1001_u16.to_be_bytes()), "it is told: {raw:?}");
    answering.send(text("x")).unwrap();
    assert_eq!(read_text(&mut answering), "x");
    host.stop();
}

#[test]
fn a_handler_closes_behind_what_it_sent_and_a_reason_is_cut_to_fit() {
    let host = start();
    let mut socket = open(&host, "/closes").unwrap();
    for number in 0..3_u8 {
        assert_eq!(read(&mut socket), Message::Binary(vec![number].into()));
    }
    let (code, reason) = closed(&mut socket);
    assert_eq!((code, reason.len()), (4001, 123));
    assert!(reason.starts_with("true ü"), "a code that may not be sent is refused: {reason}");
    let after = host.logged("what comes after", |line| line.message() == "It is closed.");
    assert_eq!(after.text("after"), "(true, true, Closed(Done))");
    wait_open(&host, 0);
    host.stop();
}

#[test]
fn another_thread_of_the_plugin_sends_until_the_handler_has_returned() {
    let host = start();
    let mut listeners = [open(&host, "/listens").unwrap(), open(&host, "/listens").unwrap()];
    for listener in &mut listeners {
        assert_eq!(read_text(listener), "listening");
    }
    let tell = || host.api().send("POST", &at("/tell"), &[], Some(b"news")).expect(200).json();
    assert_eq!(tell(), json!({"told": 2, "gone": 0}));
    let [mut first, mut second] = listeners;
    assert_eq!((read_text(&mut first), read_text(&mut second)), ("news".to_owned(), "news".to_owned()));
    first.close(None).unwrap();
    wait_open(&host, 1);
    assert_eq!(tell(), json!({"told": 1, "gone": 1}));
    host.stop();
}

#[test]
fn a_panic_and_a_failure_close_with_1011_and_touch_nobody_else() {
    let host = start_with(|installation| installation.set("plugins.panic_limit", 3));
    let mut other = open(&host, "/echo").unwrap();
    for (path, said) in [("/panics", "the plugin panicked"), ("/fails", "the plugin failed")] {
        let mut socket = open(&host, path).unwrap();
        socket.send(text("go")).unwrap();
        assert_eq!(closed(&mut socket), (1011, said.to_owned()));
    }
    host.logged("the panic", |line| line.text("reason").contains("told to panic with a socket"));
    host.logged("the failure", |line| line.text("reason").contains("too late for an answer"));
    other.send(text("x")).unwrap();
    assert_eq!(read_text(&mut other), "x");
    for _ in 0..2 {
        let mut socket = open(&host, "/panics").unwrap();
        socket.send(text("go")).unwrap();
        assert_eq!(closed(&mut socket).0, 1011);
    }
    host.wait_state(PLUGIN, "quarantined");
    assert_eq!(closed(&mut other).0, 1001, "too many panics");
    host.stop();
}

#[test]
fn there_are_only_so_many_sockets() {
    let host = start_with(|installation| installation.set("plugins.max_sockets", 2));
    let mut sockets = vec![open(&host, "/echo").unwrap(), open(&host, "/echo").unwrap()];
    assert_eq!(refused(open(&host, "/echo")), (503, "SSP-WSK-005".into()));
    sockets[0].close(None).unwrap();
    wait_open(&host, 1);
    sockets.push(open(&host, "/echo").unwrap());
    host.stop();

    let host = start_with(|installation| installation.set("server.max_sockets", 1));
    let _socket = open(&host, "/echo").unwrap();
    assert_eq!(refused(open(&host, "/echo")), (503, "SSP-WSK-004".into()));
    host.stop();
}

#[test]
fn a_plugin_that_is_disabled_tells_its_sockets() {
    let host = start();
    let mut sockets: Vec<Socket> = (0..10).map(|_| open(&host, "/echo").unwrap()).collect();
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    for socket in &mut sockets {
        assert_eq!(closed(socket).0, 1001);
    }
    assert_eq!(why_closed(&host), "Stopping");
    assert_eq!(refused(open(&host, "/echo")).0, 503);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    let mut socket = open(&host, "/echo").unwrap();
    socket.send(text("x")).unwrap();
    assert_eq!(read_text(&mut socket), "x");
    host.stop();
}

#[test]
fn a_handler_that_does_not_end_is_treated_as_one_that_hangs() {
    let host = start_with(|installation| installation.set("plugins.drain_deadline_secs", 1));
    let mut socket = open(&host, "/ignores").unwrap();
    waiting(&host, 1);
    host.cli(&["plugin", "disable", PLUGIN]).expect(1);
    assert_eq!(closed(&mut socket).0, 1001, "the client is told all the same");
    let state = host.wait_state(PLUGIN, "failed");
    let reason = state["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("WebSocket /ignores"), "{state}");
    host.stop();
}

#[test]
fn a_handler_that_does_not_end_with_its_socket_is_reported() {
    let host = start_with(|installation| installation.set("plugins.handler_deadline_secs", 1));
    let mut socket = open(&host, "/ignores").unwrap();
    waiting(&host, 1);
    socket.close(None).unwrap();
    let line = host.logged("that it hangs", |line| line.message() == "A handler hangs.");
    assert_eq!(line.text("route"), "WebSocket /ignores");
    // It keeps its place until it returns.
    wait_open(&host, 1);
    let _ = host.api().post(&at("/open")).expect(204);
    wait_open(&host, 0);
    host.stop();
}

/// A folder with the same plugin as another version.
fn version(host: &Host, number: &str, generation: u32) -> Folder {
    let folder = host.copy(PLUGIN, PLUGIN);
    folder.change(|library| {
        replace(library, r#""version":"0.1.0""#, &format!(r#""version":"{number}""#));
    });
    let path = std::path::PathBuf::from(folder.path()).join("manifest.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["version"] = number.into();
    manifest["configSchema"]["properties"]["generation"]["default"] = generation.into();
    fs::remove_file(&path).unwrap();
    fs::write(path, manifest.to_string()).unwrap();
    folder
}

fn generation(socket: &mut Socket) -> String {
    socket.send(text("generation")).unwrap();
    read_text(socket)
}

#[test]
fn sockets_stay_with_the_version_that_has_them_until_it_goes() {
    let host = start_with(|installation| {
        installation.set("plugins.health_gate_secs", 3).set("plugins.health_gate_failures", 0)
    });
    let folder = version(&host, "0.2.0", 2);
    let upgrade = {
        let (api, path) = (host.api().another(), folder.path().to_owned());
        move || api.post_json(&format!("/api/v1/plugins/{PLUGIN}/upgrade"), &json!({ "path": path }))
    };
    let mut old = open(&host, "/echo").unwrap();
    assert_eq!(generation(&mut old), "0");

    // A version that fails with a socket while it is watched is taken back.
    let upgrading = thread::spawn(upgrade.clone());
    let mut new = host.wait_for(DEADLINE, "the new version", || {
        let mut socket = open(&host, "/echo").ok()?;
        (generation(&mut socket) == "2").then_some(socket)
    });
    assert_eq!(generation(&mut old), "0", "both have sockets");
    let mut failing = open(&host, "/fails").unwrap();
    failing.send(text("go")).unwrap();
    let refused = upgrading.join().unwrap();
    assert!(refused.status >= 400, "{refused:?}");
    assert_eq!(closed(&mut new).0, 1001);
    assert_eq!(generation(&mut old), "0", "the one before goes on, with its sockets");

    let _ = upgrade().expect(200);
    assert_eq!(closed(&mut old).0, 1001);
    assert_eq!(generation(&mut open(&host, "/echo").unwrap()), "2");
    host.stop();
}

#[test]
fn another_configuration_takes_over_and_sockets_begin_anew() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    socket.send(text("generation")).unwrap();
    assert_eq!(read_text(&mut socket), "0");
    host.configure(PLUGIN, &json!({"generation": 7})).expect(0);
    assert_eq!(closed(&mut socket).0, 1001);
    host.wait_state(PLUGIN, "running");
    let mut socket = open(&host, "/echo").unwrap();
    socket.send(text("generation")).unwrap();
    assert_eq!(read_text(&mut socket), "7");
    host.stop();
}

#[test]
fn a_host_that_stops_tells_its_sockets_first() {
    let host = start();
    let mut socket = open(&host, "/echo").unwrap();
    let stopping = thread::spawn(move || host.stop());
    assert_eq!(closed(&mut socket).0, 1001);
    assert!(stopping.join().unwrap().status.success());
}

#[test]
fn a_socket_is_listed_among_the_routes_and_described() {
    let host = start();
    let routes = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/routes")).expect(200).json();
    let route = routes["routes"].as_array().unwrap().iter().find(|route| route["path"] == at("/echo/{id}"));
    let route = route.unwrap();
    assert_eq!((&route["websocket"], &route["method"]), (&json!(true), &json!("GET")));
    assert_eq!((&route["max_body_bytes"], &route["permissions"]), (&json!(1000), &json!(["things.write"])));
    let document = host.api().get("/api/openapi.json").expect(200).json();
    assert!(document["paths"][at("/echo")]["get"]["responses"]["101"].is_object(), "{document}");
    host.stop();
}
