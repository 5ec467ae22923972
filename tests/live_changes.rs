//! Live changes, as a console or a script watches them.
#![forbid(unsafe_code)]

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, Change, DEADLINE, Emitter, Host, Installation, Watch, on_both_backends};

const COUNTER: &str = "fixture-counter";
const JOBS: &str = "fixture-jobs";
const STREAM: &str = "/api/v1/stream";

on_both_backends!(one_who_comes_back_gets_what_was_missed_from_the_log,);

fn names(changes: &[Change]) -> Vec<&str> {
    changes.iter().map(|change| change.name.as_str()).collect()
}

/// Numbers of durable events `test.kept`.
fn numbers(changes: &[Change]) -> Vec<u64> {
    let kept = changes.iter().filter(|change| change.name == "test.kept");
    kept.filter_map(|change| change.data["data"]["n"].as_u64()).collect()
}

fn emit(host: &Host, numbers: std::ops::Range<u64>) {
    for n in numbers {
        host.post_event("test.kept", &json!({"n": n}));
    }
}

fn one_who_comes_back_gets_what_was_missed_from_the_log(backend: &Backend) {
    let host = Installation::on(backend).set("events.durable", vec!["test.kept"]).start();
    let path = format!("{STREAM}?topics=test.*");
    let first = Watch::open(host.api(), &path, None);
    emit(&host, 0..3);
    host.post_event("test.other", &json!({"n": 0}));
    let last = first.wait("the third event", |change| change.data["data"]["n"] == 2);
    let other = first.wait_for("test.other");
    assert!(last.id.is_some() && other.id.is_none(), "what is durable has a number: {last:?} {other:?}");
    assert_eq!((&last.data["topic"], &last.data["number"]), (&json!("test.kept"), &json!(last.id)));
    // While nobody watches, and over a restart.
    emit(&host, 3..5);
    let host = host.stop().installation.start();
    let again = Watch::open(host.api(), &path, last.id);
    emit(&host, 5..8);
    again.wait("the newest event", |change| change.data["data"]["n"] == 7);
    assert_eq!(numbers(&again.so_far()), [3, 4, 5, 6, 7], "nothing is missing, and nothing comes twice");
    host.stop();
}

#[test]
fn the_life_of_a_plugin_is_watched() {
    let host = Installation::new().start();
    let watch = Watch::open(host.api(), STREAM, None);
    host.install(host.builds().plugin(COUNTER)).expect(0);
    let installed = watch.wait_for("plugin.installed");
    assert_eq!(installed.data["data"]["plugin_name"], COUNTER);
    assert!(installed.data["data"]["version"].is_string() && installed.id.is_some(), "{installed:?}");
    watch.wait_for("plugin.loaded");
    host.configure(COUNTER, &json!({"consumers": []})).expect(0);
    let updated = watch.wait_for("plugin.updated");
    assert!(updated.data["data"]["new_version"].is_string(), "{updated:?}");
    host.cli(&["plugin", "disable", COUNTER]).expect(0);
    watch.wait_for("plugin.disabled");
    watch.wait_for("plugin.unloaded");
    host.cli(&["plugin", "enable", COUNTER]).expect(0);
    watch.wait_for("plugin.enabled");
    host.cli(&["plugin", "uninstall", COUNTER]).expect(0);
    watch.wait_for("plugin.uninstalled");
    let seen = watch.so_far();
    let seen = names(&seen);
    let expected = [
        "plugin.installed",
        "plugin.loaded",
        "plugin.updated",
        "plugin.unloaded",
        "plugin.disabled",
        "plugin.enabled",
        "plugin.loaded",
        "plugin.unloaded",
        "plugin.uninstalled",
    ];
    let mut rest = seen.iter();
    assert!(expected.iter().all(|name| rest.any(|seen| seen == name)), "{seen:?}");
    host.stop();
}

#[test]
fn a_plugin_that_does_not_start_is_an_error() {
    let host = Installation::new().start();
    let watch = Watch::open(host.api(), STREAM, None);
    host.install(host.builds().plugin(JOBS)).expect(0);
    host.configure(JOBS, &json!({"jobs": [{"name": "j", "schedule": "nonsense", "does": "nothing"}]}))
        .expect(1);
    let error = watch.wait_for("plugin.error");
    let data = &error.data["data"];
    assert_eq!((&data["plugin_name"], &data["error"]), (&json!(JOBS), &data["error_message"]), "{error:?}");
    assert!(data["error"].as_str().is_some_and(|error| error.contains("nonsense")), "{error:?}");
    watch.wait_for("plugin.failed");
    host.stop();
}

#[test]
fn dead_letters_and_runs_of_jobs_are_told() {
    let refusing = json!({"consumers": [
        {"name": "count", "topics": ["test.count"], "durable": true, "fail_at": 1, "mode": "reject"}
    ]});
    let job = json!({"name": "fails", "schedule": "@yearly", "does": "fail"});
    let host = Installation::new().plugin(COUNTER, &refusing).plugin(JOBS, &json!({"jobs": [job]})).start();
    host.wait_state(COUNTER, "running");
    host.wait_state(JOBS, "running");
    let watch = Watch::open(host.api(), STREAM, None);
    host.post_event("test.count", &json!({"n": 1}));
    let dead = watch.wait_for("streamspace:dead-letter");
    assert_eq!(
        (&dead.data["plugin"], &dead.data["consumer"]),
        (&json!(COUNTER), &json!("count")),
        "{dead:?}"
    );
    assert_eq!((&dead.data["topic"], dead.id), (&json!("test.count"), None), "{dead:?}");
    host.cli(&["plugin", "job", "run", JOBS, "fails"]).expect(0);
    let run = watch.wait_for("streamspace:job");
    assert_eq!((&run.data["job"], &run.data["outcome"]), (&json!("fails"), &json!("error")), "{run:?}");
    assert!(!names(&watch.so_far()).contains(&"test.count"), "it was not asked for");
    host.stop();
}

#[test]
fn what_is_asked_for_must_be_topics_and_needs_the_token() {
    let host = Installation::new().start();
    let api = host.api();
    api.with_token(None).get(STREAM).problem(&[401]);
    assert_eq!(api.get(&format!("{STREAM}?topics=a..b")).problem(&[400])["code"], "SSP-EVT-001");
    assert_eq!(api.get(&format!("{STREAM}?topics=")).problem(&[400])["code"], "SSP-EVT-001");
    let many = vec!["a"; 17].join(",");
    assert_eq!(api.get(&format!("{STREAM}?topics={many}")).problem(&[400])["code"], "SSP-API-003");
    let headers = [("Last-Event-ID", "x")];
    assert_eq!(api.send("GET", STREAM, &headers, None).problem(&[400])["code"], "SSP-API-003");
    assert_eq!(api.post(STREAM).problem(&[405])["code"], "SSP-API-405");
    host.stop();
}

#[test]
fn as_many_watch_as_may_and_a_host_that_stops_waits_for_none() {
    let host = Installation::new().set("server.max_streams", 3).start();
    let watches: Vec<Watch> = (0..3).map(|_| Watch::open(host.api(), STREAM, None)).collect();
    let problem = host.api().get(STREAM).problem(&[503]);
    assert_eq!(problem["code"], "SSP-STR-001");
    assert_eq!(host.api().get("/api/v1/status").expect(200).json()["streams"], 3);
    // The shutdown's own deadline is 30 s; the host must not need it.
    let stopped = host.end(Signal::TERM, Duration::from_secs(20));
    assert_eq!(stopped.status.code(), Some(0), "{}", stopped.log.tail());
    for watch in watches {
        let _ = watch.end(DEADLINE);
    }
}

#[test]
fn one_who_does_not_read_holds_up_nobody_and_is_told_what_is_missing() {
    let consumer = json!({"consumers": [{"name": "count", "topics": ["test.count"]}]});
    let host = Installation::new().set("server.max_streams", 1).plugin(COUNTER, &consumer).start();
    host.wait_state(COUNTER, "running");
    let token = std::fs::read_to_string(host.data().join("admin.token")).expect("the token");
    let mut slow = TcpStream::connect(host.address()).expect("a connection");
    let request = format!(
        "GET {STREAM}?topics=test.count HTTP/1.1\r\nHost: host\r\nAuthorization: Bearer {}\r\n\r\n",
        token.trim()
    );
    slow.write_all(request.as_bytes()).expect("sent");
    let mut head = [0; 12];
    slow.read_exact(&mut head).expect("the beginning of the answer");
    assert_eq!(&head, b"HTTP/1.1 200");
    // Far more than the sockets and the queue hold.
    let mut emitter = Emitter::new(host.api(), "test.count", 1);
    for _ in 0..100 {
        emitter.batch(1000);
    }
    host.wait_count(COUNTER, "count", "delivered", 100_000);
    // One that is too slow does not keep others out.
    let next = Watch::open(host.api(), STREAM, None);
    let mut rest = Vec::new();
    slow.set_read_timeout(Some(DEADLINE)).expect("a deadline");
    slow.read_to_end(&mut rest).expect("what it was sent, and its end");
    let text = String::from_utf8_lossy(&rest);
    let told =
        text.find("event: streamspace:lagged").unwrap_or_else(|| panic!("it was not told: {text:.300}"));
    let data: Value = text[told..]
        .lines()
        .find_map(|line| line.strip_prefix("data: "))
        .and_then(|data| serde_json::from_str(data).ok())
        .unwrap_or_default();
    assert!(data["lost"].as_u64().is_some_and(|lost| lost > 0), "{data}");
    drop(next);
    host.stop();
}

/// What a caller may see is looked at while it watches, not only when it begins.
#[test]
fn who_watches_sees_what_it_may_and_is_cut_when_it_may_no_more() {
    let host = Installation::new().set("events.durable", vec!["session.*", "test.kept"]).start();
    host.add_user("ada", "user");
    let refused = host.api().with_token(Some(&host.add_token("ada", &["*"]).0)).get(STREAM);
    assert_eq!(refused.problem(&[403])["code"], "SSP-AUT-004");

    host.add_user("opal", "operator");
    let (token, made) = host.add_token("opal", &["sessions.read"]);
    let sessions = Watch::open(&host.api().with_token(Some(&token)), &format!("{STREAM}?topics=%3E"), None);
    let operator = Watch::open(
        &host.api().with_token(Some(&host.add_token("opal", &["*"]).0)),
        &format!("{STREAM}?topics=%3E"),
        None,
    );
    emit(&host, 0..1);
    let session = json!({"template": "desktop", "owner": "ada"});
    let _ = host.api().post_json("/api/v1/sessions", &session).expect(201);
    sessions.wait_for("session.created");
    operator.wait_for("session.created");
    let observer = host.api().with_token(Some(&host.add_token("opal", &["host.observe"]).0));
    let listed = observer.get("/api/v1/events").expect(200).body;
    assert!(listed.contains("test.kept"), "{listed}");
    assert!(!listed.contains("session.created") && !listed.contains("user.created"), "{listed}");
    let kept = |watch: &Watch| numbers(&watch.so_far());
    assert_eq!((kept(&sessions), kept(&operator)), (vec![], vec![0]), "events of others take `host.observe`");

    let _ =
        host.api().delete(&format!("/api/v1/tokens/{}", made["id"].as_str().unwrap_or_default())).expect(204);
    let _ = sessions.end(DEADLINE);
    // Whoever else watches goes on, with less if it is less.
    emit(&host, 1..2);
    operator.wait("the next event", |change| change.data["data"]["n"] == 1);
    let _ = host.api().patch("/api/v1/users/opal", &json!({"role": "user"})).expect(200);
    let _ = operator.end(DEADLINE);
    host.stop();
}
