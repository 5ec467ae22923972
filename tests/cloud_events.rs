//! `POST /api/v1/events`: CloudEvents 1.0 over HTTP in its three modes, and what is refused.
#![forbid(unsafe_code)]

use serde_json::{Value, json};
use streamspace_tests::{Answer, Host, Installation, LogLine, cloud_event};

const PLUGIN: &str = "fixture-logger";
const STRUCTURED: (&str, &str) = ("Content-Type", "application/cloudevents+json");
const BATCH: (&str, &str) = ("Content-Type", "application/cloudevents-batch+json");

fn start() -> Host {
    let host = Installation::new().set("events.max_data_bytes", 2048).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn post(host: &Host, headers: &[(&str, &str)], body: &str) -> Answer {
    host.api().send("POST", "/api/v1/events", headers, Some(body.as_bytes()))
}

/// The host's ids of what was accepted.
#[track_caller]
fn ids(answer: &Answer) -> Vec<String> {
    assert_eq!(answer.status, 202, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["durability"], "memory", "{body}");
    let ids = body["ids"].as_array().cloned().unwrap_or_default();
    ids.iter()
        .map(|id| {
            let text = id.as_str().unwrap_or_default();
            let uuid = uuid::Uuid::parse_str(text).unwrap_or_else(|why| panic!("{why}: {body}"));
            assert_eq!(uuid.get_version_num(), 7, "{body}");
            text.to_owned()
        })
        .collect()
}

/// The event as a plugin was given it.
fn given(host: &Host, id: &str) -> LogLine {
    host.logged("the event", |line| line.message() == "Recorded." && line.text("id") == id)
}

fn json_of(line: &LogLine, field: &str) -> Value {
    serde_json::from_str(line.text(field)).unwrap_or_else(|why| panic!("`{field}`: {why}: {}", line.raw))
}

#[track_caller]
fn is_the_event(line: &LogLine) {
    assert_eq!(line.text("topic"), "test.record.made");
    assert_eq!((line.text("source"), line.text("subject")), ("/somewhere", "a thing"));
    assert_eq!(json_of(line, "data"), json!({"a": [1, "ü", null]}));
    assert_eq!(json_of(line, "attributes")["traceparent"], "00-ab-cd-01");
}

fn event() -> Value {
    json!({
        "specversion": "1.0", "id": "their-own", "source": "/somewhere", "type": "test.record.made",
        "subject": "a thing", "time": "2026-01-02T03:04:05.678901Z", "datacontenttype": "application/json",
        "traceparent": "00-ab-cd-01", "data": {"a": [1, "ü", null]},
    })
}

#[test]
fn structured_mode() {
    let host = start();
    let ids = ids(&post(&host, &[STRUCTURED], &event().to_string()));
    assert_eq!(ids.len(), 1);
    is_the_event(&given(&host, &ids[0]));
}

#[test]
fn structured_mode_with_a_charset_and_without_what_is_optional() {
    let host = start();
    let headers = [("Content-Type", "application/cloudevents+json; charset=utf-8")];
    let bare = json!({"specversion": "1.0", "id": "1", "source": "/s", "type": "test.record.bare"});
    let ids = ids(&post(&host, &headers, &bare.to_string()));
    let line = given(&host, &ids[0]);
    assert_eq!(
        (line.text("topic"), line.field("subject")),
        ("test.record.bare", &Value::Null),
        "{}",
        line.raw
    );
}

#[test]
fn batch_mode() {
    let host = start();
    let batch: Vec<Value> = (0..3).map(|n| cloud_event("test.record.many", &json!({"n": n}))).collect();
    let ids = ids(&host.api().events(&batch));
    assert_eq!(ids.len(), 3);
    for (n, id) in ids.iter().enumerate() {
        assert_eq!(
            json_of(&given(&host, id), "data"),
            json!({"n": n}),
            "the ids are in the order of the events"
        );
    }
}

#[test]
fn an_empty_batch_is_a_batch() {
    let host = start();
    assert_eq!(ids(&post(&host, &[BATCH], "[]")), [""; 0]);
}

/// The headers of the same event in binary mode, without those that are `left_out`.
fn binary(left_out: &[&str]) -> Vec<(&'static str, &'static str)> {
    let mut headers = vec![
        ("Content-Type", "application/json"),
        ("ce-specversion", "1.0"),
        ("ce-id", "their-own"),
        ("ce-source", "/somewhere"),
        ("ce-type", "test.record.made"),
        ("CE-Subject", "a%20thing"),
        ("ce-time", "2026-01-02T03:04:05.678901Z"),
        ("ce-traceparent", "00-ab-cd-01"),
    ];
    headers.retain(|(name, _)| !left_out.contains(name));
    headers
}

#[test]
fn binary_mode() {
    let host = start();
    let ids = ids(&post(&host, &binary(&[]), r#"{"a": [1, "ü", null]}"#));
    assert_eq!(ids.len(), 1);
    is_the_event(&given(&host, &ids[0]));
}

#[test]
fn binary_mode_lacks_nothing() {
    let host = start();
    for name in ["ce-id", "ce-source", "ce-type"] {
        let problem = post(&host, &binary(&[name]), "{}").problem(&[400]);
        let member = name.trim_start_matches("ce-");
        assert!(problem["detail"].as_str().is_some_and(|text| text.contains(member)), "{problem}");
    }
    post(&host, &binary(&["ce-specversion"]), "{}").problem(&[400, 415]);
    post(&host, &binary(&[]), "{no json").problem(&[400]);
}

#[test]
fn malformed_events_are_refused_with_a_problem_that_names_the_attribute() {
    let host = start();
    let with = |key: &str, value: Value| {
        let mut event = event();
        event[key] = value;
        event
    };
    let without = |key: &str| {
        let mut event = event();
        event.as_object_mut().expect("an object").remove(key);
        event
    };
    for (key, event) in [
        ("specversion", without("specversion")),
        ("id", without("id")),
        ("source", without("source")),
        ("type", without("type")),
        ("specversion", with("specversion", json!("0.3"))),
        ("id", with("id", json!(""))),
        ("id", with("id", json!(7))),
        ("source", with("source", json!(""))),
        ("time", with("time", json!("yesterday"))),
        ("subject", with("subject", json!(["a"]))),
        ("type", with("type", json!(""))),
        ("type", with("type", json!("test..record"))),
        ("type", with("type", json!(".test"))),
        ("type", with("type", json!("test.*"))),
        ("type", with("type", json!("test.>"))),
        ("type", with("type", json!("test record"))),
        ("type", with("type", json!("t".repeat(5000)))),
    ] {
        let answer = post(&host, &[STRUCTURED], &event.to_string());
        let problem = answer.problem(&[400]);
        let detail = problem["detail"].as_str().unwrap_or_default();
        assert!(
            detail.contains(key) || detail.contains("topic"),
            "{event} is refused for `{key}`: {problem}"
        );
    }
    assert!(!host.log().has(|line| line.message() == "Recorded."), "nothing of it was delivered");
}

#[test]
fn bodies_that_are_no_events_are_refused() {
    let host = start();
    for body in ["", "{", "[]", "null", "\"text\"", "\u{0}"] {
        post(&host, &[STRUCTURED], body).problem(&[400]);
    }
    for body in ["", "{}", "[1]", "[{}]"] {
        post(&host, &[BATCH], body).problem(&[400]);
    }
    let invalid_utf8 = host.api().send("POST", "/api/v1/events", &[STRUCTURED], Some(b"{\"id\": \"\xff\"}"));
    invalid_utf8.problem(&[400]);
}

#[test]
fn other_content_types_are_refused() {
    let host = start();
    for headers in [&[][..], &[("Content-Type", "text/plain")], &[("Content-Type", "application/json")]] {
        post(&host, headers, &event().to_string()).problem(&[415]);
    }
}

#[test]
fn a_batch_with_a_bad_event_is_refused_as_a_whole() {
    let host = start();
    let batch = [cloud_event("test.record.good", &json!({})), cloud_event("test..bad", &json!({}))];
    let problem = host.api().events(&batch).problem(&[400]);
    assert!(problem["detail"].as_str().is_some_and(|text| text.contains('1')), "which one it was: {problem}");
    // In order, so that the good one would have been delivered before this one.
    let end = ids(&host.api().event(&cloud_event("test.record.end", &json!({}))));
    given(&host, &end[0]);
    assert!(!host.log().has(|line| line.text("topic") == "test.record.good"), "half a batch was taken");
}

#[test]
fn what_is_too_large_is_refused() {
    let host = start();
    let text = |bytes: usize| json!({"t": "x".repeat(bytes)});
    let fits = text(2048 - r#"{"t":""}"#.len());
    ids(&host.api().event(&cloud_event("test.record.large", &fits)));
    host.api().event(&cloud_event("test.record.large", &text(2048))).problem(&[413]);
    let batch = [cloud_event("test.record.large", &json!({})), cloud_event("test.record.large", &text(2048))];
    host.api().events(&batch).problem(&[413]);
    post(&host, &binary(&[]), &text(2048).to_string()).problem(&[413]);
}

#[test]
fn topics_of_plugins_and_of_the_host_are_not_for_others() {
    let host = start();
    for topic in ["plugin.fixture-logger.made", "plugin.x", "system.startup", "system.x.y"] {
        host.api().event(&cloud_event(topic, &json!({}))).problem(&[400, 403]);
        let refused = host.cli(&["emit", topic, "{}"]).expect(1);
        assert!(refused.stderr.contains(topic) || refused.stderr.contains("reserved"), "{refused:?}");
    }
}

#[test]
fn without_the_token_nothing_is_taken() {
    let host = start();
    for token in [None, Some(""), Some("wrong")] {
        let answer = host.api().with_token(token).event(&event());
        answer.problem(&[401]);
    }
    assert!(!host.log().has(|line| line.message() == "Recorded."), "nothing of it was delivered");
}
