//! Who may see which sessions, and do what with them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::{Value, json};
use streamspace_tests::{Answer, Api, Backend, Host, Installation, on_both_backends};

on_both_backends!(
    users_have_what_is_theirs_and_what_is_shared_with_them,
    permissions_open_what_is_others,
    a_token_may_what_its_scopes_say,
);

/// An account, and a token of it.
fn account(host: &Host, name: &str, role: &str, permissions: &[&str], scopes: &[&str]) -> Api {
    let new = json!({"username": name, "role": role, "permissions": permissions});
    let _ = host.api().post_json("/api/v1/users", &new).expect(201);
    let token = json!({"user": name, "name": "test", "scopes": scopes});
    let made = host.api().post_json("/api/v1/tokens", &token).expect(201).json();
    host.api().with_token(made["token"].as_str())
}

fn at(rest: &str) -> String {
    format!("/api/v1/sessions{rest}")
}

fn create(api: &Api, id: &str, owner: &str) -> Answer {
    api.post_json(&at(""), &json!({"id": id, "owner": owner, "template": "firefox"}))
}

fn step(api: &Api, id: &str, state: &str) -> Answer {
    api.post_json(&at(&format!("/{id}/transition")), &json!({"state": state}))
}

fn share(api: &Api, id: &str, user: &str) -> Answer {
    let headers = [("Content-Type", "application/json")];
    let body = json!({"access": "view"}).to_string();
    api.send("PUT", &at(&format!("/{id}/shares/{user}")), &headers, Some(body.as_bytes()))
}

fn ids(api: &Api, query: &str) -> Vec<String> {
    let page = api.get(&at(query)).expect(200).json();
    let sessions = page["sessions"].as_array().unwrap();
    sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()).collect()
}

fn forbidden(answer: &Answer) {
    let problem = answer.problem(&[403]);
    assert_eq!(problem["code"], "SSP-SES-008", "{problem}");
}

/// As a controller does it.
fn run(host: &Host, id: &str) {
    let _ = step(host.api(), id, "creating").expect(200);
    let place = json!({"rfb_address": "10.0.0.7:5907"});
    let _ = host.api().patch(&at(&format!("/{id}")), &place).expect(200);
    let _ = step(host.api(), id, "running").expect(200);
}

fn users_have_what_is_theirs_and_what_is_shared_with_them(backend: &Backend) {
    let host = Installation::on(backend).start();
    let [ada, bob] = ["ada", "bob"].map(|name| account(&host, name, "user", &[], &["*"]));
    let _ = create(&ada, "a1", "ada").expect(201);
    forbidden(&create(&ada, "a2", "bob"));
    let _ = create(&bob, "b1", "bob").expect(201);
    run(&host, "a1");
    assert_eq!((ids(&ada, ""), ids(&bob, "")), (vec!["a1".to_owned()], vec!["b1".to_owned()]));
    assert_eq!(ids(&bob, "?owner=ada"), [""; 0]);

    // What is not to be seen is not there, whatever is asked for.
    for answer in [
        bob.get(&at("/a1")),
        step(&bob, "a1", "hibernated"),
        bob.patch(&at("/a1"), &json!({"tags": []})),
        bob.delete(&at("/a1")),
        share(&bob, "a1", "bob"),
        bob.delete(&at("/a1/shares/bob")),
    ] {
        assert_eq!(answer.problem(&[404])["code"], "SSP-SES-001");
    }
    let _ = share(&ada, "a1", "bob").expect(200);
    let _ = share(&ada, "a1", "eve").expect(200);
    assert_eq!(ids(&bob, ""), ["b1", "a1"]);
    assert_eq!(ids(&bob, "?shared_with=bob"), ["a1"]);
    let seen = bob.get(&at("/a1")).expect(200).json();
    let shares = seen["shares"].as_array().unwrap();
    assert!(shares.len() == 1 && shares[0]["user"] == "bob", "{seen}");
    for answer in [
        step(&bob, "a1", "hibernated"),
        bob.patch(&at("/a1"), &json!({"tags": []})),
        bob.delete(&at("/a1")),
        share(&bob, "a1", "mallory"),
        bob.delete(&at("/a1/shares/eve")),
    ] {
        forbidden(&answer);
    }
    // The address of the desktop is neither the owner's nor anybody's with whom it is shared.
    for api in [&ada, &bob] {
        assert!(api.get(&at("/a1")).body.contains("a1"));
        assert!(!format!("{}{}", api.get(&at("/a1")).body, api.get(&at("")).body).contains(":5907"));
    }
    assert_eq!(host.api().get(&at("/a1")).expect(200).json()["rfb_address"], "10.0.0.7:5907");

    // An owner has it rest, wakes it and ends it; what becomes of its desktop is a controller's to say.
    let _ = step(&ada, "a1", "hibernated").expect(200);
    let _ = step(&ada, "a1", "running").expect(200);
    for answer in [
        step(&ada, "a1", "failed"),
        ada.patch(&at("/a1"), &json!({"rfb_address": "127.0.0.1:22"})),
        ada.patch(&at("/a1"), &json!({"url": "https://elsewhere.example"})),
        ada.post_json(&at("/a1/heartbeat"), &json!({"cpu": 1, "memory": 1})),
        ada.post_json(&at("/a1/activity"), &json!({"state": "active"})),
        ada.post_json(&at("/a1/connections"), &json!({})),
    ] {
        forbidden(&answer);
    }
    let _ = ada.patch(&at("/a1"), &json!({"tags": ["mine"]})).expect(200);
    let _ = bob.delete(&at("/a1/shares/bob")).expect(204);
    assert_eq!(bob.get(&at("/a1")).status, 404);
    assert_eq!(ada.delete(&at("/a1")).expect(202).json()["state"], "deleting");
    forbidden(&step(&ada, "a1", "deleted"));
    host.stop();
}

fn permissions_open_what_is_others(backend: &Backend) {
    let host = Installation::on(backend).start();
    let reader = account(&host, "rea", "user", &["sessions.read"], &["*"]);
    let operator = account(&host, "olga", "operator", &[], &["*"]);
    let _ = create(host.api(), "a1", "ada").expect(201);
    run(&host, "a1");
    for api in [&reader, &operator] {
        assert_eq!(ids(api, ""), ["a1"]);
    }
    assert_eq!(reader.get(&at("/a1")).expect(200).json().get("rfb_address"), None::<&Value>);
    for answer in [step(&reader, "a1", "hibernated"), reader.delete(&at("/a1")), share(&reader, "a1", "rea")]
    {
        forbidden(&answer);
    }
    forbidden(&create(&reader, "a2", "ada"));
    let _ = create(&reader, "r1", "rea").expect(201);
    let _ = reader.delete(&at("/r1")).expect(202);

    let seen = operator.get(&at("/a1")).expect(200).json();
    assert_eq!(seen["rfb_address"], "10.0.0.7:5907");
    let _ = operator.post_json(&at("/a1/heartbeat"), &json!({"cpu": 1, "memory": 1})).expect(204);
    let _ = step(&operator, "a1", "failed").expect(200);
    let _ = create(&operator, "a2", "ada").expect(201);
    host.stop();
}

fn a_token_may_what_its_scopes_say(backend: &Backend) {
    let host = Installation::on(backend).start();
    let operator = account(&host, "olga", "operator", &[], &["*"]);
    let token = |name: &str, scopes: &[&str]| {
        let token = json!({"user": "olga", "name": name, "scopes": scopes});
        let made = host.api().post_json("/api/v1/tokens", &token).expect(201).json();
        host.api().with_token(made["token"].as_str())
    };
    let _ = create(&operator, "o1", "olga").expect(201);
    let reads = token("reads", &["sessions.read"]);
    assert_eq!(ids(&reads, ""), ["o1"]);
    forbidden(&reads.delete(&at("/o1")));
    forbidden(&create(&reads, "o2", "olga"));
    let other = token("other", &["plugins.read"]);
    for answer in
        [other.get(&at("")), other.get(&at("/o1")), other.delete(&at("/o1")), create(&other, "o2", "olga")]
    {
        assert_eq!(answer.problem(&[403])["code"], "SSP-AUT-004");
    }
    let own = token("own", &["sessions.own"]);
    let _ = create(host.api(), "a1", "ada").expect(201);
    assert_eq!(ids(&own, ""), ["o1"]);
    let _ = own.patch(&at("/o1"), &json!({"tags": ["mine"]})).expect(200);
    forbidden(&step(&own, "o1", "creating"));
    let manages = token("manages", &["sessions.manage"]);
    let _ = step(&manages, "o1", "creating").expect(200);
    host.stop();
}
