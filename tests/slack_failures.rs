//! What becomes of a message that Slack does not take at once: the wire fails, Slack is slow, or refuses.
#![forbid(unsafe_code)]

use std::time::Duration;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-slack";
const CONSUMER: &str = "to-default";
const SECRET: &str = "s3cr3tPartOfTheHook";

fn start(provider: &Provider) -> Host {
    let hook = format!("https://hooks.slack.com/services/T0/B0/{SECRET}");
    let host = Installation::new()
        .set("outbound.total_timeout_secs", 5)
        .provider(provider, &["hooks.slack.com"])
        .plugin(PLUGIN, &json!({"webhookUrl": hook, "rateLimit": 100}))
        .start();
    host.wait_state(PLUGIN, "running");
    host
}

fn created(user: &str) -> Value {
    json!({"id": "u-1", "username": user, "fullName": user, "email": "a@example.com", "tier": "pro"})
}

/// The one event arrives at the second request, and is counted as one.
fn arrives_at_the_second_request(first: Reply) {
    let provider = Provider::slack();
    provider.reply(first);
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(requests[0].json(), requests[1].json(), "the same message is sent again");
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!((&consumer["delivered"], &consumer["dead"]), (&json!(1), &json!(0)), "{consumer}");
    assert!(consumer["retried"].as_u64() >= Some(1), "{consumer}");
    assert_eq!(provider.requests().len(), 2);
    assert!(!host.everything_said().contains(SECRET), "the hook's path was shown");
    host.stop();
}

#[test]
fn a_reset_connection_is_tried_again() {
    arrives_at_the_second_request(Reply::reset());
}

#[test]
fn an_answer_that_is_cut_off_is_tried_again() {
    arrives_at_the_second_request(Reply::default().cut_off());
}

#[test]
fn an_answer_that_does_not_come_is_tried_again() {
    arrives_at_the_second_request(Reply::hang());
}

#[test]
fn a_failure_of_slack_is_tried_again() {
    arrives_at_the_second_request(Reply::new(500).body("rollup_error"));
}

#[test]
fn a_slow_answer_is_waited_for_and_holds_up_nobody() {
    let provider = Provider::slack();
    provider.reply(Reply::default().after(Duration::from_secs(1)));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    let _ = provider.requests_wait(1, DEADLINE);
    // Slack has the request and does not answer yet; the host does.
    host.post_event("user.created", &created("eve"));
    let _ = host.api().get("/healthz").expect(200);
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(consumer["retried"], 0, "{consumer}");
    assert_eq!(provider.requests().len(), 2);
}

#[test]
fn retry_after_is_kept() {
    const SECONDS: u64 = 3;
    let provider = Provider::slack();
    provider.reply(Reply::new(429).header("Retry-After", &SECONDS.to_string()).body("rate_limited"));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_secs(SECONDS), "sent again after {waited:?}");
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
}

#[test]
fn a_dead_hook_is_not_used_again() {
    for (status, word) in [(410, "channel_is_archived"), (404, "no_service"), (403, "invalid_token")] {
        let provider = Provider::slack();
        provider.reply(Reply::new(status).body(word));
        let host = start(&provider);
        host.post_event("user.created", &created("ada"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 1);
        host.post_event("user.created", &created("eve"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 2);
        assert_eq!(provider.requests().len(), 1, "{status} ends it");

        let plugin = host.wait_dead_letters(PLUGIN, 2);
        let letters = plugin["dead_letters"].as_array().cloned().unwrap_or_default();
        for letter in letters {
            let reason = letter["reason"].as_str().unwrap_or_default();
            assert!(reason.contains(&status.to_string()) || reason.contains(word), "{letter}");
            assert_eq!((&letter["consumer"], &letter["topic"]), (&json!(CONSUMER), &json!("user.created")));
        }
        host.logged("the operator to be told", |line| {
            line.is_of(PLUGIN) && ["warning", "error", "critical"].contains(&line.level())
        });
        assert!(!host.everything_said().contains(SECRET), "the hook's path was shown");
    }
}

#[test]
fn a_refused_message_does_not_hold_up_the_next() {
    let provider = Provider::slack();
    provider.reply(Reply::new(400).body("invalid_payload"));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    host.post_event("user.created", &created("eve"));
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!((&consumer["dead"], &consumer["retried"]), (&json!(1), &json!(0)), "{consumer}");
    let requests = provider.requests();
    assert_eq!(requests.len(), 2);
    assert!(String::from_utf8_lossy(&requests[1].body).contains("eve"));
}
