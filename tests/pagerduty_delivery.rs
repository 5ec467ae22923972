//! What goes wrong becomes an alert in PagerDuty, and the alert ends when it is right again: the host, the plugin as it is
//! shipped, and a provider that refuses what PagerDuty refuses and keeps alerts as PagerDuty does.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{Answer, DEADLINE, Host, Installation, Provider, builds, cloud_event, workspace};

const PLUGIN: &str = "streamspace-pagerduty";
const KEY: &str = "s3cr3tIntegrationKeyOfTheService";
const OTHER_KEY: &str = "an0therIntegrationKeyOfAServ1ce0";
const HOSTS: [&str; 2] = ["events.pagerduty.com", "events.eu.pagerduty.com"];
/// The time of the golden messages.
const TIME: &str = "2026-01-02T03:04:05Z";

fn start_with(provider: &Provider, config: &Value) -> Host {
    // What the host tells of this very plugin comes too, and is not what is counted here.
    let mut whole = json!({
        "routingKey": KEY, "platformUrl": "https://streamspace.example.com/",
        "notifyOnPluginFailed": false, "changeTopics": [],
    });
    whole.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let host = Installation::new().provider(provider, &HOSTS).plugin(PLUGIN, &whole).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn start(provider: &Provider) -> Host {
    start_with(provider, &json!({}))
}

fn session() -> Value {
    json!({
        "id": "ada-firefox-7f3a", "session_id": "ada-firefox-7f3a", "user": "ada", "user_id": "ada",
        "template": "firefox-browser", "template_name": "firefox-browser",
        "resources": {"cpu": "1000m", "memory": "2Gi"}, "state": "running",
        "url": "https://streamspace.example.com/sessions/ada-firefox-7f3a",
    })
}

fn failed(id: &str) -> Value {
    json!({"id": id, "user": "ada", "template": "gimp", "error": "boom"})
}

fn get(host: &Host, path: &str) -> Value {
    host.api().get(&format!("/api/plugins/{PLUGIN}{path}")).expect(200).json()
}

fn post(host: &Host, path: &str, body: &Value) -> Answer {
    host.api().post_json(&format!("/api/plugins/{PLUGIN}{path}"), body)
}

/// What PagerDuty was told so far, in short.
fn told(provider: &Provider) -> Vec<String> {
    let short = |path: &str, body: &Value| match body["event_action"].as_str() {
        Some(action) => format!("{action} {}", body["dedup_key"].as_str().unwrap()),
        None => format!("{path} {}", body["payload"]["summary"].as_str().unwrap()),
    };
    assert_eq!(provider.violations(), [""; 0]);
    provider.requests().iter().map(|request| short(&request.path, &request.json())).collect()
}

/// The state of the alert for a problem, and how often it was triggered.
fn alert(provider: &Provider, problem: &str) -> Option<(&'static str, usize)> {
    let key = (KEY.to_owned(), format!("streamspace/{problem}"));
    provider.alerts().get(&key).map(|alert| (alert.state, alert.triggers))
}

fn wait_alert(host: &Host, provider: &Provider, problem: &str, state: &str) {
    host.wait_for(DEADLINE, &format!("the alert for {problem} to be {state}"), || {
        alert(provider, problem).filter(|(now, _)| *now == state)
    });
}

/// Waits until this many events were handled.
fn handled(host: &Host, count: u64) {
    let consumer = host.wait_count(PLUGIN, "to-default", "delivered", count);
    assert_eq!((&consumer["delivered"], &consumer["dead"]), (&json!(count), &json!(0)), "{consumer}");
}

fn golden(topic: &str) -> Value {
    let file = workspace().join(format!("plugins/{PLUGIN}/golden/{topic}.json"));
    let text = fs::read_to_string(&file).unwrap_or_else(|why| panic!("{}: {why}", file.display()));
    serde_json::from_str(&text).unwrap()
}

#[test]
fn a_session_that_fails_and_comes_back_is_an_alert_that_ends() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    let api = host.api();
    let new = json!({"id": "s1", "owner": "ada", "template": "firefox"});
    let _ = api.post_json("/api/v1/sessions", &new).expect(201);
    let step = |state: &str| {
        let to = json!({"state": state, "reason": "node lost"});
        let _ = api.post_json("/api/v1/sessions/s1/transition", &to).expect(200);
    };
    for state in ["creating", "running", "failed"] {
        step(state);
    }
    wait_alert(&host, &provider, "session/s1/failed", "triggered");
    step("pending");
    wait_alert(&host, &provider, "session/s1/failed", "acknowledged");
    step("creating");
    step("running");
    wait_alert(&host, &provider, "session/s1/failed", "resolved");
    // It hibernates, and wakes up.
    step("hibernated");
    wait_alert(&host, &provider, "session/s1/hibernated", "triggered");
    step("running");
    wait_alert(&host, &provider, "session/s1/hibernated", "resolved");
    // What fails again is another alert, and its end is the session's.
    step("failed");
    wait_alert(&host, &provider, "session/s1/failed", "triggered");
    let _ = api.delete("/api/v1/sessions/s1").expect(202);
    wait_alert(&host, &provider, "session/s1/failed", "resolved");
    let failed = "streamspace/session/s1/failed";
    let hibernated = "streamspace/session/s1/hibernated";
    assert_eq!(
        told(&provider),
        [
            format!("trigger {failed}"),
            format!("acknowledge {failed}"),
            format!("resolve {failed}"),
            format!("trigger {hibernated}"),
            format!("resolve {hibernated}"),
            format!("trigger {failed}"),
            format!("resolve {failed}"),
        ],
        "`session.failed` and `session.error` are one, and nothing else is told"
    );
    assert!(!host.everything_said().contains(KEY), "the integration key was shown");
}

#[test]
fn what_fails_again_while_somebody_takes_care_of_it_is_another_alert() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    let pending = json!({"id": "s1", "oldState": "failed", "newState": "pending"});
    host.post_event("session.failed", &failed("s1"));
    host.post_event("session.state.changed", &pending);
    host.post_event("session.failed", &failed("s1"));
    handled(&host, 3);
    let key = "streamspace/session/s1/failed";
    let actions = ["trigger", "acknowledge", "resolve", "trigger"].map(|action| format!("{action} {key}"));
    assert_eq!(told(&provider), actions);
    assert_eq!(alert(&provider, "session/s1/failed"), Some(("triggered", 1)), "it wakes somebody");
}

#[test]
fn what_ends_without_having_begun_is_not_told() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    for n in 0..5 {
        host.post_event("session.started", &failed(&format!("s{n}")));
        host.post_event("session.deleted", &failed(&format!("s{n}")));
    }
    host.post_event("session.failed", &failed("last"));
    handled(&host, 11);
    assert_eq!(told(&provider), ["trigger streamspace/session/last/failed"]);
    let destination = &get(&host, "/health")["destinations"][0];
    assert_eq!((&destination["skipped"], &destination["sent"]), (&json!(10), &json!(1)), "{destination}");
}

#[test]
fn messages_are_the_golden_ones() {
    let provider = Provider::pagerduty();
    let host = start_with(
        &provider,
        &json!({"destinations": [{"name": "all", "routingKey": OTHER_KEY, "topics": [">"]}]}),
    );
    let mut event = cloud_event("session.failed", &session());
    event["data"]["error"] = "image pull: 401 from registry.example.com".into();
    event["time"] = TIME.into();
    let _ = host.api().event(&event).expect(202);
    let sent = provider.requests_wait(2, DEADLINE);
    let mut expected = golden("session.failed")["requests"][0]["body"].clone();
    for request in sent.iter().filter(|request| request.path == "/v2/enqueue") {
        let body = request.json();
        expected["routing_key"] = body["routing_key"].clone();
        assert_eq!(body, expected);
    }
    assert_eq!(provider.violations(), [""; 0]);
}

#[test]
fn other_plugins_and_their_topics_have_alerts_too() {
    let provider = Provider::pagerduty();
    let config = json!({"notifyOnSessionFailed": false, "destinations": [
        {"name": "nodes", "routingKey": KEY, "topics": ["node.not_ready", "monitor.>"]}]});
    let host = start_with(&provider, &config);
    let node = |topic: &str| {
        let mut event = cloud_event(topic, &json!({"node": "n-1"}));
        event["subject"] = "n-1".into();
        let _ = host.api().event(&event).expect(202);
    };
    node("node.not_ready");
    wait_alert(&host, &provider, "event/node/n-1", "triggered");
    node("node.ready");
    wait_alert(&host, &provider, "event/node/n-1", "resolved");

    for (topic, status, state) in [
        ("monitor.disk", "firing", "triggered"),
        ("monitor.seen", "acknowledged", "acknowledged"),
        ("monitor.over", "resolved", "resolved"),
    ] {
        host.post_event(topic, &json!({"status": status, "dedup_key": "disk-1"}));
        wait_alert(&host, &provider, "event/monitor/disk-1", state);
    }

    host.post_event("quota.exceeded", &json!({"user": "ada", "quota": "cpu", "used": 6, "limit": 5}));
    wait_alert(&host, &provider, "quota/ada/cpu", "triggered");
    host.post_event("quota.restored", &json!({"user": "ada", "quota": "cpu"}));
    wait_alert(&host, &provider, "quota/ada/cpu", "resolved");
}

#[test]
fn a_plugin_that_fails_is_an_alert_until_it_runs_and_an_installed_one_a_change() {
    let provider = Provider::pagerduty();
    let host =
        Installation::new().provider(&provider, &HOSTS).plugin(PLUGIN, &json!({ "routingKey": KEY })).start();
    host.wait_state(PLUGIN, "running");
    let failing = "fixture-panics";
    let folder = builds().plugin(failing).to_str().unwrap();
    host.cli(&["plugin", "install", folder]).expect(0);
    host.wait_state(failing, "running");
    host.cli(&["plugin", "disable", failing]).expect(0);
    host.configure(failing, &json!({"panic_in": "load"})).expect(0);
    let _ = host.cli(&["plugin", "enable", failing]);
    wait_alert(&host, &provider, "plugin/fixture-panics/failed", "triggered");
    host.configure(failing, &json!({"panic_in": "none"})).expect(0);
    wait_alert(&host, &provider, "plugin/fixture-panics/failed", "resolved");
    let told = told(&provider);
    assert_eq!(told[0], "/v2/change/enqueue The plugin fixture-panics was installed.", "{told:?}");
    assert!(told.iter().all(|one| one.contains(failing)), "of itself it says nothing: {told:?}");
    let consumer = host.consumer(PLUGIN, "to-default");
    assert_eq!((&consumer["dead"], &consumer["failed"]), (&json!(0), &json!(0)), "{consumer}");
}

#[test]
fn severities_decide_what_is_an_alert_a_change_or_nothing() {
    let provider = Provider::pagerduty();
    let config = json!({
        "notifyOnSessionCreated": true, "notifyOnUserCreated": true, "userCreatedSeverity": "error",
        "severities": {"quota.*": "info"},
        "destinations": [{"name": "worst", "routingKey": OTHER_KEY, "topics": ["session.*", "user.*"],
                          "minSeverity": "critical", "informational": "ignore"}],
    });
    let host = start_with(&provider, &config);
    host.post_event("session.created", &session());
    host.post_event("user.created", &json!({"id": "u-17", "username": "ada"}));
    host.post_event("quota.exceeded", &json!({"user": "ada", "quota": "cpu"}));
    host.post_event("session.failed", &failed("s1"));
    handled(&host, 4);
    host.wait_count(PLUGIN, "to-worst", "delivered", 3);
    let requests = provider.requests();
    let mut of_default: Vec<(String, Value)> = Vec::new();
    let mut of_worst = Vec::new();
    for request in requests {
        let body = request.json();
        let told = (request.path.clone(), body["payload"]["severity"].clone());
        if body["routing_key"] == KEY { of_default.push(told) } else { of_worst.push(told) }
    }
    let (alert, change) = ("/v2/enqueue".to_owned(), "/v2/change/enqueue".to_owned());
    assert_eq!(
        of_default,
        [
            (change.clone(), Value::Null),
            (alert.clone(), json!("error")),
            (change, Value::Null),
            (alert.clone(), json!("critical"))
        ]
    );
    assert_eq!(of_worst, [(alert, json!("critical"))]);
    assert_eq!(provider.violations(), [""; 0]);
}

#[test]
fn an_account_in_europe_is_told_there() {
    let provider = Provider::pagerduty();
    let config = json!({"region": "eu", "destinations": [
        {"name": "us", "routingKey": OTHER_KEY, "region": "us", "topics": ["session.failed"]}]});
    let host = start_with(&provider, &config);
    host.post_event("session.failed", &failed("s1"));
    let mut hosts: Vec<(String, String)> = provider
        .requests_wait(2, DEADLINE)
        .iter()
        .map(|request| {
            let key = request.json()["routing_key"].as_str().unwrap().to_owned();
            (key, request.header("host").to_owned())
        })
        .collect();
    hosts.sort();
    assert_eq!(hosts, [(OTHER_KEY.to_owned(), HOSTS[0].to_owned()), (KEY.to_owned(), HOSTS[1].to_owned())]);
}

#[test]
fn without_automatic_ends_alerts_are_left_to_people() {
    let provider = Provider::pagerduty();
    let host = start_with(&provider, &json!({"autoResolve": false}));
    host.post_event("session.failed", &failed("s1"));
    host.post_event("session.started", &failed("s1"));
    host.post_event("session.failed", &failed("s2"));
    handled(&host, 2);
    let keys = ["s1", "s2"].map(|id| format!("trigger streamspace/session/{id}/failed"));
    assert_eq!(told(&provider), keys);
}

#[test]
fn loading_testing_and_changes_wake_nobody() {
    let provider = Provider::pagerduty();
    let host = start_with(&provider, &json!({"changeTopics": ["deploy.>"]}));
    assert_eq!(provider.requests().len(), 0, "nothing is sent when the plugin is loaded");
    assert_eq!(get(&host, "/health")["destinations"][0]["state"], "idle");

    let test = post(&host, "/test", &json!({})).expect(200).json();
    assert_eq!(
        (&test["state"], &test["kind"], &test["status"]),
        (&json!("sent"), &json!("test"), &json!(202))
    );
    assert_eq!(get(&host, "/health")["destinations"][0]["state"], "ok");
    host.post_event("deploy.web.failed", &json!({"version": "1.2.3"}));
    handled(&host, 1);
    assert_eq!(
        told(&provider),
        ["/v2/change/enqueue StreamSpace reaches PagerDuty.", "/v2/change/enqueue deploy.web.failed"]
    );
    assert!(provider.alerts().is_empty());
}

#[test]
fn what_had_to_wait_is_one_change() {
    let provider = Provider::pagerduty();
    let config = json!({"notifyOnSessionCreated": true, "rateLimit": 1});
    let host = start_with(&provider, &config);
    for n in 0..4 {
        host.post_event("session.created", &failed(&format!("s{n}")));
    }
    // An alert waits for nothing.
    host.post_event("session.failed", &failed("s9"));
    handled(&host, 5);
    assert_eq!(told(&provider).len(), 2);
    assert_eq!(alert(&provider, "session/s9/failed"), Some(("triggered", 1)));
    assert_eq!(get(&host, "/health")["waiting"], 3);
}

#[test]
fn a_preview_shows_what_would_be_told_and_no_key() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    let asked = json!({"topic": "session.failed", "data": failed("s1"), "time": TIME});
    let shown = post(&host, "/preview", &asked).expect(200).json();
    let request = &shown["message"]["requests"][0];
    assert_eq!(request["path"], "/v2/enqueue", "{shown}");
    assert_eq!(request["body"]["dedup_key"], "streamspace/session/s1/failed", "{shown}");
    assert_eq!(shown["notification"]["problems"][0]["phase"], "opened", "{shown}");
    assert_eq!(provider.requests().len(), 0);
    for verb in [&["plugin", "show", PLUGIN, "--json"][..], &["plugin", "config", "get", PLUGIN, "--json"]] {
        host.cli(verb).expect(0);
    }
    let _ = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/config")).expect(200);
    let said = host.everything_said();
    assert!(said.contains(PLUGIN) && !said.contains(KEY), "the integration key was shown");
}

#[test]
fn text_from_users_is_cut_and_forges_nothing() {
    let provider = Provider::pagerduty();
    let host = start(&provider);
    let mut data = failed(&"i".repeat(2000));
    data["user"] = "eve\n\nseverity: info ".repeat(500).into();
    data["error"] = "\"\\🦀".repeat(20_000).into();
    host.post_event("session.failed", &data);
    host.post_event("session.started", &data);
    handled(&host, 2);
    assert_eq!(provider.violations(), [""; 0]);
    let requests = provider.requests();
    let (began, ended) = (requests[0].json(), requests[1].json());
    assert_eq!(began["dedup_key"], ended["dedup_key"], "of an id that is too long too");
    assert!(!began["payload"]["summary"].as_str().unwrap().contains('\n'));
    assert!(began["payload"]["summary"].as_str().unwrap().ends_with('…'));
}
