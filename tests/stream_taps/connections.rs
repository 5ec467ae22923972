//! Plugins' own connections to desktops, and what a plugin must be permitted.

use std::{
    fs,
    io::{Read, Write},
    thread,
};

use serde_json::{Value, json};
use streamspace_tests::{Desktop, Installation};

use crate::plugin::{PLUGIN, call, seen, start};

#[test]
fn a_plugin_is_one_more_client_of_a_desktop() {
    let desktop = Desktop::new();
    let host = start();
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    let talk = json!({ "session": "s-1", "say": "hello", "hear": 5, "within_ms": 50 });
    let refused = call(&host, "/talk", &talk);
    assert_eq!(refused["error"], "PermissionDenied");
    assert!(refused["message"].as_str().unwrap().contains("SSP-TAP-003"), "{refused}");
}
