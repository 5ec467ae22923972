//! Plugins keep keys and values: in files and in PostgreSQL alike.
#![forbid(unsafe_code)]

use std::fs;

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{
    Backend, DEADLINE, Folder, Host, Installation, LogLine, PostgresServer, on_both_backends, replace,
    wait_for,
};

const PLUGIN: &str = "fixture-storage";
/// As long, since it takes the other's place in the library.
const OTHER: &str = "another-storage";

on_both_backends!(
    every_operation_comes_to_what_it_says,
    values_survive_a_restart,
    values_survive_a_kill,
    values_wait_for_a_reinstall,
    two_plugins_have_keys_of_their_own,
    a_plugin_without_the_permission_is_told_what_to_do,
    an_error_shows_no_value,
);

fn start(backend: &Backend) -> Host {
    let host = Installation::on(backend).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn ask(host: &Host, plugin: &str, what: &Value) -> LogLine {
    let mut data = what.clone();
    data["plugin"] = plugin.into();
    let id = host.post_event("test.storage", &data).json()["ids"][0].as_str().unwrap_or_default().to_owned();
    host.logged(&format!("what came of {what}"), |line| {
        line.is_of(plugin) && matches!(line.message(), "Done." | "Failed.") && line.text("event") == id
    })
}

#[track_caller]
fn answer(host: &Host, plugin: &str, what: &Value) -> Value {
    let line = ask(host, plugin, what);
    assert_eq!(line.message(), "Done.", "{}", line.raw);
    serde_json::from_str(line.text("answer")).expect("JSON")
}

#[track_caller]
fn fails(host: &Host, what: &Value, error: &str) -> LogLine {
    let line = ask(host, PLUGIN, what);
    assert_eq!((line.message(), line.text("error")), ("Failed.", error), "{}", line.raw);
    line
}

#[track_caller]
fn comes_to(host: &Host, what: Value, expected: &Value) {
    assert_eq!(answer(host, PLUGIN, &what), *expected, "{what}");
}

/// The plugin under another name.
fn another(host: &Installation) -> Folder {
    let folder = host.copy(PLUGIN, "another");
    folder.change(|library| replace(library, PLUGIN, OTHER));
    let library = folder.library().with_file_name("libanother_storage.so");
    fs::rename(folder.library(), library).expect("renamed");
    change_manifest(&folder, |manifest| manifest.replace(PLUGIN, OTHER));
    folder
}

fn change_manifest(folder: &Folder, change: impl FnOnce(String) -> String) {
    let file = folder.library().with_file_name("manifest.json");
    let manifest = change(fs::read_to_string(&file).expect("a manifest"));
    fs::write(file, manifest).expect("written");
}

fn every_operation_comes_to_what_it_says(backend: &Backend) {
    let host = start(backend);
    let value = json!({"name": "Ada", "tags": ["a", null, 1.5, "é\u{0}"]});
    comes_to(&host, json!({"do": "get", "key": "a"}), &Value::Null);
    comes_to(&host, json!({"do": "set", "key": "a", "value": value}), &json!(true));
    comes_to(&host, json!({"do": "get", "key": "a"}), &value);
    comes_to(&host, json!({"do": "insert", "key": "a", "value": 1}), &json!(false));
    comes_to(&host, json!({"do": "insert", "key": "b", "value": 1}), &json!(true));
    comes_to(&host, json!({"do": "compare_and_set", "key": "b", "value": 2}), &json!([true, false]));
    comes_to(&host, json!({"do": "get_number", "key": "b"}), &json!(2));
    comes_to(&host, json!({"do": "increment", "key": "b", "by": -5}), &json!(-3));
    comes_to(&host, json!({"do": "delete", "key": "b"}), &json!(true));
    comes_to(&host, json!({"do": "delete", "key": "b"}), &json!(false));

    comes_to(&host, json!({"do": "set_for", "key": "soon", "value": 1, "ttl_ms": 600_000}), &json!(true));
    host.wait_for(DEADLINE, "a key to go by itself", || {
        answer(&host, PLUGIN, &json!({"do": "set_for", "key": "gone", "value": 1, "ttl_ms": 1}));
        (answer(&host, PLUGIN, &json!({"do": "get", "key": "gone"})) == Value::Null).then_some(())
    });

    comes_to(&host, json!({"do": "move", "from": "a", "to": "c"}), &json!([1, 0, 1]));
    let conflict = fails(&host, &json!({"do": "move", "from": "a", "to": "c"}), "Conflict");
    assert!(conflict.text("reason").contains("`c`"), "{}", conflict.raw);
    comes_to(&host, json!({"do": "get", "key": "moved"}), &json!(1));
    comes_to(&host, json!({"do": "get", "key": "c"}), &value);

    comes_to(&host, json!({"do": "fill", "prefix": "n_", "count": 250}), &json!(250));
    comes_to(&host, json!({"do": "insert", "key": "nx0", "value": "no wildcard"}), &json!(true));
    comes_to(&host, json!({"do": "sum", "prefix": "n_"}), &json!(250 * 249 / 2));
    comes_to(
        &host,
        json!({"do": "list", "prefix": "n_", "after": "n_0007", "limit": 2}),
        &json!(["n_0008", "n_0009"]),
    );
    comes_to(&host, json!({"do": "count", "prefix": "n"}), &json!([251, "n_0000", "nx0"]));
    comes_to(&host, json!({"do": "clear", "prefix": "n_"}), &json!(250));
    comes_to(&host, json!({"do": "keys", "prefix": "n"}), &json!(["nx0"]));
    fails(&host, &json!({"do": "get", "key": ""}), "Invalid");
    fails(&host, &json!({"do": "increment", "key": "c", "by": 1}), "Invalid");
    host.stop();
}

fn values_survive_a_restart(backend: &Backend) {
    let host = start(backend);
    answer(&host, PLUGIN, &json!({"do": "set", "key": "kept", "value": [1, 2]}));
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "running");
    comes_to(&host, json!({"do": "get", "key": "kept"}), &json!([1, 2]));
}

fn values_survive_a_kill(backend: &Backend) {
    let mut host = start(backend);
    for round in 1..=3 {
        comes_to(&host, json!({"do": "increment", "key": "rounds", "by": 1}), &json!(round));
        host = host.end(Signal::KILL, DEADLINE).installation.start();
        host.wait_state(PLUGIN, "running");
    }
    comes_to(&host, json!({"do": "get", "key": "rounds"}), &json!(3));
}

fn values_wait_for_a_reinstall(backend: &Backend) {
    let host = start(backend);
    answer(&host, PLUGIN, &json!({"do": "set", "key": "kept", "value": "here"}));
    host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    host.install(host.builds().plugin(PLUGIN)).expect(0);
    host.wait_state(PLUGIN, "running");
    comes_to(&host, json!({"do": "get", "key": "kept"}), &json!("here"));
}

fn two_plugins_have_keys_of_their_own(backend: &Backend) {
    let host = start(backend);
    let other = another(&host);
    host.cli(&["plugin", "install", other.path()]).expect(0);
    host.wait_state(OTHER, "running");
    answer(&host, PLUGIN, &json!({"do": "set", "key": "a", "value": "one's"}));
    assert_eq!(answer(&host, OTHER, &json!({"do": "get", "key": "a"})), Value::Null);
    answer(&host, OTHER, &json!({"do": "set", "key": "a", "value": "other's"}));
    comes_to(&host, json!({"do": "clear", "prefix": ""}), &json!(1));
    assert_eq!(answer(&host, OTHER, &json!({"do": "get", "key": "a"})), "other's");
}

fn a_plugin_without_the_permission_is_told_what_to_do(backend: &Backend) {
    let host = Installation::on(backend).start();
    let folder = host.copy(PLUGIN, "denied");
    change_manifest(&folder, |manifest| manifest.replace(r#", "storage"]"#, "]"));
    host.cli(&["plugin", "install", folder.path()]).expect(0);
    host.wait_state(PLUGIN, "running");
    for what in [json!({"do": "get", "key": "a"}), json!({"do": "set", "key": "a", "value": 1})] {
        let line = fails(&host, &what, "PermissionDenied");
        assert!(line.text("reason").contains("manifest"), "{}", line.raw);
    }
}

fn an_error_shows_no_value(backend: &Backend) {
    let host = start(backend);
    answer(&host, PLUGIN, &json!({"do": "set", "key": "token", "value": "s3cretOfTheStorage"}));
    let line = fails(&host, &json!({"do": "get_number", "key": "token"}), "Decode");
    assert!(line.text("reason").contains("`token`"), "{}", line.raw);
    fails(&host, &json!({"do": "increment", "key": "token", "by": 1}), "Invalid");
    assert!(!host.everything_said().contains("s3cretOfTheStorage"));
}

#[test]
fn postgres_away_is_an_error_that_may_be_tried_again_and_passes() {
    let server = PostgresServer::start();
    let backend = Backend::Postgres(server.database());
    let host = Installation::on(&backend).plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    answer(&host, PLUGIN, &json!({"do": "set", "key": "a", "value": 1}));
    server.kill();
    let line = fails(&host, &json!({"do": "get", "key": "a"}), "Unreachable");
    assert_eq!(line.field("transient"), true, "{}", line.raw);
    server.start_again();
    let found = wait_for(DEADLINE, "storage", || {
        let line = ask(&host, PLUGIN, &json!({"do": "get", "key": "a"}));
        (line.message() == "Done.").then(|| line.text("answer").to_owned())
    });
    assert_eq!(found, "1");
    let password = backend_password(&backend);
    assert!(!host.everything_said().contains(&password), "the password is told to nobody");
}

fn backend_password(backend: &Backend) -> String {
    let Backend::Postgres(database) = backend else { panic!("not PostgreSQL") };
    let (user, _) = database.url().rsplit_once('@').expect("a user");
    user.rsplit_once(':').expect("a password").1.to_owned()
}
