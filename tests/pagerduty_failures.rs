//! What becomes of an alert that PagerDuty does not take at once, and of its end.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-pagerduty";
const CONSUMER: &str = "to-default";
const KEY: &str = "s3cr3tIntegrationKeyOfTheService";
const PROBLEM: &str = "streamspace/session/s1/failed";

fn start(provider: &Provider) -> Host {
    let host = Installation::new()
        .set("outbound.total_timeout_secs", 5)
        .provider(provider, &["events.pagerduty.com"])
        .plugin(PLUGIN, &json!({"routingKey": KEY, "notifyOnPluginFailed": false, "changeTopics": []}))
        .start();
    host.wait_state(PLUGIN, "running");
    host
}

fn session() -> Value {
    json!({"id": "s1", "user": "ada", "template": "gimp", "error": "boom"})
}

fn actions(provider: &Provider) -> Vec<String> {
    let action = |body: Value| body["event_action"].as_str().unwrap_or("change").to_owned();
    provider.requests().iter().map(|request| action(request.json())).collect()
}

fn state(provider: &Provider) -> Option<(&'static str, usize)> {
    provider.alerts().get(&(KEY.to_owned(), PROBLEM.to_owned())).map(|alert| (alert.state, alert.triggers))
}

/// A trigger that is first answered like this arrives, and so does its end behind it.
fn arrives_all_the_same(first: Reply, triggers: usize) {
    let provider = Provider::pagerduty();
    provider.reply(first);
    let host = start(&provider);
    host.post_event("session.failed", &session());
    host.post_event("session.started", &session());
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(consumer["dead"], 0, "{consumer}");
    assert_eq!(actions(&provider), ["trigger", "trigger", "resolve"]);
    let requests = provider.requests();
    assert_eq!(requests[0].json(), requests[1].json(), "the same is sent again");
    assert_eq!(state(&provider), Some(("resolved", triggers)));
    assert!(!host.everything_said().contains(KEY), "the integration key was shown");
}

#[test]
fn a_reset_connection_is_tried_again() {
    arrives_all_the_same(Reply::reset(), 1);
}

#[test]
fn an_answer_that_does_not_come_is_tried_again() {
    arrives_all_the_same(Reply::hang(), 1);
}

#[test]
fn a_failure_of_pagerduty_is_tried_again() {
    arrives_all_the_same(Reply::new(500).body("{\"message\":\"internal\"}"), 1);
}

#[test]
fn an_alert_whose_answer_is_lost_is_the_same_alert() {
    arrives_all_the_same(Reply::new(202).body("{\"status\":\"success\"}").cut_off(), 2);
}

#[test]
fn too_many_calls_wait_as_long_as_they_are_told() {
    const SECONDS: u64 = 3;
    let provider = Provider::pagerduty();
    provider
        .reply(Reply::new(429).header("Retry-After", &SECONDS.to_string()).body("Request Limit Exceeded"));
    let host = start(&provider);
    host.post_event("session.failed", &session());
    host.post_event("session.started", &session());
    let requests = provider.requests_wait(3, DEADLINE);
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_secs(SECONDS), "sent again after {waited:?}");
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(consumer["dead"], 0, "{consumer}");
    assert_eq!(actions(&provider), ["trigger", "trigger", "resolve"]);
}

#[test]
fn what_pagerduty_refuses_is_a_dead_letter_with_its_reason() {
    let provider = Provider::pagerduty();
    let errors = [format!("no service has the key {KEY}"), "'payload.source' is missing".to_owned()];
    let said = json!({"status": "invalid event", "message": "Event object is invalid", "errors": errors});
    provider.reply(Reply::new(400).body(said.to_string()));
    let host = start(&provider);
    host.post_event("session.failed", &session());
    let plugin = host.wait_dead_letters(PLUGIN, 1);
    let reason = plugin["dead_letters"][0]["reason"].as_str().unwrap().to_owned();
    assert!(reason.contains("400 (no service has the key …; 'payload.source' is missing)"), "{reason}");
    // PagerDuty does not have it, so there is nothing to end; and it goes on.
    host.post_event("session.started", &session());
    host.post_event("session.failed", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(actions(&provider), ["trigger", "trigger"]);

    // What is over meanwhile wakes nobody when somebody has it sent again.
    host.post_event("session.started", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 3);
    let page = host.api().get(&format!("/api/plugins/{PLUGIN}/deliveries?state=dead")).expect(200).json();
    let id = page["items"][0]["id"].as_str().unwrap();
    let path = format!("/api/plugins/{PLUGIN}/deliveries/{id}/replay");
    let again = host.api().post_json(&path, &json!({})).expect(200).json();
    assert_eq!(again["state"], "skipped", "{again}");
    assert_eq!(state(&provider), Some(("resolved", 1)));
    assert!(!host.everything_said().contains(KEY), "the integration key was shown");
}

#[test]
fn an_end_that_pagerduty_does_not_take_is_told_until_it_does() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    host.post_event("session.failed", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    provider.reply(Reply::new(503));
    provider.reply(Reply::new(503));
    host.post_event("session.started", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(actions(&provider), ["trigger", "resolve", "resolve", "resolve"]);
    assert_eq!(state(&provider), Some(("resolved", 1)));
}

#[test]
fn open_alerts_are_known_after_a_restart() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    host.post_event("session.failed", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    // It ends while nobody listens, and is told afterwards.
    host.post_event("session.started", &session());
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_for(DEADLINE, "the alert to be resolved", || {
        state(&provider).filter(|(now, _)| *now == "resolved")
    });
    assert_eq!(actions(&provider), ["trigger", "resolve"]);
    assert_eq!(provider.violations(), [""; 0]);
}
