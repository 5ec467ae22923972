//! The fixture, and what it saw of streams.

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation};

/// What becomes of a stream, as the interface numbers it.
pub(crate) const ENDED: u64 = 1;
pub(crate) const DETACHED: u64 = 2;
pub(crate) const LEFT: u64 = 3;
pub(crate) const FAILED: u64 = 4;

pub(crate) const PLUGIN: &str = "fixture-taps";

pub(crate) fn fnv(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

pub(crate) fn start() -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

pub(crate) fn call(host: &Host, path: &str, body: &Value) -> Value {
    host.api().post_json(&format!("/api/plugins/{PLUGIN}{path}"), body).expect(200).json()
}

pub(crate) fn mode(host: &Host, tap: &str, mode: &str) {
    let _ = call(host, "/mode", &json!({ "tap": tap, "mode": mode }));
}

/// What a tap saw of the streams that it took, in their order.
pub(crate) fn seen(host: &Host, tap: &str) -> Vec<Value> {
    let seen = host.api().get(&format!("/api/plugins/{PLUGIN}/seen")).expect(200).json();
    seen.as_array().unwrap().iter().filter(|seen| seen["tap"] == tap).cloned().collect()
}

/// The last stream that a tap took, once it is as expected.
pub(crate) fn wait_seen(host: &Host, tap: &str, what: &str, such: impl Fn(&Value) -> bool) -> Value {
    host.wait_for(DEADLINE, what, || seen(host, tap).pop().filter(&such))
}

pub(crate) fn wait_closed(host: &Host, tap: &str, kind: u64) -> Value {
    wait_seen(host, tap, "the end of a stream", |seen| seen["closed"]["kind"] == kind)
}

pub(crate) fn bytes(seen: &Value, side: &str) -> u64 {
    seen[side]["bytes"].as_u64().unwrap()
}

/// Everything that was sent was seen.
pub(crate) fn is_whole(side: &Value, sent: &[u8]) {
    assert_eq!(
        (&side["bytes"], &side["hash"], &side["gaps"], &side["in_order"]),
        (&json!(sent.len()), &json!(fnv(sent)), &json!(0), &json!(true)),
        "{side}"
    );
}

pub(crate) fn metric(host: &Host, name: &str, tap: &str) -> f64 {
    let text = host.api().get("/metrics").expect(200).body;
    let series = format!("{name}{{plugin=\"{PLUGIN}\",tap=\"{tap}\"}} ");
    let value = text.lines().find_map(|line| line.strip_prefix(&series)).unwrap_or_else(|| panic!("{text}"));
    value.parse().unwrap()
}
