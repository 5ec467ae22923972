//! What every plugin that notifies has beside its messages, shown with Slack: routes, digests, words, teams, the console.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use streamspace_tests::{Answer, DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-slack";
const SECRET: &str = "s3cr3tPartOfTheHook";

fn hook() -> String {
    format!("https://hooks.slack.com/services/T0/B0/{SECRET}")
}

fn start(provider: &Provider, config: &Value) -> Host {
    let mut whole = json!({ "webhookUrl": hook() });
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let host = Installation::new().provider(provider, &["hooks.slack.com"]).plugin(PLUGIN, &whole).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn get(host: &Host, path: &str) -> Value {
    host.api().get(&format!("/api/plugins/{PLUGIN}{path}")).expect(200).json()
}

fn post(host: &Host, path: &str, body: &Value) -> Answer {
    host.api().post_json(&format!("/api/plugins/{PLUGIN}{path}"), body)
}

fn session(id: &str) -> Value {
    json!({"id": id, "user": "ada", "template": "gimp", "resources": {"cpu": "1", "memory": "2Gi"}})
}

/// The delivery of a session's event, once it is in this state.
fn delivery(host: &Host, subject: &str, state: &str) -> Value {
    host.wait_for(DEADLINE, &format!("the delivery of {subject} to be {state}"), || {
        let page = get(host, &format!("/deliveries?state={state}"));
        page["items"].as_array().unwrap().iter().find(|one| one["subject"] == subject).cloned()
    })
}

#[test]
fn nothing_is_posted_when_the_plugin_is_loaded() {
    let provider = Provider::slack();
    let host = start(&provider, &json!({}));
    assert_eq!(get(&host, "/health")["destinations"][0]["state"], "idle");
    assert_eq!(provider.requests().len(), 0);
}

#[test]
fn a_preview_shows_the_message_and_sends_nothing() {
    let provider = Provider::slack();
    let host = start(
        &provider,
        &json!({"messages": {"session.created": {"title": "{{ data.user }} is here", "summary": "{{ 'x' * 99999 }}"}}}),
    );
    let asked = json!({"topic": "session.created", "data": session("s-1"), "time": "2026-01-02T03:04:05Z"});
    let shown = post(&host, "/preview", &asked).expect(200).json();
    assert_eq!(shown["destination"], "default");
    assert_eq!(shown["notification"]["occurredAt"], "2026-01-02T03:04:05Z");
    assert_eq!(shown["message"]["text"], "ada's gimp session was created.", "the template failed: {shown}");
    assert!(shown["templateError"].as_str().unwrap().contains("summary of `session.created`"), "{shown}");
    let title = &shown["message"]["attachments"][0]["blocks"][0]["text"]["text"];
    assert_eq!(title, "ada is here", "{shown}");
    assert!(!shown.to_string().contains(SECRET));

    post(&host, "/preview", &json!({"topic": "session.created", "data": []})).problem(&[422]);
    post(&host, "/preview", &json!({"topic": "session.created", "destination": "x"})).problem(&[404]);
    assert_eq!(provider.requests().len(), 0);
}

#[test]
fn a_test_message_is_sent_and_told_of() {
    let provider = Provider::slack();
    let host = start(&provider, &json!({}));
    let told = post(&host, "/test", &json!({"destination": "default"})).expect(200).json();
    assert_eq!(
        (&told["state"], &told["kind"], &told["status"]),
        (&json!("sent"), &json!("test"), &json!(200)),
        "{told}"
    );
    assert_eq!(provider.requests_wait(1, DEADLINE)[0].json()["text"], "StreamSpace reaches Slack.");
    assert_eq!(provider.violations(), [""; 0]);

    provider.reply(Reply::new(400).body("invalid_payload"));
    let told = post(&host, "/test", &json!({})).expect(200).json();
    assert_eq!(told["state"], "dead", "{told}");
    assert!(told["reason"].as_str().unwrap().contains("invalid_payload"), "{told}");
}

#[test]
fn deliveries_are_listed_and_sent_again() {
    let provider = Provider::slack();
    provider.reply(Reply::new(400).body("invalid_payload"));
    let host = start(&provider, &json!({}));
    host.post_event("session.created", &session("s-1"));
    host.post_event("session.created", &session("s-2"));
    let dead = delivery(&host, "s-1", "dead");
    assert_eq!((&dead["attempts"], &dead["status"]), (&json!(1), &json!(400)), "{dead}");
    delivery(&host, "s-2", "sent");
    let page = get(&host, "/deliveries?limit=1");
    assert_eq!(page["items"][0]["subject"], "s-2", "the newest first");
    let rest = get(&host, &format!("/deliveries?limit=5&after={}", page["next"].as_str().unwrap()));
    assert_eq!(rest["items"][0]["subject"], "s-1");
    assert_eq!(rest["next"], Value::Null);

    let id = dead["id"].as_str().unwrap();
    let again = post(&host, &format!("/deliveries/{id}/replay"), &json!({})).expect(200).json();
    assert_eq!((&again["state"], &again["attempts"]), (&json!("sent"), &json!(2)), "{again}");
    let requests = provider.requests_wait(3, DEADLINE);
    assert_eq!(requests[0].json(), requests[2].json(), "the same message");
    post(&host, "/deliveries/default.00000000-0000-7000-8000-000000000000/replay", &json!({}))
        .problem(&[404]);
    post(&host, "/deliveries/nothing/replay", &json!({})).problem(&[404]);
    assert!(!host.everything_said().contains(SECRET));
}

#[test]
fn what_repeats_is_said_once() {
    let provider = Provider::slack();
    let config = json!({"destinations": [{"name": "ops", "webhookUrl": hook(), "topics": ["session.failed", "session.error"]}]});
    let host = start(&provider, &config);
    // The platform tells of one failure in both ways.
    let failed = json!({"id": "s-1", "user": "ada", "error": "no image"});
    host.post_event("session.failed", &failed);
    host.post_event("session.error", &failed);
    host.wait_count(PLUGIN, "to-ops", "delivered", 2);
    delivery(&host, "s-1", "suppressed");
    assert_eq!(provider.requests().len(), 1);
}

#[test]
fn quiet_hours_gather_and_one_message_tells_of_all() {
    let provider = Provider::slack();
    // Around now.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let clock = |seconds: u64| format!("{:02}:{:02}", seconds / 3600 % 24, seconds / 60 % 60);
    let quiet = json!({"from": clock(now - 3600), "to": clock(now + 3600)});
    let host = start(&provider, &json!({ "quietHours": quiet }));
    for n in 1..=3 {
        host.post_event("session.created", &session(&format!("s-{n}")));
    }
    delivery(&host, "s-3", "folded");
    // What is critical goes all the same.
    host.post_event("quota.exceeded", &json!({"user": "ada", "quota": "memory"}));
    assert_eq!(provider.requests_wait(1, DEADLINE)[0].json()["text"], "ada has exceeded the memory quota.");
    let health = get(&host, "/health");
    assert_eq!(
        (&health["waiting"], &health["destinations"][0]["state"]),
        (&json!(3), &json!("quiet")),
        "{health}"
    );

    host.configure(PLUGIN, &json!({ "quietHours": null })).expect(0);
    host.wait_state(PLUGIN, "running");
    let _ = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/jobs/digests/run")).expect(200);
    let digest = provider.requests_wait(2, DEADLINE)[1].json().to_string();
    assert!(digest.contains("3 more events") && digest.contains("3 × session.created"), "{digest}");
    assert_eq!(provider.violations(), [""; 0]);
    host.wait_for(DEADLINE, "nothing to wait", || (get(&host, "/health")["waiting"] == 0).then_some(()));
}

#[test]
fn a_team_is_a_group_of_the_platform() {
    let provider = Provider::slack();
    let config = json!({"destinations": [
        {"name": "design", "webhookUrl": hook(), "topics": ["session.created"], "teams": ["designers"]}
    ], "notifyOnSessionCreated": false, "notifyOnUserCreated": false});
    let host = start(&provider, &config);
    for user in ["ada", "eve"] {
        let _ = host.api().post_json("/api/v1/users", &json!({"username": user})).expect(201);
    }
    let _ = host.api().post_json("/api/v1/groups", &json!({"name": "designers"})).expect(201);
    let _ = host.api().send("PUT", "/api/v1/groups/designers/members/ada", &[], None).expect(200);
    for user in ["eve", "ada"] {
        host.post_event(
            "session.created",
            &json!({"id": format!("of-{user}"), "user": user, "template": "gimp"}),
        );
    }
    host.wait_count(PLUGIN, "to-design", "delivered", 2);
    let requests = provider.requests_wait(1, DEADLINE);
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].json()["text"], "ada's gimp session was created.");
}

#[test]
fn the_routes_are_for_administrators() {
    let provider = Provider::slack();
    let host = start(&provider, &json!({}));
    let stranger = host.api().with_token(None);
    for path in ["/health", "/metrics", "/deliveries"] {
        stranger.get(&format!("/api/plugins/{PLUGIN}{path}")).problem(&[401]);
    }
    for path in ["/preview", "/test", "/deliveries/default.x/replay"] {
        stranger.post_json(&format!("/api/plugins/{PLUGIN}{path}"), &json!({})).problem(&[401]);
    }
    assert_eq!(provider.requests().len(), 0);
}

#[test]
fn figures_are_there_for_people_and_for_prometheus() {
    let provider = Provider::slack();
    let host = start(&provider, &json!({}));
    host.post_event("session.created", &session("s-1"));
    delivery(&host, "s-1", "sent");
    let metrics = host.api().get(&format!("/api/plugins/{PLUGIN}/metrics")).expect(200);
    let types: Vec<_> = metrics.headers.iter().filter(|(name, _)| name == "content-type").collect();
    assert_eq!(types.len(), 1, "{types:?}");
    let text = metrics.body;
    let line = format!("streamspace_notifier_sent_total{{plugin=\"{PLUGIN}\",destination=\"default\"}} 1");
    assert!(text.lines().any(|found| found == line), "{text}");

    for (kind, id) in
        [("settings-pages", "settings"), ("admin-widgets", "deliveries"), ("admin-pages", "deliveries")]
    {
        let listed = host.api().get(&format!("/api/plugins/ui/{kind}")).expect(200).json();
        let text = listed.to_string();
        assert!(text.contains(PLUGIN) && text.contains(&format!("\"{id}\"")), "{kind}: {text}");
    }
}
