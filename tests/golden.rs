//! Plugins that were built once, long ago, are loaded by the host of today and work: the promise of `docs/abi.md`.
//!
//! What is loaded are the libraries in `tests/golden/`, as they are in the repository, never fresh builds.
#![forbid(unsafe_code)]
// They are built for one target.
#![cfg(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu"))]

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use streamspace_tests::{Host, Installation, LogLine, Provider, Reply, workspace};

const EVERY: &str = "golden-every";

/// The folders of all golden plugins, by name.
fn folders() -> Vec<PathBuf> {
    let entries = fs::read_dir(workspace().join("tests/golden")).expect("a folder");
    let mut folders: Vec<PathBuf> = entries.map(|entry| entry.expect("an entry").path()).collect();
    folders.retain(|path| path.is_dir());
    folders.sort();
    assert!(folders.len() >= 2, "{folders:?}");
    folders
}

fn facts(folder: &std::path::Path) -> Value {
    let path = folder.join("built.json");
    let text = fs::read(&path).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
    serde_json::from_slice(&text).unwrap_or_else(|why| panic!("{}: {why}", path.display()))
}

/// A host with all of them, and where the plugin that sends HTTP sends it to.
fn start() -> (Host, Provider) {
    let provider = Provider::https(&["golden.test"]);
    let installation = Installation::new().provider(&provider, &["golden.test"]);
    for folder in folders() {
        installation.cli(&["plugin", "install", folder.to_str().expect("UTF-8")]).expect(0);
    }
    installation.configure(EVERY, &json!({"token": "g0ldenSecret"})).expect(0);
    let host = installation.start();
    for folder in folders() {
        host.wait_state(folder.file_name().and_then(|name| name.to_str()).expect("a name"), "running");
    }
    (host, provider)
}

fn configure(host: &Host, patch: &Value) {
    let _ = host.api().patch(&format!("/api/v1/plugins/{EVERY}/config"), patch).expect(200);
}

fn said(host: &Host, message: &str) -> LogLine {
    host.logged(message, |line| line.is_of(EVERY) && line.message() == message)
}

fn done(host: &Host, what: &str) -> LogLine {
    host.logged(what, |line| line.message() == "Golden: done." && line.text("what") == what)
}

#[test]
fn a_golden_plugin_is_the_one_that_was_built() {
    for folder in folders() {
        let facts = facts(&folder);
        let library = folder.join(facts["library"].as_str().expect("`library`"));
        let bytes = fs::read(&library).expect("a library");
        let hash: String = Sha256::digest(&bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(
            facts["sha256"],
            hash,
            "{} was replaced: there is one build of each, ever (docs/abi.md)",
            library.display()
        );
        let text = String::from_utf8_lossy(&bytes);
        for path in ["/root/", "/home/", workspace().to_str().expect("UTF-8")] {
            assert!(!text.contains(path), "{} has paths of the machine that built it", library.display());
        }
    }
}

#[test]
fn this_host_admits_each_by_its_file() {
    let installation = Installation::new();
    for folder in folders() {
        let built = facts(&folder);
        let library = folder.join(built["library"].as_str().expect("`library`"));
        let library = library.to_str().expect("UTF-8");
        let shown = installation.cli(&["plugin", "inspect", library, "--json"]).expect(0).json();
        assert_eq!(shown["refusal"], Value::Null, "{shown}");
        assert_eq!(shown["facts"]["rustc"], built["rustc"], "{shown}");
    }
}

#[test]
fn a_golden_plugin_lives_through_its_life() {
    let (host, _provider) = start();
    let line = said(&host, "Golden: load.");
    assert_eq!((line.text("name"), line.text("greeting")), (EVERY, "hello"), "{}", line.raw);
    said(&host, "Golden: enable.");
    // Taken over by the instance that runs, and then by a new one.
    configure(&host, &json!({"greeting": "good day"}));
    assert_eq!(said(&host, "Golden: configure.").text("greeting"), "good day");
    configure(&host, &json!({"greeting": "start anew"}));
    host.logged("a new instance", |line| {
        line.message() == "Golden: load." && line.text("greeting") == "start anew"
    });
    host.cli(&["plugin", "disable", EVERY]).expect(0);
    said(&host, "Golden: disable.");
    said(&host, "Golden: unload.");
    host.cli(&["plugin", "enable", EVERY]).expect(0);
    host.wait_state(EVERY, "running");
    for folder in folders() {
        let name = folder.file_name().and_then(|name| name.to_str()).expect("a name").to_owned();
        host.cli(&["plugin", "uninstall", &name]).expect(0);
    }
    host.stop();
}

#[test]
fn a_golden_plugin_logs() {
    let (host, _provider) = start();
    host.post_event("golden.log", &Value::Null);
    let line = said(&host, "Golden: log.");
    assert!(line.level().eq_ignore_ascii_case("warning"), "{}", line.raw);
    assert_eq!(
        (line.text("text"), line.field("number"), line.field("float"), line.field("flag")),
        ("a \"text\"", &json!(7), &json!(0.5), &json!(true)),
        "{}",
        line.raw
    );
    said(&host, "Golden: debug.");
    said(&host, "Golden: through the log crate.");
    let config = said(&host, "Golden: config.");
    assert_eq!((config.text("greeting"), config.text("token")), ("hello", "[secret]"), "{}", config.raw);
    host.post_event("golden.thread", &Value::Null);
    said(&host, "Golden: from a thread.");
    host.logged("the panic of its thread", |line| line.contains("golden panic of a thread"));
    assert!(!host.everything_said().contains("g0ldenSecret"));
}

#[test]
fn a_golden_plugin_consumes_and_emits() {
    let (host, _provider) = start();
    host.post_event("golden.emit", &json!({"n": 1}));
    let emitted = said(&host, "Golden: emitted.");
    let answered = said(&host, "Golden: answered.");
    assert_eq!(answered.text("id"), emitted.text("id"));
    assert_eq!(
        (answered.text("topic"), answered.text("source"), answered.text("subject"), answered.text("data")),
        ("plugin.golden-every.answer", "plugin:golden-every", "a subject", r#"{"asked":{"n":1}}"#),
        "{}",
        answered.raw
    );
    assert_eq!(answered.field("attempt"), 1);

    host.post_event("golden.retry", &Value::Null);
    assert_eq!(done(&host, "retry").field("attempt"), 2);
    host.post_event("golden.defer", &Value::Null);
    assert_eq!(done(&host, "defer").field("attempt"), 1);
    host.post_event("golden.reject", &Value::Null);
    host.wait_count(EVERY, "asked", "dead", 1);
    host.post_event("golden.panic", &Value::Null);
    host.wait_count(EVERY, "asked", "dead", 2);
    let letters = host.wait_dead_letters(EVERY, 2)["dead_letters"].clone();
    assert!(letters.to_string().contains("golden panic"), "{letters}");
    host.post_event("golden.alive", &Value::Null);
    done(&host, "alive");
}

#[test]
fn a_golden_plugin_sends_http() {
    let (host, provider) = start();
    provider.reply(Reply::new(201).header("X-Answer", "42").body("made"));
    host.post_event("golden.http", &json!({"url": "https://golden.test/path"}));
    let line = said(&host, "Golden: http.");
    assert_eq!(
        (line.field("status"), line.text("body"), line.text("header")),
        (&json!(201), "made", "42"),
        "{}",
        line.raw
    );
    let request = provider.requests().remove(0);
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/path"));
    assert_eq!((request.header("x-golden"), request.json()), ("yes", json!({"golden": true})));
    host.post_event("golden.http", &json!({"url": "https://elsewhere.test/"}));
    let refused = said(&host, "Golden: http failed.");
    assert!(refused.text("error").contains("elsewhere.test"), "{}", refused.raw);
}
