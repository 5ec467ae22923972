//! A panic of a plugin, wherever it happens: the host serves on, and says whose it was, what it said and where.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation};

const PLUGIN: &str = "fixture-panics";
const OTHER: &str = "fixture-counter";

fn start(place: &str) -> Host {
    let host = Installation::new()
        .set("plugins.panic_limit", 3)
        .set("plugins.panic_window_secs", 3600)
        .plugin(PLUGIN, &json!({"panic_in": place}))
        .plugin(OTHER, &json!({}))
        .start();
    host.wait_state(OTHER, "running");
    host
}

fn the_log_names_it(host: &Host, place: &str) {
    let said = format!("told to panic in {place}");
    let line = host.logged(&said, |line| line.contains(&said));
    assert!(line.is_of(PLUGIN), "{}", line.raw);
    assert!(line.contains("lib.rs:"), "the place in the source is missing: {}", line.raw);
    assert!(["warning", "error", "critical"].contains(&line.level()), "{}", line.raw);
}

fn the_host_serves_on(host: Host) {
    let _ = host.api().get("/healthz").expect(200);
    let before = host.consumer(OTHER, "count")["delivered"].as_u64().unwrap_or_default();
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_count(OTHER, "count", "delivered", before + 1);
    assert_eq!(host.plugin(OTHER)["state"], "running");
    host.stop();
}

/// Waits until the plugin is in one of `states`, and answers with what the host says about it.
fn wait_states(host: &Host, states: &[&str]) -> Value {
    host.wait_for(DEADLINE, &format!("{PLUGIN} to be one of {states:?}"), || {
        Some(host.plugin(PLUGIN)).filter(|plugin| states.iter().any(|state| plugin["state"] == *state))
    })
}

#[test]
fn in_load() {
    let host = start("load");
    let plugin = host.wait_state(PLUGIN, "failed");
    let reason = plugin["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("told to panic in Load"), "{plugin}");
    assert_eq!(plugin["consumers"].as_array().map_or(0, Vec::len), 0, "nothing stays registered: {plugin}");
    the_log_names_it(&host, "Load");
    the_host_serves_on(host);
}

#[test]
fn in_enable() {
    let host = start("enable");
    let plugin = host.wait_state(PLUGIN, "failed");
    let reason = plugin["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("told to panic in Enable"), "{plugin}");
    assert_eq!(plugin["consumers"].as_array().map_or(0, Vec::len), 0, "nothing stays registered: {plugin}");
    the_log_names_it(&host, "Enable");
    the_host_serves_on(host);
}

#[test]
fn in_a_handler() {
    let host = start("handler");
    host.wait_state(PLUGIN, "running");
    host.post_event("test.work", &json!({}));
    the_log_names_it(&host, "Handler");
    assert_eq!(host.plugin(PLUGIN)["state"], "running", "one panic is not yet too many");
    the_host_serves_on(host);
}

#[test]
fn in_a_handler_again_and_again() {
    let host = start("handler");
    host.wait_state(PLUGIN, "running");
    for n in 0..3 {
        host.post_event("test.work", &json!({"n": n}));
    }
    let plugin = host.wait_state(PLUGIN, "quarantined");
    let reason = plugin["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("panic"), "the operator is told why: {plugin}");
    host.logged("the quarantine", |line| line.is_of(PLUGIN) && line.contains("quarantine"));

    // Out of quarantine at the operator's word, and not before.
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    the_host_serves_on(host);
}

#[test]
fn on_a_thread_of_its_own() {
    let host = start("thread");
    host.wait_state(PLUGIN, "running");
    host.post_event("test.work", &json!({}));
    the_log_names_it(&host, "Thread");
    host.logged("the handler to go on", |line| line.is_of(PLUGIN) && line.message() == "Worked.");
    the_host_serves_on(host);
}

/// A panic while the plugin is taken down, which it is all the same; and it can be brought up again.
fn while_it_is_taken_down(place: &str) {
    let host = start(&place.to_lowercase());
    host.wait_state(PLUGIN, "running");
    host.cli(&["plugin", "disable", PLUGIN]);
    the_log_names_it(&host, place);
    let plugin = wait_states(&host, &["disabled", "failed", "quarantined"]);
    assert_eq!(plugin["enabled"], false, "{plugin}");

    host.configure(PLUGIN, &json!({"panic_in": "none"})).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    the_host_serves_on(host);
}

#[test]
fn in_disable() {
    while_it_is_taken_down("Disable");
}

#[test]
fn in_unload() {
    while_it_is_taken_down("Unload");
}

#[test]
fn in_drop() {
    while_it_is_taken_down("Drop");
}

#[test]
fn while_the_host_stops() {
    for place in ["disable", "unload", "drop"] {
        let host = start(place);
        host.wait_state(PLUGIN, "running");
        // Exit code 0 all the same.
        let stopped = host.stop();
        assert!(stopped.log.has(|line| line.is_of(PLUGIN) && line.contains("told to panic")), "in {place}");
    }
}
