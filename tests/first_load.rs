//! The first load of a library happens in a child process: one that crashes or hangs there is refused, and is not tried
//! again until the operator says so.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]

use std::{
    fs,
    path::{Path, PathBuf},
    time::SystemTime,
};

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use streamspace_tests::{Answer, DEADLINE, Folder, Host, Installation, replace, wait_for};

const PLUGIN: &str = "fixture-initializer";
const OTHER: &str = "fixture-counter";
/// Longer than any test waits: who waits for it has hung.
const FOR_EVER: i64 = 600;

/// What the fixture does when it is loaded, by the digit in its file.
#[derive(Clone, Copy)]
enum Mode {
    CrashesAtOnce = 1,
    Aborts = 2,
    Exits = 3,
    Hangs = 4,
    StartsProcess = 5,
    StartsProcessAndCrashes = 6,
    CrashesAtItsEnd = 7,
    HangsAtItsEnd = 8,
}

fn folder(installation: &Installation, mode: Mode) -> Folder {
    let folder = installation.copy(PLUGIN, &format!("mode-{}", mode as u8));
    folder.change(|library| {
        replace(library, "INITIALIZER-MODE:0", &format!("INITIALIZER-MODE:{}", mode as u8))
    });
    folder
}

/// How long the process sleeps that a library of this installation starts: by this it is found.
fn seconds(installation: &Installation) -> String {
    let path = installation.scratch().to_str().expect("UTF-8");
    let number =
        Sha256::digest(path).iter().take(4).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:010}")
}

/// The processes that a library of this installation started and that are there still.
fn started(installation: &Installation) -> Vec<String> {
    let wanted = format!("sleep\0{}\0", seconds(installation));
    let processes = fs::read_dir("/proc").expect("processes").filter_map(Result::ok);
    let commands = processes.filter_map(|process| fs::read_to_string(process.path().join("cmdline")).ok());
    commands.filter(|command| command.ends_with(&wanted)).collect()
}

fn hash(folder: &Folder) -> String {
    Sha256::digest(folder.bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn verdict(installation: &Installation, hash: &str) -> PathBuf {
    installation.data().join("verdicts").join(format!("{hash}.json"))
}

fn read(file: &Path) -> Value {
    serde_json::from_slice(&fs::read(file).expect("the file")).expect("JSON")
}

fn post(host: &Host, folder: &Folder) -> Answer {
    host.api().post_json("/api/v1/plugins", &json!({"path": folder.path()}))
}

fn blocked(installation: &Installation) -> Vec<Value> {
    let listing = installation.cli(&["plugin", "blocked", "--json"]).expect(0).json();
    listing["libraries"].as_array().expect("a list").clone()
}

/// A running host that gives a first load this many seconds, with another plugin that was tried before.
fn start(probe_deadline_secs: i64) -> Host {
    let installation = Installation::new().plugin(OTHER, &json!({}));
    let host = installation.set("plugins.probe_deadline_secs", probe_deadline_secs).start();
    host.wait_state(OTHER, "running");
    host
}

/// Nothing of the plugin stayed, and the other one works.
fn the_host_is_as_before(host: Host) -> Installation {
    let plugins = host.api().get("/api/v1/plugins").expect(200).json();
    assert_eq!(plugins["plugins"].as_array().map(Vec::len), Some(1), "{plugins}");
    assert!(!host.data().join("plugins").join(PLUGIN).exists(), "something is left");
    let before = host.consumer(OTHER, "count")["delivered"].as_u64().unwrap_or_default();
    host.post_event("test.count", &json!({"n": 1}));
    host.wait_count(OTHER, "count", "delivered", before + 1);
    host.stop().installation
}

/// A library that does this is refused, with these words in what was found, and is blocked.
#[track_caller]
fn refused(probe_deadline_secs: i64, mode: Mode, code: &str, rule: &str, found: &[&str]) {
    let host = start(probe_deadline_secs);
    let folder = folder(&host, mode);
    folder.change(|library| replace(library, "SECONDS:0000000000", &format!("SECONDS:{}", seconds(&host))));
    let problem = post(&host, &folder).refusal(code);
    assert_eq!((&problem["plugin"], &problem["rule"]), (&json!(PLUGIN), &json!(rule)), "{problem}");
    for word in found {
        assert!(problem["found"].as_str().is_some_and(|found| found.contains(word)), "`{word}`: {problem}");
    }
    assert!(problem["detail"].as_str().is_some_and(|detail| detail.contains(folder.path())), "{problem}");
    let hash = hash(&folder);
    let unblock = format!("plugin unblock {}", &hash[..12]);
    assert!(problem["action"].as_str().is_some_and(|action| action.contains(&unblock)), "{problem}");
    wait_for(DEADLINE, "the processes of the library to end", || started(&host).is_empty().then_some(()));
    is_listed(&host, &hash, code, found);
    let installation = the_host_is_as_before(host);

    // A host that does not run knows it too, and answers from its list.
    is_listed(&installation, &hash, code, found);
    let again = installation.set("plugins.probe_deadline_secs", FOR_EVER);
    let output = again.cli(&["plugin", "install", folder.path()]).expect(1);
    assert!(output.stderr.contains(&format!("({code})")), "{output:?}");
    again.cli(&["plugin", "unblock", &hash]).expect(0);
    assert!(blocked(&again).is_empty());
}

/// In JSON and in words.
#[track_caller]
fn is_listed(installation: &Installation, hash: &str, code: &str, found: &[&str]) {
    let listed = blocked(installation);
    let [library] = listed.as_slice() else { panic!("not one library: {listed:?}") };
    for (member, value) in [("hash", hash), ("plugin", PLUGIN), ("code", code)] {
        assert_eq!(library[member], value, "{library}");
    }
    assert!(library["blocked_at"].as_str().is_some_and(|time| time.ends_with('Z')), "{library}");
    let words = installation.cli(&["plugin", "blocked"]).expect(0).stdout;
    for word in [&hash[..12], PLUGIN, code].iter().chain(found) {
        assert!(words.contains(word), "`{word}` is missing: {words}");
    }
    for word in found {
        assert!(
            library["reason"].as_str().is_some_and(|reason| reason.contains(word)),
            "`{word}`: {library}"
        );
    }
}

#[test]
fn one_that_crashes_when_it_is_loaded() {
    let found = ["initializers", "signal: 11"];
    refused(FOR_EVER, Mode::CrashesAtOnce, "SSP-LIB-016", "survivable", &found);
}

#[test]
fn one_that_aborts_when_it_is_loaded() {
    let found = ["initializers", "signal: 6"];
    refused(FOR_EVER, Mode::Aborts, "SSP-LIB-016", "survivable", &found);
}

#[test]
fn one_that_ends_the_process_as_if_all_were_well() {
    let found = ["initializers", "exit status: 0"];
    refused(FOR_EVER, Mode::Exits, "SSP-LIB-016", "survivable", &found);
}

#[test]
fn one_that_crashes_when_the_process_ends() {
    let found = ["finalizers", "signal: 11"];
    refused(FOR_EVER, Mode::CrashesAtItsEnd, "SSP-LIB-016", "survivable", &found);
}

#[test]
fn one_that_crashes_and_leaves_a_process_with_its_output() {
    let found = ["initializers", "signal: 11"];
    refused(FOR_EVER, Mode::StartsProcessAndCrashes, "SSP-LIB-016", "survivable", &found);
}

#[test]
fn one_that_hangs_when_it_is_loaded() {
    refused(1, Mode::Hangs, "SSP-LIB-017", "timely", &["within 1 s"]);
}

#[test]
fn one_that_hangs_when_the_process_ends() {
    refused(1, Mode::HangsAtItsEnd, "SSP-LIB-017", "timely", &["within 1 s"]);
}

#[test]
fn a_process_that_it_starts_is_ended_and_not_waited_for() {
    let host = start(FOR_EVER);
    let folder = folder(&host, Mode::StartsProcess);
    folder.change(|library| replace(library, "SECONDS:0000000000", &format!("SECONDS:{}", seconds(&host))));
    let plugin = post(&host, &folder).expect(201).json();
    assert_eq!(plugin["state"], "running", "{plugin}");
    wait_for(DEADLINE, "the processes of the library to end", || started(&host).is_empty().then_some(()));
    assert!(blocked(&host).is_empty());
    host.stop();
}

#[test]
fn what_is_blocked_is_refused_from_the_list_until_it_is_unblocked() {
    let host = start(1);
    let folder = folder(&host, Mode::Hangs);
    post(&host, &folder).refusal("SSP-LIB-017");
    let hash = hash(&folder);
    let verdict = verdict(&host, &hash);
    let first = read(&verdict);

    // Another try would not end.
    let host = host.stop().installation.set("plugins.probe_deadline_secs", FOR_EVER).start();
    let problem = post(&host, &folder).refusal("SSP-LIB-017");
    assert!(problem["found"].as_str().is_some_and(|found| found.contains("within 1 s")), "{problem}");
    assert_eq!(read(&verdict), first);

    let host = host.stop().installation.set("plugins.probe_deadline_secs", 2).start();
    let freed = host.cli(&["plugin", "unblock", &hash[..8].to_uppercase()]).expect(0);
    assert!(freed.stdout.contains(&hash), "{freed:?}");
    assert!(!verdict.exists() && blocked(&host).is_empty());
    let problem = post(&host, &folder).refusal("SSP-LIB-017");
    assert!(
        problem["found"].as_str().is_some_and(|found| found.contains("within 2 s")),
        "it was not tried: {problem}"
    );
    the_host_is_as_before(host);
}

#[test]
fn only_the_one_that_is_named_is_unblocked() {
    let host = start(FOR_EVER);
    let folders = [Mode::CrashesAtOnce, Mode::Aborts].map(|mode| folder(&host, mode));
    for folder in &folders {
        post(&host, folder).refusal("SSP-LIB-016");
    }
    let hashes = folders.map(|folder| hash(&folder));
    let path = |hash: &str| format!("/api/v1/blocked-libraries/{hash}");

    // On a running host.
    let api = host.api();
    let short = api.delete(&path(&hashes[0][..7])).problem(&[422]);
    assert_eq!(short["code"], "SSP-LIB-103", "{short}");
    for unknown in ["ffffffffffff", "..%2f..%2fadmin.token", "nothing"] {
        let problem = api.delete(&path(unknown)).problem(&[404]);
        assert_eq!(problem["code"], "SSP-LIB-102", "{problem}");
    }
    let output = host.cli(&["plugin", "unblock", &hashes[0][..1]]).expect(1);
    assert!(output.stderr.contains("(SSP-LIB-103)"), "{output:?}");
    let listing = api.get("/api/v1/blocked-libraries").expect(200).json();
    let listed: Vec<&str> = listing["libraries"]
        .as_array()
        .expect("a list")
        .iter()
        .filter_map(|library| library["hash"].as_str())
        .collect();
    assert_eq!(listed, hashes, "in the order of time");
    let freed = api.delete(&path(&hashes[0])).expect(200).json();
    assert_eq!((&freed["hash"], &freed["plugin"]), (&json!(hashes[0]), &json!(PLUGIN)));
    api.delete(&path(&hashes[0])).problem(&[404]);
    let installation = the_host_is_as_before(host);

    // On a stopped one.
    for (given, code) in [(&hashes[1][..7], "SSP-LIB-103"), (&hashes[0], "SSP-LIB-102")] {
        let output = installation.cli(&["plugin", "unblock", given]).expect(1);
        assert!(output.stderr.contains(&format!("({code})")), "{output:?}");
    }
    let freed = installation.cli(&["plugin", "unblock", "--json", &hashes[1][..12]]).expect(0).json();
    assert_eq!(freed["hash"], json!(hashes[1]));
    assert!(installation.cli(&["plugin", "blocked"]).expect(0).stdout.contains("No library is blocked."));
}

#[test]
fn a_library_that_loaded_is_not_tried_again() {
    let installation = Installation::new().plugin(OTHER, &json!({}));
    let verdict = verdict(&installation, &hash(&installation.copy(OTHER, "same")));
    let tried = |file: &Path| -> (SystemTime, Value) {
        (fs::metadata(file).and_then(|file| file.modified()).expect("its time"), read(file))
    };
    let first = tried(&verdict);
    assert_eq!(first.1["blocked"], Value::Null);
    let host = installation.start();
    host.wait_state(OTHER, "running");
    assert_eq!(tried(&verdict), first);

    // Its content counts, and not its place.
    host.cli(&["plugin", "uninstall", OTHER]).expect(0);
    let _ = post(&host, &host.copy(OTHER, "elsewhere")).expect(201);
    host.wait_state(OTHER, "running");
    assert_eq!(tried(&verdict), first);
}

#[test]
fn a_library_that_another_version_of_the_host_loaded_is_tried_again() {
    let installation = Installation::new().plugin(OTHER, &json!({}));
    let verdict = verdict(&installation, &hash(&installation.copy(OTHER, "same")));
    let first = read(&verdict);
    let mut older = first.clone();
    older["host"] = json!("0.0.1");
    fs::write(&verdict, older.to_string()).expect("it is written");
    let host = installation.start();
    host.wait_state(OTHER, "running");
    let again = read(&verdict);
    assert_eq!(again["host"], first["host"]);
    assert_ne!(again["at"], first["at"], "{again}");
}

#[test]
fn a_plugin_that_is_blocked_later_does_not_start_and_others_do() {
    let installation = Installation::new().plugin(OTHER, &json!({})).plugin(PLUGIN, &json!({}));
    let hash = hash(&installation.copy(PLUGIN, "same"));
    let verdict = verdict(&installation, &hash);
    let mut blocks = read(&verdict);
    blocks["blocked"] = json!({
        "rule": "survivable", "file": "/elsewhere/libfixture_initializer.so", "plugin": PLUGIN,
        "expected": "a library that loads", "found": "that it ended by signal 4", "hash": hash,
    });
    fs::write(&verdict, blocks.to_string()).expect("it is written");

    let host = installation.start();
    host.wait_state(OTHER, "running");
    let plugin = host.wait_state(PLUGIN, "failed");
    let reason = plugin["reason"].as_str().unwrap_or_default();
    for word in ["SSP-LIB-016", "signal 4", &format!("plugin unblock {}", &hash[..12])] {
        assert!(reason.contains(word), "`{word}` is missing: {plugin}");
    }
    assert!(!reason.contains("/elsewhere/"), "it is not there: {plugin}");
    assert_eq!(plugin["enabled"], true, "{plugin}");

    host.cli(&["plugin", "unblock", &hash[..12]]).expect(0);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    host.wait_state(PLUGIN, "running");
    assert_eq!(read(&verdict)["blocked"], Value::Null, "it was tried again");
    host.stop();
}

#[test]
fn a_verdict_that_is_damaged_is_none_and_the_library_is_tried_again() {
    let installation = Installation::new().plugin(OTHER, &json!({})).plugin(PLUGIN, &json!({}));
    let verdict = verdict(&installation, &hash(&installation.copy(PLUGIN, "same")));
    fs::write(&verdict, "{").expect("it is written");
    let output = installation.cli(&["plugin", "blocked"]).expect(0);
    assert!(output.stdout.contains("No library is blocked"), "{output:?}");

    let host = installation.start();
    host.wait_state(OTHER, "running");
    host.wait_state(PLUGIN, "running");
    assert_eq!(read(&verdict)["blocked"], Value::Null, "it was tried again");
    host.stop();
}

#[test]
fn a_library_that_crashes_leaves_no_core_dump() {
    // The host would have one written to where it was started, if that is how the system does it.
    let most = getrlimit(Resource::Core).maximum;
    setrlimit(Resource::Core, Rlimit { current: most, maximum: most }).expect("a limit");
    let host = start(FOR_EVER);
    let folder = folder(&host, Mode::CrashesAtOnce);
    post(&host, &folder).refusal("SSP-LIB-016");
    let left: Vec<PathBuf> = fs::read_dir(host.scratch())
        .expect("the folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("core")))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}
