//! What becomes of an event that a handler does not take.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use streamspace_tests::{Host, Installation};

const PLUGIN: &str = "fixture-counter";

/// A host whose consumer refuses the event with `n` = 2, as `mode` says.
fn start(durable: bool, mode: &str) -> Host {
    let consumer = json!({
        "name": "count", "topics": ["test.count"], "durable": durable, "max_deliver": 3, "fail_at": 2, "mode": mode,
    });
    let host = Installation::new().plugin(PLUGIN, &json!({"consumers": [consumer]})).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// Posts three events and answers with the id of the second, when the third has been taken.
fn post_three(host: &Host, delivered: u64) -> Value {
    let ids: Vec<Value> = (1..=3)
        .map(|n| host.post_event("test.count", &json!({"n": n, "last": n == 3})).json()["ids"][0].clone())
        .collect();
    host.wait_count(PLUGIN, "count", "delivered", delivered);
    ids[1].clone()
}

/// What the consumer saw, in all and out of order.
fn seen(host: &Host) -> (Value, Value) {
    let line = host.logged("the summary", |line| line.message() == "Counted.");
    (line.field("seen").clone(), line.field("out_of_order").clone())
}

#[track_caller]
fn numbers(host: &Host, delivered: u64, retried: u64, dead: u64) {
    let consumer = host.consumer(PLUGIN, "count");
    let found = ["delivered", "retried", "dead"].map(|name| consumer[name].as_u64());
    assert_eq!(found, [delivered, retried, dead].map(Some), "{consumer}");
}

#[track_caller]
fn one_dead_letter(host: &Host, event: &Value, attempts: u64, reason: &str) {
    let plugin = host.wait_dead_letters(PLUGIN, 1);
    let letters = plugin["dead_letters"].as_array().cloned().unwrap_or_default();
    let [letter] = &letters[..] else { panic!("expected one dead letter: {plugin}") };
    assert_eq!((&letter["consumer"], &letter["topic"]), (&json!("count"), &json!("test.count")), "{letter}");
    assert_eq!((&letter["event_id"], &letter["attempts"]), (event, &json!(attempts)), "{letter}");
    assert!(letter["reason"].as_str().is_some_and(|text| text.contains(reason)), "{letter}");
    assert!(
        letter["time"].as_str().is_some_and(|time| time.len() >= "2026-01-01T00:00:00Z".len()),
        "{letter}"
    );
    let shown = host.cli(&["plugin", "show", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(shown["dead_letters"], plugin["dead_letters"], "the command line shows the same");
}

#[test]
fn a_durable_consumer_is_given_it_again_before_those_behind_it() {
    let host = start(true, "retry_once");
    post_three(&host, 3);
    assert_eq!(seen(&host), (json!(3), json!(0)));
    numbers(&host, 3, 1, 0);
    assert_eq!(host.plugin(PLUGIN)["dead_letters"], json!([]));
}

#[test]
fn after_so_many_tries_it_is_a_dead_letter_and_holds_up_nobody() {
    let host = start(true, "retry");
    let event = post_three(&host, 2);
    assert_eq!(seen(&host), (json!(2), json!(0)));
    numbers(&host, 2, 2, 1);
    one_dead_letter(&host, &event, 3, "told to fail");
}

#[test]
fn a_rejected_one_is_a_dead_letter_at_once() {
    let host = start(true, "reject");
    let event = post_three(&host, 2);
    assert_eq!(seen(&host), (json!(2), json!(0)));
    numbers(&host, 2, 0, 1);
    one_dead_letter(&host, &event, 1, "told to reject");
}

#[test]
fn an_ephemeral_consumer_is_not_given_it_again() {
    let host = start(false, "retry_once");
    post_three(&host, 2);
    assert_eq!(seen(&host), (json!(2), json!(0)));
    let consumer = host.consumer(PLUGIN, "count");
    assert_eq!((&consumer["delivered"], &consumer["retried"]), (&json!(2), &json!(0)), "{consumer}");
}
