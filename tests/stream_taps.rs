//! `streams/1`: what plugins see of streams, what becomes of viewers while plugins are slow, fail and go, and plugins' own
//! connections to desktops.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream},
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, LogLine, wait_for};
use tungstenite::{ClientRequestBuilder, Message, WebSocket, client, http::Uri};

const PLUGIN: &str = "fixture-taps";

/// What becomes of a stream, as the interface numbers it.
const ENDED: u64 = 1;
const DETACHED: u64 = 2;
const LEFT: u64 = 3;
const FAILED: u64 = 4;

/// Where a session's desktop listens.
struct Desktop(TcpListener);

impl Desktop {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        // So that nobody waits for ever for a connection that does not come.
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn address(&self) -> String {
        self.0.local_addr().unwrap().to_string()
    }

    fn accept(&self) -> TcpStream {
        let (stream, _) = wait_for(DEADLINE, "a connection to the desktop", || self.0.accept().ok());
        stream.set_nonblocking(false).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        stream
    }
}

/// A viewer at a desktop, and all that passed between them.
struct Viewed {
    socket: WebSocket<TcpStream>,
    desktop: TcpStream,
    to_viewer: Vec<u8>,
    to_desktop: Vec<u8>,
}

impl Viewed {
    /// Opens a session's desktop and shakes hands: RFB 3.8, no password.
    fn open(host: &Host, session: &str, desktop: &Desktop) -> Self {
        let mut viewed = Self::connect(host, session, desktop);
        viewed.show(&[1, 1]);
        viewed.act(&[1]);
        viewed.show(&[0; 4]);
        viewed.begin();
        viewed
    }

    /// Opens a session's desktop, and says which RFB both sides speak.
    fn connect(host: &Host, session: &str, desktop: &Desktop) -> Self {
        let ticket = host.api().post(&format!("/api/v1/sessions/{session}/tickets")).expect(201).json();
        let uri = format!("ws://{}{}", host.address(), ticket["path"].as_str().unwrap());
        let uri: Uri = uri.parse().unwrap();
        let stream = TcpStream::connect(host.address()).unwrap();
        stream.set_read_timeout(Some(DEADLINE)).unwrap();
        stream.set_write_timeout(Some(DEADLINE)).unwrap();
        let request = ClientRequestBuilder::new(uri).with_sub_protocol("binary");
        let (socket, _) = client(request, stream).unwrap();
        let mut viewed =
            Self { socket, desktop: desktop.accept(), to_viewer: Vec::new(), to_desktop: Vec::new() };
        viewed.show(b"RFB 003.008\n");
        viewed.act(b"RFB 003.008\n");
        viewed
    }

    /// The end of the handshake, the same whatever was agreed on before.
    fn begin(&mut self) {
        self.act(&[1]);
        let mut init =
            vec![0, 64, 0, 48, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 4];
        init.extend_from_slice(b"desk");
        self.show(&init);
    }

    /// The desktop sends something, and the viewer gets it.
    fn show(&mut self, bytes: &[u8]) {
        self.desktop.write_all(bytes).unwrap();
        assert_eq!(self.get(bytes.len()), bytes);
        self.to_viewer.extend_from_slice(bytes);
    }

    /// The viewer sends something, and the desktop gets it.
    fn act(&mut self, bytes: &[u8]) {
        self.socket.send(Message::Binary(bytes.to_vec().into())).unwrap();
        let mut got = vec![0; bytes.len()];
        self.desktop.read_exact(&mut got).unwrap();
        assert_eq!(got, bytes);
        self.to_desktop.extend_from_slice(bytes);
    }

    /// A pointer's move.
    fn point(&mut self, x: u8) {
        self.act(&[5, 0, 0, x, 0, 1]);
    }

    /// The next `count` bytes that the viewer gets.
    fn get(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < count {
            match self.socket.read().unwrap() {
                Message::Binary(piece) => bytes.extend_from_slice(&piece),
                Message::Ping(_) => {}
                other => panic!("{other:?}"),
            }
        }
        bytes
    }

    /// The viewer goes.
    fn leave(mut self) -> (Vec<u8>, Vec<u8>) {
        self.socket.close(None).unwrap();
        assert_eq!(self.desktop.read(&mut [0; 1]).unwrap(), 0, "the desktop is told");
        (self.to_viewer, self.to_desktop)
    }
}

fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

fn start() -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// A session that runs at this desktop.
fn run(host: &Host, id: &str, address: &str) {
    let at = |rest: &str| format!("/api/v1/sessions{rest}");
    let step = |state: &str| {
        let _ =
            host.api().post_json(&at(&format!("/{id}/transition")), &json!({ "state": state })).expect(200);
    };
    let new = json!({"id": id, "owner": "ada", "template": "firefox"});
    let _ = host.api().post_json(&at(""), &new).expect(201);
    step("creating");
    let _ = host.api().patch(&at(&format!("/{id}")), &json!({ "rfb_address": address })).expect(200);
    step("running");
}

fn call(host: &Host, path: &str, body: &Value) -> Value {
    host.api().post_json(&format!("/api/plugins/{PLUGIN}{path}"), body).expect(200).json()
}

fn mode(host: &Host, tap: &str, mode: &str) {
    let _ = call(host, "/mode", &json!({ "tap": tap, "mode": mode }));
}

/// What a tap saw of the streams that it took, in their order.
fn seen(host: &Host, tap: &str) -> Vec<Value> {
    let seen = host.api().get(&format!("/api/plugins/{PLUGIN}/seen")).expect(200).json();
    seen.as_array().unwrap().iter().filter(|seen| seen["tap"] == tap).cloned().collect()
}

/// The last stream that a tap took, once it is as expected.
fn wait_seen(host: &Host, tap: &str, what: &str, such: impl Fn(&Value) -> bool) -> Value {
    host.wait_for(DEADLINE, what, || seen(host, tap).pop().filter(&such))
}

fn wait_closed(host: &Host, tap: &str, kind: u64) -> Value {
    wait_seen(host, tap, "the end of a stream", |seen| seen["closed"]["kind"] == kind)
}

fn bytes(seen: &Value, side: &str) -> u64 {
    seen[side]["bytes"].as_u64().unwrap()
}

/// Everything that was sent was seen.
fn is_whole(side: &Value, sent: &[u8]) {
    assert_eq!(
        (&side["bytes"], &side["hash"], &side["gaps"], &side["in_order"]),
        (&json!(sent.len()), &json!(fnv(sent)), &json!(0), &json!(true)),
        "{side}"
    );
}

fn metric(host: &Host, name: &str, tap: &str) -> f64 {
    let text = host.api().get("/metrics").expect(200).body;
    let series = format!("{name}{{plugin=\"{PLUGIN}\",tap=\"{tap}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{text}"));
    value.parse().unwrap()
}

#[test]
fn every_byte_from_the_first_on_is_seen_in_both_directions() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    for n in 0..200_usize {
        let piece: Vec<u8> = (0..=n * 331).map(|i| (i * 7 + n) as u8).collect();
        viewed.show(&piece);
        viewed.point(n as u8);
    }
    let listed = host.api().get("/api/v1/sessions/s-1").expect(200).json();
    let (to_viewer, to_desktop) = viewed.leave();
    let seen = wait_closed(&host, "gap", ENDED);
    is_whole(&seen["to_viewer"], &to_viewer);
    is_whole(&seen["to_desktop"], &to_desktop);
    assert_eq!(
        (&seen["session"], &seen["owner"], &seen["template"], &seen["from_start"], &seen["offsets"]),
        (&json!("s-1"), &json!("ada"), &json!("firefox"), &json!(true), &json!([0, 0]))
    );
    assert_eq!(seen["connection"], listed["connections"][0]["id"]);
    assert_eq!((&seen["in_time"], &seen["closed"]["lost"]), (&json!(true), &json!([0, 0])));
    assert_eq!(seen["closed"]["reason"], "the viewer went");
    let all = (to_viewer.len() + to_desktop.len()) as f64;
    assert_eq!(metric(&host, "streamspace_tap_bytes_total", "gap"), all);
    assert_eq!(metric(&host, "streamspace_tap_lost_bytes_total", "gap"), 0.0);
    assert_eq!(metric(&host, "streamspace_tap_streams", "gap"), 0.0);
}

#[test]
fn what_is_said_to_sign_in_is_hidden_from_taps_and_from_nobody_else() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    let mut viewed = Viewed::connect(&host, "s-1", &desktop);
    viewed.show(&[1, 2]);
    viewed.act(&[2]);
    // A challenge, and what is made of it and the password.
    viewed.show(b"CHALLENGE-OF-16!");
    viewed.act(b"RESPONSE-OF-16-B");
    viewed.show(&[0; 4]);
    viewed.begin();
    viewed.show(&[7; 5000]);
    viewed.point(1);
    let (mut to_viewer, mut to_desktop) = viewed.leave();
    to_viewer[14..30].fill(0);
    to_desktop[13..29].fill(0);
    let seen = wait_closed(&host, "gap", ENDED);
    is_whole(&seen["to_viewer"], &to_viewer);
    is_whole(&seen["to_desktop"], &to_desktop);
    assert_eq!((&seen["to_viewer"]["masked"], &seen["to_desktop"]["masked"]), (&json!(1), &json!(1)));
}

#[test]
fn a_stream_that_runs_is_joined_where_it_is() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    mode(&host, "gap", "refuse");
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    viewed.show(&[7; 5000]);
    let before = (viewed.to_viewer.len(), viewed.to_desktop.len());
    mode(&host, "gap", "follow");
    // Refused once is not for ever; but what it has is not offered again.
    let join = |tap: &str, session: &str| call(&host, "/join", &json!({ "tap": tap, "session": session }));
    assert_eq!(join("gap", "s-1"), json!({ "streams": 1 }));
    let taken = wait_seen(&host, "gap", "the stream", |_| true);
    assert_eq!(taken["offsets"], json!([before.0, before.1]));
    assert_eq!(taken["from_start"], false);
    assert_eq!(join("gap", "s-1"), json!({ "streams": 0 }));
    assert_eq!(join("gap", "s-2"), json!({ "streams": 0 }), "nobody looks at that");
    assert_eq!(join("other", "s-1")["error"], "NotFound");

    viewed.show(&[9; 3000]);
    viewed.point(3);
    let count = |seen: &Value| bytes(seen, "to_viewer") == 3000 && bytes(seen, "to_desktop") == 6;
    let seen = wait_seen(&host, "gap", "what passed since", count);
    is_whole(&seen["to_viewer"], &[9; 3000]);
    is_whole(&seen["to_desktop"], &[5, 0, 0, 3, 0, 1]);

    // Left as the plugin wishes, and the viewer stays.
    let stream = seen["stream"].as_u64().unwrap();
    let leave = || call(&host, "/leave", &json!({ "tap": "gap", "stream": stream }));
    assert_eq!(leave(), json!({ "left": true }));
    let _ = wait_closed(&host, "gap", LEFT);
    assert_eq!(leave(), json!({ "left": false }));
    viewed.show(&[1; 100]);
}

#[test]
fn a_tap_that_is_slow_misses_something_and_is_told_how_much() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    mode(&host, "small", "hold");
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    // Sixteen times what the tap has room for, while it takes nothing.
    for n in 0..64_u8 {
        viewed.show(&vec![n; 64 * 1024]);
        viewed.point(n);
    }
    assert!(metric(&host, "streamspace_tap_lost_bytes_total", "small") > 0.0);
    mode(&host, "small", "follow");
    let _ = wait_seen(&host, "small", "what waited", |seen| bytes(seen, "to_viewer") > 128 * 1024);
    viewed.show(&[255; 1000]);
    let total = viewed.to_viewer.len() as u64;
    let all = |seen: &Value| bytes(seen, "to_viewer") + seen["to_viewer"]["lost"].as_u64().unwrap() == total;
    let seen = wait_seen(&host, "small", "the end of the gap", all);
    let side = &seen["to_viewer"];
    assert!(side["gaps"].as_u64().unwrap() >= 1, "{side}");
    assert!(bytes(&seen, "to_viewer") < 512 * 1024, "more waited than there is room for: {side}");
    assert_eq!(side["in_order"], true);
    let lost = host.logged("the loss", |line| line.message().contains("A tap lags"));
    assert_eq!((lost.text("plugin"), lost.text("tap")), (PLUGIN, "small"));

    // What is lost at the end is told at the end.
    mode(&host, "small", "hold");
    for n in 0..16_u8 {
        viewed.show(&vec![n; 64 * 1024]);
    }
    let total = viewed.leave().0.len() as u64;
    mode(&host, "small", "follow");
    let seen = wait_closed(&host, "small", ENDED);
    let lost = seen["to_viewer"]["lost"].as_u64().unwrap() + seen["closed"]["lost"][0].as_u64().unwrap();
    assert_eq!(bytes(&seen, "to_viewer") + lost, total);
    assert!(seen["closed"]["lost"][0].as_u64().unwrap() > 0);
}

#[test]
fn a_tap_that_blocks_holds_its_stream_up_and_misses_nothing() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    mode(&host, "block", "hold");
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    mode(&host, "block", "follow");
    let handshake = viewed.to_viewer.len() as u64;
    let _ = wait_seen(&host, "block", "the handshake", |seen| bytes(seen, "to_viewer") == handshake);

    // As fast as it goes, and the tap loses nothing.
    let piece: Vec<u8> = (0..64 * 1024).map(|n| (n * 13) as u8).collect();
    for _ in 0..128 {
        viewed.show(&piece);
    }
    let total = viewed.to_viewer.len() as u64;
    let seen = wait_seen(&host, "block", "everything", |seen| bytes(seen, "to_viewer") == total);
    is_whole(&seen["to_viewer"], &viewed.to_viewer);
    assert_eq!(metric(&host, "streamspace_tap_lost_bytes_total", "block"), 0.0);

    // A tap that takes nothing: the desktop can send no more than what has room on the way, until the host has had enough of it.
    mode(&host, "block", "hold");
    viewed.desktop.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    let mut sent = 0;
    loop {
        match viewed.desktop.write(&piece) {
            Ok(count) => sent += count,
            Err(why) if matches!(why.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
            Err(why) => panic!("{why}"),
        }
        assert!(sent < 64 * 1024 * 1024, "nothing holds the desktop up");
    }
    // The viewer gets all of it nevertheless, and the tap is told what it missed.
    let _ = viewed.get(sent);
    let log = host.logged("the hold-up", |line| line.message().contains("A tap held a stream up"));
    assert_eq!(log.text("tap"), "block");
    let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
    assert_eq!(health["health"], "degraded", "{health}");
    assert_eq!(health["lapsed"], json!([{"tap": "block", "streams": 1}]));
    assert_eq!(metric(&host, "streamspace_tap_lapses_total", "block"), 1.0);
    mode(&host, "block", "follow");
    viewed.desktop.set_write_timeout(Some(DEADLINE)).unwrap();
    let _ = wait_seen(&host, "block", "what waited", |seen| bytes(seen, "to_viewer") > total);
    viewed.show(&[3; 1000]);
    let total = total + sent as u64 + 1000;
    let all = |seen: &Value| bytes(seen, "to_viewer") + seen["to_viewer"]["lost"].as_u64().unwrap() == total;
    let seen = wait_seen(&host, "block", "the end of the gap", all);
    assert!(seen["to_viewer"]["lost"].as_u64().unwrap() > 0, "{seen}");
    host.wait_for(DEADLINE, "the plugin's recovery", || {
        let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
        (health["health"] == "healthy").then_some(())
    });
}

#[test]
fn a_tap_that_fails_loses_its_stream_and_nobody_else_does() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    mode(&host, "gap", "fail");
    viewed.show(&[1; 100]);
    let seen = wait_closed(&host, "gap", FAILED);
    assert_eq!(seen["closed"]["reason"], "asked to fail");
    let failed = host.logged("the failure", |line| line.message().contains("A tap failed"));
    assert_eq!(failed.text("reason"), "asked to fail");
    viewed.show(&[2; 100]);
    viewed.point(1);

    // A panic in a chunk, and one at the beginning of a stream.
    for asked in ["panic", "panic-open"] {
        mode(&host, "gap", asked);
        let mut other = Viewed::open(&host, "s-1", &desktop);
        let _ = host.logged("the panic", |line| line.message().contains("A tap panicked"));
        other.show(&[3; 100_000]);
        other.point(2);
    }
    host.wait_for(DEADLINE, "two panics", || {
        let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
        (health["panics"] == 2).then_some(())
    });
    // One that has enough.
    mode(&host, "gap", "leave");
    let mut other = Viewed::open(&host, "s-1", &desktop);
    let _ = wait_closed(&host, "gap", LEFT);
    other.show(&[4; 100]);
    viewed.show(&[5; 100]);
    mode(&host, "gap", "follow");
    let good = Viewed::open(&host, "s-1", &desktop);
    let (to_viewer, _) = good.leave();
    let seen = wait_closed(&host, "gap", ENDED);
    is_whole(&seen["to_viewer"], &to_viewer);
}

#[test]
fn a_plugin_goes_and_comes_while_viewers_stay() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    let _ = wait_seen(&host, "gap", "the stream", |_| true);
    let path = format!("/api/v1/plugins/{PLUGIN}");
    let _ = host.api().post(&format!("{path}/disable")).expect(200);
    host.wait_state(PLUGIN, "disabled");
    let closed = |line: &LogLine| line.message() == "A stream was closed." && line.field("kind") == DETACHED;
    let _ = host.logged("the end for the tap", closed);
    viewed.show(&[2; 100_000]);
    viewed.point(1);

    let _ = host.api().post(&format!("{path}/enable")).expect(200);
    host.wait_state(PLUGIN, "running");
    viewed.show(&[3; 100_000]);
    assert!(seen(&host, "gap").is_empty(), "a stream that ran is joined, not tapped");
    let (to_viewer, to_desktop) = Viewed::open(&host, "s-1", &desktop).leave();
    let taken = wait_closed(&host, "gap", ENDED);
    is_whole(&taken["to_viewer"], &to_viewer);
    is_whole(&taken["to_desktop"], &to_desktop);

    // Another configuration: this plugin is started anew for it.
    host.configure(PLUGIN, &json!({})).expect(0);
    host.wait_state(PLUGIN, "running");
    viewed.show(&[4; 100_000]);
    let (to_viewer, _) = Viewed::open(&host, "s-1", &desktop).leave();
    is_whole(&wait_closed(&host, "gap", ENDED)["to_viewer"], &to_viewer);
    assert!(host.stop().status.success());
}

#[test]
fn a_tap_that_hangs_keeps_its_plugin_from_stopping_and_nobody_from_looking() {
    let desktop = Desktop::new();
    let installation = Installation::new()
        .set("plugins.drain_deadline_secs", 1)
        .set("plugins.handler_deadline_secs", 1)
        .plugin(PLUGIN, &json!({}));
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    run(&host, "s-1", &desktop.address());
    mode(&host, "gap", "hold");
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    let hangs = host.logged("the hanging tap", |line| line.message() == "A handler hangs.");
    assert_eq!(hangs.text("tap"), "gap");
    let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
    assert_eq!(
        (&health["hanging"][0]["kind"], &health["hanging"][0]["name"]),
        (&json!("tap"), &json!("gap"))
    );
    let _ = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/disable"));
    let failed = host.wait_state(PLUGIN, "failed");
    assert!(failed["reason"].as_str().unwrap().contains("`gap`"), "{failed}");
    viewed.show(&[1; 1_000_000]);
    viewed.point(1);
    let mut other = Viewed::open(&host, "s-1", &desktop);
    other.show(&[2; 1000]);
}

#[test]
fn a_plugin_is_one_more_client_of_a_desktop() {
    let desktop = Desktop::new();
    let host = start();
    run(&host, "s-1", &desktop.address());
    let talk = |session: &str, within_ms: u64| {
        let talk = json!({ "session": session, "say": "hello", "hear": 5, "within_ms": within_ms });
        call(&host, "/talk", &talk)
    };
    let heard = thread::scope(|scope| {
        let talking = scope.spawn(|| talk("s-1", 30_000));
        let mut stream = desktop.accept();
        let mut said = [0; 5];
        stream.read_exact(&mut said).unwrap();
        assert_eq!(&said, b"hello");
        stream.write_all(b"world").unwrap();
        let heard = talking.join().unwrap();
        assert_eq!(stream.read(&mut said).unwrap(), 0, "it is closed when it is dropped");
        heard
    });
    assert_eq!(heard, json!({ "heard": "world" }));
    let session = host.api().get("/api/v1/sessions/s-1").expect(200).json();
    assert_eq!(session["connections"], json!([]), "it is no viewer");
    let streams = seen(&host, "gap");
    assert!(streams.is_empty(), "it is no stream: {streams:?}");

    // A desktop that says nothing, one that goes, and sessions that have none.
    assert_eq!(talk("s-1", 50)["error"], "TimedOut");
    drop(desktop.accept());
    let gone = thread::scope(|scope| {
        let talking = scope.spawn(|| talk("s-1", 30_000));
        let mut stream = desktop.accept();
        stream.read_exact(&mut [0; 5]).unwrap();
        drop(stream);
        talking.join().unwrap()
    });
    assert_eq!(gone["error"], "UnexpectedEof");
    let missing = talk("s-2", 50);
    assert_eq!(missing["error"], "NotFound", "{missing}");
    let new = json!({"id": "s-3", "owner": "ada", "template": "firefox"});
    let _ = host.api().post_json("/api/v1/sessions", &new).expect(201);
    assert_eq!(talk("s-3", 50)["error"], "NotRunning");
    drop(desktop);
    let away = talk("s-1", 50);
    assert_eq!(away["error"], "Unreachable");
    assert!(away["message"].as_str().unwrap().contains("SSP-VNC-002"), "{away}");
}

/// The fixture with other permissions, installed and not started.
fn permitted(permissions: &[&str]) -> Installation {
    let installation = Installation::new();
    let folder = installation.copy(PLUGIN, "permitted");
    let path = format!("{}/manifest.json", folder.path());
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["permissions"] = json!(permissions);
    fs::write(&path, manifest.to_string()).unwrap();
    installation.cli(&["plugin", "install", folder.path()]).expect(0);
    installation
}

#[test]
fn a_plugin_taps_and_connects_only_if_it_may() {
    let host = permitted(&["streams:connect", "streams"]).start();
    let plugin = host.wait_state(PLUGIN, "failed");
    let reason = plugin["reason"].as_str().unwrap();
    assert!(reason.contains("streams:tap") && reason.contains("SSP-TAP-001"), "{reason}");

    let desktop = Desktop::new();
    let host = permitted(&["streams:tap", "streams"]).start();
    host.wait_state(PLUGIN, "running");
    run(&host, "s-1", &desktop.address());
    let talk = json!({ "session": "s-1", "say": "hello", "hear": 5, "within_ms": 50 });
    let refused = call(&host, "/talk", &talk);
    assert_eq!(refused["error"], "PermissionDenied");
    assert!(refused["message"].as_str().unwrap().contains("SSP-TAP-003"), "{refused}");
}
