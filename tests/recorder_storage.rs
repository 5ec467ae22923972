//! What must not take a recording away, nor hold it: a folder that is not mounted for a while, desktops that say what no table takes,
//! and those that take nothing.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::mpsc,
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Answer, Backend, DEADLINE, Host, Installation, PaintedDesktop, on_both_backends};

const PLUGIN: &str = "streamspace-session-recorder";

on_both_backends!(
    a_folder_that_is_not_mounted_loses_nothing,
    what_is_back_is_a_recording_again,
    what_a_process_left_waits_for_its_disk,
    what_a_desktop_says_is_written_down_plainly,
);

/// What a desktop says of its screen: 64x48, in 32 bits.
const INIT: [u8; 24] = [0, 64, 0, 48, 32, 24, 0, 1, 0, 255, 0, 255, 0, 255, 16, 8, 0, 0, 0, 0, 0, 0, 0, 0];

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

struct Recorder {
    host: Host,
    folder: PathBuf,
}

impl Recorder {
    fn start(backend: &Backend, desktop: &str) -> Self {
        let installation = Installation::on(backend);
        let folder = installation.scratch().join("recordings");
        let host = installation.plugin(PLUGIN, &json!({ "storagePath": folder })).start();
        host.wait_state(PLUGIN, "running");
        host.run_session("s-1", "admin", desktop, json!({}));
        Self { host, folder }
    }

    fn begin(&self) -> Answer {
        self.host.api().post_json(&at("/sessions/s-1/recordings/start"), &json!({"reason": "training"}))
    }

    fn begun(&self) -> String {
        self.begin().expect(201).json()["recording_id"].as_str().unwrap().to_owned()
    }

    fn recording(&self, id: &str) -> Value {
        self.host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json()
    }

    fn wait(&self, id: &str, status: &str) -> Value {
        self.host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
            Some(self.recording(id)).filter(|found| found["status"] == status)
        })
    }

    fn stop(&self, id: &str) {
        let _ = self.host.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
        self.wait(id, "completed");
    }

    fn recorded(&self) -> String {
        let id = self.begun();
        self.wait(&id, "recording");
        self.stop(&id);
        id
    }

    /// What the sweep found of recordings: without files, brought back, not mounted.
    fn sweep(&self) -> [u64; 3] {
        let swept = self.host.api().post(&at("/recordings/sweep")).expect(200).json();
        ["without_files", "brought_back", "not_mounted"].map(|count| swept[count].as_u64().unwrap())
    }

    fn is_whole(&self, id: &str) -> bool {
        let verified = self.host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
        verified["valid"] == true
    }

    /// Waits until the job that looks after everything has begun a run after this, and ended it.
    fn keep_watch(&self) {
        let job = format!("/api/v1/plugins/{PLUGIN}/jobs/keep-watch");
        let newest = |ended: bool| {
            let shown = self.host.api().get(&job).expect(200).json();
            let runs = shown["history"].as_array().cloned().unwrap_or_default();
            let runs = runs.into_iter().filter(|run| !ended || !run["duration_secs"].is_null());
            runs.filter_map(|run| run["number"].as_i64()).max().unwrap_or(0)
        };
        let before = newest(false);
        self.host.wait_for(DEADLINE, "the job to run", || {
            // Refused while one runs, which may have begun before this.
            let _ = self.host.api().post(&format!("{job}/run"));
            // The first one may have been running.
            (newest(true) > before + 1).then_some(())
        });
    }

    fn unmount(&self) -> PathBuf {
        unmount(&self.folder)
    }
}

/// Leaves an empty folder, as a mount point is.
fn unmount(folder: &Path) -> PathBuf {
    let disk = folder.with_extension("disk");
    fs::rename(folder, &disk).unwrap();
    fs::create_dir(folder).unwrap();
    disk
}

/// Gives it back. Nothing must have been written to the mount point: it cannot be removed then.
fn mount(disk: &Path, folder: &Path) {
    fs::remove_dir(folder).unwrap();
    fs::rename(disk, folder).unwrap();
}

fn a_folder_that_is_not_mounted_loses_nothing(backend: &Backend) {
    let desktop = PaintedDesktop::new();
    let recorder = Recorder::start(backend, desktop.address());
    let id = recorder.recorded();
    let disk = recorder.unmount();
    assert_eq!(recorder.sweep(), [0, 0, 1]);
    assert_eq!(recorder.recording(&id)["status"], "completed");
    let why = recorder.begin().problem(&[503]);
    assert!(why["detail"].as_str().unwrap().contains("is not mounted"), "{why}");
    mount(&disk, &recorder.folder);
    assert_eq!(recorder.sweep(), [0, 0, 0]);
    assert!(recorder.is_whole(&id));
    let _ = recorder.recorded();
}

fn what_is_back_is_a_recording_again(backend: &Backend) {
    let desktop = PaintedDesktop::new();
    let recorder = Recorder::start(backend, desktop.address());
    let id = recorder.recorded();
    let (files, aside) = (recorder.folder.join(&id), recorder.folder.with_extension("aside"));
    fs::rename(&files, &aside).unwrap();
    assert_eq!(recorder.sweep(), [1, 0, 0]);
    assert_eq!(recorder.recording(&id)["status"], "failed");
    assert_eq!(recorder.sweep(), [0, 0, 0], "once");
    fs::rename(&aside, &files).unwrap();
    assert_eq!(recorder.sweep(), [0, 1, 0]);
    let back = recorder.recording(&id);
    assert_eq!((&back["status"], &back["error_message"]), (&json!("completed"), &Value::Null), "{back}");
    assert!(recorder.is_whole(&id));
}

fn what_a_process_left_waits_for_its_disk(backend: &Backend) {
    let desktop = PaintedDesktop::new();
    let recorder = Recorder::start(backend, desktop.address());
    let id = recorder.begun();
    recorder.wait(&id, "recording");
    recorder.host.wait_for(DEADLINE, "something to be on the disk", || {
        let files = fs::read_dir(recorder.folder.join(&id)).ok()?;
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        (bytes > 4096).then_some(())
    });
    let Recorder { host, folder } = recorder;
    let stopped = host.end(Signal::KILL, DEADLINE);
    let disk = unmount(&folder);
    let host = stopped.installation.start();
    host.wait_state(PLUGIN, "running");
    let recorder = Recorder { host, folder };
    recorder.keep_watch();
    assert_eq!(recorder.recording(&id)["status"], "recording", "nobody can tell what is in it");
    mount(&disk, &recorder.folder);
    recorder.keep_watch();
    recorder.wait(&id, "truncated");
    assert!(recorder.is_whole(&id));
}

fn what_a_desktop_says_is_written_down_plainly(backend: &Backend) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let recorder = Recorder::start(backend, &listener.local_addr().unwrap().to_string());
    let refusing = thread::spawn(move || {
        let (mut viewer, _) = listener.accept().unwrap();
        viewer.set_read_timeout(Some(DEADLINE)).unwrap();
        viewer.write_all(b"RFB 003.008\n").unwrap();
        viewer.read_exact(&mut [0; 12]).unwrap();
        let reason = [&b"Too many\0\x1b[31m"[..], "ä".repeat(4000).as_bytes()].concat();
        let said = [&[0][..], &u32::try_from(reason.len()).unwrap().to_be_bytes(), &reason].concat();
        viewer.write_all(&said).unwrap();
        // Until the recorder goes.
        let _ = viewer.read(&mut [0; 1]);
    });
    let id = recorder.begun();
    let failed = recorder.wait(&id, "failed");
    let why = failed["error_message"].as_str().unwrap();
    assert!(why.contains("refused the viewer: Too many[31mä"), "{why}");
    assert!(why.len() <= 1024 && !why.contains(char::is_control), "{why}");
    assert_eq!(failed["ended_by"], "desktop", "{failed}");
    refusing.join().unwrap();
}

#[test]
fn a_desktop_that_takes_nothing_does_not_hold_up_the_end() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let recorder = Recorder::start(&Backend::Sqlite, &listener.local_addr().unwrap().to_string());
    let (stuck, is_stuck) = mpsc::channel();
    let (over, until_over) = mpsc::channel();
    let flooding = thread::spawn(move || {
        let (mut viewer, _) = listener.accept().unwrap();
        viewer.set_read_timeout(Some(DEADLINE)).unwrap();
        viewer.write_all(b"RFB 003.008\n").unwrap();
        viewer.read_exact(&mut [0; 12]).unwrap();
        viewer.write_all(&[1, 1]).unwrap();
        viewer.read_exact(&mut [0; 1]).unwrap();
        viewer.write_all(&[0; 4]).unwrap();
        viewer.read_exact(&mut [0; 1]).unwrap();
        viewer.write_all(&INIT).unwrap();
        let picture = [&[0, 0, 0, 1, 0, 0, 0, 0, 0, 64, 0, 48, 0, 0, 0, 0][..], &[7; 64 * 48 * 4]].concat();
        viewer.write_all(&picture).unwrap();
        // Questions that have to be answered, by somebody who reads none of the answers, until the recorder does not read either.
        let question = [&[248, 0, 0, 0, 0x80, 0, 0, 1, 64][..], &[b'?'; 64]].concat();
        viewer.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        while viewer.write_all(&question.repeat(1000)).is_ok() {}
        stuck.send(()).unwrap();
        let _ = until_over.recv_timeout(DEADLINE);
    });
    let id = recorder.begun();
    recorder.wait(&id, "recording");
    is_stuck.recv_timeout(DEADLINE).unwrap();
    recorder.stop(&id);
    over.send(()).unwrap();
    flooding.join().unwrap();
}
