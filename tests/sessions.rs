//! Desktop sessions over HTTP and the command line: their lives, and the events that tell of them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{collections::BTreeSet, fs, path::PathBuf};

use serde_json::{Value, json};
use streamspace_tests::{Answer, Backend, DEADLINE, Host, Installation, on_both_backends};

on_both_backends!(
    a_whole_life_is_told_in_order,
    every_step_is_allowed_or_refused_with_those_that_are,
    lists_are_filtered_and_read_page_by_page,
    what_is_not_valid_changes_nothing,
    a_request_that_is_repeated_makes_one_session,
);

const STATES: [&str; 7] = ["pending", "creating", "running", "hibernated", "failed", "deleting", "deleted"];

/// What the plugin wrote down that is given everything.
struct Journal(PathBuf);

impl Journal {
    fn events(&self) -> Vec<Value> {
        let text = fs::read_to_string(&self.0).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines.filter(|line| line["topic"].is_string()).collect()
    }
}

fn start(backend: &Backend) -> (Host, Journal) {
    let installation = Installation::on(backend);
    let journal = Journal(installation.scratch().join("journal.jsonl"));
    let config = json!({"file": journal.0.to_str(), "topics": ["session.>"]});
    let host = installation.plugin("fixture-journal", &config).start();
    host.wait_state("fixture-journal", "running");
    (host, journal)
}

fn at(rest: &str) -> String {
    format!("/api/v1/sessions{rest}")
}

fn send(host: &Host, method: &str, rest: &str, body: &Value) -> Answer {
    let headers = [("Content-Type", "application/json")];
    host.api().send(method, &at(rest), &headers, Some(body.to_string().as_bytes()))
}

fn post(host: &Host, rest: &str, body: &Value) -> Answer {
    send(host, "POST", rest, body)
}

fn create(host: &Host, new: &Value) -> Value {
    post(host, "", new).expect(201).json()
}

fn step(host: &Host, id: &str, state: &str) -> Answer {
    post(host, &format!("/{id}/transition"), &json!({"state": state}))
}

/// Makes a session that is in `state`.
fn session_in(host: &Host, id: &str, state: &str) {
    create(host, &json!({"id": id, "owner": "ada", "template": "firefox"}));
    let way: &[&str] = match state {
        "pending" => &[],
        "creating" => &["creating"],
        "running" => &["creating", "running"],
        "hibernated" => &["creating", "running", "hibernated"],
        "failed" => &["failed"],
        "deleting" => &["deleting"],
        _ => &["deleting", "deleted"],
    };
    for state in way {
        let _ = step(host, id, state).expect(200);
    }
}

fn show(host: &Host, id: &str) -> Value {
    host.api().get(&at(&format!("/{id}"))).expect(200).json()
}

fn a_whole_life_is_told_in_order(backend: &Backend) {
    let (host, journal) = start(backend);
    let mut expected: Vec<&str> = Vec::new();
    let new = json!({
        "id": "s1", "owner": "ada", "template": "firefox", "tags": ["course"], "idle_timeout_secs": 1800,
        "resources": {"cpu": "500m", "memory": "2Gi"}, "persistent_home": true,
    });
    let session = create(&host, &new);
    assert_eq!((&session["state"], &session["resources"]["storage"]), (&json!("pending"), &json!("")));
    expected.push("session.created");

    let _ = step(&host, "s1", "creating").expect(200);
    expected.push("session.state.changed");
    let place = json!({"rfb_address": "10.0.0.7:5907", "url": "https://desk.example/s1"});
    let session = host.api().patch(&at("/s1"), &place).expect(200).json();
    assert_eq!(session["rfb_address"], "10.0.0.7:5907");
    expected.push("session.updated");
    let _ = step(&host, "s1", "running").expect(200);
    expected.extend(["session.state.changed", "session.started"]);

    let client = json!({"id": "c1", "client_address": "192.0.2.1", "user_agent": "Browser/1"});
    let _ = post(&host, "/s1/connections", &client).expect(201);
    let _ = post(&host, "/s1/connections", &client).expect(200);
    let _ = post(&host, "/s1/connections", &json!({"id": "c2"})).expect(201);
    expected.extend(["session.connected", "session.connected"]);
    assert_eq!(show(&host, "s1")["connections"][0]["client_address"], "192.0.2.1");
    let _ = host.api().delete(&at("/s1/connections/c2")).expect(204);
    expected.push("session.disconnected");

    let _ = post(&host, "/s1/heartbeat", &json!({"cpu": 0.25, "memory": 1e9, "storage": 5.0})).expect(204);
    expected.push("session.heartbeat");
    let _ = post(&host, "/s1/activity", &json!({"state": "idle", "idle_seconds": 600})).expect(200);
    expected.push("session.idle");
    let session = show(&host, "s1");
    assert_eq!((&session["idle"], &session["usage"]["cpu"]), (&json!(true), &json!(0.25)));
    for _ in 0..2 {
        let _ = post(&host, "/s1/activity", &json!({"state": "active"})).expect(200);
    }
    expected.push("session.active");

    for access in ["view", "view", "control"] {
        let _ = send(&host, "PUT", "/s1/shares/bob", &json!({"access": access})).expect(200);
    }
    expected.extend(["session.shared", "session.shared"]);
    assert_eq!(show(&host, "s1")["shares"][0]["access"], "control");
    let _ = host.api().delete(&at("/s1/shares/bob")).expect(204);
    expected.push("session.unshared");

    let larger = json!({"resources": {"memory": "4Gi"}, "tags": ["b", "a", "a"]});
    let session = host.api().patch(&at("/s1"), &larger).expect(200).json();
    assert_eq!(session["resources"], json!({"cpu": "500m", "memory": "4Gi", "storage": ""}));
    assert_eq!(session["tags"], json!(["a", "b"]));
    assert_eq!(host.api().patch(&at("/s1"), &larger).expect(200).json()["updated_at"], session["updated_at"]);
    expected.extend(["session.updated", "session.resources.updated", "session.tags.updated"]);

    let session = step(&host, "s1", "hibernated").expect(200).json();
    // Its desktop has gone, and whoever was connected to it.
    assert_eq!((&session["rfb_address"], &session["connected"]), (&Value::Null, &json!(0)));
    expected.extend(["session.disconnected", "session.state.changed", "session.hibernated"]);
    let _ = step(&host, "s1", "running").expect(200);
    expected.extend(["session.state.changed", "session.woken"]);
    let failed = json!({"state": "failed", "reason": "node lost", "stack": "at main"});
    assert_eq!(post(&host, "/s1/transition", &failed).expect(200).json()["reason"], "node lost");
    expected.extend(["session.state.changed", "session.stopped", "session.failed", "session.error"]);
    for state in ["pending", "creating", "running"] {
        let _ = step(&host, "s1", state).expect(200);
        expected.push("session.state.changed");
    }
    expected.push("session.started");
    for _ in 0..2 {
        assert_eq!(host.api().delete(&at("/s1")).expect(202).json()["state"], "deleting");
    }
    expected.extend(["session.state.changed", "session.stopped", "session.terminated"]);
    let _ = step(&host, "s1", "deleted").expect(200);
    expected.extend(["session.state.changed", "session.deleted"]);
    assert_eq!(host.api().delete(&at("/s1")).expect(202).json()["state"], "deleted");

    let events = host.wait_for(DEADLINE, "all events", || {
        Some(journal.events()).filter(|events| events.len() >= expected.len())
    });
    let topics: Vec<&str> = events.iter().filter_map(|event| event["topic"].as_str()).collect();
    assert_eq!(topics, expected);
    told_with_all_that_belongs_to_it(&events);
    let said = fs::read_to_string(&journal.0).unwrap();
    assert!(!said.contains("10.0.0.7"), "the RFB address is told");
    host.stop();
}

fn told_with_all_that_belongs_to_it(events: &[Value]) {
    for event in events {
        let data = &event["data"];
        assert_eq!((&event["source"], &event["subject"]), (&json!("streamspace"), &json!("s1")), "{event}");
        for (key, value) in [
            ("id", "s1"),
            ("session_id", "s1"),
            ("user", "ada"),
            ("user_id", "ada"),
            ("template", "firefox"),
            ("template_name", "firefox"),
        ] {
            assert_eq!(data[key], value, "{event}");
        }
    }
    let has = |topic: &str, such: Value| {
        let members = such.as_object().unwrap();
        let of_topic: Vec<_> = events.iter().filter(|event| event["topic"] == topic).collect();
        let found =
            of_topic.iter().any(|event| members.iter().all(|(key, value)| event["data"][key] == *value));
        assert!(found, "{topic} with {such} is not among {of_topic:#?}");
    };
    has("session.created", json!({"state": "pending", "tags": ["course"], "idleTimeout": "1800s"}));
    has(
        "session.created",
        json!({"persistentHome": true, "resources": {"cpu": "500m", "memory": "2Gi", "storage": ""}}),
    );
    has("session.started", json!({"state": "running", "url": "https://desk.example/s1"}));
    has("session.state.changed", json!({"oldState": "running", "newState": "hibernated", "reason": ""}));
    has("session.state.changed", json!({"newState": "failed", "reason": "node lost"}));
    has(
        "session.connected",
        json!({"connectionId": "c1", "clientIP": "192.0.2.1", "userAgent": "Browser/1"}),
    );
    has("session.disconnected", json!({"connectionId": "c1"}));
    has("session.heartbeat", json!({"cpu_usage": 0.25, "memory_usage": 1e9, "storage_usage": 5.0}));
    has("session.idle", json!({"idleDuration": 600}));
    has("session.shared", json!({"sharedWith": "bob", "permissions": ["view"]}));
    has("session.shared", json!({"sharedWith": "bob", "permissions": ["view", "control"]}));
    has("session.unshared", json!({"unsharedFrom": "bob"}));
    has("session.resources.updated", json!({"resources": {"cpu": "500m", "memory": "4Gi", "storage": ""}}));
    has("session.tags.updated", json!({"tags": ["a", "b"]}));
    has("session.failed", json!({"error": "node lost", "stack": "at main"}));
    has("session.error", json!({"error": "node lost"}));
    has("session.terminated", json!({"state": "deleting"}));
    has("session.deleted", json!({"state": "deleted"}));
}

fn every_step_is_allowed_or_refused_with_those_that_are(backend: &Backend) {
    let allowed = |from: &str| match from {
        "pending" => json!(["creating", "failed", "deleting"]),
        "creating" => json!(["running", "failed", "deleting"]),
        "running" => json!(["hibernated", "failed", "deleting"]),
        "hibernated" => json!(["running", "failed", "deleting"]),
        "failed" => json!(["pending", "deleting"]),
        "deleting" => json!(["deleted", "failed"]),
        _ => json!([]),
    };
    let (host, _) = start(backend);
    for from in STATES {
        for to in STATES {
            let (id, allowed) = (format!("{from}-{to}"), allowed(from));
            session_in(&host, &id, from);
            let answer = step(&host, &id, to);
            if allowed.as_array().unwrap().contains(&json!(to)) {
                assert_eq!(answer.expect(200).json()["state"], to);
                assert_eq!(show(&host, &id)["state"], to);
                continue;
            }
            let problem = answer.problem(&[409]);
            assert_eq!(problem["code"], "SSP-SES-002", "{problem}");
            assert_eq!((&problem["state"], &problem["allowed"]), (&json!(from), &allowed), "{problem}");
            assert_eq!(show(&host, &id)["state"], from);
        }
    }
    // What takes a desktop is refused where there is none.
    let beat = json!({"cpu": 1, "memory": 1});
    for from in STATES.into_iter().filter(|from| *from != "running") {
        for (path, body) in
            [("heartbeat", &beat), ("activity", &json!({"state": "active"})), ("connections", &json!({}))]
        {
            let problem = post(&host, &format!("/{from}-{from}/{path}"), body).problem(&[409]);
            assert_eq!(problem["code"], "SSP-SES-005", "{problem}");
        }
    }
    for gone in ["deleting-deleting", "deleted-deleted"] {
        let _ =
            send(&host, "PUT", &format!("/{gone}/shares/bob"), &json!({"access": "view"})).problem(&[409]);
        let _ = host.api().patch(&at(&format!("/{gone}")), &json!({"tags": []})).problem(&[409]);
    }
    let rfb = json!({"rfb_address": "desk:5900"});
    let _ = host.api().patch(&at("/pending-pending"), &rfb).problem(&[409]);
    host.stop();
}

fn lists_are_filtered_and_read_page_by_page(backend: &Backend) {
    let (host, _) = start(backend);
    let mut all = Vec::new();
    for n in 0..25 {
        let owner = if n % 5 == 0 { "bob" } else { "ada" };
        let (template, tag) =
            (if n < 10 { "Firefox_50%" } else { "gimp" }, if n % 2 == 0 { "even" } else { "odd" });
        let id = format!("n{n:02}");
        create(&host, &json!({"id": id, "owner": owner, "template": template, "tags": [tag, "all"]}));
        all.insert(0, id);
    }
    for id in ["n03", "n04"] {
        let _ = send(&host, "PUT", &format!("/{id}/shares/eve"), &json!({"access": "view"})).expect(200);
        let _ = step(&host, id, "creating").expect(200);
    }
    let page = |query: &str| host.api().get(&at(query)).expect(200).json();
    let ids = |page: &Value| -> Vec<String> {
        let sessions = page["sessions"].as_array().unwrap();
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    };
    let whole = page("");
    assert_eq!((ids(&whole), &whole["next"]), (all.clone(), &Value::Null));
    let (mut read, mut query) = (Vec::new(), "?limit=10".to_owned());
    loop {
        let page = page(&query);
        assert!(page["sessions"].as_array().unwrap().len() <= 10);
        read.extend(ids(&page));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=10&after={next}");
        // One that is new does not move those that are read.
        create(&host, &json!({"owner": "eve", "template": "late"}));
    }
    assert_eq!(read, all);
    for (query, expected) in [
        ("?owner=bob", vec!["n20", "n15", "n10", "n05", "n00"]),
        ("?owner=bob&tag=even", vec!["n20", "n10", "n00"]),
        ("?state=creating", vec!["n04", "n03"]),
        ("?shared_with=eve", vec!["n04", "n03"]),
        ("?shared_with=eve&tag=odd", vec!["n03"]),
        ("?text=FOX_50%25&owner=bob", vec!["n05", "n00"]),
        ("?text=N1_", vec![]),
        ("?text=n24", vec!["n24"]),
        ("?template=gimp&owner=bob", vec!["n20", "n15", "n10"]),
        ("?template=firefox_50%25", vec![]),
        ("?owner=nobody", vec![]),
    ] {
        assert_eq!(ids(&page(query)), expected, "{query}");
    }
    for (query, status) in [
        ("?limit=0", 422),
        ("?limit=501", 422),
        ("?after=x", 422),
        ("?after=", 422),
        ("?state=stopped", 400),
        ("?colour=red", 400),
        ("?limit=-1", 400),
        ("?owner=a%00b", 422),
    ] {
        let _ = host.api().get(&at(query)).problem(&[status]);
    }
    let words = host.cli(&["session", "list", "--shared-with", "eve"]).expect(0).stdout;
    assert!(words.starts_with("n04  creating") && words.lines().count() == 2, "{words}");
    host.stop();
}

fn what_is_not_valid_changes_nothing(backend: &Backend) {
    let (host, journal) = start(backend);
    session_in(&host, "s1", "running");
    // Made, two steps, started: the plugin has been told when all of it is written down.
    let told = host
        .wait_for(DEADLINE, "the events so far", || Some(journal.events().len()).filter(|told| *told >= 4));
    let before = (show(&host, "s1"), told);
    let long = "x".repeat(256);
    let with = |key: &str, value: Value| {
        let mut new = json!({"owner": "ada", "template": "firefox"});
        new[key] = value;
        new
    };
    for new in [
        with("id", json!("")),
        with("id", json!("a/b")),
        with("id", json!("-a")),
        with("id", json!("x".repeat(65))),
        with("owner", json!("")),
        with("owner", json!(" ada")),
        with("owner", json!("a\u{0}da")),
        with("owner", json!(long)),
        with("template", json!("a\nb")),
        with("resources", json!({"cpu": "much"})),
        with("tags", json!(vec!["t"; 33])),
        with("tags", json!([""])),
        with("idle_timeout_secs", json!(0)),
    ] {
        let problem = post(&host, "", &new).problem(&[422]);
        assert_eq!(problem["code"], "SSP-SES-003", "{new}: {problem}");
    }
    for new in [json!({}), json!([]), with("state", json!("running")), with("owner", json!(7))] {
        let problem = post(&host, "", &new).problem(&[400]);
        assert_eq!(problem["code"], "SSP-API-002", "{new}: {problem}");
    }
    for patch in [
        json!({"rfb_address": "5900"}),
        json!({"rfb_address": "http://desk:5900"}),
        json!({"url": "javascript:alert(1)"}),
        json!({"url": "https://user:secret@desk.example/"}),
        json!({"resources": {"memory": "-1"}}),
    ] {
        let problem = host.api().patch(&at("/s1"), &patch).problem(&[422]);
        assert!(!problem.to_string().contains("desk"), "{problem}");
    }
    let _ = host.api().patch(&at("/s1"), &json!({"owner": "bob"})).problem(&[400]);
    for (path, body, status) in [
        ("/s1/heartbeat", json!({"cpu": -1, "memory": 0}), 422),
        ("/s1/heartbeat", json!({"cpu": 1e300, "memory": 0}), 422),
        ("/s1/heartbeat", json!({"cpu": 1}), 400),
        ("/s1/activity", json!({"state": "idle", "idle_seconds": 1_000_000_000}), 422),
        ("/s1/activity", json!({"state": "asleep"}), 400),
        ("/s1/connections", json!({"client_address": "nowhere"}), 400),
        ("/s1/connections", json!({"user_agent": "x".repeat(513)}), 422),
        ("/s1/transition", json!({"state": "stopped"}), 400),
        ("/s1/transition", json!({"state": "failed", "reason": "x".repeat(1025)}), 422),
        ("/none/transition", json!({"state": "failed"}), 404),
        ("/a%2Fb/heartbeat", json!({"cpu": 1, "memory": 1}), 404),
    ] {
        let _ = post(&host, path, &body).problem(&[status]);
    }
    for (user, status) in [("ada", 422), ("%00", 422), (long.as_str(), 422)] {
        let _ =
            send(&host, "PUT", &format!("/s1/shares/{user}"), &json!({"access": "view"})).problem(&[status]);
    }
    let problem = host.api().delete(&at("/s1/shares/bob")).problem(&[404]);
    assert_eq!(problem["code"], "SSP-SES-006");
    let _ = host.api().delete(&at("/s1/connections/none")).problem(&[404]);
    let _ = host.api().with_token(None).get(&at("")).problem(&[401]);
    let sessions = host.api().get(&at("")).expect(200).json();
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    assert_eq!((show(&host, "s1"), journal.events().len()), before);
    host.stop();
}

fn a_request_that_is_repeated_makes_one_session(backend: &Backend) {
    let (host, journal) = start(backend);
    let new = json!({"id": "s1", "owner": "ada", "template": "firefox"});
    let first = create(&host, &new);
    assert_eq!(post(&host, "", &new).expect(200).json(), first);
    let other = json!({"id": "s1", "owner": "bob", "template": "firefox"});
    assert_eq!(post(&host, "", &other).problem(&[409])["code"], "SSP-SES-004");

    let new = json!({"owner": "ada", "template": "firefox"});
    let keyed = |key: &str, new: &Value| {
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        host.api().send("POST", &at(""), &headers, Some(new.to_string().as_bytes()))
    };
    let first = keyed("k1", &new).expect(201).json();
    assert_eq!(keyed("k1", &new).expect(200).json()["id"], first["id"]);
    assert_ne!(keyed("k2", &new).expect(201).json()["id"], first["id"]);
    assert_eq!(keyed("k1", &other).problem(&[409])["code"], "SSP-SES-004");
    assert_eq!(keyed("a b", &new).problem(&[422])["code"], "SSP-SES-003");

    let events =
        host.wait_for(DEADLINE, "the events", || Some(journal.events()).filter(|all| all.len() >= 3));
    let created: BTreeSet<_> = events.iter().map(|event| event["data"]["id"].to_string()).collect();
    assert_eq!((events.len(), created.len()), (3, 3), "{events:#?}");
    host.stop();
}

#[test]
fn the_command_line_does_what_the_interface_does() {
    let (host, _) = start(&Backend::Sqlite);
    let create = ["session", "create", "ada", "firefox", "--id", "s1", "--memory", "2Gi", "--tag", "course"];
    let words = host.cli(&create).expect(0).stdout;
    assert!(words.starts_with("s1  pending     ada  firefox  2"), "{words}");
    host.cli(&["session", "transition", "s1", "creating"]).expect(0);
    let shown = host.cli(&["session", "transition", "s1", "running", "--json"]).expect(0).json();
    assert_eq!(shown["state"], "running");
    let refused = host.cli(&["session", "transition", "s1", "pending"]).expect(1);
    assert!(refused.stderr.contains("expected hibernated, failed, deleting (SSP-SES-002)"), "{refused:?}");
    host.cli(&["session", "share", "s1", "bob", "--control"]).expect(0);
    let words = host.cli(&["session", "show", "s1"]).expect(0).stdout;
    assert!(words.contains("shared      bob  control") && words.contains("memory      2Gi"), "{words}");
    host.cli(&["session", "unshare", "s1", "bob"]).expect(0);
    host.cli(&["session", "unshare", "s1", "bob"]).expect(1);
    let listed = host.cli(&["session", "list", "--owner", "ada", "--json"]).expect(0).json();
    assert_eq!(listed["sessions"][0]["id"], "s1");
    assert!(host.cli(&["session", "delete", "s1"]).expect(0).stdout.contains("deleting"));
    host.cli(&["session", "transition", "s1", "asleep"]).expect(2);
    let stopped = host.stop().installation;
    let refused = stopped.cli(&["session", "list"]).expect(1);
    assert!(refused.stderr.contains("`streamspace serve`"), "{refused:?}");
}
