//! A backup of a host that runs brings back everything that it and its plugins keep.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, LogLine, on_both_backends};

const STORAGE: &str = "fixture-storage";
const TABLES: &str = "fixture-database";
const COUNTER: &str = "fixture-counter";
const SECRET: &str = "hunter2-correct-horse";

on_both_backends!(
    everything_comes_back_as_it_was,
    whoever_makes_a_backup_need_not_have_the_key,
    a_new_machine_takes_over,
    what_waits_for_a_reinstall_is_purged_when_the_operator_says_so,
);

/// Has the plugin do something with its storage, and answers what came of it.
fn ask(host: &Host, mut what: Value) -> Value {
    what["plugin"] = STORAGE.into();
    let id = host.post_event("test.storage", &what).json()["ids"][0].clone();
    let line: LogLine = host.logged(&format!("what came of {what}"), |line| {
        line.is_of(STORAGE) && line.message() == "Done." && line.field("event") == &id
    });
    serde_json::from_str(line.text("answer")).expect("JSON")
}

fn set(host: &Host, value: u64) {
    ask(host, json!({"do": "set", "key": "a", "value": value}));
}

fn get(host: &Host) -> Value {
    ask(host, json!({"do": "get", "key": "a"}))
}

/// Has the plugin run SQL, and answers what came of it.
fn sql(host: &Host, what: &str, sql: &str) -> Value {
    let tag = uuid::Uuid::new_v4().to_string();
    host.post_event("test.sql", &json!({"do": what, "sql": sql, "tag": tag}));
    let line = host.logged(&format!("what came of {sql}"), |line| {
        line.is_of(TABLES) && line.message() == "Done." && line.text("tag") == tag
    });
    let found: Value = serde_json::from_str(line.text("found")).expect("JSON");
    assert!(found.get("error").is_none(), "{sql}: {found}");
    found["ok"].clone()
}

fn note(host: &Host, id: u64) {
    sql(host, "exec", &format!("INSERT INTO notes (id, text) VALUES ({id}, 'note {id}')"));
}

fn notes(host: &Host) -> Value {
    sql(host, "query", "SELECT id FROM notes ORDER BY id")
}

/// A host with something of everything: values, a secret, an event that waits, and a dead letter.
fn full(backend: &Backend) -> Host {
    let consumer =
        json!({"name": "count", "topics": ["test.count"], "durable": true, "fail_at": 1, "mode": "reject"});
    let host = Installation::on(backend)
        .plugin(STORAGE, &json!({}))
        .plugin(TABLES, &json!({}))
        .plugin(COUNTER, &json!({"token": SECRET, "label": "kept", "consumers": [consumer]}))
        .start();
    for plugin in [STORAGE, TABLES, COUNTER] {
        host.wait_state(plugin, "running");
    }
    set(&host, 7);
    note(&host, 7);
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_for(DEADLINE, "the dead letter", || (dead_letters(&host) == 1).then_some(()));
    host.cli(&["plugin", "disable", COUNTER]).expect(0);
    host.post_event("test.count", &json!({"n": 2}));
    host
}

fn dead_letters(host: &Installation) -> usize {
    let letters = host.cli(&["--json", "dead-letters", "list", COUNTER]).expect(0).json();
    letters["dead_letters"].as_array().map_or(0, Vec::len)
}

/// It is as `full` made it.
fn check(host: &Host) {
    host.wait_state(STORAGE, "running");
    host.wait_state(TABLES, "running");
    assert_eq!(get(host), 7);
    // What a migration wrote, and what was written since: the migration is not run again.
    assert_eq!(notes(host), json!([{"id": 0}, {"id": 7}]));
    note(host, 9);
    assert_eq!(dead_letters(host), 1);
    let counter = host.wait_state(COUNTER, "disabled");
    assert_eq!(counter["consumers"][0]["pending"], 1, "{counter}");
    let config = host.cli(&["--json", "plugin", "config", "get", COUNTER]).expect(0).json();
    assert_eq!((&config["label"], &config["token"]), (&json!("kept"), &json!("[secret]")), "{config}");
    host.cli(&["plugin", "enable", COUNTER]).expect(0);
    host.wait_count(COUNTER, "count", "delivered", 1);
}

fn backup(host: &Installation) -> PathBuf {
    let file = host.scratch().join("backup.tar");
    host.cli(&["db", "backup", file.to_str().expect("UTF-8")]).expect(0);
    file
}

fn everything_comes_back_as_it_was(backend: &Backend) {
    let host = full(backend);
    let file = backup(&host);
    let path = file.to_str().expect("UTF-8");
    let content = fs::read(&file).expect("the backup");
    let key = fs::read_to_string(host.data().join("secret.key")).expect("the key");
    let token = fs::read_to_string(host.data().join("admin.token")).expect("the token");
    for secret in [SECRET, key.trim(), token.trim()] {
        assert!(!content.windows(secret.len()).any(|part| part == secret.as_bytes()), "a secret is in it");
    }
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(&file).expect("the backup").permissions().mode() & 0o777, 0o600);
    }
    let output = host.cli(&["db", "backup", path]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-022"), "{output:?}");
    let output = host.cli(&["db", "restore", path]).expect(1);
    assert!(output.stderr.contains("stop it first"), "{output:?}");

    // What happens after it is undone.
    set(&host, 8);
    note(&host, 8);
    host.cli(&["plugin", "uninstall", COUNTER]).expect(0);
    let installation = host.stop().installation;
    installation.cli(&["db", "restore", path]).expect(0);
    let host = installation.start();
    check(&host);
    host.stop();
}

fn whoever_makes_a_backup_need_not_have_the_key(backend: &Backend) {
    let installation = Installation::on(backend).plugin(COUNTER, &json!({"token": SECRET}));
    let (key, elsewhere) = (installation.data().join("secret.key"), installation.scratch().join("key"));
    // As for one whose host has it by its environment.
    fs::rename(&key, &elsewhere).expect("moved");
    let file = backup(&installation);
    assert!(!key.exists(), "none is made for it");
    fs::rename(&elsewhere, &key).expect("moved");
    installation.cli(&["plugin", "uninstall", COUNTER]).expect(0);
    installation.cli(&["db", "restore", file.to_str().expect("UTF-8")]).expect(0);
    installation.cli(&["plugin", "config", "get", COUNTER]).expect(0);
}

fn a_new_machine_takes_over(backend: &Backend) {
    let host = full(backend);
    let file = backup(&host);
    let old = host.stop().installation;
    let other = match backend {
        Backend::Sqlite => Backend::Sqlite,
        Backend::Postgres(_) => Backend::postgres(),
    };
    let new = Installation::on(&other);
    let path = file.to_str().expect("UTF-8");
    // Without the key nothing could be done with it.
    let output = new.cli(&["db", "restore", path]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-026"), "{output:?}");
    assert!(!new.data().join("secret.key").exists(), "nothing was changed");
    new.cli(&["plugin", "list"]).expect(0);
    let output = new.cli(&["db", "restore", path]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-026"), "{output:?}");

    fs::copy(old.data().join("secret.key"), new.data().join("secret.key")).expect("the key");
    new.cli(&["db", "restore", path]).expect(0);
    let host = new.start();
    check(&host);
    host.stop();
}

fn what_waits_for_a_reinstall_is_purged_when_the_operator_says_so(backend: &Backend) {
    let host = Installation::on(backend).start();
    let plugins = [STORAGE, TABLES];
    let again = || {
        for plugin in plugins {
            host.install(host.builds().plugin(plugin)).expect(0);
            host.wait_state(plugin, "running");
        }
    };
    let fill = |number: u64| {
        set(&host, number);
        note(&host, number);
    };
    let uninstall = |arguments: &[&str]| {
        for plugin in plugins {
            host.cli(&[&["plugin", "uninstall", plugin], arguments].concat()).expect(0);
        }
    };
    again();
    fill(7);
    uninstall(&[]);
    again();
    assert_eq!((get(&host), notes(&host)), (json!(7), json!([{"id": 0}, {"id": 7}])));
    uninstall(&["--purge"]);
    again();
    assert_eq!((get(&host), notes(&host)), (Value::Null, json!([{"id": 0}])));
    fill(8);
    // Also when it was uninstalled before.
    uninstall(&[]);
    for plugin in plugins {
        assert_eq!(host.api().delete(&format!("/api/v1/plugins/{plugin}?purge=true")).status, 204);
    }
    again();
    assert_eq!((get(&host), notes(&host)), (Value::Null, json!([{"id": 0}])));
    host.cli(&["plugin", "uninstall", "--purge", "../../etc"]).expect(1);
    host.stop();
}

#[test]
fn a_plugins_tables_come_back_with_no_more_rights_than_its_own() {
    let backend = Backend::postgres();
    let Backend::Postgres(database) = &backend else { panic!("a database on the server") };
    let host = full(&backend);
    // Where the host fills the table, the function has the host's rights, if it may have them.
    let seize = "CREATE FUNCTION seize() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'RESET ROLE'; \
                 EXECUTE 'CREATE SCHEMA seized'; RETURN true; EXCEPTION WHEN OTHERS THEN RETURN true; END $$";
    for statement in [
        seize,
        "CREATE TABLE bait (n bigint CHECK (seize()), m bigint GENERATED ALWAYS AS (n + 1) STORED)",
        "INSERT INTO bait VALUES (1)",
    ] {
        sql(&host, "exec", statement);
    }
    let file = backup(&host);
    let installation = host.stop().installation;
    installation.cli(&["db", "restore", file.to_str().expect("UTF-8")]).expect(0);
    let seized = database.owner().query("SELECT FROM pg_namespace WHERE nspname = 'seized'", &[]);
    assert_eq!(seized.expect("an answer").len(), 0, "a plugin's function ran with the host's rights");
    let host = installation.start();
    host.wait_state(TABLES, "running");
    assert_eq!(sql(&host, "query", "SELECT n, m FROM bait"), json!([{"n": 1, "m": 2}]));
    host.stop();
}

#[test]
fn a_damaged_dump_is_refused_before_anything_is_lost() {
    let backend = Backend::postgres();
    let host = Installation::on(&backend).plugin(STORAGE, &json!({})).start();
    host.wait_state(STORAGE, "running");
    set(&host, 7);
    let file = backup(&host);
    let installation = host.stop().installation;
    let mut content = fs::read(&file).expect("the backup");
    // Near the dump's end, where the tables' rows are.
    let begin = content.windows(5).position(|part| part == b"PGDMP").expect("a dump");
    let blocks =
        content[begin..].chunks(512).position(|block| block.starts_with(b"plugins/")).expect("files");
    for byte in content[begin..begin + blocks * 512].iter_mut().rev().skip(1024).take(256) {
        *byte ^= 0xff;
    }
    fs::write(&file, content).expect("written");
    let output = installation.cli(&["db", "restore", file.to_str().expect("UTF-8")]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-025"), "{output:?}");
    let host = installation.start();
    host.wait_state(STORAGE, "running");
    assert_eq!(get(&host), 7);
    host.stop();
}

#[test]
fn a_database_that_another_host_uses_is_not_restored_into() {
    let backend = Backend::postgres();
    let host = Installation::on(&backend).plugin(STORAGE, &json!({})).start();
    host.wait_state(STORAGE, "running");
    let file = backup(&host);
    set(&host, 7);
    let other = Installation::on(&backend).set("database.wait_deadline_secs", 1);
    fs::create_dir(other.data()).expect("a folder");
    fs::copy(host.data().join("secret.key"), other.data().join("secret.key")).expect("the key");
    let output = other.cli(&["db", "restore", file.to_str().expect("UTF-8")]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-005"), "{output:?}");
    assert_eq!(get(&host), 7);
    host.stop();
}

#[test]
fn a_restore_that_fails_half_way_says_so_and_where_the_data_is() {
    let backend = Backend::postgres();
    let Backend::Postgres(database) = &backend else { unreachable!() };
    let host = Installation::on(&backend).plugin(STORAGE, &json!({})).plugin(TABLES, &json!({})).start();
    host.wait_state(STORAGE, "running");
    host.wait_state(TABLES, "running");
    set(&host, 7);
    let file = backup(&host);
    set(&host, 8);
    let installation = host.stop().installation;
    let role: String = database.owner().query_one("SELECT current_user::text", &[]).expect("a row").get(0);
    let alter =
        |what: &str| database.superuser().batch_execute(&format!("ALTER ROLE {role} {what}")).expect("done");
    alter("NOCREATEROLE");
    let path = file.to_str().expect("UTF-8");
    let output = installation.cli(&["db", "restore", path]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-027") && output.stderr.contains("CREATEROLE"), "{output:?}");
    let before =
        output.stderr.split_whitespace().find(|word| word.contains("before-restore-")).expect("a file");
    alter("CREATEROLE");
    installation.cli(&["db", "restore", path]).expect(0);
    let host = installation.start();
    host.wait_state(STORAGE, "running");
    assert_eq!(get(&host), 7);
    let installation = host.stop().installation;
    let restored = installation.cli(&["--json", "db", "restore", before]).expect(0).json();
    let kept =
        |name: &str| restored[name].as_str().unwrap_or_else(|| panic!("{name}: {restored}")).to_owned();
    assert_eq!(format!("{}.tar", kept("before")), kept("before_database"));
    let host = installation.start();
    host.wait_state(STORAGE, "running");
    assert_eq!(get(&host), 8);
    host.stop();
}

#[test]
fn a_file_with_holes_comes_back() {
    let installation = Installation::new().plugin(STORAGE, &json!({}));
    let plugin = installation.data().join("plugins").join(STORAGE);
    let content =
        fs::read_dir(plugin).expect("a folder").next().expect("a version").expect("an entry").path();
    let file = content.join("holes");
    fs::File::create(&file).and_then(|file| file.set_len(1 << 20)).expect("a file");
    let backup = backup(&installation);
    fs::remove_file(&file).expect("it was there");
    installation.cli(&["db", "restore", backup.to_str().expect("UTF-8")]).expect(0);
    assert_eq!(fs::read(&file).expect("it is back"), vec![0; 1 << 20]);
}

#[test]
fn what_is_no_backup_is_refused_and_changes_nothing() {
    let host = Installation::new().plugin(STORAGE, &json!({})).start();
    host.wait_state(STORAGE, "running");
    set(&host, 7);
    let whole = fs::read(backup(&host)).expect("the backup");
    let installation = host.stop().installation;
    let file = installation.scratch().join("bad.tar");
    let mut flipped = whole.clone();
    // In the header page of the first database.
    let database = whole.windows(15).position(|part| part == b"SQLite format 3").expect("a database");
    flipped[database + 100] ^= 0xff;
    // Where the file of the plugin's keys begins: everything before it is whole.
    let last = whole.chunks(512).rposition(|block| block.starts_with(b"plugin-data/")).expect("keys");
    for (content, what) in [
        (whole[..last * 512].to_vec(), "all but the last file"),
        (Vec::new(), "an empty file"),
        (b"no archive at all".to_vec(), "a text"),
        (whole[..whole.len() / 2].to_vec(), "half of it"),
        (flipped, "a changed byte"),
    ] {
        fs::write(&file, content).expect("written");
        let output = installation.cli(&["db", "restore", file.to_str().expect("UTF-8")]).expect(1);
        assert!(output.stderr.contains("SSP-DAT-024"), "{what}: {output:?}");
    }
    let host = installation.start();
    host.wait_state(STORAGE, "running");
    assert_eq!(get(&host), 7);
    host.stop();
}
