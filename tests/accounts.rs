//! Accounts and groups: what is changed is told, survives, and holds at once; and nobody gives what they do not have.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Answer, Backend, Browser, DEADLINE, Installation, on_both_backends, password_of};

const JOURNAL: &str = "fixture-journal";
const ROUTES: &str = "fixture-routes";

on_both_backends!(
    every_change_is_told_in_an_event_and_both_survive_a_kill,
    a_change_that_is_refused_is_not_told,
    nobody_gives_what_they_do_not_have,
    the_last_administrator_stays,
    what_a_group_is_permitted_its_members_are_at_once,
    the_command_line_does_it_on_a_host_that_runs_and_on_one_that_does_not,
    accounts_are_listed_in_pages,
);

fn code(answer: &Answer, status: u16) -> String {
    answer.problem(&[status])["code"].as_str().unwrap().to_owned()
}

fn with_journal(backend: &Backend) -> Installation {
    let installation = Installation::on(backend);
    let file = installation.scratch().join("journal.jsonl");
    let config = json!({"file": file.to_str(), "topics": ["user.>", "group.>"], "from_start": true});
    installation.plugin(JOURNAL, &config)
}

/// The events that the journal has, each once.
fn events(installation: &Installation) -> Vec<Value> {
    let text = fs::read_to_string(installation.scratch().join("journal.jsonl")).unwrap_or_default();
    let mut all: Vec<Value> = Vec::new();
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        if line["id"].is_string() && !all.iter().any(|known| known["id"] == line["id"]) {
            all.push(line);
        }
    }
    all
}

fn topics(installation: &Installation) -> Vec<String> {
    events(installation).iter().map(|event| event["topic"].as_str().unwrap().to_owned()).collect()
}

fn every_change_is_told_in_an_event_and_both_survive_a_kill(backend: &Backend) {
    let host = with_journal(backend).start();
    let api = host.api();
    let ada = json!({
        "username": "Ada", "password": password_of("ada"), "full_name": "Ada L.", "email": "ada@example.org", "tier": "pro"
    });
    let ada = api.post_json("/api/v1/users", &ada).expect(201).json();
    let _ = api.patch("/api/v1/users/ada", &json!({"email": "ada@example.com"})).expect(200);
    let _ = api.post_json("/api/v1/groups", &json!({"name": "team"})).expect(201);
    let _ = api.send("PUT", "/api/v1/groups/team/members/ada", &[], Some(b"")).expect(200);
    let _ = api.send("PUT", "/api/v1/groups/team/permissions/things.write", &[], Some(b"")).expect(200);
    let browser = host.browser("ada");
    let _ = browser.call("POST", "/api/v1/sign-out", None).expect(204);
    let _ = api.delete("/api/v1/groups/team/members/ada").expect(200);
    let _ = api.delete("/api/v1/groups/team").expect(204);
    let _ = api.post("/api/v1/users/ada/disable").expect(200);
    let grace = host.add_user("grace", "operator");
    let _ = api.delete("/api/v1/users/grace").expect(204);
    let installation = host.end(Signal::KILL, DEADLINE).installation;

    let host = installation.start();
    let expected = [
        "user.created", // the first administrator
        "user.created",
        "user.updated",
        "group.created",
        "group.member_added",
        "group.updated",
        "user.login",
        "user.logout",
        "group.member_removed",
        "group.deleted",
        "user.updated",
        "user.created",
        "user.deleted",
    ];
    host.wait_for(DEADLINE, "the events in their order", || (topics(&host) == expected).then_some(()));
    let all = events(&host);
    let data = |at: usize| &all[at]["data"];
    for (key, value) in [
        ("id", &ada["id"]),
        ("user_id", &ada["id"]),
        ("username", &json!("ada")),
        ("fullName", &json!("Ada L.")),
        ("email", &json!("ada@example.org")),
        ("tier", &json!("pro")),
        ("role", &json!("user")),
        ("active", &json!(true)),
    ] {
        assert_eq!(data(1)[key], *value, "{key}: {}", data(1));
    }
    assert_eq!(data(2)["email"], "ada@example.com");
    assert_eq!((&data(4)["name"], &data(4)["member"]["username"]), (&json!("team"), &json!("ada")));
    assert_eq!((&data(6)["auth_method"], &data(6)["groups"]), (&json!("local"), &json!(["team"])));
    assert_eq!(data(10)["active"], false);
    assert_eq!((&data(12)["id"], &data(12)["username"]), (&grace["id"], &json!("grace")));
    let ada = host.api().get("/api/v1/users/ada").expect(200).json();
    assert_eq!((&ada["disabled"], &ada["email"]), (&json!(true), &json!("ada@example.com")));
    assert_eq!(host.api().get("/api/v1/users/grace").status, 404);
    let said = fs::read_to_string(host.scratch().join("journal.jsonl")).unwrap();
    assert!(!said.contains("argon2") && !said.contains(&password_of("ada")), "{said}");
    host.stop();
}

fn a_change_that_is_refused_is_not_told(backend: &Backend) {
    let host = with_journal(backend).start();
    let api = host.api();
    host.add_user("ada", "user");
    let again = api.post_json("/api/v1/users", &json!({"username": "ADA"}));
    assert_eq!(code(&again, 409), "SSP-USR-004");
    for bad in ["", "a b", "ä", "-a", &"x".repeat(65), "0198c0de-0000-7000-8000-000000000000"] {
        let answer = api.post_json("/api/v1/users", &json!({"username": bad}));
        assert_eq!(code(&answer, 422), "SSP-USR-005", "{bad}");
    }
    let poor = api.post_json("/api/v1/users", &json!({"username": "poor", "password": "short"}));
    assert_eq!(code(&poor, 422), "SSP-USR-006");
    assert_eq!(code(&api.patch("/api/v1/users/nobody", &json!({"tier": "x"})), 404), "SSP-USR-001");
    assert_eq!(code(&api.patch("/api/v1/users/ada", &json!({"tier": "a\u{0}b"})), 422), "SSP-USR-005");
    assert_eq!(code(&api.get("/api/v1/users/a%00b"), 404), "SSP-USR-001");
    assert_eq!(code(&api.delete("/api/v1/groups/none"), 404), "SSP-USR-002");
    assert_eq!(api.patch("/api/v1/users/ada", &json!({"id": "other"})).status, 400);
    host.add_user("grace", "user");
    let expected = ["user.created", "user.created", "user.created"];
    host.wait_for(DEADLINE, "the last event", || (topics(&host).len() >= expected.len()).then_some(()));
    assert_eq!(topics(&host), expected);
    host.stop();
}

fn nobody_gives_what_they_do_not_have(backend: &Backend) {
    let host = Installation::on(backend).start();
    host.add_user("opal", "operator");
    host.add_user("boss", "admin");
    host.add_user("ada", "user");
    let opal = host.browser("opal");
    let new = json!({"username": "new", "password": password_of("new")});
    assert_eq!(code(&opal.call("POST", "/api/v1/users", Some(&new)), 403), "SSP-AUT-004");
    let _ = host.api().send("PUT", "/api/v1/users/opal/permissions/users.manage", &[], Some(b"")).expect(200);
    // May make accounts now: those that may no more than itself.
    let _ = opal.call("POST", "/api/v1/users", Some(&new)).expect(201);
    let refused = |answer: Answer| assert_eq!(code(&answer, 403), "SSP-USR-009");
    refused(opal.call("POST", "/api/v1/users", Some(&json!({"username": "evil", "role": "admin"}))));
    let granted = json!({"username": "evil", "permissions": ["plugins.manage"]});
    refused(opal.call("POST", "/api/v1/users", Some(&granted)));
    for user in ["opal", "ada"] {
        let path = format!("/api/v1/users/{user}");
        refused(opal.call("PATCH", &path, Some(&json!({"role": "admin"}))));
        refused(opal.call("PUT", &format!("{path}/permissions/plugins.manage"), None));
    }
    let password = json!({"password": "taken over, it is"});
    refused(opal.call("PUT", "/api/v1/users/boss/password", Some(&password)));
    refused(opal.call("POST", "/api/v1/users/boss/disable", None));
    refused(opal.call("DELETE", "/api/v1/users/boss", None));
    refused(opal.call(
        "POST",
        "/api/v1/tokens",
        Some(&json!({"user": "boss", "name": "x", "scopes": ["*"]})),
    ));
    // Neither by way of a group.
    let _ = host.api().post_json("/api/v1/groups", &json!({"name": "strong"})).expect(201);
    let _ = host
        .api()
        .send("PUT", "/api/v1/groups/strong/permissions/plugins.manage", &[], Some(b""))
        .expect(200);
    refused(opal.call("PUT", "/api/v1/groups/strong/members/opal", None));
    let _ = opal.call("POST", "/api/v1/groups", Some(&json!({"name": "weak"}))).expect(201);
    refused(opal.call("PUT", "/api/v1/groups/weak/permissions/plugins.manage", None));
    let _ = opal.call("PUT", "/api/v1/groups/weak/permissions/plugins.read", None).expect(200);
    assert_eq!(host.api().get("/api/v1/users/evil").status, 404);
    let _ = host.browser("boss");
    host.stop();
}

fn the_last_administrator_stays(backend: &Backend) {
    let host = Installation::on(backend).start();
    let api = host.api();
    let last = |answer: Answer| assert_eq!(code(&answer, 409), "SSP-USR-007");
    last(api.delete("/api/v1/users/admin"));
    last(api.post("/api/v1/users/admin/disable"));
    last(api.patch("/api/v1/users/admin", &json!({"role": "user"})));
    host.add_user("boss", "admin");
    let _ = api.delete("/api/v1/users/admin").expect(204);
    last(api.post("/api/v1/users/boss/disable"));
    host.stop();
}

fn what_a_group_is_permitted_its_members_are_at_once(backend: &Backend) {
    let host = Installation::on(backend).plugin(ROUTES, &json!({})).start();
    host.wait_state(ROUTES, "running");
    host.add_user("ada", "user");
    let ada = host.browser("ada");
    let path = format!("/api/plugins/{ROUTES}/things");
    let thing = json!({"name": "n", "count": 1});
    let make = || ada.call("POST", &path, Some(&thing));
    let refused = make();
    assert_eq!(code(&refused, 403), "SSP-RTE-013");
    assert!(refused.body.contains("`things.write`"), "{refused:?}");

    let api = host.api();
    let put = |path: &str| api.send("PUT", path, &[], Some(b"")).expect(200);
    let _ = api.post_json("/api/v1/groups", &json!({"name": "team", "description": "d"})).expect(201);
    let _ = put("/api/v1/groups/team/permissions/things.write");
    assert_eq!(make().status, 403);
    let _ = put("/api/v1/groups/team/members/ada");
    let _ = make().expect(201);
    let me = ada.get("/api/v1/me").expect(200).json();
    assert_eq!(
        (&me["groups"], &me["permissions"]),
        (&json!(["team"]), &json!(["catalog.use", "sessions.own", "things.write"]))
    );
    // The plugin is told too.
    let seen = ada.get(&format!("/api/plugins/{ROUTES}/whole-request")).expect(200).json();
    assert_eq!((&seen["caller"], &seen["may_write"], &seen["may"]), (&me["id"], &json!(true), &json!(false)));
    let _ = api.delete("/api/v1/groups/team/permissions/things.write").expect(200);
    assert_eq!(make().status, 403);
    let _ = put("/api/v1/users/ada/permissions/things.write");
    let _ = make().expect(201);
    let _ = api.delete("/api/v1/users/ada/permissions/things.write").expect(200);
    assert_eq!(make().status, 403);
    host.stop();
}

fn the_command_line_does_it_on_a_host_that_runs_and_on_one_that_does_not(backend: &Backend) {
    let installation = with_journal(backend);
    let add = |installation: &Installation, name: &str| {
        let arguments = ["user", "add", name, "--email", "x@example.org", "--json"];
        let made = installation.cli_with_input(&arguments, &format!("{}\n", password_of(name))).expect(0);
        assert_eq!((&made.json()["username"], &made.json()["has_password"]), (&json!(name), &json!(true)));
    };
    let verbs = |installation: &Installation, name: &str| {
        let run = |arguments: &[&str]| installation.cli(arguments).expect(0);
        let _ = run(&["user", "set", name, "--role", "operator"]);
        let _ = run(&["user", "grant", name, "things.write"]);
        let shown = run(&["user", "show", name, "--json"]).json();
        assert_eq!((&shown["role"], &shown["permissions"]), (&json!("operator"), &json!(["things.write"])));
        let _ = run(&["user", "revoke", name, "things.write"]);
        let listed = run(&["user", "list", "--role", "operator", "--json"]).json();
        assert_eq!(listed["users"].as_array().unwrap().len(), 1, "{listed}");
        let token = run(&["token", "create", name, "ci", "--scope", "plugins.read", "--json"]).json();
        assert!(token["token"].as_str().unwrap().starts_with("ssp_"), "{token}");
        let listed = run(&["token", "list", "--user", name, "--json"]);
        assert_eq!(listed.json()["tokens"][0]["id"], token["id"], "{listed:?}");
        let _ = run(&["token", "revoke", token["id"].as_str().unwrap()]);
        let _ = run(&["group", "add", "team"]);
        let _ = run(&["group", "join", "team", name]);
        let _ = run(&["group", "grant", "team", "things.read"]);
        let shown = run(&["group", "show", "team", "--json"]).json();
        assert_eq!((&shown["members"], &shown["permissions"]), (&json!([name]), &json!(["things.read"])));
        let _ = run(&["group", "leave", "team", name]);
        let _ = run(&["group", "remove", "team"]);
        let _ = run(&["user", "set", name, "--role", "user"]);
        let refused = installation.cli(&["user", "show", "nobody"]).expect(1);
        assert!(refused.stderr.contains("SSP-USR-001"), "{refused:?}");
    };
    add(&installation, "ada");
    verbs(&installation, "ada");
    let empty = installation.cli_with_input(&["user", "password", "ada"], "\n").expect(1);
    assert!(empty.stderr.contains("expected the password"), "{empty:?}");
    let _ = installation.cli_with_input(&["user", "password", "ada"], "another password\n").expect(0);

    let host = installation.start();
    let _ = Browser::sign_in(&host, "ada", "another password");
    add(&host, "grace");
    verbs(&host, "grace");
    let _ = host.cli(&["user", "disable", "grace"]).expect(0);
    assert_eq!(Browser::try_sign_in(&host, "grace", &password_of("grace")).status, 401);
    let _ = host.cli(&["user", "enable", "grace"]).expect(0);
    let _ = host.browser("grace");
    let _ = host.cli(&["user", "remove", "grace"]).expect(0);
    host.wait_for(DEADLINE, "the last event", || {
        (topics(&host).last().map(String::as_str) == Some("user.deleted")).then_some(())
    });
    let told = |topic: &str, name: &str| {
        let all = events(&host);
        all.iter().filter(|event| event["topic"] == topic && event["data"]["username"] == name).count()
    };
    // Role, grant, revoke and role again; and with `ada` the password.
    assert_eq!((told("user.created", "ada"), told("user.updated", "ada")), (1, 5));
    assert_eq!((told("user.created", "grace"), told("user.updated", "grace")), (1, 6));
    assert!(!host.everything_said().contains(&password_of("ada")));
    host.stop();
}

fn accounts_are_listed_in_pages(backend: &Backend) {
    let host = Installation::on(backend).start();
    for n in 0..5 {
        let new = json!({"username": format!("user_{n}"), "permissions": ["a", "b"]});
        let _ = host.api().post_json("/api/v1/users", &new).expect(201);
    }
    let page = host.api().get("/api/v1/users?skip=1&limit=2").expect(200).json();
    let names: Vec<_> =
        page["users"].as_array().unwrap().iter().map(|user| user["username"].clone()).collect();
    assert_eq!((names, &page["total"]), (vec![json!("user_0"), json!("user_1")], &json!(6)));
    assert_eq!(page["users"][0]["permissions"], json!(["a", "b"]));
    let total =
        |query: &str| host.api().get(&format!("/api/v1/users?{query}")).expect(200).json()["total"].clone();
    assert_eq!((total("name=USER_"), total("name=%25"), total("role=admin")), (json!(5), json!(0), json!(1)));
    let _ = host.api().get("/api/v1/users?limit=0").problem(&[422]);
    let _ = host.api().get("/api/v1/users?limits=1").problem(&[400]);
    let _ = host.api().get("/api/v1/users?name=%00").problem(&[422]);
    host.stop();
}
