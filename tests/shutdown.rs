//! The host stops when it is told to: what was accepted is handled, and nothing holds it for ever.
#![forbid(unsafe_code)]

use std::{fs, thread};

use rustix::process::Signal;
use serde_json::json;
use streamspace_tests::{DEADLINE, Emitter, Installation};

const COUNTER: &str = "fixture-counter";
const BATCH: u64 = 100;
/// Fewer than the consumer takes into its queue, so that none may be lost.
const MOST: u64 = 50_000;

/// Stops the host in the middle of traffic and compares what it accepted with what the plugin saw.
fn in_the_middle_of_traffic(signal: Signal) {
    let config = json!({"consumers": [{"name": "count", "topics": ["test.count"], "work_micros": 20}]});
    let host = Installation::new().plugin(COUNTER, &config).start();
    host.wait_state(COUNTER, "running");
    let mut emitter = Emitter::new(host.api(), "test.count", 1);
    let traffic = thread::spawn(move || {
        let (mut accepted, mut sent) = (0, 0);
        while sent < MOST {
            sent += BATCH;
            match emitter.try_batch(BATCH) {
                Some(true) => accepted += BATCH,
                Some(false) => {}
                None => break,
            }
        }
        (accepted, sent)
    });
    host.wait_count(COUNTER, "count", "delivered", 1);
    let stopped = host.end(signal, DEADLINE);
    assert_eq!(stopped.status.code(), Some(0), "{}", stopped.log.tail());

    let (accepted, sent) = traffic.join().expect("the emitter ends");
    let summary =
        stopped.log.wait(DEADLINE, "the plugin to be unloaded", |line| line.message() == "Unloading.");
    let seen = summary.field("seen").as_u64().unwrap_or_default();
    assert!(accepted > 0, "there was traffic");
    // A batch whose answer was cut off may have been accepted.
    assert!((accepted..=sent).contains(&seen), "accepted {accepted}, seen {seen}, sent {sent}");
    assert_eq!(summary.field("out_of_order"), 0);
}

#[test]
fn on_sigterm_what_was_accepted_is_handled() {
    in_the_middle_of_traffic(Signal::TERM);
}

#[test]
fn on_sigint_what_was_accepted_is_handled() {
    in_the_middle_of_traffic(Signal::INT);
}

#[test]
fn a_handler_that_hangs_does_not_hold_it() {
    const PLUGIN: &str = "fixture-panics";
    let host = Installation::new()
        .set("server.shutdown_deadline_secs", 2)
        .set("plugins.drain_deadline_secs", 1)
        .plugin(PLUGIN, &json!({"hang_in": "handler"}))
        .plugin(COUNTER, &json!({}))
        .start();
    host.wait_state(PLUGIN, "running");
    host.wait_state(COUNTER, "running");
    host.post_event("test.work", &json!({}));
    host.logged("the handler to be hanging", |line| line.message() == "Hanging.");
    let stopped = host.stop();
    assert!(stopped.log.has(|line| line.message() == "Unloading."), "the others are unloaded all the same");
    assert!(
        stopped.log.has(|line| line.is_of(PLUGIN) && ["warning", "error"].contains(&line.level())),
        "the operator is told whose handler it was:\n{}",
        stopped.log.tail()
    );
}

#[test]
fn it_says_where_it_runs_and_starts_again() {
    let host = Installation::new().plugin(COUNTER, &json!({})).start();
    let file = host.data().join("server.json");
    let server: serde_json::Value =
        serde_json::from_slice(&fs::read(&file).expect("server.json is there")).expect("it is JSON");
    assert_eq!(server, json!({"address": host.address(), "pid": host.pid()}));

    let installation = host.stop().installation;
    installation.cli(&["plugin", "list"]).expect(0);
    let host = installation.start();
    host.wait_state(COUNTER, "running");
    host.stop();
}

#[test]
fn a_host_that_was_killed_starts_again() {
    let host = Installation::new().plugin(COUNTER, &json!({})).start();
    host.wait_state(COUNTER, "running");
    let killed = host.end(Signal::KILL, DEADLINE);
    assert_eq!(killed.status.code(), None);
    // server.json is still there, and names nobody.
    killed.installation.cli(&["plugin", "show", COUNTER, "--json"]).expect(0);
    let host = killed.installation.start();
    host.wait_state(COUNTER, "running");
    host.stop();
}
