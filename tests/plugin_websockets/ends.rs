//! How sockets end: by the client, by the handler, and with the plugin.

use std::{
    fs,
    io::Read,
    net::Shutdown,
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Folder, Host, replace};
use tungstenite::Message;

use crate::socket::{
    PLUGIN, Socket, at, closed, closed_for, open, read, read_text, refused, start, start_with, text,
    wait_open, waiting, why_closed,
};

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
