//! Taps and plugins that fail, hang, go and come, while viewers stay.

use serde_json::json;
use streamspace_tests::{DEADLINE, Desktop, Installation, LogLine};

use crate::{
    plugin::{DETACHED, ENDED, FAILED, LEFT, PLUGIN, is_whole, mode, seen, start, wait_closed, wait_seen},
    viewed::Viewed,
};

#[test]
fn a_tap_that_fails_loses_its_stream_and_nobody_else_does() {
    let desktop = Desktop::new();
    let host = start();
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    mode(&host, "gap", "fail");
    viewed.show(&[1; 100]);
    let seen = wait_closed(&host, "gap", FAILED);
    assert_eq!(seen["closed"]["reason"], "asked to fail");
    let failed = host.logged("the failure", |line| line.message().contains("A tap failed"));
    assert_eq!(failed.text("reason"), "asked to fail");
    viewed.show(&[2; 100]);
    viewed.point(1);

    // A panic in a chunk, and one at the beginning of a stream.
    for asked in ["panic", "panic-open"] {
        mode(&host, "gap", asked);
        let mut other = Viewed::open(&host, "s-1", &desktop);
        let _ = host.logged("the panic", |line| line.message().contains("A tap panicked"));
        other.show(&[3; 100_000]);
        other.point(2);
    }
    host.wait_for(DEADLINE, "two panics", || {
        let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
        (health["panics"] == 2).then_some(())
    });
    // One that has enough.
    mode(&host, "gap", "leave");
    let mut other = Viewed::open(&host, "s-1", &desktop);
    let _ = wait_closed(&host, "gap", LEFT);
    other.show(&[4; 100]);
    viewed.show(&[5; 100]);
    mode(&host, "gap", "follow");
    let good = Viewed::open(&host, "s-1", &desktop);
    let (to_viewer, _) = good.leave();
    let seen = wait_closed(&host, "gap", ENDED);
    is_whole(&seen["to_viewer"], &to_viewer);
}

#[test]
fn a_plugin_goes_and_comes_while_viewers_stay() {
    let desktop = Desktop::new();
    let host = start();
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    let _ = wait_seen(&host, "gap", "the stream", |_| true);
    let path = format!("/api/v1/plugins/{PLUGIN}");
    let _ = host.api().post(&format!("{path}/disable")).expect(200);
    host.wait_state(PLUGIN, "disabled");
    let closed = |line: &LogLine| line.message() == "A stream was closed." && line.field("kind") == DETACHED;
    let _ = host.logged("the end for the tap", closed);
    viewed.show(&[2; 100_000]);
    viewed.point(1);

    let _ = host.api().post(&format!("{path}/enable")).expect(200);
    host.wait_state(PLUGIN, "running");
    viewed.show(&[3; 100_000]);
    assert!(seen(&host, "gap").is_empty(), "a stream that ran is joined, not tapped");
    let (to_viewer, to_desktop) = Viewed::open(&host, "s-1", &desktop).leave();
    let taken = wait_closed(&host, "gap", ENDED);
    is_whole(&taken["to_viewer"], &to_viewer);
    is_whole(&taken["to_desktop"], &to_desktop);

    // Another configuration: this plugin is started anew for it.
    host.configure(PLUGIN, &json!({})).expect(0);
    host.wait_state(PLUGIN, "running");
    viewed.show(&[4; 100_000]);
    let (to_viewer, _) = Viewed::open(&host, "s-1", &desktop).leave();
    is_whole(&wait_closed(&host, "gap", ENDED)["to_viewer"], &to_viewer);
    assert!(host.stop().status.success());
}

#[test]
fn a_tap_that_hangs_keeps_its_plugin_from_stopping_and_nobody_from_looking() {
    let desktop = Desktop::new();
    let installation = Installation::new()
        .set("plugins.drain_deadline_secs", 1)
        .set("plugins.handler_deadline_secs", 1)
        .plugin(PLUGIN, &json!({}));
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    host.run_session("s-1", "ada", &desktop.address(), json!({}));
    mode(&host, "gap", "hold");
    let mut viewed = Viewed::open(&host, "s-1", &desktop);
    let hangs = host.logged("the hanging tap", |line| line.message() == "A handler hangs.");
    assert_eq!(hangs.text("tap"), "gap");
    let health = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/health")).expect(200).json();
    assert_eq!(
        (&health["hanging"][0]["kind"], &health["hanging"][0]["name"]),
        (&json!("tap"), &json!("gap"))
    );
    let _ = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/disable"));
    let failed = host.wait_state(PLUGIN, "failed");
    assert!(failed["reason"].as_str().unwrap().contains("`gap`"), "{failed}");
    viewed.show(&[1; 1_000_000]);
    viewed.point(1);
    let mut other = Viewed::open(&host, "s-1", &desktop);
    other.show(&[2; 1000]);
}
