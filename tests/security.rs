//! The holes of the platform that this host replaces, each as a test that fails on what it did there.
//!
//! Elsewhere: archives of packages and the names in them (S3, S4) in `host/package/tests/hostile.rs`; signatures and
//! revocations (S5) there in `trust.rs` and in `package_install`; downloads (S6) in `catalogue_downloads`. Not at all:
//! repositories by Git and their webhooks (S12, S13), which this host does not have. S15, one address space, is what a
//! plugin is trusted with: docs/security.md says so.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
};

use serde_json::{Value, json};
use streamspace_tests::{Answer, Api, Backend, DEADLINE, Host, Installation, on_both_backends, password_of};

const COUNTER: &str = "fixture-counter";
const ROUTES: &str = "fixture-routes";
const DATABASE: &str = "fixture-database";
const SECRET: &str = "hunter2-correct-horse";

/// Every administrative method and path, and the permission that it takes.
const ADMINISTRATION: &[(&str, &str, &str)] = &[
    ("POST", "/api/v1/events", "events.emit"),
    ("GET", "/api/v1/plugins", "plugins.read"),
    ("POST", "/api/v1/plugins", "plugins.manage"),
    ("GET", "/api/v1/plugins/fixture-counter", "plugins.read"),
    ("DELETE", "/api/v1/plugins/none", "plugins.manage"),
    ("POST", "/api/v1/plugins/fixture-counter/enable", "plugins.operate"),
    ("POST", "/api/v1/plugins/fixture-counter/disable", "plugins.operate"),
    ("GET", "/api/v1/plugins/fixture-counter/config", "plugins.read"),
    ("PATCH", "/api/v1/plugins/fixture-counter/config", "plugins.manage"),
    ("GET", "/api/v1/plugins/fixture-counter/dead-letters", "plugins.read"),
    ("DELETE", "/api/v1/plugins/fixture-counter/dead-letters", "plugins.operate"),
    ("POST", "/api/v1/plugins/fixture-counter/dead-letters/replay", "plugins.operate"),
    (
        "GET",
        "/api/v1/plugins/fixture-counter/dead-letters/0198c0de-0000-7000-8000-000000000000",
        "plugins.operate",
    ),
    (
        "DELETE",
        "/api/v1/plugins/fixture-counter/dead-letters/0198c0de-0000-7000-8000-000000000000",
        "plugins.operate",
    ),
    (
        "POST",
        "/api/v1/plugins/fixture-counter/dead-letters/0198c0de-0000-7000-8000-000000000000/replay",
        "plugins.operate",
    ),
    ("GET", "/api/v1/plugins/fixture-counter/jobs", "plugins.read"),
    ("GET", "/api/v1/plugins/fixture-counter/jobs/none", "plugins.read"),
    ("POST", "/api/v1/plugins/fixture-counter/jobs/none/run", "plugins.operate"),
    ("POST", "/api/v1/plugins/fixture-counter/jobs/none/pause", "plugins.operate"),
    ("POST", "/api/v1/plugins/fixture-counter/jobs/none/resume", "plugins.operate"),
    ("GET", "/api/v1/plugins/fixture-counter/routes", "plugins.read"),
    ("PUT", "/api/v1/plugins/fixture-counter/log-level", "plugins.operate"),
    ("GET", "/api/v1/plugins/fixture-counter/contributions", "plugins.read"),
    ("GET", "/api/v1/plugins/fixture-counter/logs", "host.observe"),
    ("GET", "/api/v1/plugins/fixture-counter/consumers", "plugins.read"),
    ("GET", "/api/v1/plugins/fixture-counter/health", "plugins.read"),
    ("GET", "/api/v1/plugins/fixture-counter/grants", "plugins.read"),
    ("GET", "/api/v1/consumers", "plugins.read"),
    ("GET", "/api/v1/logs", "host.observe"),
    ("GET", "/api/v1/status", "host.observe"),
    ("GET", "/api/v1/events", "host.observe"),
    ("GET", "/api/v1/blocked-libraries", "plugins.read"),
    ("DELETE", "/api/v1/blocked-libraries/00000000", "plugins.manage"),
    ("POST", "/api/v1/packages", "plugins.manage"),
    ("POST", "/api/v1/packages/plan", "plugins.manage"),
    ("POST", "/api/v1/packages/install", "plugins.manage"),
    ("POST", "/api/v1/plugins/fixture-counter/upgrade", "plugins.manage"),
    ("POST", "/api/v1/plugins/fixture-counter/rollback", "plugins.manage"),
    ("GET", "/api/v1/plugins/fixture-counter/generations", "plugins.read"),
    ("PUT", "/api/v1/plugins/fixture-counter/pin", "plugins.manage"),
    ("DELETE", "/api/v1/plugins/fixture-counter/pin", "plugins.manage"),
    ("GET", "/api/v1/trust", "host.trust"),
    ("POST", "/api/v1/trust/keys", "host.trust"),
    ("DELETE", "/api/v1/trust/keys/none", "host.trust"),
    ("POST", "/api/v1/trust/revocations", "host.trust"),
    ("PUT", "/api/v1/trust/unsigned/none", "host.trust"),
    ("POST", "/api/v1/secrets/rotate", "the role `admin`"),
    ("GET", "/api/v1/users", "users.read"),
    ("POST", "/api/v1/users", "users.manage"),
    ("GET", "/api/v1/users/admin", "users.read"),
    ("PATCH", "/api/v1/users/admin", "users.manage"),
    ("DELETE", "/api/v1/users/none", "users.manage"),
    ("POST", "/api/v1/users/none/enable", "users.manage"),
    ("POST", "/api/v1/users/none/disable", "users.manage"),
    ("PUT", "/api/v1/users/none/password", "users.manage"),
    ("PUT", "/api/v1/users/none/permissions/x", "users.manage"),
    ("DELETE", "/api/v1/users/none/permissions/x", "users.manage"),
    ("GET", "/api/v1/groups", "users.read"),
    ("POST", "/api/v1/groups", "users.manage"),
    ("GET", "/api/v1/groups/none", "users.read"),
    ("PATCH", "/api/v1/groups/none", "users.manage"),
    ("DELETE", "/api/v1/groups/none", "users.manage"),
    ("PUT", "/api/v1/groups/none/members/admin", "users.manage"),
    ("DELETE", "/api/v1/groups/none/members/admin", "users.manage"),
    ("PUT", "/api/v1/groups/none/permissions/x", "users.manage"),
    ("DELETE", "/api/v1/groups/none/permissions/x", "users.manage"),
    ("GET", "/api/v1/tokens?user=admin", "users.read"),
];

/// What the role `operator` has.
const OPERATORS: [&str; 4] = ["plugins.read", "plugins.operate", "users.read", "host.observe"];

on_both_backends!(
    s1_administration_takes_its_permission,
    s2_nobody_is_answered_a_secret,
    s8_a_plugin_does_not_reach_the_hosts_tables,
    sessions_are_their_owners_and_those_who_manage_them,
    s11_no_secret_lies_in_clear_on_the_disk,
    s16_what_a_database_says_is_not_answered,
);

fn call(api: &Api, method: &str, path: &str) -> Answer {
    let body = (method != "GET").then_some(b"{}".as_slice());
    api.send(method, path, &[("Content-Type", "application/json")], body)
}

/// A host with an account of each role, and for each a client.
fn with_roles(installation: Installation) -> (Host, Vec<(&'static str, Api)>) {
    let host = installation.start();
    let clients = ["admin", "operator", "user"].map(|role| {
        let name = format!("a-{role}");
        host.add_user(&name, role);
        (role, host.api().with_token(Some(&host.add_token(&name, &["*"]).0)))
    });
    let clients = Vec::from(clients);
    (host, clients)
}

fn s1_administration_takes_its_permission(backend: &Backend) {
    let (host, clients) = with_roles(Installation::on(backend).plugin(COUNTER, &json!({})));
    host.wait_state(COUNTER, "running");
    for (method, path, permission) in ADMINISTRATION {
        let nobody = call(&host.api().with_token(None), method, path);
        assert_eq!(nobody.problem(&[401])["code"], "SSP-AUT-001", "{method} {path}");
        for (role, api) in &clients {
            let answer = call(api, method, path);
            let permitted = *role == "admin" || *role == "operator" && OPERATORS.contains(permission);
            if permitted {
                assert!(
                    !matches!(answer.status, 401 | 403 | 405) && answer.status < 500,
                    "{role} {method} {path}: {answer:?}"
                );
                continue;
            }
            let problem = answer.problem(&[403]);
            assert_eq!(problem["code"], "SSP-AUT-004", "{role} {method} {path}");
            assert!(problem["detail"].as_str().unwrap().contains(permission), "{problem}");
        }
    }
    // With a cookie it is no different.
    let user = host.browser("a-user");
    for (method, path, permission) in ADMINISTRATION {
        let answer = user.call(method, path, (*method != "GET").then_some(&json!({})));
        let problem = answer.problem(&[403]);
        assert!(problem["detail"].as_str().unwrap().contains(permission), "{method} {path}: {problem}");
    }
    host.stop();
}

fn s2_nobody_is_answered_a_secret(backend: &Backend) {
    let installation = Installation::on(backend).plugin(COUNTER, &json!({"token": SECRET, "label": "shown"}));
    let (host, clients) = with_roles(installation);
    host.wait_state(COUNTER, "running");
    for (_, api) in &clients {
        for (method, path, _) in ADMINISTRATION.iter().filter(|(method, ..)| *method == "GET") {
            let _ = call(api, method, path);
        }
        let _ = (api.get("/api/v1/me"), api.get("/api/v1/tokens"), api.get("/api/v1/tokens?user=*"));
    }
    let admin = &clients[0].1;
    let changed = admin.patch(&format!("/api/v1/plugins/{COUNTER}/config"), &json!({"label": "other"}));
    assert!(!changed.expect(200).body.contains(SECRET));
    let config = admin.get(&format!("/api/v1/plugins/{COUNTER}/config")).expect(200).json();
    assert_eq!((&config["token"], &config["label"]), (&json!("[secret]"), &json!("other")));
    // All clients keep what was answered in the same place.
    let said = host.everything_said();
    for secret in [SECRET, "$argon2", &password_of("a-admin")] {
        assert!(!said.contains(secret), "{secret}");
    }
    host.stop();
}

#[test]
fn s7_the_permissions_of_a_route_are_the_hosts_to_check() {
    let (host, clients) = with_roles(Installation::new().plugin(ROUTES, &json!({})));
    host.wait_state(ROUTES, "running");
    let path = format!("/api/plugins/{ROUTES}/things");
    let make = |api: &Api| api.post_json(&path, &json!({"name": "n", "count": 1}));
    for (role, api) in &clients {
        let expected = if *role == "admin" { 201 } else { 403 };
        assert_eq!(make(api).status, expected, "{role}");
    }
    let nobody = host.api().with_token(None);
    assert_eq!(make(&nobody).status, 401);
    let (user, api) = (&clients[2].0, &clients[2].1);
    let grant = format!("/api/v1/users/a-{user}/permissions/things.write");
    let _ = host.api().send("PUT", &grant, &[], Some(b"")).expect(200);
    let _ = make(api).expect(201);
    host.stop();
}

fn s8_a_plugin_does_not_reach_the_hosts_tables(backend: &Backend) {
    let host = Installation::on(backend).plugin(DATABASE, &json!({})).start();
    host.wait_state(DATABASE, "running");
    host.add_user("ada", "user");
    let file = host.data().join("streamspace.db");
    for sql in [
        "SELECT name FROM users".to_owned(),
        "SELECT name FROM streamspace.users".to_owned(),
        "UPDATE streamspace.users SET role = 'admin'".to_owned(),
        "INSERT INTO streamspace.user_permissions VALUES ('x', 'plugins.manage')".to_owned(),
        format!("ATTACH DATABASE '{}' AS host", file.display()),
        "SET ROLE NONE; SELECT password FROM streamspace.users".to_owned(),
    ] {
        let tag = uuid::Uuid::new_v4().to_string();
        host.post_event("test.sql", &json!({"do": "query", "sql": sql, "tag": tag}));
        let line = host.logged("what came of it", |line| {
            line.is_of(DATABASE) && line.message() == "Done." && line.text("tag") == tag
        });
        let found: Value = serde_json::from_str(line.text("found")).unwrap();
        assert!(found["error"].is_string(), "{sql}: {found}");
    }
    assert_eq!(host.api().get("/api/v1/users/ada").expect(200).json()["role"], "user");
    host.stop();
}

fn sessions_are_their_owners_and_those_who_manage_them(backend: &Backend) {
    let (host, clients) = with_roles(Installation::on(backend));
    let (operator, user) = (&clients[1].1, &clients[2].1);
    let other = host.add_user("other", "user");
    let other = host.api().with_token(Some(&host.add_token(other["id"].as_str().unwrap(), &["*"]).0));
    let new = |id: &str, owner: &str| json!({"id": id, "owner": owner, "template": "firefox"});
    let _ = user.post_json("/api/v1/sessions", &new("s-1", "a-user")).expect(201);
    let forged = user.post_json("/api/v1/sessions", &new("s-2", "other"));
    assert_eq!(forged.problem(&[403])["code"], "SSP-SES-008");
    for api in [user, operator] {
        let _ = api.get("/api/v1/sessions/s-1").expect(200);
    }
    for (method, path) in
        [("GET", ""), ("PATCH", ""), ("DELETE", ""), ("POST", "/connections"), ("PUT", "/shares/other")]
    {
        let body: &[u8] = match path {
            "/connections" => br#"{"kind": "vnc"}"#,
            "/shares/other" => br#"{"access": "view"}"#,
            _ => b"{}",
        };
        let body = (method != "GET").then_some(body);
        let headers = [("Content-Type", "application/json")];
        let answer = other.send(method, &format!("/api/v1/sessions/s-1{path}"), &headers, body);
        assert!(matches!(answer.status, 400 | 404), "{method} {path}: {answer:?}");
    }
    let seen =
        |api: &Api| api.get("/api/v1/sessions").expect(200).json()["sessions"].as_array().unwrap().len();
    assert_eq!((seen(user), seen(&other), seen(operator)), (1, 0, 1));
    // A token for something else does not reach them.
    let narrow = host.api().with_token(Some(&host.add_token("a-operator", &["plugins.read"]).0));
    assert_eq!(narrow.get("/api/v1/sessions").problem(&[403])["code"], "SSP-AUT-004");
    let _ = host.api().with_token(None).get("/api/v1/sessions").problem(&[401]);
    let _ = operator.delete("/api/v1/sessions/s-1").expect(202);
    host.stop();
}

/// What comes back for bytes as they are.
fn raw(host: &Host, request: &str) -> String {
    let mut stream = TcpStream::connect(host.address()).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn s9_no_path_leads_from_a_plugin_to_the_host_or_to_another() {
    let host = Installation::new().plugin(ROUTES, &json!({})).start();
    host.wait_state(ROUTES, "running");
    let token = fs::read_to_string(host.data().join("admin.token")).unwrap();
    for path in [
        "/../../v1/plugins",
        "/%2e%2e/%2e%2e/v1/plugins",
        "/..%2f..%2fv1/plugins",
        "//v1/plugins",
        "/./files/x",
    ] {
        let request = format!(
            "GET /api/plugins/{ROUTES}{path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {}\r\n\r\n",
            token.trim()
        );
        let answer = raw(&host, &request);
        assert!(answer.starts_with("HTTP/1.1 400") && answer.contains("SSP-RTE-010"), "{path}: {answer}");
    }
    host.stop();
}

#[test]
fn s10_events_are_emitted_by_whoever_may_and_the_hosts_own_by_the_host() {
    let (host, clients) = with_roles(Installation::new());
    let event = |topic: &str| streamspace_tests::cloud_event(topic, &json!({}));
    for (role, api) in &clients {
        assert_eq!(api.event(&event("test.any")).status, if *role == "admin" { 202 } else { 403 }, "{role}");
    }
    for topic in ["plugin.fixture-counter.done", "system.shutdown"] {
        assert_eq!(host.api().event(&event(topic)).problem(&[403])["code"], "SSP-EVT-003");
    }
    host.stop();
}

fn s11_no_secret_lies_in_clear_on_the_disk(backend: &Backend) {
    let installation = Installation::on(backend).plugin(COUNTER, &json!({"token": SECRET}));
    let host = installation.start();
    host.add_user("ada", "user");
    let (token, _) = host.add_token("ada", &["*"]);
    let ada = host.browser("ada");
    let cookie = ada.cookie.split_once('=').unwrap().1.to_owned();
    let secrets = [SECRET.to_owned(), password_of("ada"), token[4..].to_owned(), cookie, ada.csrf.clone()];
    let installation = host.stop().installation;
    let mut folders = vec![installation.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let content = fs::read(&path).unwrap();
            for secret in &secrets {
                let found = content.windows(secret.len()).any(|part| part == secret.as_bytes());
                assert!(!found, "{secret} is in {}", path.display());
            }
        }
    }
    if let Backend::Postgres(database) = backend {
        let mut client = database.owner();
        for (table, column) in
            [("users", "password"), ("tokens", "hash"), ("sign_ins", "hash"), ("plugins", "config")]
        {
            let rows = client.query(&format!("SELECT {column}::text FROM streamspace.{table}"), &[]).unwrap();
            assert!(!rows.is_empty(), "{table}");
            for row in rows {
                let text: Option<String> = row.get(0);
                let text = text.unwrap_or_default();
                for secret in &secrets {
                    assert!(!text.contains(secret.as_str()), "{table}: {text}");
                }
            }
        }
    }
}

#[test]
fn s14_a_list_of_plugins_has_no_configuration() {
    let (host, clients) =
        with_roles(Installation::new().plugin(COUNTER, &json!({"token": SECRET, "label": "a label"})));
    host.wait_state(COUNTER, "running");
    for (_, api) in clients.iter().filter(|(role, _)| *role != "user") {
        let listed = api.get("/api/v1/plugins").expect(200);
        assert!(listed.body.contains(COUNTER) && !listed.body.contains("a label"), "{listed:?}");
        assert!(!listed.body.contains(SECRET), "{listed:?}");
    }
    host.stop();
}

fn s16_what_a_database_says_is_not_answered(backend: &Backend) {
    let host = Installation::on(backend).start();
    let drop = "DROP TABLE sign_ins; DROP TABLE tokens; DROP TABLE group_members; ALTER TABLE plugins RENAME TO gone;";
    match backend {
        Backend::Sqlite => {
            let path = host.data().join("streamspace.db");
            rusqlite::Connection::open(path).unwrap().execute_batch(drop).unwrap();
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute("SET search_path = streamspace").unwrap();
            client.batch_execute(drop).unwrap();
        }
    }
    let api = host.api();
    for answer in [
        api.get("/api/v1/plugins"),
        api.get("/api/v1/users/admin"),
        api.get("/api/v1/tokens?user=*"),
        api.post_json("/api/v1/users", &json!({"username": "ada"})),
    ] {
        let problem = answer.problem(&[503]);
        // The second is what the event log says, which is in the same transaction as a change.
        let code = problem["code"].as_str().unwrap();
        assert!(code.starts_with("SSP-DAT-") || code == "SSP-EVT-006", "{problem}");
        for word in ["no such table", "relation", "SELECT", "sign_ins", "group_members", "tokens"] {
            assert!(!answer.body.contains(word), "{word}: {answer:?}");
        }
    }
    // The operator is told.
    host.logged("the reason", |line| {
        line.message() == "A request failed." && line.text("error").contains("group_members")
    });
    host.stop();
}

#[test]
fn every_answer_tells_browsers_to_take_it_for_what_it_is() {
    let host = Installation::new().plugin(ROUTES, &json!({})).start();
    host.wait_state(ROUTES, "running");
    let nobody = host.api().with_token(None);
    let route = |path: &str| format!("/api/plugins/{ROUTES}{path}");
    let pages = [
        nobody.get("/healthz"),
        nobody.get("/nothing"),
        nobody.get("/api/v1/plugins"),
        nobody.get("/api/v1/nothing"),
        nobody.post("/api/v1/sign-in"),
        nobody.get(&route("/query")),
        host.api().get("/api/v1/plugins"),
        host.api().delete("/api/v1/plugins"),
        host.api().get(&route("/stream")),
    ];
    for answer in &pages {
        for (name, value) in [
            ("content-security-policy", "default-src 'none'; frame-ancestors 'none'"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{name}: {answer:?}");
        }
    }
    // No browser makes a page of JSON that it is not to guess at.
    let data = [nobody.get(&route("/public")), host.api().get(&route("/query?limit=1"))];
    assert!(data.iter().all(|answer| answer.header("content-type") == Some("application/json")), "{data:?}");
    for answer in pages.iter().chain(&data) {
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{answer:?}");
        assert!(answer.header("access-control-allow-origin").is_none(), "{answer:?}");
    }
    assert_eq!(host.api().get("/api/v1/plugins").header("cache-control"), Some("no-store"));
    assert_eq!(host.api().get(&route("/query?limit=1")).header("cache-control"), Some("private"));
    assert_eq!(nobody.get(&route("/public")).header("cache-control"), None);
    host.stop();
}

#[test]
fn no_plugin_is_given_what_clients_prove_themselves_to_the_host_with() {
    let host = Installation::new().plugin(ROUTES, &json!({})).start();
    host.wait_state(ROUTES, "running");
    host.add_user("ada", "user");
    let (token, _) = host.add_token("ada", &["*"]);
    let admin = fs::read_to_string(host.data().join("admin.token")).unwrap();
    let admin = admin.trim();
    let ada = host.browser("ada");
    let nobody = host.api().with_token(None);
    let public = format!("/api/plugins/{ROUTES}/public-request");
    let seen = |headers: &[(&str, &str)]| nobody.send("GET", &public, headers, None).expect(200).json();
    let bearer = |token: &str| format!("Bearer {token}");
    for value in [
        bearer(&token),
        bearer(admin),
        bearer(&token[..40]),
        bearer(&admin[..63]),
        format!("bearer  {token}"),
        format!("Basic {admin}"),
    ] {
        let seen = seen(&[("Authorization", &value)]);
        assert!(seen["authorization"].is_null(), "{value}: {seen}");
    }
    // What is the plugin's own comes through.
    let own = seen(&[("Authorization", "Bearer webhook-7"), ("Cookie", "theme=dark")]);
    assert_eq!((&own["authorization"], &own["cookie"]), (&json!("Bearer webhook-7"), &json!("theme=dark")));
    let cookies = format!("a=1; {}; b=2", ada.cookie);
    let own = seen(&[("Cookie", &cookies), ("X-CSRF-Token", &ada.csrf)]);
    assert_eq!(own["cookie"], "a=1; b=2");
    assert!(!own["headers"].as_array().unwrap().contains(&json!("x-csrf-token")), "{own}");
    assert_eq!(seen(&[("Cookie", "streamspace=wrong")])["cookie"], Value::Null);

    let private = format!("/api/plugins/{ROUTES}/whole-request");
    let seen = ada.get(&private).expect(200).json();
    assert_eq!((&seen["cookie"], &seen["roles"]), (&Value::Null, &json!(["user"])));
    // A page of somebody else calls a plugin no more than the host.
    let open = format!("/api/plugins/{ROUTES}/open");
    assert_eq!(ada.send("POST", &open, &[], None).problem(&[403])["code"], "SSP-AUT-005");
    let _ = ada.call("POST", &open, None).expect(204);
    host.stop();
}
