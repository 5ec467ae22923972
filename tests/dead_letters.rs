//! Events that were given up: they are kept with the reason, tried again when the operator says so, or dropped.
#![forbid(unsafe_code)]

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, on_both_backends};

const PLUGIN: &str = "fixture-counter";
const CONSUMER: &str = "count";

on_both_backends!(
    one_or_all_are_tried_again_from_the_command_line,
    one_or_all_are_tried_again_over_http,
    they_survive_the_end_of_the_host_and_are_there_while_it_is_stopped,
    they_are_dropped_for_good,
);

/// The consumer as it refuses the events numbered 1, for good.
fn refusing() -> Value {
    json!({"consumers": [{
        "name": CONSUMER, "topics": ["test.count"], "durable": true, "fail_at": 1, "mode": "reject"
    }]})
}

/// The same, mended.
fn mended() -> Value {
    json!({"consumers": [{"name": CONSUMER, "topics": ["test.count"], "durable": true}]})
}

/// A host with `count` dead letters, and their events' ids in order.
fn with_dead_letters(backend: &Backend, count: u64) -> (Host, Vec<String>) {
    let host = Installation::on(backend).plugin(PLUGIN, &refusing()).start();
    host.wait_state(PLUGIN, "running");
    let post = |_| {
        host.post_event("test.count", &json!({"n": 1})).json()["ids"][0].as_str().unwrap_or("").to_owned()
    };
    let ids: Vec<String> = (0..count).map(post).collect();
    host.post_event("test.count", &json!({"n": 2}));
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    wait_for_dead(&host, count);
    (host, ids)
}

fn wait_for_dead(host: &Host, count: u64) {
    host.wait_for(DEADLINE, "the dead letters", || {
        let listed = host.api().get(&path("")).json()["dead_letters"].as_array().map_or(0, Vec::len);
        let counted = host.consumer(PLUGIN, CONSUMER)["dead"] == count;
        (listed as u64 == count && counted).then_some(())
    });
}

fn path(rest: &str) -> String {
    format!("/api/v1/plugins/{PLUGIN}/dead-letters{rest}")
}

fn listed(letters: &Value) -> Vec<String> {
    let letters = letters["dead_letters"].as_array().cloned().unwrap_or_default();
    letters.iter().map(|letter| letter["event_id"].as_str().unwrap_or("").to_owned()).collect()
}

fn one_or_all_are_tried_again_from_the_command_line(backend: &Backend) {
    let (host, ids) = with_dead_letters(backend, 3);
    let letters = host.cli(&["--json", "dead-letters", "list", PLUGIN]).expect(0).json();
    assert_eq!(listed(&letters), ids);
    for letter in letters["dead_letters"].as_array().into_iter().flatten() {
        assert_eq!((&letter["consumer"], &letter["attempts"]), (&json!(CONSUMER), &json!(1)), "{letter}");
        assert!(
            letter["reason"].as_str().is_some_and(|reason| reason.contains("told to reject")),
            "{letter}"
        );
        assert!(letter.get("data").is_none(), "{letter}");
    }
    let shown = host.cli(&["--json", "dead-letters", "show", PLUGIN, &ids[1]]).expect(0).json();
    assert_eq!(shown["dead_letters"][0]["data"]["n"], 1, "{shown}");
    let words = host.cli(&["dead-letters", "show", PLUGIN, &ids[1]]).expect(0).stdout;
    assert!(words.contains("told to reject") && words.contains("\"n\": 1"), "{words}");

    // It fails again, and is a dead letter again.
    host.cli(&["dead-letters", "replay", PLUGIN, &ids[0]]).expect(0);
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    wait_for_dead(&host, 3);

    host.configure(PLUGIN, &mended()).expect(0);
    let said = host.cli(&["dead-letters", "replay", PLUGIN, &ids[1]]).expect(0).stdout;
    assert!(said.contains("1 dead letter"), "{said}");
    wait_for_dead(&host, 2);
    let said = host.cli(&["dead-letters", "replay", PLUGIN, "--all"]).expect(0).stdout;
    assert!(said.contains("2 dead letters"), "{said}");
    wait_for_dead(&host, 0);
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 3);
    assert_eq!(consumer["pending"], 0, "{consumer}");

    let output = host.cli(&["dead-letters", "replay", PLUGIN, &ids[1]]).expect(1);
    assert!(output.stderr.contains("SSP-EVT-010"), "{output:?}");
    host.cli(&["dead-letters", "replay", PLUGIN]).expect(2);
    host.stop();
}

fn one_or_all_are_tried_again_over_http(backend: &Backend) {
    let (host, ids) = with_dead_letters(backend, 3);
    let api = host.api();
    assert_eq!(listed(&api.get(&path("?skip=1&limit=1")).expect(200).json()), ids[1..2]);
    assert_eq!(listed(&api.get(&path("?consumer=another")).expect(200).json()), Vec::<String>::new());
    assert_eq!(api.get(&path("?nonsense=1")).problem(&[400])["code"], "SSP-API-003");
    let shown = api.get(&path(&format!("/{}", ids[2]))).expect(200).json();
    assert_eq!(shown["dead_letters"][0]["data"]["n"], 1, "{shown}");

    host.configure(PLUGIN, &mended()).expect(0);
    let replayed = api.post(&path(&format!("/{}/replay", ids[2]))).expect(200).json();
    assert_eq!(replayed, json!({"replayed": 1}));
    wait_for_dead(&host, 2);
    assert_eq!(api.post(&path("/replay?consumer=another")).expect(200).json(), json!({"replayed": 0}));
    assert_eq!(api.post(&path("/replay")).expect(200).json(), json!({"replayed": 2}));
    wait_for_dead(&host, 0);

    assert_eq!(api.get(&path(&format!("/{}", ids[2]))).problem(&[404])["code"], "SSP-EVT-010");
    assert_eq!(api.get(&path("/no-uuid")).problem(&[400])["code"], "SSP-API-003");
    assert_eq!(api.get("/api/v1/plugins/nobody/dead-letters").problem(&[404])["code"], "SSP-PLG-001");
    api.with_token(None).post(&path("/replay")).problem(&[401]);
    host.stop();
}

fn they_survive_the_end_of_the_host_and_are_there_while_it_is_stopped(backend: &Backend) {
    let (host, ids) = with_dead_letters(backend, 2);
    let installation = host.end(Signal::KILL, DEADLINE).installation;
    let letters = installation.cli(&["--json", "dead-letters", "list", PLUGIN]).expect(0).json();
    assert_eq!(listed(&letters), ids);
    installation.configure(PLUGIN, &mended()).expect(0);
    // Tried when the host runs.
    installation.cli(&["dead-letters", "replay", PLUGIN, &ids[0]]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    wait_for_dead(&host, 1);
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    host.stop();
}

fn they_are_dropped_for_good(backend: &Backend) {
    let (host, ids) = with_dead_letters(backend, 3);
    host.cli(&["dead-letters", "drop", PLUGIN, &ids[0]]).expect(0);
    wait_for_dead(&host, 2);
    let path = path("");
    assert_eq!(host.api().delete(&path).expect(200).json(), json!({"dropped": 2}));
    wait_for_dead(&host, 0);
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "running");
    wait_for_dead(&host, 0);
    assert_eq!(host.consumer(PLUGIN, CONSUMER)["delivered"], 0, "nothing was tried again");
    host.stop();
}
