//! What taps see of streams, from the beginning and later on, at their pace and at another one.

use std::{
    io::{ErrorKind, Write},
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Desktop};

use crate::{
    plugin::{ENDED, LEFT, PLUGIN, bytes, call, is_whole, metric, mode, start, wait_closed, wait_seen},
    viewed::Viewed,
};

#[test]
fn every_byte_from_the_first_on_is_seen_in_both_directions() {
    let desktop = Desktop::new();
    let host = start();
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
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
    let _ = viewed.viewer.read(sent);
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
