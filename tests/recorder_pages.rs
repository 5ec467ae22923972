//! The recorder's page: who is recorded agrees on it, and who looks after recordings does so there. In a browser, by its buttons.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, NoVnc, PaintedDesktop, password_of};

const PLUGIN: &str = "streamspace-session-recorder";
const BANNER: &str = "<b>This desktop</b> is being recorded.";
/// What users write is shown as they wrote it, and means nothing to the browser.
const REASON: &str = "<img src=x onerror=\"document.title='taken'\">";

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn start() -> Host {
    let installation = Installation::on(&Backend::Sqlite);
    let folder = installation.scratch().join("recordings");
    let config = json!({ "storagePath": folder, "consentBanner": BANNER });
    let host = installation.plugin(PLUGIN, &config).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn sign_in(browser: &mut NoVnc, host: &Host, name: &str, password: &str) {
    browser.go(host, &at("/player"));
    browser.type_into("input[name=username]", name);
    browser.type_into("input[name=password]", password);
    browser.button("Sign in", "");
    browser.wait_text("main", |text| text.contains("Sessions"));
}

fn recordings(host: &Host) -> Vec<Value> {
    host.api().get(&at("/recordings")).expect(200).json()["recordings"].as_array().unwrap().clone()
}

/// The one recording that there is, once it is so.
fn wait(host: &Host, status: &str) -> Value {
    host.wait_for(DEADLINE, &format!("a recording that is {status}"), || {
        recordings(host).into_iter().find(|one| one["status"] == status)
    })
}

#[test]
fn who_is_recorded_is_told_and_agrees_first() {
    let Some(mut browser) = NoVnc::start() else { return };
    let (host, desktop) = (start(), PaintedDesktop::new());
    host.add_user("ada", "user");
    let policy = json!({"name": "asked", "apply_to_users": ["ada"], "require_consent": true});
    let _ = host.api().post_json(&at("/recording-policies"), &policy).expect(201);
    host.run_session("s-1", "ada", desktop.address(), json!({}));

    sign_in(&mut browser, &host, "ada", &password_of("ada"));
    browser.wait_text("main", |text| text.contains("s-1") && text.contains("Do you agree?"));
    assert!(browser.text("main").contains(BANNER), "what is agreed to");
    browser.button("Record", "s-1");
    browser.wait_text("main [role=status]", |said| said.contains("agree first"));
    assert!(recordings(&host).is_empty());

    browser.button("I do not agree", "s-1");
    browser.wait_text("main", |text| text.contains("You do not agree to be recorded."));
    browser.button("I agree", "s-1");
    browser.wait_text("main", |text| text.contains("You have agreed to be recorded."));
    browser.button("Record", "s-1");
    wait(&host, "recording");
    browser.wait_text("main", |text| text.contains("Stop recording"));
    browser.button("Watch", "s-1");
    browser.wait_text("recording-player recording-notice", |text| text.contains(&format!("● {BANNER}")));

    // On the screen that is watched, too: whoever takes it back is not recorded any more.
    browser.button("I do not agree any more", "");
    assert_eq!(wait(&host, "completed")["ended_by"], "consent");
    browser.wait_text("recording-player recording-notice", |text| {
        text.contains("You do not agree") && !text.contains('●')
    });
    // They have no business with what administrators do.
    assert!(!browser.text("main").contains("Policies"));
}

#[test]
fn who_looks_after_recordings_does_so_on_the_page() {
    let Some(mut browser) = NoVnc::start() else { return };
    let (host, desktop) = (start(), PaintedDesktop::new());
    host.add_user("bob", "user");
    host.run_session("s-2", "bob", desktop.address(), json!({}));

    sign_in(&mut browser, &host, "admin", &host.admin_password());
    browser.button("Policies", "");
    browser.button("New policy", "");
    browser.type_into("input[name=name]", "agreed");
    browser.type_into("textarea[name=apply_to_users]", "bob\n");
    browser.tick("input[name=require_approval]");
    browser.button("Make policy", "");
    browser.wait_text("main section", |text| text.contains("agreed") && text.contains("approval"));
    browser.button("Change", "agreed");
    browser.choose("dialog select[name=recording_format]", "vnc");
    browser.button("Save policy", "");
    browser.wait_text("main section", |text| text.contains("vnc"));
    let policies = host.api().get(&at("/recording-policies")).expect(200).json();
    assert_eq!(policies["policies"][0]["apply_to_users"], json!(["bob"]));

    let start = at("/sessions/s-2/recordings/start");
    let asked = host.browser("bob").call("POST", &start, Some(&json!({ "reason": REASON })));
    let _ = asked.expect(202);
    browser.button("To agree to", "");
    let waiting = browser.wait_text("main section", |text| text.contains("s-2"));
    assert!(waiting.contains(REASON) && waiting.contains("bob"), "{waiting}");
    browser.button("Approve", "s-2");
    browser.type_into("dialog input[name=note]", "for support");
    browser.button("Approve it", "");
    browser.wait_text("main section", |text| text.contains("Nobody waits."));
    let id = wait(&host, "recording")["id"].as_str().unwrap().to_owned();
    let approvals = host.api().get(&at("/recording-approvals")).expect(200).json();
    assert_eq!(approvals["approvals"][0]["note"], "for support");

    browser.button("Recordings", "");
    browser.button("Stop recording", "s-2");
    wait(&host, "completed");
    browser.choose("select[name=status]", "failed");
    browser.wait_text("main", |text| text.contains("Nothing was found."));
    browser.choose("select[name=status]", "completed");
    browser.wait_text("main", |text| text.contains(REASON));
    browser.type_into("input[name=search]", "nowhere");
    browser.wait_text("main", |text| text.contains("Nothing was found."));
    for _ in "nowhere".chars() {
        browser.press("Backspace");
    }
    browser.button("Hold", "completed");
    browser.type_into("dialog input[name=reason]", "a claim");
    browser.button("Hold it", "");
    browser.wait_text("main", |text| text.contains("Under legal hold"));
    let held = browser.text("main section:last-of-type tbody");
    assert!(!held.contains("Delete"), "{held}");
    browser.button("Access log", "completed");
    let log = browser.wait_text("dialog", |text| text.contains("hold"));
    assert!(log.contains("stop") && log.contains("a claim") && log.contains("admin"), "{log}");
    browser.button("Close", "");
    browser.button("Lift hold", "completed");
    browser.wait_text("dialog", |text| text.contains("a claim"));
    browser.button("Lift it", "");

    // Its file is made first.
    browser.button("Download", "completed");
    host.wait_for(DEADLINE, "its file to be taken", || {
        let log = host.api().get(&at(&format!("/recordings/{id}/access-log"))).expect(200).json();
        log["access_log"].as_array().unwrap().iter().any(|entry| entry["action"] == "download").then_some(())
    });

    browser.button("Delete", "completed");
    browser.wait_text("dialog", |text| text.contains("gone for good"));
    browser.button("Cancel", "");
    assert_eq!(host.api().get(&at(&format!("/recordings/{id}"))).status, 200, "nothing is deleted unasked");
    browser.button("Delete", "completed");
    browser.button("Delete it", "");
    browser.wait_text("main", |text| text.contains("Nothing was found."));
    assert_eq!(host.api().get(&at(&format!("/recordings/{id}"))).status, 404);
    browser.button("Deleted", "");
    browser.wait_text("main section", |text| text.contains("s-2") && text.contains("somebody asked for it"));
    assert_eq!(browser.text("title"), "Session recordings", "nothing of what users wrote was run");
    browser.button("Sign out", "");
    browser.wait_text("form", |text| text.contains("Password"));
}
