//! The host's own tables: what is in them survives, what is secret in them is sealed, and a host keeps away from those
//! that are not its own.
#![forbid(unsafe_code)]

use std::fs;

use serde_json::{Value, json};
use streamspace_tests::{Backend, Host, Installation, Output, on_both_backends};

const PLUGIN: &str = "fixture-counter";
const PANICS: &str = "fixture-panics";
const SECRET: &str = "hunter2-correct-horse";

on_both_backends!(
    secrets_are_sealed_and_a_rotation_keeps_them,
    a_database_of_a_newer_host_is_refused_and_left_alone,
    quarantine_outlives_the_host,
    what_was_allowed_outlives_the_host,
);

/// A statement that an operator runs on the database, with one number or blob as its answer.
fn ask(installation: &Installation, backend: &Backend, sql: &str) -> Vec<u8> {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("streamspace.db");
            let database = rusqlite::Connection::open(path).expect("it opens");
            database.query_row(sql, [], |row| row.get(0)).expect("an answer")
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute("SET search_path = streamspace").expect("the schema");
            client.query_one(sql, &[]).expect("an answer").get(0)
        }
    }
}

fn run(installation: &Installation, backend: &Backend, sql: &str) {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("streamspace.db");
            rusqlite::Connection::open(path).expect("it opens").execute_batch(sql).expect("done");
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute("SET search_path = streamspace").expect("the schema");
            client.batch_execute(sql).expect("done");
        }
    }
}

fn sealed(installation: &Installation, backend: &Backend) -> Vec<u8> {
    ask(installation, backend, "SELECT config FROM plugins WHERE name = 'fixture-counter'")
}

/// Everything in the data folder but the key.
fn files_with(installation: &Installation, text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![installation.data()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if fs::read(&path).expect("a file").windows(text.len()).any(|part| part == text.as_bytes())
            {
                found.push(path.display().to_string());
            }
        }
    }
    found
}

fn configured(host: &Host) -> Value {
    host.cli(&["plugin", "config", "get", PLUGIN, "--json"]).expect(0).json()
}

fn secrets_are_sealed_and_a_rotation_keeps_them(backend: &Backend) {
    let installation = Installation::on(backend).plugin(PLUGIN, &json!({"token": SECRET, "label": "shown"}));
    let first = sealed(&installation, backend);
    assert!(!first.windows(SECRET.len()).any(|part| part == SECRET.as_bytes()));
    assert_eq!(files_with(&installation, SECRET), Vec::<String>::new());
    let key = installation.data().join("secret.key");
    let old = fs::read_to_string(&key).expect("the key");

    installation.cli(&["secrets", "rotate"]).expect(0);
    let second = sealed(&installation, backend);
    assert_ne!(first, second);
    let new = fs::read_to_string(&key).expect("the key");
    assert!(new.lines().count() == 1 && new != old, "the old key is gone");

    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    assert_eq!(configured(&host)["label"], "shown");
    let rotated = host.api().post("/api/v1/secrets/rotate").expect(200).json();
    assert_eq!(rotated, json!({"sealed": 1}));
    host.configure(PLUGIN, &json!({"label": "changed"})).expect(0);
    let installation = host.stop().installation;
    assert_ne!(sealed(&installation, backend), second);
    assert_eq!(files_with(&installation, SECRET), Vec::<String>::new());

    // With the first key nothing can be read, and nothing is lost.
    let newest = fs::read_to_string(&key).expect("the key");
    fs::write(&key, old).expect("written");
    let output = installation.cli(&["plugin", "config", "get", PLUGIN]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-014"), "{output:?}");
    fs::write(&key, newest).expect("written");
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    assert_eq!(configured(&host)["label"], "changed");
    assert!(!host.everything_said().contains(SECRET));
    host.stop();
}

fn a_database_of_a_newer_host_is_refused_and_left_alone(backend: &Backend) {
    let installation = Installation::on(backend).plugin(PLUGIN, &json!({}));
    let insert = "INSERT INTO __diesel_schema_migrations (version) VALUES ('99990101000000')";
    run(&installation, backend, insert);
    let refused = |output: Output| {
        let output = output.expect(1);
        assert!(output.stderr.contains("SSP-DAT-003"), "{output:?}");
        assert!(output.stderr.contains("99990101000000"), "{output:?}");
    };
    refused(installation.cli(&["serve"]));
    refused(installation.cli(&["plugin", "list"]));
    run(&installation, backend, "DELETE FROM __diesel_schema_migrations WHERE version = '99990101000000'");
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.stop();
}

fn quarantine_outlives_the_host(backend: &Backend) {
    let host = Installation::on(backend)
        .set("plugins.panic_limit", 1)
        .plugin(PANICS, &json!({"panic_in": "handler"}))
        .start();
    host.wait_state(PANICS, "running");
    host.post_event("test.work", &json!({}));
    let reason = host.wait_state(PANICS, "quarantined")["reason"].clone();
    let host = host.stop().installation.start();
    let plugin = host.wait_state(PANICS, "quarantined");
    assert_eq!(plugin["reason"], reason);
    host.cli(&["plugin", "enable", PANICS]).expect(0);
    host.wait_state(PANICS, "running");
    let host = host.stop().installation.start();
    host.wait_state(PANICS, "running");
    host.stop();
}

fn what_was_allowed_outlives_the_host(backend: &Backend) {
    let host = Installation::on(backend).plugin(PLUGIN, &json!({})).start();
    let before = host.wait_state(PLUGIN, "running");
    assert_eq!(before["permissions"], json!(["events"]));
    let installation = host.stop().installation;
    // An operator who takes it back on the database.
    run(&installation, backend, "DELETE FROM grants WHERE plugin = 'fixture-counter'");
    let host = installation.start();
    assert_eq!(host.wait_state(PLUGIN, "running")["permissions"], json!([]));
    host.stop();
}

#[test]
fn a_key_that_others_may_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let installation = Installation::new().plugin(PLUGIN, &json!({"token": SECRET}));
    let key = installation.data().join("secret.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).expect("changed");
    let output = installation.cli(&["plugin", "list"]).expect(1);
    assert!(output.stderr.contains("SSP-DAT-013") && output.stderr.contains("chmod 600"), "{output:?}");
}

#[test]
fn the_files_of_the_database_are_its_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    for name in ["streamspace.db", "streamspace.db-wal", "streamspace.db-shm", "secret.key"] {
        let mode = fs::metadata(host.data().join(name)).expect(name).permissions().mode() & 0o777;
        assert_eq!(mode, 0o600, "{name}");
    }
    host.stop();
}

#[test]
fn two_hosts_do_not_share_a_database() {
    let backend = Backend::postgres();
    let host = Installation::on(&backend).set("database.wait_deadline_secs", 1).start();
    let other = Installation::on(&backend).set("database.wait_deadline_secs", 1);
    let output = other.cli(&["serve"]).expect(1);
    assert!(output.stderr.contains("another host uses this PostgreSQL database"), "{output:?}");
    host.stop();
    other.start().stop();
}

#[test]
fn a_database_that_is_not_there_is_said_with_its_place_and_without_the_password() {
    let url = format!("postgres://streamspace:{SECRET}@127.0.0.1:1/nowhere");
    let installation = Installation::new().set("database.url", url);
    let output = installation.cli(&["plugin", "list"]).expect(1);
    assert!(output.stderr.contains("127.0.0.1:1") && output.stderr.contains("SSP-DAT-002"), "{output:?}");
    assert!(!output.stderr.contains(SECRET), "{output:?}");
    let output = installation.cli(&["config", "check"]).expect(0);
    assert!(output.stdout.contains("127.0.0.1:1/nowhere") && !output.stdout.contains(SECRET), "{output:?}");
    let installation = Installation::new().set("database.url", format!("mysql://x:{SECRET}@y/z"));
    let output = installation.cli(&["plugin", "list"]).expect(1);
    assert!(output.stderr.contains("database.url") && !output.stderr.contains(SECRET), "{output:?}");
}
