//! Plugins are administered on a running host, by the command line and by HTTP.
#![forbid(unsafe_code)]

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use streamspace_tests::{Host, Installation};

const PLUGIN: &str = "fixture-counter";
const SECRET: &str = "t0kenOfTheCounter";

fn directory(host: &Host) -> &str {
    host.builds().plugin(PLUGIN).to_str().expect("UTF-8")
}

fn installed() -> Host {
    let host = Installation::new().plugin(PLUGIN, &json!({"token": SECRET, "label": "one"})).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// The names in a listing.
fn names(listing: &Value) -> Vec<&str> {
    let plugins = listing["plugins"].as_array().or_else(|| listing.as_array());
    let plugins = plugins.unwrap_or_else(|| panic!("there is no list in {listing}"));
    plugins.iter().filter_map(|plugin| plugin["name"].as_str()).collect()
}

#[test]
fn a_life_by_the_command_line() {
    let host = Installation::new().start();
    assert!(names(&host.cli(&["plugin", "list", "--json"]).expect(0).json()).is_empty());

    host.cli(&["plugin", "install", directory(&host)]).expect(0);
    let plugin = host.wait_state(PLUGIN, "running");
    assert_eq!(
        (&plugin["version"], &plugin["display_name"]),
        (&json!("0.1.0"), &json!("Counter")),
        "{plugin}"
    );
    assert_eq!(names(&host.cli(&["plugin", "list", "--json"]).expect(0).json()), [PLUGIN]);
    let shown = host.cli(&["plugin", "show", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(
        (&shown["name"], &shown["state"], &shown["enabled"]),
        (&json!(PLUGIN), &json!("running"), &json!(true))
    );
    assert!(host.cli(&["plugin", "list"]).expect(0).stdout.contains(PLUGIN));
    assert!(host.cli(&["plugin", "show", PLUGIN]).expect(0).stdout.contains("running"));

    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    assert_eq!(host.wait_state(PLUGIN, "disabled")["enabled"], false);
    host.post_event("test.count", &json!({"n": 1}));
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    host.post_event("test.count", &json!({"n": 2, "last": true}));
    let line = host.logged("the summary", |line| line.message() == "Counted.");
    assert_eq!(line.field("first"), 2, "what came while it was disabled is missed: {}", line.raw);

    host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    assert!(names(&host.cli(&["plugin", "list", "--json"]).expect(0).json()).is_empty());
    host.stop();
}

#[test]
fn a_life_by_http() {
    let host = Installation::new().start();
    let api = host.api();
    assert!(names(&api.get("/api/v1/plugins").expect(200).json()).is_empty());
    let made = api.post_json("/api/v1/plugins", &json!({"path": directory(&host)})).expect(201).json();
    assert_eq!(made["name"], PLUGIN, "{made}");
    let plugin = host.wait_state(PLUGIN, "running");
    let consumer = &plugin["consumers"][0];
    assert_eq!(
        (&consumer["name"], &consumer["filters"]),
        (&json!("count"), &json!(["test.count"])),
        "{plugin}"
    );
    assert_eq!(consumer["durable"], false, "{plugin}");
    for number in ["pending", "high_water", "delivered", "retried", "dropped", "dead"] {
        assert_eq!(consumer[number], 0, "`{number}` of {plugin}");
    }
    assert_eq!(names(&api.get("/api/v1/plugins").expect(200).json()), [PLUGIN]);

    let act = |verb: &str| api.post(&format!("/api/v1/plugins/{PLUGIN}/{verb}"));
    assert!((200..300).contains(&act("disable").status));
    host.wait_state(PLUGIN, "disabled");
    assert!((200..300).contains(&act("enable").status));
    host.wait_state(PLUGIN, "running");
    assert!((200..300).contains(&api.delete(&format!("/api/v1/plugins/{PLUGIN}")).status));
    api.get(&format!("/api/v1/plugins/{PLUGIN}")).problem(&[404]);
    host.stop();
}

#[test]
fn a_configuration_is_merged_and_its_secrets_are_not_shown() {
    let host = installed();
    let config = |host: &Host| host.api().get(&format!("/api/v1/plugins/{PLUGIN}/config")).expect(200).json();
    let before = config(&host);
    assert_eq!(before["label"], "one", "{before}");
    assert!(before["token"].is_string() && before["token"] != SECRET, "it is there, and not shown: {before}");
    assert_eq!(before["consumers"][0]["name"], "count", "defaults are part of it: {before}");

    host.configure(PLUGIN, &json!({"label": "two"})).expect(0);
    host.wait_state(PLUGIN, "running");
    assert_eq!((&config(&host)["label"], &config(&host)["token"]), (&json!("two"), &before["token"]));

    // What was shown in place of a secret can be given back, and changes nothing.
    let whole = config(&host);
    let patched = host.api().patch(&format!("/api/v1/plugins/{PLUGIN}/config"), &whole);
    assert!((200..300).contains(&patched.status), "{patched:?}");
    assert_eq!(config(&host), whole);

    // A merge patch removes with null (RFC 7396), and the default is back.
    let patched =
        host.api().patch(&format!("/api/v1/plugins/{PLUGIN}/config"), &json!({"label": null, "token": null}));
    assert!((200..300).contains(&patched.status), "{patched:?}");
    assert_eq!((&config(&host)["label"], &config(&host)["token"]), (&json!("counter"), &Value::Null));
    host.cli(&["plugin", "config", "get", PLUGIN]).expect(0);
    assert!(!host.everything_said().contains(SECRET), "the secret was shown");
}

#[test]
fn a_new_configuration_is_the_plugins_at_once() {
    let host = installed();
    let file = host.scratch().join("patch.json");
    let patch = json!({"consumers": [{"name": "other", "topics": ["test.other"]}]});
    fs::write(&file, patch.to_string()).expect("the file is written");
    host.cli(&["plugin", "config", "set", PLUGIN, file.to_str().expect("UTF-8")]).expect(0);
    host.wait_state(PLUGIN, "running");
    host.post_event("test.other", &json!({"n": 1}));
    host.wait_count(PLUGIN, "other", "delivered", 1);
    assert_eq!(
        host.plugin(PLUGIN)["consumers"].as_array().map(Vec::len),
        Some(1),
        "the old consumer is gone"
    );
}

#[test]
fn a_configuration_of_the_wrong_shape_is_refused_with_its_place_and_changes_nothing() {
    let host = installed();
    let path = format!("/api/v1/plugins/{PLUGIN}/config");
    for (patch, places) in [
        (
            json!({"consumers": [{"name": "a", "topics": ["t"], "work_micros": "many"}]}),
            &["consumers", "0", "work_micros"][..],
        ),
        (json!({"token": 7}), &["token"]),
        (json!({"lable": "typo"}), &["lable"]),
    ] {
        let refused = host.configure(PLUGIN, &patch).expect(1);
        let problem = host.api().patch(&path, &patch).problem(&[400, 409, 422]);
        for place in places {
            assert!(refused.stderr.contains(place), "`{place}` is missing: {refused:?}");
            assert!(problem.to_string().contains(place), "`{place}` is missing: {problem}");
        }
    }
    host.api().patch(&path, &json!([])).problem(&[400, 422]);
    assert_eq!(host.plugin(PLUGIN)["state"], "running");
    assert_eq!(host.api().get(&path).expect(200).json()["label"], "one");
}

#[test]
fn a_name_is_installed_once() {
    let host = installed();
    let refused = host.cli(&["plugin", "install", directory(&host)]).expect(1);
    assert!(refused.stderr.contains(PLUGIN), "{refused:?}");
    host.api().post_json("/api/v1/plugins", &json!({"path": directory(&host)})).problem(&[409]);
    host.wait_state(PLUGIN, "running");
}

#[test]
fn what_is_not_there_is_said_to_be_missing() {
    let host = Installation::new().start();
    for verb in [
        &["plugin", "show", "nobody"][..],
        &["plugin", "enable", "nobody"],
        &["plugin", "disable", "nobody"],
        &["plugin", "uninstall", "nobody"],
        &["plugin", "config", "get", "nobody"],
    ] {
        let refused = host.cli(verb).expect(1);
        assert!(refused.stderr.contains("nobody"), "{refused:?}");
    }
    let api = host.api();
    for path in ["/nobody", "/nobody/config", "/..%2f..%2fetc"] {
        api.get(&format!("/api/v1/plugins{path}")).problem(&[404, 400]);
    }
    api.delete("/api/v1/plugins/nobody").problem(&[404]);
    api.post("/api/v1/plugins/nobody/enable").problem(&[404]);
    api.post_json("/api/v1/plugins", &json!({"path": "/nowhere/at/all"})).problem(&[400, 404, 422]);
    api.get("/api/v1/nothing").problem(&[404]);
}

#[test]
fn requests_that_are_none_get_a_problem_document() {
    let host = installed();
    let api = host.api();
    let json = [("Content-Type", "application/json")];
    for body in ["", "{", "[]", "{}", r#"{"path": 7}"#] {
        api.send("POST", "/api/v1/plugins", &json, Some(body.as_bytes())).problem(&[400, 422]);
    }
    let path = format!("/api/v1/plugins/{PLUGIN}/config");
    api.send("PATCH", &path, &[("Content-Type", "application/merge-patch+json")], Some(b"{")).problem(&[400]);
    api.send("PUT", "/api/v1/plugins", &json, Some(b"{}")).problem(&[404, 405]);
}

#[test]
fn the_token_is_needed_and_the_owners_alone() {
    let host = installed();
    let token = host.data().join("admin.token");
    let mode = fs::metadata(&token).expect("the token is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(fs::read_to_string(&token).expect("it is a text").trim().len() >= 32);

    for wrong in [None, Some(""), Some("wrong")] {
        let api = host.api().with_token(wrong);
        api.get("/api/v1/plugins").problem(&[401]);
        api.get(&format!("/api/v1/plugins/{PLUGIN}")).problem(&[401]);
        api.post(&format!("/api/v1/plugins/{PLUGIN}/disable")).problem(&[401]);
        api.delete(&format!("/api/v1/plugins/{PLUGIN}")).problem(&[401]);
        for path in ["/healthz", "/readyz"] {
            assert!(api.get(path).expect(200).json().is_object(), "{path} is for everyone");
        }
    }
    assert_eq!(host.plugin(PLUGIN)["state"], "running");
    let secret = fs::read_to_string(&token).expect("it is a text");
    assert!(!host.everything_said().contains(secret.trim()), "the token was shown");
}
