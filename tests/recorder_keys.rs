//! Another master key in the place of one that has sealed recordings.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, path::PathBuf};

use serde_json::{Value, json};
use streamspace_tests::{Backend, DEADLINE, Host, Installation, PaintedDesktop, on_both_backends};

const PLUGIN: &str = "streamspace-session-recorder";

on_both_backends!(recordings_are_sealed_with_another_master_key, what_cannot_be_sealed_anew_is_told);

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

/// The digits of a master key.
fn key(digit: char) -> String {
    digit.to_string().repeat(64)
}

struct Recorder {
    host: Host,
    folder: PathBuf,
    _desktop: PaintedDesktop,
}

impl Recorder {
    fn start(backend: &Backend) -> Self {
        let installation = Installation::on(backend);
        let folder = installation.scratch().join("recordings");
        let host = installation.plugin(PLUGIN, &json!({ "storagePath": folder })).start();
        host.wait_state(PLUGIN, "running");
        let desktop = PaintedDesktop::new();
        host.run_session("s-1", "admin", desktop.address(), json!({}));
        Self { host, folder, _desktop: desktop }
    }

    fn configure(&self, patch: &Value) {
        self.host.configure(PLUGIN, patch).expect(0);
        self.host.wait_state(PLUGIN, "running");
    }

    /// Records the session for a moment.
    fn recorded(&self) -> String {
        let path = at("/sessions/s-1/recordings/start");
        let begun = self.host.api().post_json(&path, &json!({"reason": "training"})).expect(201).json();
        let id = begun["recording_id"].as_str().unwrap().to_owned();
        self.wait(&id, "recording");
        let _ = self.host.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
        self.wait(&id, "completed");
        id
    }

    fn wait(&self, id: &str, status: &str) {
        self.host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
            let found = self.host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json();
            (found["status"] == status).then_some(())
        });
    }

    fn is_whole(&self, id: &str) -> bool {
        let verified = self.host.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
        verified["valid"] == true
    }

    /// Whether there is a picture of it; else why not.
    fn seen(&self, id: &str) -> Result<(), String> {
        let path = at(&format!("/recordings/{id}/thumbnail"));
        // The picture is no text, which an answer is here.
        if self.host.api().send("HEAD", &path, &[], None).status == 200 {
            return Ok(());
        }
        Err(self.host.api().get(&path).problem(&[409])["detail"].as_str().unwrap().to_owned())
    }

    fn rewrap(&self) -> Value {
        self.host.api().post(&at("/recordings/rewrap")).expect(200).json()
    }
}

/// What came of sealing: anew, already, and what is left, missing or failed.
fn counts(report: &Value) -> [u64; 5] {
    ["rewrapped", "current", "left", "missing", "failed"].map(|count| report[count].as_u64().unwrap())
}

fn recordings_are_sealed_with_another_master_key(backend: &Backend) {
    let recorder = Recorder::start(backend);
    let [first, second] = ['a', 'b'].map(key);
    let file = recorder.folder.with_file_name("second.key");
    fs::write(&file, &second).unwrap();
    // With the recorder's own key, which nobody can give back: it opens what it has sealed.
    let eldest = recorder.recorded();
    recorder.configure(&json!({ "masterKey": first }));
    let elder = recorder.recorded();
    assert_eq!([&eldest, &elder].map(|id| recorder.seen(id)), [Ok(()), Ok(())]);

    recorder.configure(&json!({ "masterKey": null, "masterKeyFile": file }));
    let why = recorder.seen(&elder).unwrap_err();
    assert!(why.contains("master key") && why.contains("`previousMasterKeys`"), "{why}");
    assert!(!recorder.is_whole(&elder));

    recorder.configure(&json!({ "previousMasterKeys": [first] }));
    let young = recorder.recorded();
    let all = [&eldest, &elder, &young];
    assert!(all.iter().all(|id| recorder.is_whole(id) && recorder.seen(id).is_ok()));
    let (ada, _) = recorder.host.account("ada", &["recording.write"]);
    ada.post(&at("/recordings/rewrap")).problem(&[403]);
    assert_eq!(counts(&recorder.rewrap()), [2, 1, 0, 0, 0]);
    assert_eq!(counts(&recorder.rewrap()), [0, 3, 0, 0, 0]);
    let log = recorder.host.api().get(&at(&format!("/recordings/{elder}/access-log"))).expect(200).json();
    let done = log["access_log"].as_array().unwrap().iter().filter(|one| one["action"] == "rewrap").count();
    assert_eq!(done, 1, "{log}");

    recorder.configure(&json!({ "previousMasterKeys": null }));
    assert!(all.iter().all(|id| recorder.is_whole(id) && recorder.seen(id).is_ok()));
    let said = recorder.host.everything_said();
    assert!(!said.contains(&first) && !said.contains(&second), "a key was shown");
}

fn what_cannot_be_sealed_anew_is_told(backend: &Backend) {
    let recorder = Recorder::start(backend);
    recorder.configure(&json!({ "masterKey": key('a') }));
    let [lost, gone, good] = [(); 3].map(|()| recorder.recorded());
    // It is somewhere else for now, and its key is not sealed anew there.
    fs::rename(recorder.folder.join(&gone), recorder.folder.with_file_name("gone")).unwrap();
    fs::write(recorder.folder.join(&lost).join("key"), "no key").unwrap();
    // One that was put aside may be given back.
    let aside = recorder.folder.join("lost+found");
    let stranger = "01890a5d-ac96-774b-bcce-b302099a8057";
    fs::create_dir_all(aside.join(stranger)).unwrap();

    recorder.configure(&json!({ "masterKey": key('b'), "previousMasterKeys": [key('a')] }));
    let report = recorder.rewrap();
    assert_eq!(counts(&report), [1, 0, 0, 1, 1], "{report}");
    assert_eq!(report["not_encrypted"], 1, "{report}");
    assert_eq!(report["failures"][0]["recording_id"], json!(lost), "{report}");
    assert_eq!(recorder.seen(&good), Ok(()));

    fs::rename(recorder.folder.with_file_name("gone"), recorder.folder.join(&gone)).unwrap();
    assert_eq!(counts(&recorder.rewrap()), [1, 1, 0, 0, 1], "it goes on where it was");
    recorder.configure(&json!({ "previousMasterKeys": [] }));
    assert_eq!([&good, &gone].map(|id| recorder.seen(id)), [Ok(()), Ok(())]);
}
