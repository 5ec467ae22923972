//! `platform/1`: what a plugin may see and do of sessions and users.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{Answer, Backend, DEADLINE, Host, Installation, on_both_backends};

const PLUGIN: &str = "fixture-platform";

on_both_backends!(a_plugin_lists_gets_makes_and_changes_sessions, a_plugin_reads_page_by_page,);

fn start(backend: &Backend) -> Host {
    let host = Installation::on(backend).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// A host with the plugin, which asks for these permissions.
fn permitted(permissions: &[&str]) -> Host {
    let installation = Installation::new();
    let folder = installation.copy(PLUGIN, "permitted");
    let path = format!("{}/manifest.json", folder.path());
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["permissions"] = json!(permissions);
    fs::write(&path, manifest.to_string()).unwrap();
    installation.cli(&["plugin", "install", folder.path()]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host
}

fn get(host: &Host, rest: &str) -> Answer {
    host.api().get(&format!("/api/plugins/{PLUGIN}{rest}"))
}

fn post(host: &Host, rest: &str, body: &Value) -> Answer {
    host.api().post_json(&format!("/api/plugins/{PLUGIN}{rest}"), body)
}

fn create(host: &Host, id: &str, owner: &str) {
    let new = json!({"id": id, "owner": owner, "template": "gimp"});
    let _ = host.api().post_json("/api/v1/sessions", &new).expect(201);
}

/// The error of the SDK that the plugin got, and its sentence.
fn refused(answer: &Answer, error: &str) -> String {
    let answer = answer.clone().expect(400).json();
    assert_eq!(answer["error"], error, "{answer}");
    answer["message"].as_str().unwrap().to_owned()
}

fn a_plugin_lists_gets_makes_and_changes_sessions(backend: &Backend) {
    let installation = Installation::on(backend);
    let journal = installation.scratch().join("journal.jsonl");
    let config = json!({"file": journal.to_str(), "topics": ["session.>"]});
    let host = installation.plugin("fixture-journal", &config).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host.wait_state("fixture-journal", "running");

    create(&host, "s1", "ada");
    let made = post(&host, "/sessions", &json!({"id": "s2", "owner": "bob", "template": "gimp"})).expect(200);
    assert_eq!((&made.json()["id"], &made.json()["state"]), (&json!("s2"), &json!("pending")));
    // The same request again makes none; another one with its id is refused.
    let _ = post(&host, "/sessions", &json!({"id": "s2", "owner": "bob", "template": "gimp"})).expect(200);
    let other = post(&host, "/sessions", &json!({"id": "s2", "owner": "eve", "template": "gimp"}));
    assert!(refused(&other, "Conflict").contains("SSP-SES-004"));
    let invalid = post(&host, "/sessions", &json!({"id": "a/b", "owner": "eve", "template": "gimp"}));
    assert!(refused(&invalid, "Invalid").contains("SSP-SES-003"));

    let ids = |rest: &str| -> Vec<String> {
        let page = get(&host, rest).expect(200).json();
        let sessions = page["sessions"].as_array().unwrap();
        sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(ids("/sessions"), ["s2", "s1"]);
    assert_eq!(ids("/sessions?owner=ada"), ["s1"]);
    assert_eq!(ids("/sessions?state=running"), [""; 0]);
    assert!(refused(&get(&host, "/sessions?limit=501"), "Invalid").contains("1 to 500"));
    assert_eq!(get(&host, "/sessions/none").expect(200).json(), Value::Null);

    let step = |state: &str| {
        post(&host, "/sessions/s1/transition", &json!({"state": state, "reason": "the plugin said so"}))
    };
    let _ = step("creating").expect(200);
    let rfb = json!({"rfb_address": "10.0.0.7:5907"});
    let _ = host.api().patch("/api/v1/sessions/s1", &rfb).expect(200);
    let running = step("running").expect(200);
    assert_eq!(running.json()["reason"], "the plugin said so");
    let client = json!({"client_address": "192.0.2.77"});
    let _ = host.api().post_json("/api/v1/sessions/s1/connections", &client).expect(201);
    let conflict = refused(&step("pending"), "Conflict");
    assert!(conflict.contains("expected hibernated, failed, deleting") && conflict.contains("SSP-SES-002"));
    let missing = post(&host, "/sessions/none/transition", &json!({"state": "failed", "reason": ""}));
    assert!(refused(&missing, "NotFound").contains("SSP-SES-001"));
    // What the plugin is told has neither the desktop's address nor that of who is connected.
    for seen in [get(&host, "/sessions/s1").body, get(&host, "/sessions").body, running.body] {
        assert!(seen.contains("s1") && !seen.contains(":5907") && !seen.contains("192.0.2.77"), "{seen}");
    }
    assert_eq!(host.api().get("/api/v1/sessions/s1").expect(200).json()["rfb_address"], "10.0.0.7:5907");

    let by_plugin = host.wait_for(DEADLINE, "the events", || {
        let text = fs::read_to_string(&journal).unwrap();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let of_it = lines.filter(|line| line["source"] == format!("plugin:{PLUGIN}"));
        let topics: Vec<String> = of_it.map(|line| line["topic"].as_str().unwrap().to_owned()).collect();
        (topics.len() >= 4).then_some(topics)
    });
    let expected = ["session.created", "session.state.changed", "session.state.changed", "session.started"];
    assert_eq!(by_plugin, expected);

    for name in ["ada", "bob"] {
        let new = json!({"username": name, "email": format!("{name}@example.com"), "password": "correct-horse-9-staple"});
        let _ = host.api().post_json("/api/v1/users", &new).expect(201);
    }
    // The first administrator was there before.
    assert_eq!(get(&host, "/users").expect(200).json(), json!(["ada", "admin", "bob"]));
    assert_eq!(get(&host, "/users/ada").expect(200).json(), "ada@example.com");
    assert_eq!(get(&host, "/users/nobody").expect(200).json(), Value::Null);
    assert!(!get(&host, "/users").body.contains("correct-horse"));
    host.stop();
}

fn a_plugin_reads_page_by_page(backend: &Backend) {
    let host = start(backend);
    let mut all = Vec::new();
    for n in 0..7 {
        create(&host, &format!("s{n}"), "ada");
        all.insert(0, format!("s{n}"));
    }
    assert_eq!(get(&host, "/all?limit=3").expect(200).json(), json!(all));
    let page = get(&host, "/sessions?limit=3").expect(200).json();
    let next = page["next"].as_str().unwrap();
    let rest = get(&host, &format!("/all?after={next}")).expect(200).json();
    assert_eq!(rest, json!(all[3..]));
    host.stop();
}

#[test]
fn what_is_not_permitted_is_refused_and_says_what_is_missing() {
    for (permissions, reads, writes, users) in [
        (&[][..], false, false, false),
        (&["read:users", "admin"], false, false, true),
        (&["read:sessions"], true, false, false),
        (&["sessions:read"], true, false, false),
        (&["sessions.read"], true, false, false),
        (&["write:sessions"], false, true, false),
        (&["sessions:read/write", "users.read"], true, true, true),
    ] {
        let host = permitted(permissions);
        create(&host, "s1", "ada");
        let new = json!({"owner": "ada", "template": "gimp"});
        let step = json!({"state": "creating", "reason": ""});
        for (answer, may, permission) in [
            (get(&host, "/sessions"), reads, "read:sessions"),
            (get(&host, "/sessions/s1"), reads, "read:sessions"),
            (post(&host, "/sessions", &new), writes, "write:sessions"),
            (post(&host, "/sessions/s1/transition", &step), writes, "write:sessions"),
            (get(&host, "/users"), users, "read:users"),
            (get(&host, "/users/ada"), users, "read:users"),
        ] {
            if may {
                let _ = answer.expect(200);
                continue;
            }
            let why = refused(&answer, "PermissionDenied");
            assert!(why.contains(permission) && why.contains("`permissions`"), "{permissions:?}: {why}");
        }
        let state = if writes { "creating" } else { "pending" };
        assert_eq!(host.api().get("/api/v1/sessions/s1").expect(200).json()["state"], state);
        host.stop();
    }
}

#[test]
fn an_inline_route_is_told_that_it_would_wait() {
    let host = start(&Backend::Sqlite);
    let why = refused(&get(&host, "/inline"), "WouldBlock");
    assert!(why.contains("inline"), "{why}");
    host.stop();
}
