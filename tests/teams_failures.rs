//! What becomes of a message that Teams does not take at once: the wire fails, a flow refuses, a connector says so in the body
//! of a success.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::time::Duration;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-teams";
const CONSUMER: &str = "to-default";
const SECRET: &str = "s3cr3tPartOfTheHook";
const FLOW: &str = "prod-7.westeurope.logic.azure.com";
const CONNECTOR: &str = "acme.webhook.office.com";

fn flow() -> String {
    format!(
        "https://{FLOW}:443/workflows/{SECRET}/triggers/manual/paths/invoke?api-version=2016-06-01&sig={SECRET}"
    )
}

fn connector() -> String {
    format!("https://{CONNECTOR}/webhookb2/{SECRET}/IncomingWebhook/{SECRET}/owner")
}

fn start(provider: &Provider, url: &str) -> Host {
    let host = Installation::new()
        .set("outbound.total_timeout_secs", 5)
        .provider(provider, &[FLOW, CONNECTOR])
        .plugin(PLUGIN, &json!({"webhookUrl": url, "rateLimit": 100}))
        .start();
    host.wait_state(PLUGIN, "running");
    host
}

fn provider() -> Provider {
    Provider::teams(&[FLOW, CONNECTOR])
}

fn created(user: &str) -> Value {
    json!({"id": "u-1", "username": user, "fullName": user, "email": "a@example.com", "tier": "pro"})
}

/// What a connector says in the body of a success.
fn inside(status: u16) -> Reply {
    Reply::new(200).body(format!(
        "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error {status} with ContextId tcid=0"
    ))
}

fn azure(status: u16, code: &str) -> Reply {
    let message = format!("The workflow '{SECRET}' at {FLOW}");
    Reply::new(status).body(json!({"error": {"code": code, "message": message}}).to_string())
}

fn health(host: &Host) -> Value {
    host.api().get(&format!("/api/plugins/{PLUGIN}/health")).expect(200).json()["destinations"][0].clone()
}

/// The one event arrives at the second request, and is counted as one.
fn arrives_at_the_second_request(url: &str, first: Reply) {
    let provider = provider();
    provider.reply(first);
    let host = start(&provider, url);
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(requests[0].json(), requests[1].json(), "the same message is sent again");
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!((&consumer["delivered"], &consumer["dead"]), (&json!(1), &json!(0)), "{consumer}");
    assert_eq!(provider.requests().len(), 2);
    assert!(!host.everything_said().contains(SECRET), "a part of the address was shown");
    host.stop();
}

#[test]
fn a_reset_connection_is_tried_again() {
    arrives_at_the_second_request(&flow(), Reply::reset());
}

#[test]
fn an_answer_that_does_not_come_is_tried_again() {
    arrives_at_the_second_request(&flow(), Reply::hang());
}

#[test]
fn a_flow_that_is_not_well_is_tried_again() {
    arrives_at_the_second_request(&flow(), azure(502, "BadGateway"));
}

#[test]
fn a_success_of_a_connector_that_is_none_is_tried_again() {
    arrives_at_the_second_request(&connector(), inside(503));
}

#[test]
fn a_page_that_is_no_connectors_answer_is_no_success() {
    arrives_at_the_second_request(&connector(), Reply::new(200).body("<html>Sign in to go on</html>"));
}

#[test]
fn retry_after_is_kept() {
    const SECONDS: u64 = 3;
    let provider = provider();
    provider
        .reply(azure(429, "WorkflowRunActionRequestThrottled").header("Retry-After", &SECONDS.to_string()));
    let host = start(&provider, &flow());
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_secs(SECONDS), "sent again after {waited:?}");
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
}

#[test]
fn too_fast_inside_a_success_holds_the_destination() {
    let provider = provider();
    provider.reply(inside(429));
    let host = start(&provider, &connector());
    host.post_event("user.created", &created("ada"));
    let limited = host.wait_for(DEADLINE, "the destination to be limited", || {
        let health = health(&host);
        (health["state"] == "limited").then_some(health)
    });
    let reason = limited["reason"].as_str().unwrap();
    assert!(reason.contains("429") && !reason.contains("tcid"), "{reason}");
    // What comes now waits, and asks nobody.
    host.post_event("user.created", &created("eve"));
    let _ = host.api().get("/healthz").expect(200);
    assert_eq!((&limited["dead"], &limited["sent"]), (&json!(0), &json!(0)), "{limited}");
    assert_eq!(provider.requests().len(), 1);
    // Then both arrive, in their order: the wait is 30 s.
    let requests = provider.requests_wait(3, 2 * DEADLINE);
    assert_eq!(requests[0].json(), requests[1].json());
    assert!(String::from_utf8_lossy(&requests[2].body).contains("eve"));
    host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
}

#[test]
fn a_dead_hook_is_not_used_again() {
    for (url, reply, word) in [
        (flow(), azure(404, "WorkflowNotFound"), "WorkflowNotFound"),
        (flow(), azure(401, "DirectApiAuthorizationRequired"), "anyone must be allowed"),
        (flow(), azure(400, "WorkflowTriggerIsNotEnabled"), "turned off"),
        (connector(), inside(404), "retired"),
        (connector(), Reply::new(410).body("Gone"), "retired"),
    ] {
        let provider = provider();
        provider.reply(reply);
        let host = start(&provider, &url);
        host.post_event("user.created", &created("ada"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 1);
        host.post_event("user.created", &created("eve"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 2);
        assert_eq!(provider.requests().len(), 1, "{word} ends it");
        let health = health(&host);
        assert_eq!(health["state"], "broken", "{health}");
        assert!(health["reason"].as_str().unwrap().contains(word), "{health}");
        // A test message that arrives mends it.
        let told =
            host.api().post_json(&format!("/api/plugins/{PLUGIN}/test"), &json!({})).expect(200).json();
        assert_eq!(told["state"], "sent", "{told}");
        assert!(!host.everything_said().contains(SECRET), "a part of the address was shown");
    }
}

#[test]
fn a_refused_message_does_not_hold_up_the_next() {
    for (url, reply) in [(flow(), azure(400, "TriggerInputSchemaMismatch")), (connector(), inside(413))] {
        let provider = provider();
        provider.reply(reply);
        let host = start(&provider, &url);
        host.post_event("user.created", &created("ada"));
        host.post_event("user.created", &created("eve"));
        let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
        assert_eq!((&consumer["dead"], &consumer["retried"]), (&json!(1), &json!(0)), "{consumer}");
        let requests = provider.requests();
        assert_eq!(requests.len(), 2);
        assert!(String::from_utf8_lossy(&requests[1].body).contains("eve"));
    }
}

#[test]
fn no_reason_names_the_host() {
    let provider = provider();
    for _ in 0..8 {
        provider.reply(Reply::reset());
    }
    let host = start(&provider, &flow());
    let told = host.api().post_json(&format!("/api/plugins/{PLUGIN}/test"), &json!({})).expect(200).json();
    assert_eq!(told["state"], "dead", "{told}");
    assert!(!told.to_string().contains("westeurope"), "{told}");
}
