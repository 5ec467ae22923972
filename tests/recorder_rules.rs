//! Which sessions are recorded, who may do what with the recordings, and what becomes of them.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use std::{fs, path::PathBuf};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{
    Answer, Api, Backend, DEADLINE, Host, Installation, PaintedDesktop, on_both_backends,
};

const PLUGIN: &str = "streamspace-session-recorder";

on_both_backends!(
    a_policy_decides_and_says_why,
    a_recording_goes_its_way,
    everybody_sees_and_does_what_is_theirs,
    who_has_to_agree_is_asked,
    sessions_are_recorded_by_themselves_and_until_their_end,
    what_is_over_goes_but_not_what_is_held,
    recordings_are_found_page_by_page,
    what_a_killed_host_was_recording_is_kept,
    files_and_rows_that_do_not_belong_together_are_found,
    a_session_is_recorded_already_below_the_limit_too,
    what_cannot_be_written_down_is_not_recorded,
    a_desktop_that_is_not_there_leaves_one_recording,
);

struct Recorder {
    host: Host,
    folder: PathBuf,
    desktop: PaintedDesktop,
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

fn folder_of(installation: &Installation) -> PathBuf {
    installation.scratch().join("recordings")
}

fn start(backend: &Backend, config: Value) -> Recorder {
    let installation = Installation::on(backend);
    let folder = folder_of(&installation);
    let mut all = json!({ "storagePath": folder });
    all.as_object_mut().unwrap().extend(config.as_object().unwrap().clone());
    let host = installation.plugin(PLUGIN, &all).start();
    host.wait_state(PLUGIN, "running");
    Recorder { host, folder, desktop: PaintedDesktop::new() }
}

/// An account, and its way to the host.
fn account(host: &Host, name: &str, permissions: &[&str]) -> Api {
    host.account(name, permissions).0
}

fn put(api: &Api, path: &str, body: &Value) -> Answer {
    api.send("PUT", path, &[("Content-Type", "application/json")], Some(body.to_string().as_bytes()))
}

impl Recorder {
    fn api(&self) -> &Api {
        self.host.api()
    }

    fn step(&self, session: &str, state: &str) {
        self.host.step_session(session, state);
    }

    /// A session that runs at the desktop.
    fn session(&self, id: &str, owner: &str) {
        self.host.run_session(id, owner, self.desktop.address(), json!({}));
    }

    fn begin(&self, api: &Api, session: &str, body: &Value) -> Answer {
        api.post_json(&at(&format!("/sessions/{session}/recordings/start")), body)
    }

    fn recording(&self, id: &str) -> Value {
        self.api().get(&at(&format!("/recordings/{id}"))).expect(200).json()
    }

    fn wait(&self, id: &str, status: &str) -> Value {
        let what = format!("the recording {id} to be {status}");
        self.host.wait_for(DEADLINE, &what, || {
            let found = self.recording(id);
            (found["status"] == status).then_some(found)
        })
    }

    /// Records a session for a moment.
    fn recorded(&self, api: &Api, session: &str, body: &Value) -> String {
        let begun = self.begin(api, session, body).expect(201).json();
        let id = begun["recording_id"].as_str().unwrap().to_owned();
        self.wait(&id, "recording");
        let _ = self.api().post(&at(&format!("/recordings/{id}/stop"))).expect(200);
        self.wait(&id, "completed");
        id
    }

    fn of_session(&self, session: &str) -> Vec<Value> {
        let page = self
            .api()
            .get(&at(&format!("/recordings?session_id={session}&sort=started_at")))
            .expect(200)
            .json();
        page["recordings"].as_array().unwrap().clone()
    }

    fn policy(&self, rules: &Value) -> String {
        let made = self.api().post_json(&at("/recording-policies"), rules).expect(201).json();
        made["id"].as_str().unwrap().to_owned()
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

fn a_policy_decides_and_says_why(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let (ada, auditor) =
        (account(&recorder.host, "ada", &[]), account(&recorder.host, "max", &["recording.read"]));
    let everybody = recorder.policy(&json!({"name": "everybody"}));
    let hers = recorder
        .policy(&json!({"name": "ada", "apply_to_users": ["ada"], "priority": 5, "retention_days": 7}));
    let question = json!({"user": "ada", "template": "firefox"});
    let decide = || recorder.api().post_json(&at("/recording-policies/decide"), &question).expect(200).json();
    let decided = decide();
    assert_eq!((&decided["policy"]["id"], &decided["records"]), (&json!(hers), &json!(false)), "{decided}");
    assert!(decided["why"].as_str().unwrap().starts_with("The policy `ada` decides"), "{decided}");
    assert_eq!(decided["considered"].as_array().unwrap().len(), 2);

    let path = at(&format!("/recordings/policies/{hers}"));
    let changed = recorder.api().patch(&path, &json!({"auto_record": true})).expect(200).json();
    assert_eq!((&changed["auto_record"], &changed["retention_days"]), (&json!(true), &json!(7)));
    assert_eq!(decide()["cause"], "policy");
    let _ = recorder.api().patch(&path, &json!({"enabled": false})).expect(200);
    assert_eq!(decide()["policy"]["id"], json!(everybody));

    recorder.api().post_json(&at("/recording-policies"), &json!({"name": "ada"})).problem(&[409]);
    recorder
        .api()
        .post_json(&at("/recording-policies"), &json!({"name": "x", "retention_days": 99_999}))
        .problem(&[422]);
    recorder
        .api()
        .post_json(&at("/recording-policies"), &json!({"name": "x", "colour": "red"}))
        .problem(&[422]);
    recorder.api().patch(&path, &json!({"name": 7})).problem(&[422]);
    ada.get(&at("/recording-policies")).problem(&[403]);
    auditor.delete(&path).problem(&[403]);
    assert_eq!(auditor.get(&at("/recording-policies")).expect(200).json()["total"], 2);
    let _ = recorder.api().delete(&path).expect(204);
    recorder.api().get(&path).problem(&[404]);
}

fn a_recording_goes_its_way(backend: &Backend) {
    let recorder = start(backend, json!({"maxConcurrent": 1}));
    let ada = account(&recorder.host, "ada", &[]);
    recorder.session("s-1", "ada");
    recorder.session("s-2", "ada");
    let begun = recorder
        .begin(&ada, "s-1", &json!({"reason": "training", "metadata": {"ticket": 7}}))
        .expect(201)
        .json();
    let id = begun["recording_id"].as_str().unwrap();
    let running = recorder.wait(id, "recording");
    assert_eq!(
        (&running["reason"], &running["metadata"]["ticket"], &running["user_id"]),
        (&json!("training"), &json!(7), &json!("ada"))
    );
    assert_eq!(running["retention_days"], 365);
    // What is recorded is so whatever the limit; the limit is for what is not.
    let why = recorder.begin(&ada, "s-1", &json!({})).problem(&[409]);
    assert!(why["detail"].as_str().unwrap().contains("recorded already"), "{why}");
    let why = recorder.begin(&ada, "s-2", &json!({})).problem(&[429]);
    assert!(why["detail"].as_str().unwrap().contains("maxConcurrent"), "{why}");

    let order = |what: &str| ada.post(&at(&format!("/recordings/{id}/{what}")));
    assert_eq!(order("pause").expect(200).json()["status"], "paused");
    order("pause").problem(&[409]);
    assert_eq!(order("resume").expect(200).json()["status"], "recording");
    let marker = json!({"kind": "lesson", "text": "It begins here."});
    let _ = ada.post_json(&at(&format!("/recordings/{id}/markers")), &marker).expect(201);
    ada.get(&at(&format!("/recordings/{id}/stream"))).problem(&[409]);
    let stopped = ada.post(&at(&format!("/sessions/recordings/{id}/stop"))).expect(200).json();
    assert_eq!(stopped["status"], "completed", "{stopped}");
    assert!(stopped["file_size"].as_u64().unwrap() > 0 && stopped["file_hash"].is_string(), "{stopped}");
    order("stop").problem(&[409]);
    order("resume").problem(&[409]);
    let markers = ada.get(&at(&format!("/recordings/{id}/markers"))).expect(200).json();
    assert_eq!(markers["markers"][0]["kind"], "lesson");
    assert!(recorder.folder.join(id).is_dir());

    let verified = recorder.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
    assert_eq!(verified["valid"], true, "{verified}");
    // It may be recorded again.
    recorder.recorded(&ada, "s-2", &json!({"format": "vnc"}));
    recorder.step("s-2", "hibernated");
    recorder.begin(&ada, "s-2", &json!({})).problem(&[409]);
    recorder.begin(&ada, "s-9", &json!({})).problem(&[404]);
    recorder.begin(&ada, "s-1", &json!({"format": "avi"})).problem(&[422]);
}

fn everybody_sees_and_does_what_is_theirs(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let [ada, bob, eve] = ["ada", "bob", "eve"].map(|name| account(&recorder.host, name, &[]));
    let auditor = account(&recorder.host, "max", &["recording.read"]);
    recorder.policy(&json!({"name": "closed", "apply_to_users": ["ada"], "allow_user_playback": false,
        "allow_user_download": false}));
    recorder.session("s-1", "ada");
    let _ = put(recorder.api(), "/api/v1/sessions/s-1/shares/bob", &json!({"access": "view"})).expect(200);
    let id = recorder.recorded(recorder.api(), "s-1", &json!({"reason": "support"}));
    let one = at(&format!("/recordings/{id}"));
    let stream = format!("{one}/playback");
    for (api, sees, plays) in [(&ada, 200, 403), (&bob, 200, 403), (&eve, 404, 404), (&auditor, 200, 200)] {
        assert_eq!((api.get(&one).status, api.get(&stream).status), (sees, plays));
    }
    for api in [&ada, &bob, &auditor] {
        assert_eq!(api.delete(&one).status, 403, "only who started it deletes it");
        api.get(&format!("{one}/access-log")).problem(&[403]);
    }
    ada.get(&format!("{one}/download")).problem(&[403]);
    bob.get(&format!("{one}/download")).problem(&[403]);
    let total = |api: &Api| api.get(&at("/recordings")).expect(200).json()["total"].clone();
    assert_eq!([&ada, &bob, &eve, &auditor].map(total), [json!(1), json!(1), json!(0), json!(1)]);
    eve.get(&at("/recordings/stats")).problem(&[403]);
    assert_eq!(auditor.get(&at("/recordings/stats")).expect(200).json()["total_recordings"], 1);
    recorder.api().with_token(None).get(&at("/recordings")).problem(&[401]);

    // A file is made of it first.
    let head = recorder.host.wait_for(DEADLINE, "the file", || {
        let path = format!("{one}/download?format=vnc");
        let answer = auditor.send("GET", &path, &[("Range", "bytes=0-10")], None);
        (answer.status == 206).then_some(answer)
    });
    assert_eq!(head.body, "FBS 001.000");

    // Everything was written down, and stays when the recording goes.
    let _ = recorder.api().delete(&one).expect(204);
    recorder.api().get(&one).problem(&[404]);
    assert!(!recorder.folder.join(&id).exists());
    let log = recorder.api().get(&format!("{one}/access-log")).expect(200).json();
    let done: Vec<_> = log["access_log"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| (entry["user_id"].as_str().unwrap(), entry["action"].as_str().unwrap()))
        .collect();
    assert!(done.contains(&("max", "download")) && done.contains(&("admin", "start")), "{log}");
    assert_eq!(done[0], ("admin", "delete"), "{log}");
    let tombstones = recorder.api().get(&at("/recordings/tombstones")).expect(200).json();
    assert_eq!(
        (&tombstones["tombstones"][0]["recording_id"], &tombstones["tombstones"][0]["deleted_by"]),
        (&json!(id), &json!("admin"))
    );
}

fn who_has_to_agree_is_asked(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let [ada, bob] = ["ada", "bob"].map(|name| account(&recorder.host, name, &[]));
    recorder.policy(&json!({"name": "approval", "apply_to_users": ["ada"], "require_approval": true, "require_reason": true}));
    recorder.policy(&json!({"name": "consent", "apply_to_users": ["bob"], "require_consent": true}));
    recorder.session("s-1", "ada");
    recorder.session("s-2", "bob");
    recorder.begin(&ada, "s-1", &json!({})).problem(&[422]);
    let silent = json!({"reason": "x", "notify": false});
    recorder.begin(&ada, "s-1", &silent).problem(&[403]);
    let asked = recorder.begin(&ada, "s-1", &json!({"reason": "support"})).expect(202).json();
    let again = recorder.begin(&ada, "s-1", &json!({"reason": "support"})).expect(202).json();
    assert_eq!(asked["approval_id"], again["approval_id"], "one question at a time");
    assert!(recorder.of_session("s-1").is_empty());
    let open = recorder.api().get(&at("/recording-approvals?status=pending")).expect(200).json();
    assert_eq!(
        (&open["approvals"][0]["requested_by"], &open["approvals"][0]["reason"]),
        (&json!("ada"), &json!("support"))
    );
    let answer =
        |what: &str| at(&format!("/recording-approvals/{}/{what}", asked["approval_id"].as_str().unwrap()));
    ada.post(&answer("approve")).problem(&[403]);
    let agreed = recorder.api().post_json(&answer("approve"), &json!({"note": "fine"})).expect(200).json();
    let recording = recorder.wait(agreed["recording_id"].as_str().unwrap(), "recording");
    assert_eq!((&recording["created_by"], &recording["notified"]), (&json!("ada"), &json!(true)));
    recorder.api().post(&answer("refuse")).problem(&[409]);
    // Whoever agrees to others' recordings does not to their own.
    let max = account(&recorder.host, "max", &["recording.admin"]);
    let _ = recorder
        .api()
        .post(&at(&format!("/recordings/{}/stop", agreed["recording_id"].as_str().unwrap())))
        .expect(200);
    let own = recorder.begin(recorder.api(), "s-1", &json!({"reason": "audit"})).expect(202).json();
    let approve = at(&format!("/recording-approvals/{}/approve", own["approval_id"].as_str().unwrap()));
    recorder.api().post(&approve).problem(&[403]);
    let agreed = max.post(&approve).expect(200).json();
    recorder.wait(agreed["recording_id"].as_str().unwrap(), "recording");
    let notice = ada.get(&at("/sessions/s-1/recordings/notice")).expect(200).json();
    assert_eq!(
        (&notice["recording"], &notice["notice"]),
        (&json!(true), &json!("This session is being recorded."))
    );

    recorder.begin(recorder.api(), "s-2", &json!({})).problem(&[409]);
    let say = |api: &Api, accepted: bool| {
        api.post_json(&at("/sessions/s-2/recordings/consent"), &json!({ "accepted": accepted }))
    };
    say(recorder.api(), true).problem(&[403]);
    say(&ada, true).problem(&[404]);
    let _ = say(&bob, true).expect(200);
    let begun = recorder.begin(recorder.api(), "s-2", &json!({})).expect(201).json();
    let id = begun["recording_id"].as_str().unwrap();
    recorder.wait(id, "recording");
    let _ = say(&bob, false).expect(200);
    assert_eq!(recorder.wait(id, "completed")["ended_by"], "consent");
    recorder.begin(recorder.api(), "s-2", &json!({})).problem(&[403]);
}

fn sessions_are_recorded_by_themselves_and_until_their_end(backend: &Backend) {
    let recorder = start(backend, json!({"complianceFrameworks": ["SOC2"]}));
    let ada = account(&recorder.host, "ada", &[]);
    recorder.policy(&json!({"name": "auto", "apply_to_templates": ["firefox"], "auto_record": true, "retention_days": 90}));
    recorder.session("s-1", "ada");
    let found =
        recorder.host.wait_for(DEADLINE, "the session to be recorded", || recorder.of_session("s-1").pop());
    let id = found["id"].as_str().unwrap();
    let running = recorder.wait(id, "recording");
    assert_eq!(
        (
            &running["is_automatic"],
            &running["created_by"],
            &running["policy_name"],
            &running["retention_days"]
        ),
        (&json!(true), &json!("policy"), &json!("auto"), &json!(90))
    );
    ada.post(&at(&format!("/recordings/{id}/stop"))).problem(&[403]);
    recorder.step("s-1", "hibernated");
    assert_eq!(recorder.wait(id, "completed")["ended_by"], "session");
    recorder.step("s-1", "running");
    // It has a desktop again, perhaps elsewhere.
    let patch = json!({ "rfb_address": recorder.desktop.address() });
    let _ = recorder.api().patch("/api/v1/sessions/s-1", &patch).expect(200);
    recorder.host.wait_for(DEADLINE, "it to be recorded again", || {
        recorder.of_session("s-1").iter().any(|one| one["status"] == "recording").then_some(())
    });
    // The platform's name is this plugin's too.
    let patch = json!({"enabled": false});
    recorder.host.configure("streamspace-recording", &patch).expect(0);
    recorder.host.wait_state(PLUGIN, "running");
    recorder.session("s-2", "ada");
    recorder.begin(&ada, "s-2", &json!({})).problem(&[409]);
    assert!(recorder.of_session("s-2").is_empty());
    let ended = recorder.of_session("s-1");
    assert!(ended.iter().all(|one| one["status"] == "completed"), "{ended:?}");
    recorder
        .host
        .configure("streamspace-recording", &json!({"enabled": true, "autoRecordForCompliance": true}))
        .expect(0);
    let found = recorder
        .host
        .wait_for(DEADLINE, "the other session to be recorded", || recorder.of_session("s-2").pop());
    assert_eq!(
        (&found["reason"], &found["metadata"]["complianceFrameworks"]),
        (&json!("compliance"), &json!(["SOC2"]))
    );
}

fn what_is_over_goes_but_not_what_is_held(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let ada = account(&recorder.host, "ada", &[]);
    recorder.session("s-1", "ada");
    let [held, over, young] =
        [1, 1, 30].map(|days| recorder.recorded(&ada, "s-1", &json!({ "retention_days": days })));
    let hold = at(&format!("/recordings/{held}/hold"));
    put(&ada, &hold, &json!({"reason": "a case"})).problem(&[403]);
    put(recorder.api(), &hold, &json!({"reason": " "})).problem(&[422]);
    let _ = put(recorder.api(), &hold, &json!({"reason": "a case"})).expect(200);
    ada.delete(&at(&format!("/recordings/{held}"))).problem(&[409]);
    recorder.api().delete(&at(&format!("/recordings/{held}"))).problem(&[409]);
    let clean = || recorder.api().post(&at("/recordings/cleanup")).expect(200).json()["deleted"].clone();
    assert_eq!(clean(), 0, "nothing is over yet");
    let past =
        "UPDATE session_recordings SET expires_at = '2026-01-01 00:00:00.000000' WHERE retention_days = 1";
    tamper(backend, &recorder.host, past);
    assert_eq!(clean(), 1);
    recorder.api().get(&at(&format!("/recordings/{over}"))).problem(&[404]);
    let there = |id: &str| recorder.folder.join(id).exists();
    assert_eq!([&held, &over, &young].map(|id| there(id)), [true, false, true]);
    let holds = recorder.api().get(&at(&format!("/recordings/{held}/holds"))).expect(200).json();
    assert_eq!(
        (&holds["holds"][0]["reason"], &holds["holds"][0]["placed_by"]),
        (&json!("a case"), &json!("admin"))
    );
    let _ = recorder.api().delete(&hold).expect(200);
    recorder.api().delete(&hold).problem(&[409]);
    // By the job, too.
    let _ = recorder
        .api()
        .post(&format!("/api/v1/plugins/{PLUGIN}/jobs/cleanup-expired-recordings/run"))
        .expect(200);
    recorder.host.wait_for(DEADLINE, "the recording to go", || (!there(&held)).then_some(()));
    assert!(there(&young));
}

fn recordings_are_found_page_by_page(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let (ada, bob) = (account(&recorder.host, "ada", &[]), account(&recorder.host, "bob", &[]));
    recorder.session("s-a", "ada");
    recorder.session("s-b", "bob");
    let mut all = Vec::new();
    for (api, session, body) in [
        (&ada, "s-a", json!({"reason": "training"})),
        (&ada, "s-a", json!({"reason": "100% sure"})),
        (&bob, "s-b", json!({"format": "vnc"})),
    ] {
        all.push(recorder.recorded(api, session, &body));
    }
    let ask = |query: &str| recorder.api().get(&at(&format!("/recordings?{query}"))).expect(200).json();
    let ids = |query: &str| -> Vec<String> {
        let page = ask(query);
        page["recordings"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap().to_owned())
            .collect()
    };
    let first = ask("page_size=2&order=asc");
    assert_eq!((&first["total"], &first["total_pages"], &first["page"]), (&json!(3), &json!(2), &json!(1)));
    assert_eq!([ids("page_size=2&order=asc"), ids("page_size=2&order=asc&page=2")].concat(), all);
    assert_eq!(ids("user_id=bob"), all[2..]);
    assert_eq!(ids("format=vnc&status=completed"), all[2..]);
    assert_eq!(ids("search=TRAIN"), all[..1]);
    assert_eq!(ids("search=100%25"), all[1..2]);
    assert_eq!(ids("search=%25"), all[1..2], "nothing stands for anything");
    assert_eq!(ids("start_date=2000-01-01&end_date=2001-01-01"), Vec::<String>::new());
    assert_eq!(ids("start_date=2000-01-01&order=asc"), all);
    for wrong in
        ["page=0", "page_size=1000", "sort=colour", "order=up", "status=gone", "start_date=now", "colour=red"]
    {
        recorder.api().get(&at(&format!("/recordings?{wrong}"))).problem(&[400, 422]);
    }
    let stats = recorder.api().get(&at("/recordings/stats")).expect(200).json();
    assert_eq!((&stats["total_recordings"], &stats["active_recordings"]), (&json!(3), &json!(0)));
    assert_eq!(
        (&stats["by_user"][0]["user_id"], &stats["by_month"][0]["recordings"]),
        (&json!("ada"), &json!(3))
    );
    let place = at(&format!("/recordings/{}/playback", all[0]));
    let _ = put(&ada, &place, &json!({"position": 1500, "speed": 2.0})).expect(200);
    assert_eq!(ada.get(&place).expect(200).json(), json!({"position": 1500, "speed": 2.0}));
    put(&ada, &place, &json!({"position": 0, "speed": 17.0})).problem(&[422]);
}

fn what_a_killed_host_was_recording_is_kept(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let ada = account(&recorder.host, "ada", &[]);
    recorder.session("s-1", "ada");
    let begun = recorder.begin(&ada, "s-1", &json!({"reason": "training"})).expect(201).json();
    let id = begun["recording_id"].as_str().unwrap().to_owned();
    recorder.wait(&id, "recording");
    recorder.host.wait_for(DEADLINE, "something to be on the disk", || {
        let files = fs::read_dir(recorder.folder.join(&id)).ok()?;
        let bytes: u64 = files.map(|file| file.unwrap().metadata().unwrap().len()).sum();
        (bytes > 4096).then_some(())
    });
    let Recorder { host, folder, desktop } = recorder;
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    host.wait_state(PLUGIN, "running");
    let recorder = Recorder { host, folder, desktop };
    let cut = recorder.wait(&id, "truncated");
    assert_eq!(cut["ended_by"], "crash");
    assert!(cut["file_size_bytes"].as_u64().unwrap() > 0 && cut["expires_at"].is_string(), "{cut}");
    let verified = recorder.api().post(&at(&format!("/recordings/{id}/verify"))).expect(200).json();
    assert_eq!(verified["valid"], true, "{verified}");
    // It goes on as another one.
    let next = recorder.host.wait_for(DEADLINE, "the recording to go on", || {
        recorder.of_session("s-1").into_iter().find(|one| one["continues"] == json!(id))
    });
    assert_eq!((&next["created_by"], &next["reason"]), (&json!("ada"), &json!("training")));
}

fn files_and_rows_that_do_not_belong_together_are_found(backend: &Backend) {
    let recorder = start(backend, json!({}));
    let ada = account(&recorder.host, "ada", &[]);
    recorder.session("s-1", "ada");
    let [kept, lost] = [0, 1].map(|_| recorder.recorded(&ada, "s-1", &json!({})));
    fs::remove_dir_all(recorder.folder.join(&lost)).unwrap();
    let stranger = recorder.folder.join("01890a5d-ac96-774b-bcce-b302099a8057");
    let young = recorder.folder.join("01890a5d-ac96-774b-bcce-b302099a8058");
    for folder in [&stranger, &young] {
        fs::create_dir(folder).unwrap();
    }
    let file = fs::File::open(&stranger).unwrap();
    file.set_modified(std::time::UNIX_EPOCH).unwrap();
    let swept = recorder.api().post(&at("/recordings/sweep")).expect(200).json();
    let expected = json!({"removed": 0, "put_aside": 1, "without_files": 1, "brought_back": 0, "not_mounted": 0, "expired_exports": 0});
    assert_eq!(swept, expected);
    let aside = recorder.folder.join("lost+found").join(stranger.file_name().unwrap());
    assert!(!stranger.exists() && aside.exists() && young.exists() && recorder.folder.join(&kept).exists());
    let failed = recorder.recording(&lost);
    assert_eq!(
        (&failed["status"], &failed["error_message"]),
        (&json!("failed"), &json!("its files are gone, and nobody has deleted it"))
    );
    recorder.api().get(&at(&format!("/recordings/{lost}/stream"))).problem(&[409]);
    let again = recorder.api().post(&at("/recordings/sweep")).expect(200).json();
    assert_eq!(again["without_files"], 0);
}

fn a_session_is_recorded_already_below_the_limit_too(backend: &Backend) {
    let recorder = start(backend, json!({"maxConcurrent": 2}));
    for session in ["s-1", "s-2", "s-3"] {
        recorder.session(session, "admin");
    }
    let begin = |session: &str| recorder.begin(recorder.api(), session, &json!({}));
    let _ = begin("s-1").expect(201);
    begin("s-1").problem(&[409]);
    let _ = begin("s-2").expect(201);
    begin("s-2").problem(&[409]);
    begin("s-3").problem(&[429]);
}

fn what_cannot_be_written_down_is_not_recorded(backend: &Backend) {
    let recorder = start(backend, json!({}));
    recorder.session("s-1", "admin");
    tamper(backend, &recorder.host, "ALTER TABLE recording_access_log RENAME TO gone");
    recorder.begin(recorder.api(), "s-1", &json!({})).problem(&[500]);
    assert!(recorder.of_session("s-1").is_empty());
    tamper(backend, &recorder.host, "ALTER TABLE gone RENAME TO recording_access_log");
    recorder.recorded(recorder.api(), "s-1", &json!({}));
}

fn a_desktop_that_is_not_there_leaves_one_recording(backend: &Backend) {
    let recorder = start(backend, json!({}));
    recorder.policy(&json!({"name": "auto", "auto_record": true}));
    let new = json!({"id": "s-1", "owner": "admin", "template": "firefox"});
    let _ = recorder.api().post_json("/api/v1/sessions", &new).expect(201);
    recorder.step("s-1", "creating");
    recorder.step("s-1", "running");
    let vain = recorder.host.wait_for(DEADLINE, "a try", || {
        recorder.of_session("s-1").into_iter().find(|one| one["status"] == "failed")
    });
    let patch = json!({ "rfb_address": recorder.desktop.address() });
    let _ = recorder.api().patch("/api/v1/sessions/s-1", &patch).expect(200);
    recorder.host.wait_for(DEADLINE, "it to be recorded", || {
        recorder.of_session("s-1").iter().any(|one| one["status"] == "recording").then_some(())
    });
    assert_eq!(recorder.of_session("s-1").len(), 1);
    let id = vain["id"].as_str().unwrap();
    recorder.api().get(&at(&format!("/recordings/{id}"))).problem(&[404]);
    assert!(!recorder.folder.join(id).exists());
}
