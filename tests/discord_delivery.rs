//! Events become messages in Discord: the host, the Discord plugin as it is shipped, and a provider that refuses what Discord
//! refuses.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Request, cloud_event, workspace};

const PLUGIN: &str = "streamspace-discord";
const CONSUMER: &str = "to-default";
const SECRET: &str = "s3cr3tPartOfTheHook";
/// The time of the golden messages.
const TIME: &str = "2026-01-02T03:04:05Z";

fn start(provider: &Provider, config: Value) -> Host {
    let mut whole = json!({
        "webhookUrl": format!("https://discord.com/api/webhooks/12/{SECRET}"),
        "includeDetails": true,
        "rateLimit": 100,
        "duplicateWindow": 0,
    });
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let installation = Installation::new().provider(provider, &["discord.com"]);
    let host = installation.plugin(PLUGIN, &whole).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// With one destination that wants everything of sessions.
fn start_for_sessions(provider: &Provider, entry: Value) -> Host {
    let mut whole = json!({
        "name": "ops", "webhookUrl": format!("https://discord.com/api/webhooks/12/{SECRET}"), "topics": ["session.*"],
    });
    whole.as_object_mut().unwrap().extend(entry.as_object().unwrap().clone());
    let installation = Installation::new().provider(provider, &["discord.com"]);
    let config = json!({"destinations": [whole], "includeDetails": true, "duplicateWindow": 0});
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

/// An event as those of the golden messages are, so many seconds later.
fn later(topic: &str, data: &Value, seconds: u32) -> Value {
    let mut event = cloud_event(topic, data);
    event["source"] = "/streamspace/sessions".into();
    event["time"] = format!("2026-01-02T03:04:{:02}Z", 5 + seconds).into();
    event
}

fn event(topic: &str, data: &Value) -> Value {
    later(topic, data, 0)
}

fn golden(topic: &str) -> Value {
    let file = workspace().join(format!("plugins/streamspace-discord/golden/{topic}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// What was sent, after a look at whether Discord would take it.
fn sent(provider: &Provider, count: usize) -> Vec<Request> {
    let requests = provider.requests_wait(count, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    assert_eq!(requests.len(), count);
    for request in &requests {
        assert_eq!(request.header("host"), "discord.com");
        assert!(request.path.starts_with(&format!("/api/v10/webhooks/12/{SECRET}")), "{}", request.path);
        assert!(request.json()["allowed_mentions"]["parse"].is_array(), "mentions are allowed by default");
    }
    requests
}

fn only_message(provider: &Provider) -> Value {
    let requests = sent(provider, 1);
    assert_eq!(requests[0].path, format!("/api/v10/webhooks/12/{SECRET}?wait=true"));
    requests[0].json()
}

/// What each request did, without the secret part of its path.
fn did(requests: &[Request]) -> Vec<String> {
    let short = format!("/api/v10/webhooks/12/{SECRET}");
    requests
        .iter()
        .map(|request| format!("{} {}", request.method, request.path.replace(&short, "")))
        .collect()
}

fn becomes_the_golden_message(topic: &str, data: &Value) {
    let provider = Provider::discord();
    let host = start(&provider, json!({}));
    let _ = host.api().event(&event(topic, data)).expect(202);
    assert_eq!(only_message(&provider), golden(topic));
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
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
fn what_happens_to_a_session_changes_its_message() {
    let provider = Provider::discord();
    let host = start_for_sessions(&provider, json!({}));
    let mut other = session();
    other["id"] = "eve-gimp-1".into();
    for (topic, data, seconds) in [
        ("session.created", &session(), 0),
        ("session.created", &other, 1),
        ("session.hibernated", &session(), 2),
        ("session.deleted", &session(), 3),
    ] {
        let _ = host.api().event(&later(topic, data, seconds)).expect(202);
    }
    let requests = sent(&provider, 4);
    assert_eq!(
        did(&requests),
        ["POST ?wait=true", "POST ?wait=true", "PATCH /messages/1001", "PATCH /messages/1001"]
    );
    let last = requests[3].json();
    assert_eq!(last["embeds"][0]["title"], "Session deleted");
    let fields = last["embeds"][0]["fields"].as_array().unwrap();
    let began = 1_767_323_045;
    assert_eq!(
        fields.last().unwrap()["value"],
        format!("<t:{began}:f> Session created\n<t:{}:f> Session hibernated", began + 2)
    );
    host.wait_count(PLUGIN, "to-ops", "delivered", 4);
}

#[test]
fn the_message_of_a_session_is_known_after_a_restart() {
    let provider = Provider::discord();
    let host = start_for_sessions(&provider, json!({}));
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    host.wait_count(PLUGIN, "to-ops", "delivered", 1);
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    let _ = host.api().event(&later("session.hibernated", &session(), 1)).expect(202);
    assert_eq!(did(&sent(&provider, 2)), ["POST ?wait=true", "PATCH /messages/1001"]);
}

#[test]
fn a_failure_is_a_message_of_its_own_and_mentions_whom_the_operator_named() {
    let provider = Provider::discord();
    let host = start_for_sessions(&provider, json!({"mention": "81"}));
    let mut failed = session();
    failed["error"] = "@everyone: no image".into();
    failed["user"] = "@everyone".into();
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    let _ = host.api().event(&later("session.failed", &failed, 1)).expect(202);
    let _ = host.api().event(&later("session.started", &session(), 2)).expect(202);
    let requests = sent(&provider, 3);
    assert_eq!(did(&requests), ["POST ?wait=true", "POST ?wait=true", "PATCH /messages/1002"]);
    let failure = requests[1].json();
    assert_eq!(failure["allowed_mentions"], json!({"parse": [], "roles": ["81"]}));
    let content = failure["content"].as_str().unwrap();
    assert!(content.starts_with("<@&81> @\u{200b}everyone's"), "{content}");
    let after = requests[2].json();
    assert_eq!((&after["content"], &after["allowed_mentions"]), (&Value::Null, &json!({"parse": []})));
}

#[test]
fn without_editing_each_event_is_a_message() {
    let provider = Provider::discord();
    let host = start_for_sessions(&provider, json!({"editInPlace": false}));
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    let _ = host.api().event(&later("session.hibernated", &session(), 1)).expect(202);
    assert_eq!(did(&sent(&provider, 2)), ["POST ?wait=true"; 2]);
}

#[test]
fn messages_go_to_a_thread() {
    let provider = Provider::discord();
    let host = start_for_sessions(&provider, json!({"threadId": "77"}));
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    let _ = host.api().event(&later("session.hibernated", &session(), 1)).expect(202);
    assert_eq!(
        did(&sent(&provider, 2)),
        ["POST ?wait=true&thread_id=77", "PATCH /messages/1001?thread_id=77"]
    );
}

#[test]
fn a_forum_gets_one_post_and_messages_follow_in_it() {
    let provider = Provider::discord();
    let entry =
        json!({"threadName": "Desktop sessions", "appliedTags": ["5"], "topics": ["session.*", "user.*"]});
    let host = start_for_sessions(&provider, entry);
    for (topic, data, seconds) in
        [("session.created", session(), 0), ("user.created", user(), 1), ("session.hibernated", session(), 2)]
    {
        let _ = host.api().event(&later(topic, &data, seconds)).expect(202);
    }
    let requests = sent(&provider, 3);
    assert_eq!(
        did(&requests),
        ["POST ?wait=true", "POST ?wait=true&thread_id=1001", "PATCH /messages/1001?thread_id=1001"]
    );
    let first = requests[0].json();
    assert_eq!((&first["thread_name"], &first["applied_tags"]), (&json!("Desktop sessions"), &json!(["5"])));
    assert!(requests[1].json().get("thread_name").is_none());
}

#[test]
fn a_hostile_name_is_shown_and_does_nothing() {
    let provider = Provider::discord();
    let host = start(&provider, json!({}));
    let mut data = session();
    data["user"] = "**@everyone** <@&1> [x](https://evil.example)".into();
    data["user_id"] = data["user"].clone();
    let _ = host.api().event(&event("session.created", &data)).expect(202);
    let message = only_message(&provider);
    assert_eq!(message["allowed_mentions"], json!({"parse": []}));
    assert!(message.get("content").is_none());
    assert_eq!(
        message["embeds"][0]["fields"][0]["value"],
        "\\*\\*@everyone\\*\\* \\<@&1> \\[x\\](https\\://evil.example)"
    );
}

#[test]
fn a_very_long_name_is_cut_to_what_discord_takes() {
    let provider = Provider::discord();
    let host = start(&provider, json!({}));
    let mut data = session();
    for key in ["user", "user_id", "template", "template_name", "id", "session_id"] {
        data[key] = "🦀*".repeat(5_000).into();
    }
    let _ = host.api().event(&event("session.created", &data)).expect(202);
    only_message(&provider);
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
}

#[test]
fn an_empty_value_is_left_out() {
    let provider = Provider::discord();
    let host = start(&provider, json!({}));
    let mut data = user();
    data["email"] = "".into();
    let _ = host.api().event(&event("user.created", &data)).expect(202);
    let fields = only_message(&provider)["embeds"][0]["fields"].clone();
    assert!(!fields.to_string().contains("Email"), "{fields}");
}

#[test]
fn the_routes_show_try_and_repeat() {
    let provider = Provider::discord();
    let host = start(&provider, json!({"avatarUrl": "https://example.com/icon.png"}));
    let base = format!("/api/plugins/{PLUGIN}");
    let ask = |method: &str, path: &str, body: &Value| {
        let body = body.to_string();
        let headers = [("Content-Type", "application/json")];
        let body = (method != "GET").then_some(body.as_bytes());
        host.api().send(method, &format!("{base}{path}"), &headers, body).expect(200).json()
    };
    let preview =
        ask("POST", "/preview", &json!({"topic": "session.created", "data": session(), "time": TIME}));
    let mut expected = golden("session.created");
    expected["avatar_url"] = "https://example.com/icon.png".into();
    assert_eq!(preview["message"], expected, "{preview}");
    assert_eq!(provider.requests().len(), 0, "a preview sends nothing");

    let test = ask("POST", "/test", &json!({}));
    assert_eq!((&test["state"], &test["progress"]["message"]), (&json!("sent"), &json!("1001")), "{test}");

    let _ = host.api().event(&event("user.created", &user())).expect(202);
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    let deliveries = ask("GET", "/deliveries?state=sent", &json!({}));
    let first = deliveries["items"][0].clone();
    assert_eq!(
        (&first["topic"], &first["progress"]["message"]),
        (&json!("user.created"), &json!("1002")),
        "{first}"
    );

    let replayed = ask("POST", &format!("/deliveries/{}/replay", first["id"].as_str().unwrap()), &json!({}));
    assert_eq!((&replayed["state"], &replayed["attempts"]), (&json!("sent"), &json!(2)), "{replayed}");
    let health = ask("GET", "/health", &json!({}));
    assert_eq!(
        (&health["status"], &health["destinations"][0]["state"]),
        (&json!("ok"), &json!("ok")),
        "{health}"
    );
    sent(&provider, 3);
}

#[test]
fn the_hook_is_shown_nowhere() {
    let provider = Provider::discord();
    let host = start(&provider, json!({}));
    let _ = host.api().event(&event("session.created", &session())).expect(202);
    only_message(&provider);
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    for verb in [
        &["plugin", "show", PLUGIN][..],
        &["plugin", "show", PLUGIN, "--json"],
        &["plugin", "config", "get", PLUGIN],
        &["plugin", "config", "get", PLUGIN, "--json"],
        &["plugin", "disable", PLUGIN],
        &["plugin", "enable", PLUGIN],
    ] {
        host.cli(verb).expect(0);
    }
    for path in ["", "/streamspace-discord", "/streamspace-discord/config"] {
        let _ = host.api().get(&format!("/api/v1/plugins{path}")).expect(200);
    }
    let said = host.everything_said();
    assert!(said.contains(PLUGIN) && !said.contains(SECRET), "the hook's path was shown");
    let stopped = host.stop();
    assert!(!stopped.log.text().contains(SECRET) && !stopped.stderr.text().contains(SECRET));
}
