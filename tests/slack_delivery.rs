//! Events become messages in Slack: the host, the Slack plugin as it is shipped, and a provider that refuses what
//! Slack refuses.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Request, cloud_event, workspace};

const PLUGIN: &str = "streamspace-slack";
const SECRET: &str = "s3cr3tPartOfTheHook";
/// The time of the golden messages.
const TIME: &str = "2026-01-02T03:04:05Z";

fn start(provider: &Provider) -> Host {
    let config = json!({
        "webhookUrl": format!("https://hooks.slack.com/services/T0/B0/{SECRET}"),
        "notifyOnSessionHibernated": true,
        "rateLimit": 100,
    });
    let installation = Installation::new().provider(provider, &["hooks.slack.com"]);
    let host = installation.plugin(PLUGIN, &config).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn session() -> Value {
    json!({
        "id": "ada-firefox-7f3a", "session_id": "ada-firefox-7f3a", "user": "ada", "user_id": "ada",
        "template": "firefox-browser", "template_name": "firefox-browser",
        "resources": {"cpu": "1000m", "memory": "2Gi"}, "state": "running",
        "url": "https://streamspace.example.com/sessions/ada-firefox-7f3a",
    })
}

fn user() -> Value {
    json!({"id": "u-17", "username": "ada", "fullName": "Ada Lovelace", "email": "ada@example.com", "tier": "pro"})
}

/// An event as those of the golden messages are.
fn event(topic: &str, data: &Value) -> Value {
    let mut event = cloud_event(topic, data);
    event["source"] = "/streamspace/sessions".into();
    event["time"] = TIME.into();
    event
}

fn golden(topic: &str) -> Value {
    let file = workspace().join(format!("plugins/streamspace-slack/golden/{topic}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// The one message that came of what was done, after a look at how it was sent.
fn only_message(provider: &Provider) -> Value {
    let requests: Vec<Request> = provider.requests_wait(1, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].path, format!("/services/T0/B0/{SECRET}"));
    assert_eq!(requests[0].header("host"), "hooks.slack.com");
    requests[0].json()
}

fn becomes_the_golden_message(topic: &str, data: &Value) {
    let provider = Provider::slack();
    let host = start(&provider);
    let _ = host.api().event(&event(topic, data)).expect(202);
    assert_eq!(only_message(&provider), golden(topic));
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    host.stop();
}

#[test]
fn a_created_session() {
    becomes_the_golden_message("session.created", &session());
}

#[test]
fn a_hibernated_session() {
    becomes_the_golden_message("session.hibernated", &session());
}

#[test]
fn a_created_user() {
    becomes_the_golden_message("user.created", &user());
}

#[test]
fn an_exceeded_quota() {
    let data = json!({"user": "ada", "quota": "maxSessions", "used": 6, "limit": 5});
    becomes_the_golden_message("quota.exceeded", &data);
}

#[test]
fn an_event_in_binary_mode_is_the_same_event() {
    let provider = Provider::slack();
    let host = start(&provider);
    let headers = [
        ("Content-Type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "1"),
        ("ce-source", "/streamspace/sessions"),
        ("ce-type", "session.created"),
        ("ce-time", TIME),
    ];
    let body = session().to_string();
    let _ = host.api().send("POST", "/api/v1/events", &headers, Some(body.as_bytes())).expect(202);
    assert_eq!(only_message(&provider), golden("session.created"));
}

#[test]
fn the_events_of_a_batch_are_sent_in_their_order() {
    let provider = Provider::slack();
    let host = start(&provider);
    let batch = [
        event("session.created", &session()),
        event("session.hibernated", &session()),
        event("user.created", &user()),
    ];
    let answer = host.api().events(&batch).expect(202).json();
    assert_eq!(answer["ids"].as_array().map(Vec::len), Some(3), "{answer}");
    let sent: Vec<Value> = provider.requests_wait(3, DEADLINE).iter().map(Request::json).collect();
    assert_eq!(sent, ["session.created", "session.hibernated", "user.created"].map(golden));
    assert_eq!(provider.violations(), [""; 0]);
}

#[test]
fn an_event_from_the_command_line_is_sent() {
    let provider = Provider::slack();
    let host = start(&provider);
    host.cli(&["emit", "user.created", &user().to_string(), "--source", "/admin", "--subject", "u-17"])
        .expect(0);
    let message = only_message(&provider).to_string();
    assert!(message.contains("Ada Lovelace"), "{message}");
}

#[test]
fn events_that_were_switched_off_or_have_a_longer_name_are_not_sent() {
    let provider = Provider::slack();
    let host = start(&provider);
    host.configure(PLUGIN, &json!({"notifyOnSessionHibernated": false})).expect(0);
    host.wait_state(PLUGIN, "running");
    for topic in ["session.hibernated", "session.createdx", "session.create", "session.created.late"] {
        let _ = host.api().event(&event(topic, &session())).expect(202);
    }
    // In order, so that nothing of those before is still on its way.
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    assert_eq!(only_message(&provider), golden("session.created"));
}

#[test]
fn a_hostile_name_is_shown_and_does_nothing() {
    let provider = Provider::slack();
    let host = start(&provider);
    let mut data = session();
    data["user"] = "<!channel> & *Eve* <@U1>".into();
    data["user_id"] = data["user"].clone();
    let _ = host.api().event(&event("session.created", &data)).expect(202);
    let message = only_message(&provider).to_string();
    assert!(!message.contains("<!channel>") && !message.contains("<@U1>"), "{message}");
    assert!(message.contains("&lt;!channel&gt; &amp; "), "{message}");
}

#[test]
fn a_very_long_name_is_cut_to_what_slack_takes() {
    let provider = Provider::slack();
    let host = start(&provider);
    let mut data = session();
    for key in ["user", "user_id", "template", "template_name", "id", "session_id"] {
        data[key] = "&".repeat(10_000).into();
    }
    let _ = host.api().event(&event("session.created", &data)).expect(202);
    only_message(&provider);
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
}

#[test]
fn the_hook_is_shown_nowhere() {
    let provider = Provider::slack();
    let host = start(&provider);
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    only_message(&provider);
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    for verb in [
        &["plugin", "show", PLUGIN][..],
        &["plugin", "show", PLUGIN, "--json"],
        &["plugin", "list", "--json"],
        &["plugin", "config", "get", PLUGIN],
        &["plugin", "config", "get", PLUGIN, "--json"],
        &["plugin", "disable", PLUGIN],
        &["plugin", "enable", PLUGIN],
    ] {
        host.cli(verb).expect(0);
    }
    for path in ["", "/streamspace-slack", "/streamspace-slack/config"] {
        let _ = host.api().get(&format!("/api/v1/plugins{path}")).expect(200);
    }
    let said = host.everything_said();
    assert!(said.contains(PLUGIN) && !said.contains(SECRET), "the hook's path was shown");
    let stopped = host.stop();
    assert!(!stopped.log.text().contains(SECRET) && !stopped.stderr.text().contains(SECRET));
}
