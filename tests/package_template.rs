//! A vendor begins a plugin in a folder outside of this repository, and goes all the way to one that runs in a host.
#![forbid(unsafe_code)]
#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, process::Command, time::Duration};

use serde_json::json;
use streamspace_tests::{Installation, workspace};

const PLUGIN: &str = "streamspace-lamp";
/// A build from nothing, on a machine that does other things as well.
const BUILD: Duration = Duration::from_secs(900);

#[test]
fn a_plugin_that_was_begun_is_built_signed_and_runs() {
    let installation = Installation::new().set("packages.preapproved", vec!["permission:*"]);
    let scratch = installation.scratch();
    let sdk = workspace().join("interface");
    installation.cli(&["package", "new", PLUGIN, "--sdk", sdk.to_str().unwrap()]).expect(0);
    let again = installation.cli(&["package", "new", PLUGIN]).expect(1);
    assert!(again.stderr.contains("SSP-BLD-012"), "{again:?}");

    // What was downloaded and built for this repository's suites will do.
    let settings = scratch.join(PLUGIN).join(".cargo");
    fs::create_dir(&settings).unwrap();
    let target = installation.builds().target.join("tests-vendor");
    let text = format!("[build]\ntarget-dir = '{}'\n[net]\noffline = true\n", target.display());
    fs::write(settings.join("config.toml"), text).unwrap();

    let lint = installation.cli(&["package", "lint", PLUGIN]).expect(0);
    assert!(lint.stdout.contains("Nothing is missing"), "{lint:?}");
    installation.cli(&["package", "keygen", "--no-password"]).expect(0);
    let build = ["package", "build", PLUGIN, "--key", "streamspace.key", "--out", "dist"];
    let status = installation.spawn(&build).wait(BUILD);
    assert!(status.success(), "{status}");
    let package = format!("dist/{PLUGIN}-0.1.0.sspkg");
    installation.cli(&["package", "verify", &package, "--key", "streamspace.key.pub"]).expect(0);

    // Its own tests run, and it does what it says in a host.
    let tested = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| env!("CARGO").into()))
        .args(["test", "--quiet"])
        .current_dir(scratch.join(PLUGIN))
        .output()
        .unwrap();
    assert!(tested.status.success(), "{tested:?}");
    installation.cli(&["trust", "add", "streamspace.key.pub", "--name", "Lamp Ltd."]).expect(0);
    installation.cli(&["plugin", "install", &package, "--yes"]).expect(0);
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.post_event("session.created", &json!({"id": "s1", "user": "ada", "template": "firefox"}));
    host.wait_count(PLUGIN, "greet", "delivered", 1);
    host.stop();
}
