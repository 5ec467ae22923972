//! Nothing that a compiler is free to choose crosses the interface: plugins and hosts that were built by another
//! compiler, or with other settings, run together.
#![forbid(unsafe_code)]

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use serde_json::{Value, json};
use streamspace_tests::{
    Cargo, Installation, assemble, builds, fixture_host, library_in, run_fixture_host, workspace,
};

const PLUGIN: &str = "fixture-generation";
const HOST: &str = "fixture-host";

/// The folders of the builds, in the target folder.
const FOLDER: &str = "tests-compilers";

/// Quick to build.
const UNOPTIMIZED: [(&str, &str); 2] =
    [("CARGO_PROFILE_PLUGIN_OPT_LEVEL", "0"), ("CARGO_PROFILE_PLUGIN_LTO", "off")];
const OPTIMIZED: [(&str, &str); 2] =
    [("CARGO_PROFILE_PLUGIN_OPT_LEVEL", "3"), ("CARGO_PROFILE_PLUGIN_LTO", "fat")];

/// The directory of the plugin in a build called `name`.
fn package(name: &str, library: &Path) -> PathBuf {
    let package = builds().target.join(FOLDER).join(name).join("packages").join(PLUGIN);
    assemble(&workspace().join("tests/fixtures").join(PLUGIN), library, &package);
    package
}

fn built_with(name: &str, settings: &[(&'static str, &'static str)]) -> PathBuf {
    let cargo = Cargo::new("plugin").target(&format!("{FOLDER}/{name}")).environment(settings);
    package(name, &cargo.build(&[PLUGIN])["fixture_generation"])
}

/// The plugin's directory and `fixture-host`, by a compiler that is not the one of the tests. Nothing where there is
/// none.
fn elsewhere() -> Option<&'static (PathBuf, PathBuf)> {
    static ELSEWHERE: OnceLock<Option<(PathBuf, PathBuf)>> = OnceLock::new();
    ELSEWHERE
        .get_or_init(|| {
            let Some(toolchain) = other_toolchain() else {
                // Not `println!`, of which nobody sees anything when the tests pass.
                let _ = writeln!(io::stderr(), "Skipped: rustup has no other compiler that is new enough.");
                return None;
            };
            let name = format!("{FOLDER}/{toolchain}");
            let cargo = Cargo::new("plugin").target(&name).toolchain(&toolchain).environment(&UNOPTIMIZED);
            let built = cargo.build(&[PLUGIN, HOST]);
            Some((package(&toolchain, &built["fixture_generation"]), built[HOST].clone()))
        })
        .as_ref()
}

fn other_toolchain() -> Option<String> {
    let rustup = |arguments: &[&str]| {
        let output = Command::new("rustup").args(arguments).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let this = this_compiler();
    let (major, minor) = version(env!("CARGO_PKG_RUST_VERSION"))?;
    rustup(&["toolchain", "list"])?
        .lines()
        .filter_map(|line| line.split_whitespace().next())
        .find(|toolchain| {
            let found = rustup(&["run", toolchain, "rustc", "--version"]).unwrap_or_default();
            let number = found.split_whitespace().nth(1).and_then(version);
            found != this && number >= Some((major, minor))
        })
        .map(str::to_owned)
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut numbers = text.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// What `rustc --version` says of the compiler that the tests build plugins with.
fn this_compiler() -> String {
    let said = run(fixture_host(), builds().plugin(PLUGIN));
    said["rustc"].as_str().expect("every plugin says it").to_owned()
}

/// What the plugin in `package` says after a life in a `fixture-host`.
#[track_caller]
fn run(host: &Path, package: &Path) -> Value {
    let said = run_fixture_host(host, &[], &[&library_in(package)])[0]["said"].take();
    assert_eq!((said["name"].as_str(), &said["failed"]), (Some(PLUGIN), &Value::Null), "{said}");
    assert_eq!(said["emitted"].as_array().map(Vec::len), Some(2), "{said}");
    said
}

/// The real host installs the plugin in `package`, runs it, and gives it an event.
fn run_for_real(package: &Path) {
    let installation = Installation::new();
    installation.install(package).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.post_event("test.generation", &json!({"number": 1}));
    host.wait_count(PLUGIN, "say", "delivered", 1);
    let line = host.logged("the plugin to have handled", |line| line.message() == "Handled.");
    assert_eq!(line.field("not_emitted"), &Value::Null, "{}", line.raw);
    host.stop();
}

#[test]
fn a_plugin_of_another_compiler_runs_in_the_host() {
    if let Some((package, _)) = elsewhere() {
        run_for_real(package);
    }
}

#[test]
fn hosts_and_plugins_of_two_compilers_run_in_every_pairing() {
    let Some((theirs, their_host)) = elsewhere() else { return };
    let ours = builds().plugin(PLUGIN);
    let this = this_compiler();
    for host in [fixture_host(), their_host] {
        assert_eq!(run(host, ours)["rustc"], *this);
        assert_ne!(run(host, theirs)["rustc"], *this);
        // And both in one process.
        let said = run_fixture_host(host, &[], &[&library_in(ours), &library_in(theirs)]);
        assert!(said.iter().all(|said| said["said"]["name"] == PLUGIN), "{said:?}");
    }
}

#[test]
fn a_plugin_that_is_not_optimized_runs_in_the_host() {
    run_for_real(&built_with("opt-0-lto-off", &UNOPTIMIZED));
}

#[test]
fn a_plugin_that_is_optimized_as_a_whole_runs_in_the_host() {
    run_for_real(&built_with("opt-3-lto-fat", &OPTIMIZED));
}
