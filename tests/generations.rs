//! Plugins and hosts of two generations of the interface: this one, and one to which something was appended. Whichever
//! is the older, a plugin runs as long as the host has what it needs, and does without the rest.
//!
//! The next generation is made in `support/generations.rs`. The hosts are `fixture-host` of either generation, and the
//! real one of this.
#![forbid(unsafe_code)]

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use streamspace_tests::{Installation, builds, fixture_host, library_in, next_generation, run_fixture_host};

const OLD: &str = "fixture-generation";
const NEXT: &str = "fixture-generation-next";
const NEEDY: &str = "fixture-generation-needy";

fn old() -> PathBuf {
    library_in(builds().plugin(OLD))
}

fn next(name: &str) -> PathBuf {
    library_in(&next_generation().plugin(name))
}

/// What the plugin `name` says of itself after a run in which nothing failed: two events handled and emitted.
#[track_caller]
fn ran<'a>(all: &'a [Value], name: &str) -> &'a Value {
    let said = all.iter().map(|said| &said["said"]).find(|said| said["name"] == name);
    let said = said.unwrap_or_else(|| panic!("`{name}` did not come through: {all:?}"));
    let logged: Vec<&str> =
        said["logged"].as_array().into_iter().flatten().filter_map(|line| line["message"].as_str()).collect();
    assert_eq!(logged, ["Loaded.", "Handled.", "Handled.", "Unloaded."], "{said}");
    for number in [1, 2] {
        let emitted = &said["emitted"][number - 1];
        assert_eq!(emitted["topic"], format!("plugin.{name}.handled"), "{said}");
        assert_eq!(emitted["data"]["data"]["number"], number, "{said}");
        assert_eq!(emitted["data"]["greeting"], "Hello", "{said}");
    }
    said
}

/// What it says it found of the next generation.
fn found(said: &Value) -> &Value {
    &said["emitted"][0]["data"]["next"]
}

#[test]
fn a_host_of_this_generation_runs_plugins_of_both() {
    for libraries in [[&*old(), &*next(NEXT)], [&*next(NEXT), &*old()]] {
        let said = run_fixture_host(fixture_host(), &[], &libraries);
        assert_eq!(found(ran(&said, OLD)), &Value::Null);
        // What it could do with a newer host it does without.
        let newer = ran(&said, NEXT);
        assert_eq!(newer["sdk"], "9.0.0", "{newer}");
        assert_eq!(found(newer), &json!({"flushed": false, "greeted": null}), "{newer}");
    }
}

#[test]
fn a_host_of_the_next_generation_runs_plugins_of_both() {
    for libraries in [[&*old(), &*next(NEXT)], [&*next(NEXT), &*old()]] {
        let said = run_fixture_host(&next_generation().host, &[], &libraries);
        let older = ran(&said, OLD);
        assert_eq!((found(older), &older["described"]), (&Value::Null, &Value::Null), "{older}");
        assert_eq!((&older["flushed"], &older["greeted"]), (&json!(0), &json!(0)), "{older}");

        let newer = ran(&said, NEXT);
        let greeted = format!("Welcome, {NEXT}.");
        assert_eq!(found(newer), &json!({"flushed": true, "greeted": greeted}), "{newer}");
        assert_eq!((&newer["flushed"], &newer["greeted"]), (&json!(2), &json!(2)), "{newer}");
        assert_eq!(newer["described"], format!("{NEXT} of the next generation"));
    }
}

#[test]
fn the_host_runs_plugins_of_both_generations_in_either_order() {
    for order in [[OLD, NEXT], [NEXT, OLD]] {
        let installation = Installation::new();
        for name in order {
            let package =
                if name == OLD { builds().plugin(OLD).to_owned() } else { next_generation().plugin(name) };
            installation.install(&package).expect(0);
        }
        let host = installation.start();
        for name in order {
            host.wait_state(name, "running");
        }
        host.post_event("test.generation", &json!({"number": 1}));
        host.post_event("test.generation", &json!({"number": 2}));
        for (name, next) in [(OLD, Value::Null), (NEXT, json!({"flushed": false, "greeted": null}))] {
            host.wait_count(name, "say", "delivered", 2);
            let line = host.logged(&format!("{name} to have handled"), |line| {
                line.is_of(name) && line.message() == "Handled."
            });
            let found: Value = serde_json::from_str(line.text("found")).expect("JSON");
            assert_eq!((&found["next"], &found["data"]), (&next, &json!({"number": 1})), "{}", line.raw);
            assert_eq!(line.field("not_emitted"), &Value::Null, "{}", line.raw);
        }
        host.stop();
    }
}

#[test]
fn a_plugin_that_needs_what_only_newer_hosts_have_is_refused_by_its_file() {
    let installation = Installation::new();
    let refused = installation.install(&next_generation().plugin(NEEDY)).expect(1);
    for word in ["SSP-LIB-013", NEEDY, "`greeter/1`", "version 9.0.0"] {
        assert!(refused.stderr.contains(word), "`{word}` is missing: {refused:?}");
    }
    let list = installation.cli(&["plugin", "list", "--json"]).expect(0).json();
    assert_eq!(list["plugins"], json!([]), "something of it stayed");
}

/// A copy of a plugin's directory whose library no system loads: it wants a C library that does not exist.
fn unloadable(package: &Path, scratch: &Path) -> PathBuf {
    let copy = scratch.join(package.file_name().expect("a name"));
    fs::create_dir(&copy).expect("a directory");
    for entry in fs::read_dir(package).expect("the plugin") {
        let file = entry.expect("a file").path();
        fs::copy(&file, copy.join(file.file_name().expect("a name"))).expect("a copy");
    }
    let library = library_in(&copy);
    let mut bytes = fs::read(&library).expect("the library");
    let name = b"libc.so.6";
    let at = bytes.windows(name.len()).position(|window| window == name).expect("it needs the C library");
    bytes[at + 3] = b'?';
    fs::write(library, bytes).expect("written");
    copy
}

#[test]
#[cfg(target_os = "linux")]
fn nothing_is_loaded_of_a_plugin_that_is_refused_by_its_file() {
    let installation = Installation::new();
    let loads =
        |package: &Path| installation.install(&unloadable(package, installation.scratch())).expect(1).stderr;
    assert!(loads(builds().plugin(OLD)).contains("SSP-LIB-015"), "whoever loads it notices");
    assert!(loads(&next_generation().plugin(NEEDY)).contains("SSP-LIB-013"), "it was loaded");
}

#[test]
fn a_plugin_is_not_created_by_a_host_that_lacks_what_it_needs() {
    let said = run_fixture_host(fixture_host(), &[], &[&next(NEEDY), &old()]);
    let failed = said[0]["said"]["failed"].as_str().unwrap_or_default();
    for word in ["create", "`greeter/1`", "version 9.0.0"] {
        assert!(failed.contains(word), "`{word}` is missing: {said:?}");
    }
    ran(&said, OLD);

    let said = run_fixture_host(&next_generation().host, &[], &[&next(NEEDY), &old()]);
    assert_eq!(found(ran(&said, NEEDY))["greeted"], format!("Welcome, {NEEDY}."));
}

#[test]
fn what_a_host_lacks_is_named_by_the_call_that_needs_it() {
    let said = run_fixture_host(fixture_host(), &["events/1"], &[&old(), &next(NEXT)]);
    for said in &said {
        let said = &said["said"];
        assert_eq!((&said["failed"], &said["emitted"]), (&Value::Null, &json!([])), "{said}");
        let handled = &said["logged"][1];
        assert!(handled["not_emitted"].as_str().is_some_and(|why| why.contains("`events/1`")), "{said}");
        let found: Value = serde_json::from_str(handled["found"].as_str().expect("JSON")).expect("JSON");
        assert!(found["http"].as_str().is_some_and(|why| why.contains("`http/1`")), "{said}");
    }
    // Without these no plugin is made.
    for needed in ["log/1", "config/1"] {
        let said = run_fixture_host(fixture_host(), &[needed], &[&old()]);
        assert!(said[0]["said"]["failed"].as_str().is_some_and(|why| why.contains(needed)), "{said:?}");
    }
}
