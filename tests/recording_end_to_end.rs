//! A session is recorded and played again, with parts that were not written here at every end: TigerVNC's server, noVNC in Chromium,
//! FFmpeg.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::Duration,
};

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, NoVnc, Picture, Xvnc};

const PLUGIN: &str = "streamspace-session-recorder";

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn start() -> (Host, PathBuf) {
    let installation = Installation::on(&Backend::Sqlite);
    let folder = installation.scratch().join("recordings");
    let host = installation.plugin(PLUGIN, &json!({ "storagePath": folder })).start();
    host.wait_state(PLUGIN, "running");
    (host, folder)
}

/// A terminal on which lines come one after the other, and then stand. There is a file then.
fn write_lines(desktop: &mut Xvnc, written: &Path) {
    let script = format!(
        "for n in $(seq 40); do ls -l /usr/bin | tail -n $n | head -n 3; sleep 0.1; done; echo over; touch {}; sleep 600",
        written.display()
    );
    desktop.run("xterm", &["-geometry", "70x20+20+20", "-e", &script]);
}

fn wait_status(host: &Host, id: &str, status: &str) -> Value {
    host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
        let found = host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json();
        assert_ne!(found["status"], "failed", "{found}");
        (found["status"] == status).then_some(found)
    })
}

/// What is on the screen when it has not changed for a second.
fn still(desktop: &Xvnc) -> Picture {
    let mut last = desktop.picture();
    for _ in 0..60 {
        thread::sleep(Duration::from_secs(1));
        let next = desktop.picture();
        if next == last {
            return next;
        }
        last = next;
    }
    panic!("the screen does not come to rest")
}

/// Has a file made of a recording. Answers where it is.
fn exported(host: &Host, folder: &Path, id: &str, format: &str) -> PathBuf {
    let _ = host
        .api()
        .post_json(&at(&format!("/recordings/{id}/exports")), &json!({ "format": format }))
        .expect(202);
    host.wait_for(Duration::from_secs(120), &format!("the recording as {format}"), || {
        let all = host.api().get(&at(&format!("/recordings/{id}/exports"))).expect(200).json();
        let made =
            all["exports"].as_array().unwrap().iter().find(|made| made["format"] == format).unwrap().clone();
        assert_ne!(made["status"], "failed", "{made}");
        (made["status"] == "done").then_some(())
    });
    let path = at(&format!("/recordings/{id}/download?format={format}"));
    let part = host.api().send("GET", &path, &[("Range", "bytes=0-3")], None);
    assert_eq!((part.status, part.header("content-length")), (206, Some("4")), "it comes in ranges");
    folder.join("exports").join(format!("{id}.{}", if format == "webm" { "webm" } else { "fbs" }))
}

fn replay(viewer: &mut NoVnc, host: &Host, id: &str, name: &str) -> (usize, usize) {
    let body = json!({ "path": format!("/recordings/{id}/replay") });
    let ticket = host.api().post_json(&format!("/api/v1/plugins/{PLUGIN}/tickets"), &body).expect(201).json();
    let path = ticket["path"].as_str().unwrap();
    viewer.open(host, &format!("{path}&name={name}"))
}

fn steer(host: &Host, id: &str, name: &str, order: &Value) -> Value {
    host.api().post_json(&at(&format!("/recordings/{id}/replays/{name}")), order).expect(202).json()
}

#[test]
fn what_was_on_the_screen_is_played_again_to_the_pixel() {
    let (Some(mut desktop), Some(mut viewer)) = (Xvnc::start(640, 400), NoVnc::start()) else { return };
    let (host, folder) = start();
    desktop.fill("#224466");
    host.run_session("s-1", "admin", &desktop.address(), json!({}));

    // Recorded while somebody looks on, and something moves.
    let ticket = host.api().post("/api/v1/sessions/s-1/tickets").expect(201).json();
    assert_eq!(viewer.open(&host, ticket["path"].as_str().unwrap()), (640, 400));
    let wish = json!({"reason": "user_request"});
    let begun = host.api().post_json(&at("/sessions/s-1/recordings/start"), &wish).expect(201).json();
    let id = begun["recording_id"].as_str().unwrap().to_owned();
    wait_status(&host, &id, "recording");
    let empty = still(&desktop);
    let written = host.scratch().join("written");
    write_lines(&mut desktop, &written);
    host.wait_for(DEADLINE, "a terminal with all its lines", || {
        (written.exists() && desktop.picture().differences(&empty) > 5_000).then_some(())
    });
    let last = still(&desktop);
    let live = viewer.until(DEADLINE, |shown| *shown == last);
    assert_eq!(
        live.differences(&last),
        0,
        "the viewer sees what is there, but at {:?}",
        live.first_difference(&last)
    );
    viewer.close();
    let _ = host.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
    let recording = wait_status(&host, &id, "completed");
    let seconds = recording["duration_seconds"].as_f64().unwrap();
    assert!(seconds > 4.0, "{recording}");

    // Played quickly: what stands at its end is what stood there.
    assert_eq!(replay(&mut viewer, &host, &id, "one"), (640, 400));
    let _ = steer(&host, &id, "one", &json!({"speed": 16.0}));
    let played = viewer.until(DEADLINE, |shown| *shown == last);
    assert_eq!(played.differences(&last), 0);
    // Back to the beginning, and to the end again.
    let _ = steer(&host, &id, "one", &json!({"play": false, "seek_ms": 0}));
    let first = viewer.until(DEADLINE, |shown| *shown == empty);
    assert_eq!(first.differences(&empty), 0, "before the terminal came");
    let status = steer(&host, &id, "one", &json!({"seek_ms": u64::from(u32::MAX)}));
    assert!(status["length_ms"].as_u64().unwrap() > 4_000, "{status}");
    let again = viewer.until(DEADLINE, |shown| *shown == last);
    assert_eq!(again.differences(&last), 0);
    viewer.close();

    // It is as it was written.
    let verified = host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
    assert_eq!(verified["valid"], true, "{verified}");

    // As a video, by FFmpeg's own reader.
    let probed = probe(&exported(&host, &folder, &id, "webm"));
    let stream = &probed["streams"][0];
    assert_eq!((stream["width"].as_u64(), stream["height"].as_u64()), (Some(640), Some(400)), "{probed}");
    let duration: f64 = probed["format"]["duration"].as_str().unwrap().parse().unwrap();
    assert!((duration - seconds).abs() < 1.5, "{duration} s of video of {seconds} s");

    // As FBS, which begins as it is said to.
    assert!(fs::read(exported(&host, &folder, &id, "vnc")).unwrap().starts_with(b"FBS 001.000\n"));
}

fn probe(file: &Path) -> Value {
    let output = Command::new("ffprobe")
        .args(["-v", "error", "-print_format", "json", "-show_streams", "-show_format"])
        .arg(file)
        .output()
        .expect("ffprobe: sudo apt-get install ffmpeg");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}
