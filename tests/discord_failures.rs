//! What becomes of a message that Discord does not take at once: the wire fails, Discord is slow, or refuses.
#![forbid(unsafe_code)]

use std::time::Duration;

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{DEADLINE, Host, Installation, Provider, Reply};

const PLUGIN: &str = "streamspace-discord";
const CONSUMER: &str = "to-default";
const SECRET: &str = "s3cr3tPartOfTheHook";

fn start(provider: &Provider) -> Host {
    start_with(provider, &json!({"webhookUrl": hook("12"), "rateLimit": 100, "duplicateWindow": 0}))
}

fn hook(id: &str) -> String {
    format!("https://discord.com/api/webhooks/{id}/{SECRET}")
}

fn start_with(provider: &Provider, config: &Value) -> Host {
    let host = Installation::new()
        .set("outbound.total_timeout_secs", 5)
        .provider(provider, &["discord.com"])
        .plugin(PLUGIN, config)
        .start();
    host.wait_state(PLUGIN, "running");
    host
}

fn created(user: &str) -> Value {
    json!({"id": "u-1", "username": user, "fullName": user, "email": "a@example.com", "tier": "pro"})
}

fn session() -> Value {
    json!({"id": "s-1", "session_id": "s-1", "user": "ada", "template": "gimp"})
}

fn error(status: u16, code: u64) -> Reply {
    Reply::new(status)
        .header("Content-Type", "application/json")
        .body(json!({"message": "as Discord says it", "code": code}).to_string())
}

fn rate_limited(seconds: f64, scope: &str) -> Reply {
    let body = json!({"message": "You are being rate limited.", "retry_after": seconds, "global": scope == "global"});
    Reply::new(429)
        .header("Content-Type", "application/json")
        .header("Retry-After", &format!("{}", seconds.ceil()))
        .header("X-RateLimit-Scope", scope)
        .body(body.to_string())
}

/// The one event arrives at the second request, and is counted as one.
fn arrives_at_the_second_request(first: Reply) {
    let provider = Provider::discord();
    provider.reply(first);
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    assert_eq!(requests[0].json(), requests[1].json(), "the same message is sent again");
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!((&consumer["delivered"], &consumer["dead"]), (&json!(1), &json!(0)), "{consumer}");
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
    arrives_at_the_second_request(Reply::new(200).body(r#"{"id": "1"}"#).cut_off());
}

#[test]
fn an_answer_that_does_not_come_is_tried_again() {
    arrives_at_the_second_request(Reply::hang());
}

#[test]
fn a_failure_of_discord_is_tried_again() {
    arrives_at_the_second_request(Reply::new(502).body("<html>Bad Gateway</html>"));
}

#[test]
fn a_full_bucket_is_waited_for() {
    const SECONDS: f64 = 1.5;
    let provider = Provider::discord();
    provider.reply(rate_limited(SECONDS, "user"));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(2, DEADLINE);
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_secs_f64(SECONDS), "sent again after {waited:?}");
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!(consumer["dead"], 0, "{consumer}");
}

#[test]
fn an_empty_bucket_is_not_asked_for_more() {
    const SECONDS: f64 = 2.5;
    let provider = Provider::discord();
    provider.reply(
        Reply::new(200)
            .header("X-RateLimit-Remaining", "0")
            .header("X-RateLimit-Reset-After", &SECONDS.to_string())
            .body(r#"{"id": "1", "channel_id": "2"}"#),
    );
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    host.post_event("user.created", &created("eve"));
    let requests = provider.requests_wait(2, DEADLINE);
    let waited = requests[1].arrived - requests[0].arrived;
    assert!(waited >= Duration::from_secs_f64(SECONDS), "sent after {waited:?}");
    host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!(provider.requests().len(), 2);
}

/// Two destinations with the same topic; the first request is answered with `first`. When the second one came, after the first.
fn the_other_came_after(first: Reply) -> Duration {
    let provider = Provider::discord();
    provider.reply(first);
    let entry =
        |name: &str, id: &str, topic: &str| json!({"name": name, "webhookUrl": hook(id), "topics": [topic]});
    let config =
        json!({"destinations": [entry("a", "12", "user.created"), entry("b", "13", "user.deleted")]});
    let host = start_with(&provider, &config);
    host.post_event("user.created", &created("ada"));
    let _ = provider.requests_wait(1, DEADLINE);
    // Written down, so that the plugin has read the answer.
    host.logged("the first message to wait", |line| line.contains("too many messages"));
    host.post_event("user.deleted", &created("eve"));
    host.wait_count(PLUGIN, "to-b", "delivered", 1);
    host.wait_count(PLUGIN, "to-a", "delivered", 1);
    let requests = provider.requests();
    assert_eq!(requests.len(), 3);
    let other = requests.iter().find(|request| request.path.contains("/13/")).expect("the other's request");
    other.arrived - requests[0].arrived
}

#[test]
fn a_global_limit_holds_every_webhook() {
    let after = the_other_came_after(rate_limited(4.0, "global"));
    assert!(after >= Duration::from_secs(4), "the other webhook was used after {after:?}");
}

#[test]
fn a_dead_hook_is_not_used_again() {
    for (status, code) in [(404, 10015), (401, 50027), (403, 50013)] {
        let provider = Provider::discord();
        provider.reply(error(status, code));
        let host = start(&provider);
        host.post_event("user.created", &created("ada"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 1);
        host.post_event("user.created", &created("eve"));
        host.wait_count(PLUGIN, CONSUMER, "dead", 2);
        assert_eq!(provider.requests().len(), 1, "{status} ends it");
        let plugin = host.wait_dead_letters(PLUGIN, 2);
        for letter in plugin["dead_letters"].as_array().cloned().unwrap_or_default() {
            let reason = letter["reason"].as_str().unwrap_or_default();
            assert!(reason.contains(&status.to_string()) && reason.contains(&code.to_string()), "{letter}");
        }
        host.logged("the operator to be told", |line| line.is_of(PLUGIN) && line.level() == "error");
        assert!(!host.everything_said().contains(SECRET), "the hook's path was shown");
    }
}

#[test]
fn a_channel_that_takes_no_such_message_is_not_used_again() {
    let provider = Provider::discord();
    provider.reply(error(400, 220_001));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    host.post_event("user.created", &created("eve"));
    host.wait_count(PLUGIN, CONSUMER, "dead", 2);
    assert_eq!(provider.requests().len(), 1);
    assert!(host.everything_said().contains("threadName"), "nobody is told what to do");
}

#[test]
fn a_refused_message_says_where_and_does_not_hold_up_the_next() {
    let provider = Provider::discord();
    let errors =
        json!({"embeds": {"0": {"title": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "x"}]}}}});
    let body = json!({"message": "Invalid Form Body", "code": 50035, "errors": errors});
    provider.reply(Reply::new(400).body(body.to_string()));
    let host = start(&provider);
    host.post_event("user.created", &created("ada"));
    host.post_event("user.created", &created("eve"));
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    assert_eq!((&consumer["dead"], &consumer["retried"]), (&json!(1), &json!(0)), "{consumer}");
    let requests = provider.requests();
    assert_eq!(requests.len(), 2);
    assert!(String::from_utf8_lossy(&requests[1].body).contains("eve"));
    let plugin = host.wait_dead_letters(PLUGIN, 1);
    let reason = plugin["dead_letters"][0]["reason"].as_str().unwrap_or_default().to_owned();
    assert!(reason.contains("embeds.0.title BASE_TYPE_MAX_LENGTH"), "{reason}");
}

/// A session is created and hibernated; `replies` answer from the second request on. What was done in all.
fn created_and_hibernated(entry: &Value, replies: Vec<Reply>, requests: usize) -> Vec<String> {
    let provider = Provider::discord();
    let mut config = json!({"webhookUrl": hook("12"), "duplicateWindow": 0});
    if let (Some(config), Some(entry)) = (config.as_object_mut(), entry.as_object()) {
        config.extend(entry.clone());
    }
    let host = start_with(&provider, &config);
    host.post_event("session.created", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    for reply in replies {
        provider.reply(reply);
    }
    host.post_event("session.hibernated", &session());
    let consumer = host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    assert_eq!((&consumer["dead"], &consumer["retried"]), (&json!(0), &json!(0)), "{consumer}");
    assert_eq!(provider.violations(), [""; 0]);
    let asked = provider.requests();
    assert_eq!(asked.len(), requests);
    let short = format!("/api/v10/webhooks/12/{SECRET}");
    asked.iter().map(|request| format!("{} {}", request.method, request.path.replace(&short, ""))).collect()
}

#[test]
fn a_message_that_somebody_deleted_is_posted_anew() {
    assert_eq!(
        created_and_hibernated(&json!({}), vec![error(404, 10008)], 3),
        ["POST ?wait=true", "PATCH /messages/1001", "POST ?wait=true"]
    );
}

#[test]
fn a_message_that_may_not_be_edited_any_more_is_posted_anew() {
    assert_eq!(
        created_and_hibernated(&json!({}), vec![error(429, 30046)], 3),
        ["POST ?wait=true", "PATCH /messages/1001", "POST ?wait=true"]
    );
}

#[test]
fn a_forum_post_that_somebody_deleted_is_made_anew() {
    assert_eq!(
        created_and_hibernated(
            &json!({"threadName": "Desks"}),
            vec![error(404, 10003), error(404, 10003)],
            4
        ),
        [
            "POST ?wait=true",
            "PATCH /messages/1001?thread_id=1001",
            "POST ?wait=true&thread_id=1001",
            "POST ?wait=true"
        ]
    );
}

#[test]
fn an_edit_that_fails_is_tried_again_as_an_edit() {
    let provider = Provider::discord();
    let host = start(&provider);
    host.post_event("session.created", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 1);
    provider.reply(Reply::new(503));
    host.post_event("session.hibernated", &session());
    host.wait_count(PLUGIN, CONSUMER, "delivered", 2);
    let methods: Vec<String> = provider.requests().iter().map(|request| request.method.clone()).collect();
    assert_eq!(methods, ["POST", "PATCH", "PATCH"]);
}

/// The host is killed while Discord has a request and has not answered: the same request comes again, and then no more.
fn comes_again_after_a_kill(before: &[&str], topic: &str, request: &str) {
    let provider = Provider::discord();
    let host = start(&provider);
    for (i, topic) in before.iter().enumerate() {
        host.post_event(topic, &session());
        host.wait_count(PLUGIN, CONSUMER, "delivered", i as u64 + 1);
    }
    provider.reply(Reply::hang());
    host.post_event(topic, &session());
    let _ = provider.requests_wait(before.len() + 1, DEADLINE);
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    host.wait_state(PLUGIN, "running");
    let requests = provider.requests_wait(before.len() + 2, DEADLINE);
    let [.., first, second] = &requests[..] else { panic!("there are two") };
    assert_eq!((&first.method, &first.path, first.json()), (&second.method, &second.path, second.json()));
    assert!(format!("{} {}", first.method, first.path).contains(request), "{} {}", first.method, first.path);
    host.wait_for(DEADLINE, "nothing to be pending", || {
        (host.consumer(PLUGIN, CONSUMER)["pending"] == 0).then_some(())
    });
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    host.wait_state(PLUGIN, "running");
    // In order, so that nothing that came again is still on its way.
    host.post_event("user.created", &created("ada"));
    let requests = provider.requests_wait(before.len() + 3, DEADLINE);
    assert!(String::from_utf8_lossy(&requests.last().expect("one").body).contains("User created"));
    assert_eq!(requests.len(), before.len() + 3);
}

#[test]
fn a_message_is_posted_again_if_the_host_is_killed_before_discord_has_answered() {
    comes_again_after_a_kill(&[], "session.created", "POST /api/v10/webhooks/12/");
}

#[test]
fn a_change_is_made_again_if_the_host_is_killed_before_discord_has_answered() {
    comes_again_after_a_kill(&["session.created"], "session.hibernated", "/messages/1001");
}
