//! Plugins have tables of their own: in a file and in PostgreSQL alike.
#![forbid(unsafe_code)]

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Folder, Host, Installation, PostgresServer, on_both_backends};

const PLUGIN: &str = "fixture-database";

on_both_backends!(
    migrations_are_applied_before_the_plugin_is_loaded,
    values_come_back_as_they_were,
    a_transaction_is_all_or_nothing,
    errors_say_what_kind_they_are_and_the_plugin_goes_on,
    what_was_stored_survives_a_kill,
    a_migration_that_fails_is_the_reason_of_the_plugin,
    an_older_package_than_the_data_is_refused,
    migrations_without_the_permission_are_refused,
    nothing_leads_out,
);

fn start(backend: &Backend) -> Host {
    let host = Installation::on(backend).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// What came of an order: `{"ok": …}` or `{"error": "…"}`.
fn ask(host: &Host, mut order: Value) -> Value {
    let tag = format!("{}", uuid::Uuid::new_v4());
    order["tag"] = tag.as_str().into();
    host.post_event("test.sql", &order);
    let what = format!("what came of {order}");
    let line =
        host.logged(&what, |line| line.is_of(PLUGIN) && line.message() == "Done." && line.text("tag") == tag);
    serde_json::from_str(line.text("found")).expect("JSON")
}

#[track_caller]
fn comes_to(host: &Host, order: Value, expected: &Value) {
    let found = ask(host, order.clone());
    assert_eq!(found["ok"], *expected, "{order}: {found}");
}

#[track_caller]
fn fails(host: &Host, order: Value, kind: &str) -> String {
    let found = ask(host, order.clone());
    let error = found["error"].as_str().unwrap_or_else(|| panic!("{order}: {found}")).to_owned();
    assert!(error.starts_with(kind), "{order}: {error}");
    error
}

fn exec(sql: &str) -> Value {
    json!({"do": "exec", "sql": sql})
}

fn notes() -> Value {
    json!({"do": "query", "sql": "SELECT id, text FROM notes ORDER BY id"})
}

fn migrations_are_applied_before_the_plugin_is_loaded(backend: &Backend) {
    let host = start(backend);
    let line = host.logged("what the plugin found", |line| line.message() == "Found.");
    assert_eq!(line.field("notes"), &json!(1), "{}", line.raw);
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}]));
    // Once, and not at each start.
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "running");
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}]));
}

fn values_come_back_as_they_were(backend: &Backend) {
    let host = start(backend);
    comes_to(&host, json!({"do": "notes", "id": 7}), &json!(true));
    let order = json!({
        "do": "query",
        "sql": "SELECT CAST($2 AS TEXT) AS t, CAST($1 AS BIGINT) AS n, CAST($3 AS TEXT) AS missing",
        "params": [1_i64 << 40, "ü'\"\n", null],
    });
    comes_to(&host, order, &json!([{"t": "ü'\"\n", "n": 1_i64 << 40, "missing": null}]));
}

fn a_transaction_is_all_or_nothing(backend: &Backend) {
    let host = start(backend);
    let insert = |id: u32| format!("INSERT INTO notes (id, text) VALUES ({id}, 'note {id}')");
    let order = |first: u32, end: &str| json!({"do": "transaction", "sql": [insert(first), insert(first + 1)], "end": end});
    comes_to(&host, order(1, "commit"), &json!(3));
    fails(&host, order(3, "fail"), "Other(\"told to fail\")");
    fails(&host, order(2, "commit"), "Constraint");
    // This one answers nothing: its handler ends with it.
    host.post_event("test.sql", &{
        let mut order = order(5, "panic");
        order["tag"] = "panic".into();
        order
    });
    host.logged("the panic", |line| line.raw.contains("told to panic"));
    comes_to(&host, json!({"do": "query", "sql": "SELECT COUNT(*) AS n FROM notes"}), &json!([{"n": 3}]));
}

fn errors_say_what_kind_they_are_and_the_plugin_goes_on(backend: &Backend) {
    let host = start(backend);
    let insert = json!({
        "do": "exec", "sql": "INSERT INTO notes (id, text) VALUES ($1, $2)", "params": [1, "s3cretText"],
    });
    comes_to(&host, insert.clone(), &json!(1));
    fails(&host, insert, "Constraint");
    fails(&host, exec("SELEKT 1"), "Sql");
    fails(&host, exec("SELECT * FROM nowhere"), "Sql");
    fails(&host, json!({"do": "query", "sql": "SELECT 1", "params": [1]}), "Invalid");
    fails(&host, exec("COMMIT"), "Denied");
    comes_to(&host, exec("DELETE FROM notes"), &json!(2));
    let said = host.everything_said();
    assert!(!said.contains("s3cretText"), "no value is told");
}

fn what_was_stored_survives_a_kill(backend: &Backend) {
    let host = start(backend);
    comes_to(&host, exec("INSERT INTO notes (id, text) VALUES (1, 'kept')"), &json!(1));
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    host.wait_state(PLUGIN, "running");
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}, {"id": 1, "text": "kept"}]));
}

/// A copy of the plugin's folder, to be changed.
fn copy(installation: &Installation) -> Folder {
    installation.copy(PLUGIN, "changed")
}

/// Writes a file of a migration for both databases.
fn write(folder: &Folder, file: &str, sql: &str) {
    for dialect in ["sqlite", "postgres"] {
        let path = std::path::Path::new(folder.path()).join("migrations").join(dialect).join(file);
        fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        fs::write(path, sql).expect("a file");
    }
}

fn a_migration_that_fails_is_the_reason_of_the_plugin(backend: &Backend) {
    let installation = Installation::on(backend);
    let folder = copy(&installation);
    write(&folder, "0003_broken/up.sql", "DELETE FROM notes;\n\nINSERT INTO nowhere VALUES (1);\n");
    installation.install(folder.path().as_ref()).expect(0);
    let host = installation.start();
    let reason = host.wait_state(PLUGIN, "failed")["reason"].as_str().unwrap_or_default().to_owned();
    for part in ["0003_broken/up.sql, line 3 (statement 2)", "nowhere", "SSP-DAT-114"] {
        assert!(reason.contains(part), "{reason}");
    }
    // What came before it stays, and nothing of it.
    host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    host.install(host.builds().plugin(PLUGIN)).expect(0);
    host.wait_state(PLUGIN, "running");
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}]));
}

fn an_older_package_than_the_data_is_refused(backend: &Backend) {
    let installation = Installation::on(backend);
    let folder = copy(&installation);
    write(&folder, "0003_more/up.sql", "INSERT INTO notes (id, text) VALUES (3, 'more')");
    installation.install(folder.path().as_ref()).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    host.install(host.builds().plugin(PLUGIN)).expect(0);
    let reason = host.wait_state(PLUGIN, "failed")["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("SSP-DAT-116")), "{reason}");
}

fn migrations_without_the_permission_are_refused(backend: &Backend) {
    let installation = Installation::on(backend);
    let folder = copy(&installation);
    let manifest = std::path::Path::new(folder.path()).join("manifest.json");
    let text = fs::read_to_string(&manifest).expect("a manifest").replace(", \"database\"", "");
    fs::write(&manifest, text).expect("a manifest");
    installation.install(folder.path().as_ref()).expect(0);
    let host = installation.start();
    let reason = host.wait_state(PLUGIN, "failed")["reason"].clone();
    assert!(reason.as_str().is_some_and(|reason| reason.contains("SSP-DAT-112")), "{reason}");
}

fn nothing_leads_out(backend: &Backend) {
    let host = start(backend);
    let escapes: &[&str] = match backend {
        Backend::Sqlite => &["ATTACH 'x.db' AS x", "VACUUM INTO 'x.db'", "PRAGMA journal_mode = OFF"],
        Backend::Postgres(_) => &[
            "CREATE SCHEMA x",
            "SELECT pg_read_file('PG_VERSION')",
            "SELECT * FROM streamspace.plugin_migrations",
        ],
    };
    for escape in escapes {
        fails(&host, exec(escape), "Denied");
    }
}

#[test]
fn the_next_call_works_when_the_server_is_back() {
    let server = PostgresServer::start();
    let backend = Backend::Postgres(server.database());
    let host = start(&backend);
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}]));
    server.kill();
    fails(&host, notes(), "Unreachable");
    server.start_again();
    host.wait_for(DEADLINE, "the plugin to reach its tables", || {
        ask(&host, notes())["ok"].is_array().then_some(())
    });
    comes_to(&host, notes(), &json!([{"id": 0, "text": "by a migration"}]));
}
