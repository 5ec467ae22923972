//! Slack as an app: one thread a session, also after a restart.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-slack";
const TOKEN: &str = "xoxb-1-s3cr3tOfTheApp";

fn start(provider: &Provider) -> Host {
    let host = Installation::new()
        .provider(provider, &["slack.com"])
        .plugin(
            PLUGIN,
            &json!({"destinations": [
                {"name": "ops", "botToken": TOKEN, "channel": "C0123456789", "topics": ["session.>"]}
            ]}),
        )
        .start();
    host.wait_state(PLUGIN, "running");
    host
}

fn posted(ts: &str) -> Reply {
    let said = json!({"ok": true, "channel": "C0123456789", "ts": ts});
    Reply::new(200).header("Content-Type", "application/json").body(said.to_string())
}

fn refused(code: &str) -> Reply {
    Reply::new(200)
        .header("Content-Type", "application/json")
        .body(json!({"ok": false, "error": code}).to_string())
}

fn session(id: &str) -> Value {
    json!({"id": id, "user": "ada", "template": "gimp"})
}

fn threads(provider: &Provider, count: usize) -> Vec<Value> {
    let requests = provider.requests_wait(count, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    for request in &requests {
        assert_eq!(request.path, "/api/chat.postMessage");
        assert_eq!(request.header("authorization"), format!("Bearer {TOKEN}"));
    }
    requests.iter().map(|request| request.json()["thread_ts"].clone()).collect()
}

#[test]
fn a_session_is_one_thread_also_after_a_restart() {
    let provider = Provider::slack();
    for ts in ["1767323045.000100", "1767323046.000100", "1767323047.000100", "1767323048.000100"] {
        provider.reply(posted(ts));
    }
    let host = start(&provider);
    host.post_event("session.created", &session("s-1"));
    host.post_event("session.created", &session("s-2"));
    host.post_event("session.hibernated", &session("s-1"));
    let first = json!("1767323045.000100");
    assert_eq!(threads(&provider, 3), [Value::Null, Value::Null, first.clone()]);
    host.wait_count(PLUGIN, "to-ops", "delivered", 3);

    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    host.post_event("session.deleted", &session("s-1"));
    assert_eq!(threads(&provider, 4)[3], first);
    assert!(!host.everything_said().contains("s3cr3tOfTheApp"), "the token was shown");
}

#[test]
fn a_thread_that_is_gone_is_begun_anew() {
    let provider = Provider::slack();
    for reply in [posted("1767323045.000100"), refused("thread_not_found"), posted("1767323046.000100")] {
        provider.reply(reply);
    }
    let host = start(&provider);
    host.post_event("session.created", &session("s-1"));
    host.wait_count(PLUGIN, "to-ops", "delivered", 1);
    host.post_event("session.hibernated", &session("s-1"));
    assert_eq!(threads(&provider, 3), [Value::Null, json!("1767323045.000100"), Value::Null]);
    host.wait_count(PLUGIN, "to-ops", "delivered", 2);
}

#[test]
fn an_app_that_may_not_post_is_broken_and_mended_by_a_test() {
    let provider = Provider::slack();
    provider.reply(refused("not_in_channel"));
    let host = start(&provider);
    host.post_event("session.created", &session("s-1"));
    host.wait_count(PLUGIN, "to-ops", "dead", 1);
    let health = || host.api().get(&format!("/api/plugins/{PLUGIN}/health")).expect(200).json();
    let told = health();
    assert_eq!(
        (&told["status"], &told["destinations"][0]["state"]),
        (&json!("broken"), &json!("broken")),
        "{told}"
    );
    assert!(told["destinations"][0]["reason"].as_str().unwrap().contains("not_in_channel"), "{told}");

    provider.reply(posted("1767323045.000100"));
    let sent = host.api().post_json(&format!("/api/plugins/{PLUGIN}/test"), &json!({})).expect(200).json();
    assert_eq!(sent["state"], "sent", "{sent}");
    provider.reply(posted("1767323046.000100"));
    host.post_event("session.created", &session("s-2"));
    host.wait_count(PLUGIN, "to-ops", "delivered", 1);
    assert_eq!(health()["status"], "ok");
}
