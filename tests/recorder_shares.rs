//! Who may have a session recorded, for how long, and what is left of that when it is shared no longer.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test that cannot go on panics")]

use serde_json::{Value, json};
use streamspace_tests::{
    Answer, Api, Backend, DEADLINE, Host, Installation, PaintedDesktop, on_both_backends,
};

const PLUGIN: &str = "streamspace-session-recorder";

on_both_backends!(
    only_who_may_use_a_session_has_it_recorded,
    a_recording_ends_with_the_share_of_who_began_it,
    a_recording_goes_on_for_whom_the_session_is_still_shared_with,
);

struct Recorder {
    host: Host,
    desktop: PaintedDesktop,
    ada: Api,
    bob: Api,
}

fn at(path: &str) -> String {
    format!("/api/plugins/{PLUGIN}{path}")
}

impl Recorder {
    fn start(backend: &Backend) -> Self {
        let installation = Installation::on(backend);
        let folder = installation.scratch().join("recordings");
        let host = installation.plugin(PLUGIN, &json!({ "storagePath": folder })).start();
        host.wait_state(PLUGIN, "running");
        let [ada, bob] = ["ada", "bob"].map(|name| host.account(name, &[]).0);
        Self { host, desktop: PaintedDesktop::new(), ada, bob }
    }

    fn session(&self, id: &str) {
        self.host.run_session(id, "ada", self.desktop.address(), json!({}));
    }

    fn share(&self, session: &str, access: &str) {
        let body = json!({ "access": access }).to_string();
        let path = format!("/api/v1/sessions/{session}/shares/bob");
        let headers = [("Content-Type", "application/json")];
        let _ = self.ada.send("PUT", &path, &headers, Some(body.as_bytes())).expect(200);
    }

    fn unshare(&self, session: &str) {
        let _ = self.ada.delete(&format!("/api/v1/sessions/{session}/shares/bob")).expect(204);
    }

    fn begin(&self, api: &Api, session: &str) -> Answer {
        api.post_json(&at(&format!("/sessions/{session}/recordings/start")), &json!({}))
    }

    /// Has a session recorded, and waits until it is.
    fn recorded(&self, api: &Api, session: &str) -> String {
        let begun = self.begin(api, session).expect(201).json();
        let id = begun["recording_id"].as_str().unwrap().to_owned();
        self.wait(&id, "recording");
        id
    }

    fn wait(&self, id: &str, status: &str) -> Value {
        self.host.wait_for(DEADLINE, &format!("the recording {id} to be {status}"), || {
            let found = self.host.api().get(&at(&format!("/recordings/{id}"))).expect(200).json();
            (found["status"] == status).then_some(found)
        })
    }

    fn of_session(&self, session: &str) -> Vec<Value> {
        let path = at(&format!("/recordings?session_id={session}"));
        let page = self.host.api().get(&path).expect(200).json();
        page["recordings"].as_array().unwrap().clone()
    }
}

fn only_who_may_use_a_session_has_it_recorded(backend: &Backend) {
    let recorder = Recorder::start(backend);
    let max = recorder.host.account("max", &["recording.write"]).0;
    recorder.session("s-1");
    recorder.begin(&recorder.bob, "s-1").problem(&[404]);
    recorder.share("s-1", "view");
    let why = recorder.begin(&recorder.bob, "s-1").problem(&[403]);
    assert!(why["detail"].as_str().unwrap().contains("`control`"), "{why}");
    assert!(recorder.of_session("s-1").is_empty());
    recorder.share("s-1", "control");
    for api in [&recorder.bob, &recorder.ada, &max, recorder.host.api()] {
        let id = recorder.recorded(api, "s-1");
        let _ = api.post(&at(&format!("/recordings/{id}/stop"))).expect(200);
        recorder.wait(&id, "completed");
    }
}

fn a_recording_ends_with_the_share_of_who_began_it(backend: &Backend) {
    let recorder = Recorder::start(backend);
    let bob = &recorder.bob;
    recorder.session("s-1");
    recorder.share("s-1", "control");
    let id = recorder.recorded(bob, "s-1");
    let one = at(&format!("/recordings/{id}"));
    // Whoever is recorded is told of it where they look, also without a policy.
    let notice = recorder.ada.get(&at("/sessions/s-1/recordings/notice")).expect(200).json();
    assert_eq!(
        (&notice["recording"], &notice["recording_id"], &notice["notice"]),
        (&json!(true), &json!(id), &Value::Null)
    );
    assert_eq!(recorder.ada.get(&one).expect(200).json()["id"], json!(id));
    recorder.unshare("s-1");
    assert_eq!(recorder.wait(&id, "completed")["ended_by"], "rights");
    bob.get(&one).problem(&[404]);
    bob.get(&format!("{one}/playback")).problem(&[404]);
    bob.delete(&one).problem(&[404]);
    assert_eq!(bob.get(&at("/recordings")).expect(200).json()["total"], 0);
    assert_eq!(recorder.ada.get(&at("/recordings")).expect(200).json()["total"], 1);
    // What is taken back while nobody looks is not gone on with.
    recorder.share("s-1", "control");
    recorder.session("s-2");
    let (taken, kept) = (recorder.recorded(bob, "s-1"), recorder.recorded(&recorder.ada, "s-2"));
    recorder.host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    recorder.host.wait_state(PLUGIN, "disabled");
    recorder.unshare("s-1");
    recorder.host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    recorder.host.wait_state(PLUGIN, "running");
    recorder.host.wait_for(DEADLINE, "the other recording to go on", || {
        recorder.of_session("s-2").iter().any(|next| next["continues"] == json!(kept)).then_some(())
    });
    assert_eq!(recorder.wait(&taken, "completed")["ended_by"], "host");
    assert!(recorder.of_session("s-1").iter().all(|next| next["continues"] != json!(taken)));
}

fn a_recording_goes_on_for_whom_the_session_is_still_shared_with(backend: &Backend) {
    let recorder = Recorder::start(backend);
    let eve = recorder.host.account("eve", &["recording.write"]).0;
    for session in ["s-1", "s-2", "s-3"] {
        recorder.session(session);
        recorder.share(session, "control");
    }
    let hers = recorder.recorded(&recorder.ada, "s-1");
    let by_permission = recorder.recorded(&eve, "s-2");
    let looks_on = recorder.recorded(&recorder.bob, "s-3");
    for session in ["s-1", "s-2"] {
        recorder.unshare(session);
    }
    // From here on bob may look on, and no more.
    recorder.share("s-3", "view");
    assert_eq!(recorder.wait(&looks_on, "completed")["ended_by"], "rights");
    // Events come in their order: those of the other sessions have come, too.
    for id in [&hers, &by_permission] {
        recorder.wait(id, "recording");
    }
    let _ = recorder.bob.delete(&at(&format!("/recordings/{looks_on}"))).expect(204);
    // Nothing is said to the recorder of an account: it looks.
    let _ = recorder.host.api().post("/api/v1/users/eve/disable").expect(200);
    assert_eq!(recorder.wait(&by_permission, "completed")["ended_by"], "rights");
    recorder.wait(&hers, "recording");
}
