//! What recordings are made into, for how long it is there, and how much space there is.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{
    fs::{self, File},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, PaintedDesktop, on_both_backends};

const PLUGIN: &str = "streamspace-session-recorder";

on_both_backends!(
    exports_are_for_the_host_alone_and_go_again,
    one_makes_an_export_and_nobody_else,
    what_runs_ends_when_there_is_no_space,
);

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

struct Recorder {
    host: Host,
    folder: PathBuf,
    _desktop: PaintedDesktop,
}

impl Recorder {
    /// A host that records, with a session that runs.
    fn start(backend: &Backend, config: &Value) -> Self {
        let installation = Installation::on(backend);
        let folder = installation.scratch().join("recordings");
        let mut all = json!({ "storagePath": folder });
        all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
        let host = installation.plugin(PLUGIN, &all).start();
        host.wait_state(PLUGIN, "running");
        let desktop = PaintedDesktop::new();
        host.run_session("s-1", "admin", desktop.address(), json!({}));
        Self { host, folder, _desktop: desktop }
    }

    fn begin(&self) -> String {
        let path = at("/sessions/s-1/recordings/start");
        let begun = self.host.api().post_json(&path, &json!({"reason": "training"})).expect(201).json();
        begun["recording_id"].as_str().unwrap().to_owned()
    }

    fn wait(&self, id: &str, status: &str) -> Value {
        self.host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
            let found = self.host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json();
            (found["status"] == status).then_some(found)
        })
    }

    fn recorded(&self) -> String {
        let id = self.begin();
        self.wait(&id, "recording");
        let _ = self.host.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
        self.wait(&id, "completed");
        id
    }

    fn ask(&self, id: &str, format: &str) {
        let path = at(&format!("/recordings/{id}/exports"));
        let _ = self.host.api().post_json(&path, &json!({ "format": format })).expect(202);
    }

    fn export(&self, id: &str, format: &str) -> Option<Value> {
        let all = self.host.api().get(&at(&format!("/recordings/{id}/exports"))).expect(200).json();
        all["exports"].as_array().unwrap().iter().find(|one| one["format"] == format).cloned()
    }

    fn wait_made(&self, id: &str, format: &str) -> Value {
        self.host.wait_for(DEADLINE, &format!("the recording as {format}"), || {
            let made = self.export(id, format)?;
            assert_ne!(made["status"], "failed", "{made}");
            (made["status"] == "done").then_some(made)
        })
    }

    fn exports(&self) -> PathBuf {
        self.folder.join("exports")
    }

    fn file(&self, id: &str, extension: &str) -> PathBuf {
        self.exports().join(format!("{id}.{extension}"))
    }

    fn sweep(&self) -> Value {
        self.host.api().post(&at("/recordings/sweep")).expect(200).json()
    }
}

/// Changes the plugin's tables behind its back.
fn tamper(backend: &Backend, installation: &Installation, sql: &str) {
    match backend {
        Backend::Sqlite => {
            let path = installation.data().join("plugin-data").join(PLUGIN).join("database.db");
            let database = rusqlite::Connection::open(path).unwrap();
            database.busy_timeout(DEADLINE).unwrap();
            database.execute_batch(sql).unwrap();
        }
        Backend::Postgres(database) => {
            let path = format!("SET search_path = \"plugin_{PLUGIN}\"; {sql}");
            database.superuser().batch_execute(&path).unwrap();
        }
    }
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn exports_are_for_the_host_alone_and_go_again(backend: &Backend) {
    let recorder = Recorder::start(backend, &json!({}));
    let id = recorder.recorded();
    for (format, extension) in [("webm", "webm"), ("vnc", "fbs")] {
        recorder.ask(&id, format);
        let made = recorder.wait_made(&id, format);
        assert!(made["expires_at"].is_string(), "{made}");
        assert_eq!(mode(&recorder.file(&id, extension)), 0o600, "{format}");
    }
    assert_eq!(mode(&recorder.exports()), 0o700);
    assert_eq!(mode(&recorder.folder.join(&id)), 0o700);
    let names = fs::read_dir(recorder.exports()).unwrap().map(|entry| entry.unwrap().path());
    let parts = names.filter(|name| name.extension().is_some_and(|name| name == "part"));
    assert_eq!(parts.count(), 0, "they have their names");

    // Whoever uses it keeps it: this would be in a thousand years.
    let late = "UPDATE recording_exports SET expires_at = '3000-01-01 00:00:00.000000'";
    tamper(backend, &recorder.host, late);
    let download = at(&format!("/recordings/{id}/download?format=vnc"));
    let get = || recorder.host.api().send("GET", &download, &[("Range", "bytes=0-11")], None);
    assert_eq!(get().expect(206).body, "FBS 001.000\n");
    let expires =
        |format: &str| recorder.export(&id, format).unwrap()["expires_at"].as_str().unwrap().to_owned();
    assert!(expires("webm").starts_with("3000"));
    assert!(!expires("vnc").starts_with("3000"));

    let past = "UPDATE recording_exports SET expires_at = '2026-01-01 00:00:00.000000' WHERE format = 'vnc'";
    tamper(backend, &recorder.host, past);
    let stray = recorder.file(&id, "webm.01890a5d-ac96-774b-bcce-b302099a8057.part");
    fs::write(&stray, "what a process has left").unwrap();
    let swept = recorder.sweep();
    // The job that looks after everything may have been there before.
    assert!(swept["expired_exports"].as_u64().unwrap() <= 1 && swept["removed"] == 1, "{swept}");
    recorder
        .host
        .wait_for(DEADLINE, "the export to go", || (!recorder.file(&id, "fbs").exists()).then_some(()));
    assert!(recorder.export(&id, "vnc").is_none());
    assert!(!stray.exists() && recorder.file(&id, "webm").exists());

    // It is made anew for whoever wants it.
    let _ = get().expect(202);
    recorder.wait_made(&id, "vnc");
    assert_eq!(get().expect(206).body, "FBS 001.000\n");
}

/// As another version of the plugin that is at it.
fn taken(recorder: &Recorder, id: &str) -> File {
    let lock = File::create(recorder.file(id, "fbs.lock")).unwrap();
    lock.try_lock().unwrap();
    lock
}

fn one_makes_an_export_and_nobody_else(backend: &Backend) {
    let recorder = Recorder::start(backend, &json!({}));
    let [id, other, third] = [(); 3].map(|()| recorder.recorded());
    recorder.ask(&other, "vnc");
    recorder.wait_made(&other, "vnc");

    let lock = taken(&recorder, &id);
    recorder.ask(&id, "vnc");
    recorder.ask(&other, "webm");
    recorder.wait_made(&other, "webm");
    assert_eq!(recorder.export(&id, "vnc").unwrap()["status"], "queued", "another one is passed over");

    // The other one is at it, and writes.
    tamper(
        backend,
        &recorder.host,
        "UPDATE recording_exports SET status = 'running' WHERE status = 'queued'",
    );
    let part = recorder.file(&id, "fbs.01890a5d-ac96-774b-bcce-b302099a8057.part");
    fs::write(&part, "the other one's").unwrap();
    assert_eq!(recorder.sweep()["removed"], 0);
    recorder.ask(&third, "vnc");
    recorder.wait_made(&third, "vnc");
    assert_eq!(recorder.export(&id, "vnc").unwrap()["status"], "running", "it is the other one's");
    assert_eq!(fs::read_to_string(&part).unwrap(), "the other one's");

    // It ends, and has not made it.
    drop(lock);
    recorder.wait_made(&id, "vnc");
    let file = fs::read(recorder.file(&id, "fbs")).unwrap();
    assert!(file.starts_with(b"FBS 001.000\n"));
    recorder.host.wait_for(DEADLINE, "what it has left to be swept", || {
        recorder.sweep();
        (!part.exists()).then_some(())
    });
}

fn what_runs_ends_when_there_is_no_space(backend: &Backend) {
    let recorder = Recorder::start(backend, &json!({"quotaBytesPerUser": 1_000_000_000}));
    recorder.recorded();
    let id = recorder.begin();
    recorder.wait(&id, "recording");
    let much = "UPDATE session_recordings SET file_size_bytes = 1000000000 WHERE status = 'completed'";
    tamper(backend, &recorder.host, much);
    let ended = recorder.wait(&id, "completed");
    assert_eq!(ended["ended_by"], "quota", "{ended}");
    let path = at("/sessions/s-1/recordings/start");
    let why = recorder.host.api().post_json(&path, &json!({"reason": "training"})).problem(&[429]);
    assert!(why["detail"].as_str().unwrap().contains("quotaBytesPerUser"), "{why}");

    // What is shown is what counts: recordings, and not what they were made into.
    recorder.ask(&id, "vnc");
    let made = recorder.wait_made(&id, "vnc");
    let stats = recorder.host.api().get(&at("/recordings/stats")).expect(200).json();
    assert_eq!(
        (&stats["storage_used"], &stats["exports_size"]),
        (&stats["total_size"], &made["file_size_bytes"])
    );
}
