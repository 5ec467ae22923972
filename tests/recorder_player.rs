//! The page on which sessions are watched and recorded and recordings are played, in a browser, with TigerVNC's server as the desktop.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, NoVnc, Xvnc};

const PLUGIN: &str = "streamspace-session-recorder";
const PLAYER: &str = "recording-player";

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn start() -> Host {
    let installation = Installation::on(&Backend::Sqlite);
    let folder = installation.scratch().join("recordings");
    let host = installation.plugin(PLUGIN, &json!({ "storagePath": folder })).start();
    host.wait_state(PLUGIN, "running");
    host
}

/// The recording that there is, once it is in this state and so long.
fn wait(host: &Host, status: &str, seconds: f64) -> Value {
    host.wait_for(DEADLINE, &format!("a recording that is {status}, of {seconds} s"), || {
        let all = host.api().get(&at("/recordings")).expect(200).json();
        let id = all["recordings"][0]["id"].as_str()?.to_owned();
        let found = host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json();
        assert_ne!(found["status"], "failed", "{found}");
        (found["status"] == status && found["duration_seconds"].as_f64()? >= seconds).then_some(found)
    })
}

#[test]
fn a_session_is_watched_recorded_and_played_without_a_console() {
    let (Some(desktop), Some(mut browser)) = (Xvnc::start(640, 400), NoVnc::start()) else { return };
    let host = start();
    desktop.fill("#224466");
    host.run_session("s-1", "admin", &desktop.address(), json!({}));
    let first = desktop.picture();

    // Whoever has the wrong password is told so, and sees nothing.
    browser.go(&host, &at("/player"));
    browser.type_into("input[name=username]", "admin");
    browser.type_into("input[name=password]", "no password");
    browser.button("Sign in", "");
    browser.wait_text("[role=status]", |said| !said.is_empty());
    assert_eq!(browser.text("main"), "");
    browser.go(&host, &at("/player"));
    browser.type_into("input[name=username]", "admin");
    browser.type_into("input[name=password]", &host.admin_password());
    browser.button("Sign in", "");
    browser.wait_text("main", |text| text.contains("s-1"));
    assert!(!browser.text("body").contains("Password"), "the form is gone");

    browser.button("Watch", "s-1");
    browser.wait_text("main", |text| text.contains("Close"));
    let live = browser.until(DEADLINE, |shown| *shown == first);
    assert_eq!(live.differences(&first), 0, "it is watched");
    browser.button("Record", "s-1");
    wait(&host, "recording", 2.0);
    desktop.fill("#884422");
    let last = desktop.picture();
    let live = browser.until(DEADLINE, |shown| *shown == last);
    assert_eq!(live.differences(&last), 0, "it is watched while it is recorded");
    let length = wait(&host, "recording", 0.0)["duration_seconds"].as_f64().unwrap();
    wait(&host, "recording", length + 2.0);
    browser.button("Stop recording", "s-1");
    let recording = wait(&host, "completed", 4.0);
    assert_eq!(recording["created_by"], "admin");
    browser.wait_text("main", |text| text.contains("completed"));
    browser.button("Close", "");

    browser.button("Play", "completed");
    browser.wait_text(PLAYER, |text| text.contains("/ 0:"));
    browser.button("Pause", "");
    browser.wait_text(PLAYER, |text| text.contains("Play"));
    browser.slide("input[type=range]", 0.0);
    let played = browser.until(DEADLINE, |shown| *shown == first);
    assert_eq!(played.differences(&first), 0, "its beginning");
    browser.slide("input[type=range]", 1.0);
    let played = browser.until(DEADLINE, |shown| *shown == last);
    assert_eq!(played.differences(&last), 0, "its end");
    browser.slide("input[type=range]", 0.0);
    browser.wait_text(PLAYER, |text| text.contains("0:00 /"));
    browser.choose(&format!("{PLAYER} select"), "4");
    browser.button("Play", "");
    let played = browser.until(DEADLINE, |shown| *shown == last);
    assert_eq!(played.differences(&last), 0, "it goes on to its end");
    // The same on both sides, by its clock.
    browser.wait_text(PLAYER, |text| {
        let mut words = text.split_whitespace().skip_while(|word| !word.contains(':'));
        words.next().is_some_and(|at| words.next() == Some("/") && words.next() == Some(at))
    });
    browser.button("Close", "");
    browser.wait_text("main", |text| !text.contains("Close"));

    // Somebody else finds nothing of it.
    host.add_user("ada", "user");
    let id = recording["id"].as_str().unwrap();
    assert_eq!(host.browser("ada").get(&at(&format!("/recordings/{id}"))).status, 404);
    let log = host.api().get(&at(&format!("/recordings/{id}/access-log"))).expect(200).json();
    let watched = log["access_log"].as_array().unwrap().iter().any(|entry| entry["action"] == "watched");
    assert!(watched, "{log}");
}
