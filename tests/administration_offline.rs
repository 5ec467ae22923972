//! Plugins are administered on a host that does not run, and what cannot be used is refused with a reason.
#![forbid(unsafe_code)]

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use streamspace_tests::Installation;

const PLUGIN: &str = "fixture-counter";
const SECRET: &str = "t0kenOfTheCounter";

fn list(installation: &Installation) -> Value {
    installation.cli(&["plugin", "list", "--json"]).expect(0).json()
}

/// A copy of the plugin's directory that a test may spoil.
fn copy(installation: &Installation) -> PathBuf {
    let directory = installation.scratch().join("package");
    fs::create_dir_all(&directory).expect("a directory");
    for entry in fs::read_dir(installation.builds().plugin(PLUGIN)).expect("the plugin") {
        let file = entry.expect("a file").path();
        fs::copy(&file, directory.join(file.file_name().expect("a name"))).expect("a copy");
    }
    directory
}

fn library(directory: &std::path::Path) -> PathBuf {
    let files = fs::read_dir(directory).expect("the copy").map(|entry| entry.expect("a file").path());
    files.into_iter().find(|file| file.extension().is_some_and(|end| end != "json")).expect("a library")
}

/// `plugin install` of `directory` is refused, says `word`, and leaves nothing behind.
#[track_caller]
fn refused(installation: &Installation, directory: &std::path::Path, word: &str) {
    let output = installation.cli(&["plugin", "install", directory.to_str().expect("UTF-8")]).expect(1);
    assert!(output.stderr.contains(word), "`{word}` is missing: {output:?}");
    assert!(!list(installation).to_string().contains(PLUGIN), "something of it stayed");
}

#[test]
fn a_life_while_the_host_does_not_run() {
    let installation = Installation::new().plugin(PLUGIN, &json!({"token": SECRET, "label": "one"}));
    assert!(list(&installation).to_string().contains(PLUGIN));
    let shown = installation.cli(&["plugin", "show", PLUGIN, "--json"]).expect(0).json();
    assert_eq!((&shown["name"], &shown["enabled"]), (&json!(PLUGIN), &json!(true)), "{shown}");
    assert_ne!(shown["state"], "running", "{shown}");

    let config = installation.cli(&["plugin", "config", "get", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(config["label"], "one", "{config}");
    assert!(config["token"].is_string(), "it is there, and not shown: {config}");
    assert!(!installation.said().contains(SECRET), "the secret was shown");

    installation.cli(&["plugin", "disable", PLUGIN]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "disabled");
    let installation = host.stop().installation;
    installation.cli(&["plugin", "enable", PLUGIN]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    let installation = host.stop().installation;

    installation.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    assert!(!list(&installation).to_string().contains(PLUGIN));
    installation.cli(&["plugin", "show", PLUGIN]).expect(1);
}

#[test]
fn what_was_changed_on_a_running_host_stays() {
    let host = Installation::new().plugin(PLUGIN, &json!({})).start();
    host.wait_state(PLUGIN, "running");
    host.configure(PLUGIN, &json!({"label": "two", "token": SECRET})).expect(0);
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    let host = host.stop().installation.start();
    assert_eq!(host.wait_state(PLUGIN, "disabled")["enabled"], false);
    let config = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/config")).expect(200).json();
    assert_eq!(config["label"], "two", "{config}");
}

#[test]
fn an_event_needs_a_running_host() {
    let installation = Installation::new();
    let output = installation.cli(&["emit", "test.count", "{}"]).expect(1);
    assert!(output.stderr.contains("running") && output.stderr.contains("serve"), "{output:?}");
}

#[test]
fn a_wrong_configuration_is_refused_with_its_place() {
    let installation = Installation::new().plugin(PLUGIN, &json!({"label": "one"}));
    let patch = json!({"consumers": [{"name": "a", "topics": ["t"], "work_micros": "many"}]});
    let output = installation.configure(PLUGIN, &patch).expect(1);
    for place in ["consumers", "0", "work_micros"] {
        assert!(output.stderr.contains(place), "`{place}` is missing: {output:?}");
    }
    installation.cli_with_input(&["plugin", "config", "set", PLUGIN, "-"], "{").expect(1);
    let config = installation.cli(&["plugin", "config", "get", PLUGIN, "--json"]).expect(0).json();
    assert_eq!(config["label"], "one");
}

#[test]
fn a_name_is_installed_once() {
    let installation = Installation::new().plugin(PLUGIN, &json!({}));
    let directory = installation.builds().plugin(PLUGIN).to_str().expect("UTF-8");
    let output = installation.cli(&["plugin", "install", directory]).expect(1);
    assert!(output.stderr.contains(PLUGIN), "{output:?}");
}

#[test]
fn a_directory_without_a_library_is_refused() {
    let installation = Installation::new();
    let directory = copy(&installation);
    let library = library(&directory);
    fs::remove_file(&library).expect("it is gone");
    let name = library.file_name().and_then(|name| name.to_str()).expect("UTF-8");
    refused(&installation, &directory, name);
}

#[test]
fn a_directory_without_a_manifest_is_refused() {
    let installation = Installation::new();
    let directory = copy(&installation);
    fs::remove_file(directory.join("manifest.json")).expect("it is gone");
    refused(&installation, &directory, "manifest.json");
}

#[test]
fn a_manifest_that_breaks_rules_is_refused_with_all_of_them() {
    let installation = Installation::new();
    let directory = copy(&installation);
    let file = directory.join("manifest.json");
    fs::write(&file, r#"{"name": "Fixture Counter", "version": "one", "type": "extension"}"#)
        .expect("written");
    refused(&installation, &directory, "displayName");
    let path = file.to_str().expect("UTF-8");
    let output = installation.cli(&["manifest", "check", path]).expect(1);
    for place in ["name", "version", "displayName"] {
        assert!(
            output.stderr.contains(place) || output.stdout.contains(place),
            "`{place}` is missing: {output:?}"
        );
    }
    fs::write(&file, "{").expect("written");
    refused(&installation, &directory, "manifest.json");
    installation.cli(&["manifest", "check", path]).expect(1);
}

#[test]
fn a_manifest_of_another_name_than_the_library_is_refused() {
    let installation = Installation::new();
    let directory = copy(&installation);
    let file = directory.join("manifest.json");
    let text = fs::read_to_string(&file).expect("the manifest").replace("0.1.0", "9.9.9");
    fs::write(&file, text).expect("written");
    refused(&installation, &directory, "9.9.9");
}

#[test]
fn files_that_are_no_plugins_are_refused() {
    let installation = Installation::new();
    let directory = copy(&installation);
    let library = library(&directory);
    let whole = fs::read(&library).expect("the library");
    for (bytes, what) in [
        (Vec::new(), "an empty file"),
        (b"#!/bin/sh\nexit 0\n".to_vec(), "a script"),
        (whole[..whole.len() / 2].to_vec(), "half a library"),
        (whole[..64].to_vec(), "a header alone"),
    ] {
        fs::write(&library, bytes).expect(what);
        refused(
            &installation,
            &directory,
            library.file_name().and_then(|name| name.to_str()).expect("UTF-8"),
        );
    }
    // The host's own binary is an ELF file, and no plugin.
    fs::copy(&installation.builds().host, &library).expect("a copy");
    refused(&installation, &directory, "plugin");
}

#[test]
fn a_damaged_plugin_hides_no_other_and_can_be_removed() {
    let installation =
        Installation::new().plugin(PLUGIN, &json!({})).plugin("fixture-logger", &json!({"secret": SECRET}));
    let home = installation.data().join("plugins").join(PLUGIN);
    let version =
        fs::read_dir(&home).expect("its folder").next().expect("a version").expect("a version").path();
    fs::remove_file(version.join("manifest.json")).expect("removed");
    let plugins = list(&installation);
    let plugins = plugins["plugins"].as_array().expect("a list");
    let reason = |name: &str| {
        let plugin = plugins.iter().find(|plugin| plugin["name"] == name).expect("it is listed");
        plugin["reason"].as_str().map(str::to_owned)
    };
    assert!(reason(PLUGIN).is_some_and(|reason| reason.contains("manifest.json")), "{plugins:?}");
    assert_eq!(reason("fixture-logger"), None);
    installation.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    assert!(!home.exists());
}

#[test]
fn the_manifests_of_all_plugins_are_good() {
    let installation = Installation::new();
    for name in [
        "streamspace-slack",
        "fixture-counter",
        "fixture-panics",
        "fixture-outbound",
        "fixture-logger",
        "fixture-initializer",
    ] {
        let file = installation.builds().plugin(name).join("manifest.json");
        installation.cli(&["manifest", "check", file.to_str().expect("UTF-8")]).expect(0);
    }
}

#[test]
fn a_configuration_file_is_checked() {
    let installation = Installation::new();
    installation.cli(&["config", "check"]).expect(0);
    let installation = installation.set("events.max_pendign", 7).set("server.address", "nowhere");
    let output = installation.cli(&["config", "check"]).expect(1);
    for word in ["max_pendign", "max_pending", "server.address"] {
        assert!(
            output.stderr.contains(word) || output.stdout.contains(word),
            "`{word}` is missing: {output:?}"
        );
    }
}

#[test]
fn a_command_that_is_none_is_a_usage_error() {
    let installation = Installation::new();
    for arguments in
        [&["plugin"][..], &["plugin", "show"], &["unheard-of"], &["plugin", "list", "--unheard-of"]]
    {
        installation.cli(arguments).expect(2);
    }
    installation.cli(&["--help"]).expect(0);
    installation.cli(&["--version"]).expect(0);
}
