//! What goes to viewers is recorded, decoded or as it is, and played again as they saw it.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    io::{Read, Write},
    thread,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Desktop, Host, Installation, PaintedDesktop, Screen, Viewer};

const PLUGIN: &str = "streamspace-session-recorder";

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn start(config: Value) -> Host {
    let installation = Installation::on(&Backend::Sqlite);
    let mut all = json!({ "storagePath": installation.scratch().join("recordings") });
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let host = installation.plugin(PLUGIN, &all).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn begin(host: &Host, session: &str) -> (String, Value) {
    let begun = host.api().post(&at(&format!("/sessions/{session}/recordings/start"))).expect(201).json();
    (begun["recording_id"].as_str().unwrap().to_owned(), begun)
}

fn recording(host: &Host, id: &str) -> Value {
    host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json()
}

fn wait(host: &Host, id: &str, status: &str) -> Value {
    host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
        let found = recording(host, id);
        (found["status"] == status).then_some(found)
    })
}

fn act(host: &Host, id: &str, what: &str) {
    let _ = host.api().post(&at(&format!("/recordings/{id}/{what}"))).expect(200);
}

/// Ends the recording. Answers what is known of it.
fn stop(host: &Host, id: &str) -> Value {
    act(host, id, "stop");
    wait(host, id, "completed")
}

/// Waits until the recorder has had all of so many connections.
fn had(host: &Host, connections: usize) {
    let what = format!("{connections} connections to be recorded");
    host.wait_for(DEADLINE, &what, || {
        let ended = host.log().count(|line| line.message() == "A connection that was recorded has ended.");
        (ended == connections).then_some(())
    });
}

/// Waits until a connection is being recorded, the one of this number.
fn taken(host: &Host, connections: usize) {
    host.wait_for(DEADLINE, "a connection to be taken", || {
        let taken = host.log().count(|line| line.message() == "A connection is recorded.");
        (taken == connections).then_some(())
    });
}

/// A replay that stands still, once there is one.
fn replay(host: &Host, id: &str) -> Screen {
    host.wait_for(DEADLINE, "the recording to be decoded", || {
        let body = json!({ "path": format!("/recordings/{id}/replay") });
        let path = format!("/api/v1/plugins/{PLUGIN}/tickets");
        let ticket = host.api().post_json(&path, &body).expect(201).json();
        let path = format!("{}&name=r&paused=true", ticket["path"].as_str().unwrap());
        match Viewer::open(host, &path, &[]) {
            Ok(viewer) => Some(Screen::over(viewer)),
            Err((status, _)) => {
                assert_eq!(status, 409);
                None
            }
        }
    })
}

/// Goes to a moment of a replay, and waits until this is to be seen.
fn shows(host: &Host, screen: &mut Screen, id: &str, ms: u64, expected: &[u32]) {
    let path = at(&format!("/recordings/{id}/replays/r"));
    let _ = host.api().post_json(&path, &json!({ "seek_ms": ms })).expect(202);
    let until = Instant::now() + DEADLINE;
    loop {
        screen.look(false);
        if screen.pixels == expected {
            return;
        }
        assert!(Instant::now() < until, "something else is shown at {ms} ms: {:06x}", screen.pixels[0]);
        thread::sleep(Duration::from_millis(20));
    }
}

const END: u64 = u32::MAX as u64;

fn plays_at_its_end(host: &Host, id: &str, expected: &[u32]) {
    let mut screen = replay(host, id);
    shows(host, &mut screen, id, END, expected);
    screen.close();
    let verified = host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
    assert_eq!(verified["valid"], true, "{verified}");
}

#[test]
fn what_a_viewer_saw_is_played_again_and_who_comes_back_is_recorded_behind_it() {
    let (host, desktop) = (start(json!({"capture": "tee"})), PaintedDesktop::new());
    host.run_session("s-1", "admin", desktop.address(), json!({}));
    let (id, begun) = begin(&host, "s-1");
    assert!(begun["note"].is_null(), "{begun}");
    let mut first = Screen::of(&host, "s-1");
    let seen_first = first.watch(2);
    wait(&host, &id, "recording");
    // Another one beside it is not recorded.
    let mut beside = Screen::of(&host, "s-1");
    let seen_beside = beside.watch(9);
    first.close();
    had(&host, 1);
    let between = recording(&host, &id)["duration_seconds"].as_f64().unwrap();
    let mut second = Screen::of(&host, "s-1");
    let seen_second = second.watch(5);
    second.close();
    had(&host, 2);
    beside.close();
    let ended = stop(&host, &id);
    assert!(ended["duration_seconds"].as_f64().unwrap() >= between, "{ended}");
    assert_eq!(host.log().count(|line| line.message() == "A connection is recorded."), 2);

    assert!(seen_first != seen_second && seen_beside != seen_second);
    plays_at_its_end(&host, &id, &seen_second);
    // What the first one saw last stands until the second one comes.
    let mut screen = replay(&host, &id);
    let lasted = (ended["duration_seconds"].as_f64().unwrap() * 1000.0) as u64;
    let found = (0..=lasted).step_by(10).any(|ms| {
        let path = at(&format!("/recordings/{id}/replays/r"));
        let _ = host.api().post_json(&path, &json!({ "seek_ms": ms })).expect(202);
        screen.look(false);
        screen.pixels == seen_first
    });
    assert!(found, "what the first viewer saw is in it");
}

#[test]
fn who_is_connected_already_is_not_recorded_and_that_is_said() {
    let (host, desktop) = (start(json!({"capture": "tee"})), PaintedDesktop::new());
    host.run_session("s-1", "admin", desktop.address(), json!({}));
    let mut early = Screen::of(&host, "s-1");
    early.watch(1);
    let (id, begun) = begin(&host, "s-1");
    assert!(begun["note"].as_str().unwrap().starts_with("a viewer is connected already"), "{begun}");
    early.watch(3);
    assert_eq!(recording(&host, &id)["status"], "starting");
    let mut next = Screen::of(&host, "s-1");
    let seen = next.watch(6);
    wait(&host, &id, "recording");
    next.close();
    had(&host, 1);
    early.close();
    stop(&host, &id);
    plays_at_its_end(&host, &id, &seen);
}

#[test]
fn nothing_is_kept_during_a_pause_and_what_comes_after_it_is() {
    let (host, desktop) = (start(json!({"capture": "tee"})), PaintedDesktop::new());
    host.run_session("s-1", "admin", desktop.address(), json!({}));
    let (id, _) = begin(&host, "s-1");
    let mut screen = Screen::of(&host, "s-1");
    let before = screen.watch(1);
    wait(&host, &id, "recording");
    act(&host, &id, "pause");
    let during = screen.watch(4);
    act(&host, &id, "resume");
    screen.look(true);
    let after = screen.pixels.clone();
    screen.close();
    had(&host, 1);
    stop(&host, &id);
    assert!(before != during && during != after);
    plays_at_its_end(&host, &id, &after);
}

#[test]
fn what_cannot_be_read_is_said_and_the_next_connection_is_recorded() {
    let (host, desktop) = (start(json!({"capture": "tee"})), Desktop::new());
    host.run_session("s-1", "admin", &desktop.address(), json!({}));
    let (id, _) = begin(&host, "s-1");
    let mut screens = Vec::new();
    for encoding in [0x0077_0077_u32, 0] {
        let serving = thread::scope(|scope| {
            let viewer = scope.spawn(|| Screen::of(&host, "s-1"));
            let mut stream = desktop.accept();
            stream.write_all(b"RFB 003.008\n").unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream.write_all(&[1, 1]).unwrap();
            stream.read_exact(&mut [0; 1]).unwrap();
            stream.write_all(&[0; 4]).unwrap();
            stream.read_exact(&mut [0; 1]).unwrap();
            let init = [0, 1, 0, 1, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 0];
            stream.write_all(&init).unwrap();
            stream.read_exact(&mut [0; 28]).unwrap();
            let mut update = vec![0, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1];
            update.extend(encoding.to_be_bytes());
            update.extend([0x11, 0x22, 0x33, 0]);
            stream.write_all(&update).unwrap();
            (viewer.join().unwrap(), stream)
        });
        screens.push(serving);
        if encoding != 0 {
            let why = host.logged("why it is not recorded", |line| {
                line.message().starts_with("A viewer's connection is not recorded any further")
            });
            assert!(why.text("reason").starts_with("what the desktop sent cannot be read"), "{why:?}");
            assert_eq!(recording(&host, &id)["status"], "starting");
        }
    }
    wait(&host, &id, "recording");
    // The one that is recorded goes: desktop and viewer.
    drop(screens);
    had(&host, 1);
    stop(&host, &id);
    plays_at_its_end(&host, &id, &[0x0033_2211]);
}

#[test]
fn what_is_kept_as_it_is_gets_pictures_afterwards() {
    let (host, desktop) = (start(json!({"capture": "wire"})), PaintedDesktop::new());
    host.run_session("s-1", "admin", desktop.address(), json!({}));
    let (id, _) = begin(&host, "s-1");
    let mut first = Screen::of(&host, "s-1");
    first.watch(2);
    wait(&host, &id, "recording");
    // It cannot go on in the middle: after a pause it is the next connection's turn.
    act(&host, &id, "pause");
    act(&host, &id, "resume");
    first.watch(2);
    first.close();
    let mut second = Screen::of(&host, "s-1");
    taken(&host, 2);
    let seen = second.watch(7);
    second.close();
    had(&host, 1);
    let ended = stop(&host, &id);
    plays_at_its_end(&host, &id, &seen);

    // What was recorded is still there, and what it is known by.
    let now = recording(&host, &id);
    assert_eq!(now["file_hash"], ended["file_hash"]);
    let verified = host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
    assert_eq!(verified["hash"], ended["file_hash"]);
    assert!(verified["report"]["decoded"]["hash"].is_string(), "{verified}");
    // As long as there are no pictures, that is said. Whoever asks has them made.
    let pictures = host.scratch().join("recordings").join(&id).join("pictures");
    std::fs::remove_dir_all(pictures).unwrap();
    let problem = host.api().get(&at(&format!("/recordings/{id}/thumbnail"))).problem(&[409]);
    assert!(problem["detail"].as_str().unwrap().contains("is being decoded"), "{problem}");
    plays_at_its_end(&host, &id, &seen);
    // Files are made as of any other.
    let head = host.wait_for(DEADLINE, "the file", || {
        let path = at(&format!("/recordings/{id}/download?format=vnc"));
        let answer = host.api().send("GET", &path, &[("Range", "bytes=0-10")], None);
        (answer.status == 206).then_some(answer)
    });
    assert_eq!(head.body, "FBS 001.000");
}

#[test]
fn what_a_killed_host_kept_as_it_is_gets_pictures_when_it_is_there_again() {
    let (host, desktop) = (start(json!({"capture": "wire", "segmentSec": 1})), PaintedDesktop::new());
    host.run_session("s-1", "admin", desktop.address(), json!({}));
    let (id, _) = begin(&host, "s-1");
    let mut screen = Screen::of(&host, "s-1");
    let seen = screen.watch(3);
    screen.close();
    had(&host, 1);
    // Time passes for a recording when it is made durable.
    let length = || recording(&host, &id)["duration_seconds"].as_f64().unwrap();
    let had = length();
    host.wait_for(DEADLINE, "all of it to be on the disk", || (length() > had + 3.0).then_some(()));
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    host.wait_state(PLUGIN, "running");
    wait(&host, &id, "truncated");
    plays_at_its_end(&host, &id, &seen);
}

#[test]
fn areas_are_not_hidden_in_what_is_kept_as_it_is() {
    let installation = Installation::on(&Backend::Sqlite);
    let config = json!({
        "storagePath": installation.scratch().join("recordings"), "capture": "wire",
        "redactRegions": [{"x": 0, "y": 0, "width": 8, "height": 8}],
    });
    let host = installation.plugin(PLUGIN, &config).start();
    let failed = host.wait_state(PLUGIN, "failed");
    assert!(failed.to_string().contains("redactRegions"), "{failed}");
}
