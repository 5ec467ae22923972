//! Events become messages in Microsoft Teams: the host, the Teams plugin as it is shipped, and a provider that refuses what flows
//! and connectors refuse.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, cloud_event, workspace};

const PLUGIN: &str = "streamspace-teams";
const SECRET: &str = "s3cr3tPartOfTheHook";
const FLOW: &str = "0123456789abcdef.4c.environment.api.powerplatform.com";
const OLD_FLOW: &str = "prod-7.westeurope.logic.azure.com";
const CONNECTOR: &str = "acme.webhook.office.com";
/// The time of the golden messages.
const TIME: &str = "2026-01-02T03:04:05Z";

fn flow(host: &str) -> String {
    format!(
        "https://{host}:443/powerautomate/automations/direct/workflows/{SECRET}/triggers/manual/paths/invoke?api-version=1&sv=1.0&sig={SECRET}"
    )
}

fn connector() -> String {
    format!("https://{CONNECTOR}/webhookb2/{SECRET}@tenant/IncomingWebhook/{SECRET}/owner")
}

fn provider() -> Provider {
    Provider::teams(&[FLOW, OLD_FLOW, CONNECTOR])
}

fn start(provider: &Provider, config: &Value) -> Host {
    let installation = Installation::new().provider(provider, &[FLOW, OLD_FLOW, CONNECTOR]);
    let host = installation.plugin(PLUGIN, config).start();
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

/// Posts an event as those of the golden messages are.
fn post(host: &Host, topic: &str, data: &Value) {
    let mut event = cloud_event(topic, data);
    event["source"] = "/streamspace/sessions".into();
    event["time"] = TIME.into();
    let _ = host.api().event(&event).expect(202);
}

fn golden(folder: &str, topic: &str) -> Value {
    let file = workspace().join(format!("plugins/streamspace-teams/{folder}/{topic}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap()
}

/// The one message that came of what was done, and where it went.
fn only_message(provider: &Provider) -> (String, Value) {
    let requests = provider.requests_wait(1, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    assert_eq!(requests.len(), 1);
    (requests[0].header("host").to_owned(), requests[0].json())
}

fn card(message: &Value) -> &Value {
    &message["attachments"][0]["content"]
}

fn get(host: &Host, path: &str) -> Value {
    host.api().get(&format!("/api/plugins/{PLUGIN}{path}")).expect(200).json()
}

#[test]
fn the_platforms_events_are_cards_of_a_flow() {
    let provider = provider();
    let host = start(&provider, &json!({"webhookUrl": flow(FLOW), "notifyOnSessionHibernated": true}));
    let topics = ["session.created", "session.hibernated", "user.created"];
    for topic in topics {
        let data = if topic == "user.created" { user() } else { session() };
        post(&host, topic, &data);
    }
    let requests = provider.requests_wait(3, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    let sent: Vec<Value> = requests.iter().map(streamspace_tests::Request::json).collect();
    assert_eq!(sent, topics.map(|topic| golden("golden", topic)));
    assert_eq!(requests[0].header("host"), FLOW);
    assert!(requests[0].path.ends_with(&format!("&sig={SECRET}")), "the address is used as it is");
    host.wait_count(PLUGIN, "to-default", "delivered", 3);
    host.stop();
}

#[test]
fn a_flow_at_an_old_address_takes_the_same() {
    let provider = provider();
    let host = start(&provider, &json!({"webhookUrl": flow(OLD_FLOW)}));
    post(&host, "session.created", &session());
    assert_eq!(only_message(&provider), (OLD_FLOW.to_owned(), golden("golden", "session.created")));
    drop(host);
}

#[test]
fn a_connector_has_message_cards_unless_others_are_wanted() {
    let provider = provider();
    let destinations = json!([{"name": "adaptive", "webhookUrl": connector(), "format": "adaptiveCard"}]);
    let host = start(&provider, &json!({"webhookUrl": connector(), "destinations": destinations}));
    post(&host, "session.created", &session());
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    for folder in ["golden", "connector/golden"] {
        let expected = golden(folder, "session.created");
        assert!(requests.iter().any(|request| request.json() == expected), "{folder}");
    }
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    host.logged("the operator to be told", |line| line.is_of(PLUGIN) && line.level() == "warning");
}

#[test]
fn what_is_critical_mentions() {
    let provider = provider();
    let host = start(
        &provider,
        &json!({"destinations": [{
            "name": "on-call", "webhookUrl": flow(FLOW), "topics": ["session.*"],
            "mentions": [{"name": "Ada Lovelace", "id": "ada@example.com"}, {"name": "Ops", "id": "ops@example.com"}],
        }]}),
    );
    post(&host, "session.created", &session());
    post(&host, "session.failed", &session());
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    let (created, failed) = (requests[0].json(), requests[1].json());
    assert_eq!(card(&created)["msteams"], json!({"width": "Full"}));
    assert_eq!(card(&failed)["body"][1]["text"], "<at>Ada Lovelace</at> <at>Ops</at>");
    assert_eq!(
        card(&failed)["msteams"]["entities"][1],
        json!({"type": "mention", "text": "<at>Ops</at>", "mentioned": {"id": "ops@example.com", "name": "Ops"}})
    );
}

#[test]
fn a_hostile_name_is_shown_and_does_nothing() {
    let provider = provider();
    let host = start(
        &provider,
        &json!({"destinations": [{
            "name": "on-call", "webhookUrl": flow(FLOW), "topics": ["session.failed"],
            "mentions": [{"name": "Ops", "id": "ops@example.com"}],
        }]}),
    );
    let mut data = session();
    data["user"] = "<at>Ops</at> **Eve** [ok](https://evil.example)".into();
    data["user_id"] = data["user"].clone();
    post(&host, "session.failed", &data);
    let (_, message) = only_message(&provider);
    let facts = card(&message)["body"][3]["facts"].as_array().unwrap();
    assert_eq!(facts[0]["value"], r"\<at\>Ops\</at\> \*\*Eve\*\* \[ok\](https://evil.example)");
}

#[test]
fn what_is_too_large_is_made_to_fit() {
    let provider = provider();
    let host = start(
        &provider,
        &json!({
            "webhookUrl": flow(FLOW), "destinations": [{"name": "old", "webhookUrl": connector()}],
        }),
    );
    let mut data = session();
    for key in ["user", "user_id", "template", "template_name", "id", "session_id"] {
        data[key] = "*🦀".repeat(3000).into();
    }
    post(&host, "session.created", &data);
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(provider.violations(), [""; 0]);
    for request in requests {
        let text = request.json().to_string();
        assert!(text.contains('…') && text.contains("more"), "{} bytes", text.len());
    }
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
}

#[test]
fn a_preview_a_test_the_deliveries_and_health() {
    let provider = provider();
    let host = start(&provider, &json!({"webhookUrl": flow(FLOW)}));
    assert_eq!(
        get(&host, "/health")["destinations"][0]["state"],
        "idle",
        "nothing is sent when it is loaded"
    );
    let call = |path: &str, body: Value| {
        host.api().post_json(&format!("/api/plugins/{PLUGIN}{path}"), &body).expect(200).json()
    };
    let asked = json!({"topic": "session.created", "data": session(), "time": TIME, "source": "/streamspace/sessions"});
    assert_eq!(call("/preview", asked)["message"], golden("golden", "session.created"));
    assert_eq!(provider.requests().len(), 0);

    let told = call("/test", json!({}));
    assert_eq!((&told["state"], &told["status"]), (&json!("sent"), &json!(202)), "{told}");
    post(&host, "session.created", &session());
    let sent = host.wait_for(DEADLINE, "the delivery", || {
        let page = get(&host, "/deliveries?state=sent");
        page["items"].as_array().unwrap().iter().find(|one| one["kind"] == "event").cloned()
    });
    let again = call(&format!("/deliveries/{}/replay", sent["id"].as_str().unwrap()), json!({}));
    assert_eq!((&again["state"], &again["attempts"]), (&json!("sent"), &json!(2)), "{again}");
    let requests = provider.requests_wait(3, DEADLINE);
    assert_eq!(requests[1].json(), requests[2].json());
    assert_eq!(provider.violations(), [""; 0]);
    assert_eq!(get(&host, "/health")["destinations"][0]["state"], "ok");
}

#[test]
fn the_hook_is_shown_nowhere() {
    let provider = provider();
    let host = start(
        &provider,
        &json!({
            "webhookUrl": flow(FLOW), "destinations": [{"name": "old", "webhookUrl": connector()}],
        }),
    );
    post(&host, "session.created", &session());
    let _ = provider.requests_wait(2, DEADLINE);
    host.wait_count(PLUGIN, "to-default", "delivered", 1);
    for verb in [
        &["plugin", "show", PLUGIN, "--json"][..],
        &["plugin", "config", "get", PLUGIN, "--json"],
        &["plugin", "disable", PLUGIN],
        &["plugin", "enable", PLUGIN],
    ] {
        host.cli(verb).expect(0);
    }
    for path in ["", "/streamspace-teams", "/streamspace-teams/config"] {
        let _ = host.api().get(&format!("/api/v1/plugins{path}")).expect(200);
    }
    let said = host.everything_said();
    assert!(said.contains(PLUGIN) && !said.contains(SECRET), "a part of the address was shown");
}
