//! Sessions under load and under kills: a change and its events are there together, or neither is.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::{
        Mutex,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{Api, Backend, DEADLINE, Installation, on_both_backends};

on_both_backends!(
    of_many_who_want_the_same_step_one_takes_it,
    a_kill_leaves_sessions_and_events_that_belong_together,
    deleted_sessions_are_forgotten_after_their_time,
    a_backup_has_the_sessions,
);

struct Journal(PathBuf);

impl Journal {
    /// The sessions that an event of `topic` told of, in their order.
    fn told(&self, topic: &str) -> Vec<String> {
        // Before the plugin has begun there is none.
        let text = fs::read_to_string(&self.0).unwrap_or_default();
        let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .filter(|line| line["topic"] == topic)
            .map(|line| line["data"]["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

fn installed(backend: &Backend) -> (Installation, Journal) {
    let installation = Installation::on(backend);
    let journal = Journal(installation.scratch().join("journal.jsonl"));
    let config = json!({"file": journal.0.to_str(), "topics": ["session.>"], "from_start": true});
    (installation.plugin("fixture-journal", &config), journal)
}

fn post(api: &Api, rest: &str, body: &Value) -> Option<u16> {
    let headers = [("Content-Type", "application/json")];
    let path = format!("/api/v1/sessions{rest}");
    api.try_send("POST", &path, &headers, Some(body.to_string().as_bytes())).map(|answer| answer.status)
}

fn running(api: &Api, id: &str) {
    assert_eq!(post(api, "", &json!({"id": id, "owner": "ada", "template": "firefox"})), Some(201));
    for state in ["creating", "running"] {
        assert_eq!(post(api, &format!("/{id}/transition"), &json!({"state": state})), Some(200));
    }
}

fn of_many_who_want_the_same_step_one_takes_it(backend: &Backend) {
    let (installation, journal) = installed(backend);
    let host = installation.start();
    for round in 0..5 {
        let id = format!("s{round}");
        running(host.api(), &id);
        let statuses = thread::scope(|scope| {
            let threads: Vec<_> = (0..8)
                .map(|_| {
                    let (api, path) = (host.api().another(), format!("/{id}/transition"));
                    scope.spawn(move || post(&api, &path, &json!({"state": "hibernated"})).unwrap())
                })
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
        });
        let won = statuses.iter().filter(|status| **status == 200).count();
        let lost = statuses.iter().filter(|status| **status == 409).count();
        assert_eq!((won, lost), (1, 7), "{statuses:?}");
    }
    let told = host.wait_for(DEADLINE, "the events", || {
        Some(journal.told("session.hibernated")).filter(|told| told.len() >= 5)
    });
    assert_eq!(told, ["s0", "s1", "s2", "s3", "s4"]);
    host.stop();
}

fn a_kill_leaves_sessions_and_events_that_belong_together(backend: &Backend) {
    const MAKERS: usize = 4;
    let (mut installation, journal) = installed(backend);
    let answered = Mutex::new(BTreeSet::new());
    for round in 0..4 {
        let host = installation.start();
        let gone = AtomicBool::new(false);
        let stopped = thread::scope(|scope| {
            for maker in 0..MAKERS {
                let (api, answered, gone) = (host.api().another(), &answered, &gone);
                scope.spawn(move || {
                    for n in 0.. {
                        let id = format!("r{round}-m{maker}-{n}");
                        let new = json!({"id": id, "owner": "ada", "template": "firefox"});
                        match post(&api, "", &new) {
                            Some(201) => drop(answered.lock().unwrap().insert(id)),
                            Some(other) => panic!("{other} for {id}"),
                            None => break,
                        }
                        if gone.load(Ordering::Relaxed) {
                            break;
                        }
                    }
                });
            }
            let before = answered.lock().unwrap().len();
            host.wait_for(DEADLINE, "sessions", || {
                (answered.lock().unwrap().len() >= before + 20 * (round + 1)).then_some(())
            });
            let stopped = host.end(Signal::KILL, DEADLINE);
            gone.store(true, Ordering::Relaxed);
            stopped
        });
        installation = stopped.installation;
    }
    let host = installation.start();
    let mut kept = BTreeSet::new();
    let mut query = "?limit=500".to_owned();
    loop {
        let page = host.api().get(&format!("/api/v1/sessions{query}")).expect(200).json();
        let sessions = page["sessions"].as_array().unwrap();
        kept.extend(sessions.iter().map(|session| session["id"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        query = format!("?limit=500&after={next}");
    }
    let lost: Vec<_> = answered.into_inner().unwrap().into_iter().filter(|id| !kept.contains(id)).collect();
    assert!(lost.is_empty(), "answered, and lost: {lost:?}");
    // At least once each, and of no session that is not there.
    let told = host.wait_for(DEADLINE, "the events", || {
        let told: BTreeSet<String> = journal.told("session.created").into_iter().collect();
        (told.len() >= kept.len()).then_some(told)
    });
    assert_eq!(told, kept);
    host.stop();
}

fn deleted_sessions_are_forgotten_after_their_time(backend: &Backend) {
    let (installation, _) = installed(backend);
    let host = installation.set("sessions.keep_deleted_secs", 1).start();
    running(host.api(), "kept");
    running(host.api(), "gone");
    let share = json!({"access": "view"}).to_string();
    let headers = [("Content-Type", "application/json")];
    let path = "/api/v1/sessions/gone/shares/bob";
    let _ = host.api().send("PUT", path, &headers, Some(share.as_bytes())).expect(200);
    for state in ["deleting", "deleted"] {
        assert_eq!(post(host.api(), "/gone/transition", &json!({"state": state})), Some(200));
    }
    host.wait_for(DEADLINE, "it to be forgotten", || {
        (host.api().get("/api/v1/sessions/gone").status == 404).then_some(())
    });
    let _ = host.api().get("/api/v1/sessions/kept").expect(200);
    // Its id is free again.
    running(host.api(), "gone");
    let shares = host.api().get("/api/v1/sessions/gone").expect(200).json()["shares"].clone();
    assert_eq!(shares, json!([]));
    host.stop();
}

fn a_backup_has_the_sessions(backend: &Backend) {
    let (installation, _) = installed(backend);
    let file = installation.scratch().join("backup.tar");
    let host = installation.start();
    running(host.api(), "s1");
    let before = host.api().get("/api/v1/sessions/s1").expect(200).json();
    host.cli(&["db", "backup", file.to_str().unwrap()]).expect(0);
    assert_eq!(post(host.api(), "/s1/transition", &json!({"state": "failed"})), Some(200));
    running(host.api(), "later");
    let stopped = host.stop().installation;
    stopped.cli(&["db", "restore", file.to_str().unwrap()]).expect(0);
    let host = stopped.start();
    assert_eq!(host.api().get("/api/v1/sessions/s1").expect(200).json(), before);
    let _ = host.api().get("/api/v1/sessions/later").expect(404);
    host.stop();
}

#[test]
fn heartbeats_take_no_more_memory_the_more_they_are() {
    const BEATERS: usize = 8;
    let (installation, journal) = installed(&Backend::Sqlite);
    let host = installation.start();
    host.wait_state("fixture-journal", "running");
    for beater in 0..BEATERS {
        running(host.api(), &format!("s{beater}"));
    }
    let beat = |each: usize| {
        thread::scope(|scope| {
            for beater in 0..BEATERS {
                let api = host.api().another();
                scope.spawn(move || {
                    let path = format!("/s{beater}/heartbeat");
                    for n in 0..each {
                        let usage = json!({"cpu": 0.5, "memory": n, "storage": 1});
                        assert_eq!(post(&api, &path, &usage), Some(204));
                    }
                });
            }
        });
    };
    let told = |count: usize| {
        host.wait_for(Duration::from_secs(120), "the events", || {
            (journal.told("session.heartbeat").len() >= count).then_some(())
        });
    };
    beat(250);
    told(250 * BEATERS);
    let before = host.memory();
    beat(1000);
    told(1250 * BEATERS);
    let after = host.memory();
    assert!(after < before + 24 * 1024, "{before} kB have become {after} kB");
    host.stop();
}
