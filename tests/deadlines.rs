//! A plugin that takes too long holds up nobody but itself.
#![forbid(unsafe_code)]

use serde_json::json;
use streamspace_tests::{DEADLINE, Installation};

const PLUGIN: &str = "fixture-panics";
const OTHER: &str = "fixture-counter";

#[test]
fn a_slow_load_blocks_nobody() {
    let host = Installation::new()
        .set("plugins.load_deadline_secs", 3600)
        .set("server.shutdown_deadline_secs", 1)
        .plugin(PLUGIN, &json!({"slow_load_secs": 3600}))
        .plugin(OTHER, &json!({}))
        .start();
    host.wait_state(OTHER, "running");
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_count(OTHER, "count", "delivered", 1);
    assert_eq!(host.plugin(PLUGIN)["state"], "loading");
}

#[test]
fn a_load_past_its_deadline_is_a_failure_with_a_reason() {
    for config in [json!({"slow_load_secs": 3600}), json!({"hang_in": "load"})] {
        let host = Installation::new().set("plugins.load_deadline_secs", 1).plugin(PLUGIN, &config).start();
        let plugin = host.wait_state(PLUGIN, "failed");
        let reason = plugin["reason"].as_str().unwrap_or_default();
        assert!(["1 s", "1s", "deadline"].iter().any(|word| reason.contains(word)), "{plugin}");
    }
}

#[test]
fn a_load_that_was_given_up_changes_nothing_when_it_ends() {
    let host = Installation::new()
        .set("plugins.load_deadline_secs", 1)
        .plugin(PLUGIN, &json!({"slow_load_secs": 3}))
        .start();
    host.wait_state(PLUGIN, "failed");
    host.configure(PLUGIN, &json!({"slow_load_secs": 0})).expect(0);
    host.wait_state(PLUGIN, "running");
    host.logged("the first load to end", |line| line.message() == "Loaded late.");
    // The consumers are those of the instance that runs.
    host.post_event("test.work", &json!({}));
    host.wait_count(PLUGIN, "work", "delivered", 1);
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
}

#[test]
fn a_handler_that_hangs_is_reported_while_it_does() {
    let host = Installation::new()
        .set("server.shutdown_deadline_secs", 1)
        .plugin(PLUGIN, &json!({"hang_in": "handler"}))
        .plugin(OTHER, &json!({}))
        .start();
    host.wait_state(PLUGIN, "running");
    host.wait_state(OTHER, "running");
    host.post_event("test.work", &json!({}));
    host.logged("the handler to be hanging", |line| line.message() == "Hanging.");
    // The fixture's consumer has a deadline of 1 s.
    host.logged("the hanging handler to be reported", |line| {
        line.is_of(PLUGIN) && ["warning", "error"].contains(&line.level()) && line.contains("work")
    });
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_count(OTHER, "count", "delivered", 1);
}

#[test]
fn a_plugin_that_hangs_can_be_disabled_and_the_host_says_so() {
    let host = Installation::new()
        .set("plugins.drain_deadline_secs", 1)
        .set("server.shutdown_deadline_secs", 1)
        .plugin(PLUGIN, &json!({"hang_in": "handler"}))
        .start();
    host.wait_state(PLUGIN, "running");
    host.post_event("test.work", &json!({}));
    host.logged("the handler to be hanging", |line| line.message() == "Hanging.");
    // Whatever the command answers, the plugin runs no more and the host does.
    host.cli(&["plugin", "disable", PLUGIN]);
    host.wait_for(DEADLINE, "the plugin not to run", || {
        (host.plugin(PLUGIN)["state"] != "running").then_some(())
    });
    let _ = host.api().get("/readyz").expect(200);
}
