//! What was accepted is delivered, whatever becomes of the host: it is killed at random, its disk fills up, its database
//! goes away.
#![forbid(unsafe_code)]

use std::{
    collections::{HashMap, HashSet},
    fs,
    path::{Path, PathBuf},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{
    Api, Backend, DEADLINE, Host, Installation, PostgresServer, cloud_event, on_both_backends, wait_for,
};

const PLUGIN: &str = "fixture-journal";
const CONSUMER: &str = "journal";
const EMITTERS: usize = 8;

on_both_backends!(
    what_was_accepted_survives_kills_in_order,
    a_consumer_that_is_new_begins_where_it_asks_to,
    what_waits_for_a_plugin_waits_through_restarts,
    a_consumer_that_is_away_for_too_long_is_told_of,
);

/// What the plugin wrote down.
struct Journal(PathBuf);

impl Journal {
    fn of(installation: &Installation) -> Self {
        Self(installation.scratch().join("journal.jsonl"))
    }

    /// The configuration of the plugin that writes it.
    fn config(&self) -> Value {
        json!({"file": self.0.to_str()})
    }

    /// The ids of the events in the order in which they came, in a list for each start of the plugin.
    fn runs(&self) -> Vec<Vec<String>> {
        let mut runs: Vec<Vec<String>> = Vec::new();
        for line in fs::read_to_string(&self.0).expect("the journal").lines() {
            let line: Value = serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"));
            match (line["id"].as_str(), runs.last_mut()) {
                (Some(id), Some(run)) => run.push(id.to_owned()),
                (Some(id), None) => panic!("{id} came before the plugin started"),
                (None, _) => runs.push(Vec::new()),
            }
        }
        runs
    }

    fn ids(&self) -> Vec<String> {
        self.runs().into_iter().flatten().collect()
    }
}

/// What became of the events of one emitter.
#[derive(Default)]
struct Emitted {
    /// The ids that were answered with 202, in order.
    accepted: Vec<String>,
    /// How often the answer was an error, and what it said last.
    refused: usize,
    last_refusal: Option<Value>,
}

/// Emitters that go on, whatever becomes of the host.
#[derive(Default)]
struct Emitters {
    host: Mutex<Option<Api>>,
    stop: AtomicBool,
    emitted: Mutex<Vec<Emitted>>,
}

impl Emitters {
    fn connect(&self, host: Option<&Host>) {
        *lock(&self.host) = host.map(|host| host.api().clone());
    }

    /// Emits one event after the other, each until it is answered in some way.
    fn run(&self, emitter: usize) {
        let mut n = 0;
        let mut known = None;
        while !self.stop.load(Ordering::Relaxed) {
            let Some(api) = lock(&self.host).clone() else {
                known = None;
                thread::sleep(Duration::from_millis(2));
                continue;
            };
            let api = known.get_or_insert_with(|| api.another());
            let event = cloud_event("test.durable", &json!({"emitter": emitter, "n": n}));
            let headers = [("Content-Type", "application/cloudevents+json")];
            let answer = api.try_send("POST", "/api/v1/events", &headers, Some(event.to_string().as_bytes()));
            let mut emitted = lock(&self.emitted);
            let emitted = &mut emitted[emitter];
            match answer {
                Some(answer) if answer.status == 202 => {
                    let answer = answer.json();
                    assert_eq!(answer["durability"], "log", "{answer}");
                    emitted.accepted.push(answer["ids"][0].as_str().expect("an id").to_owned());
                    n += 1;
                }
                Some(answer) => {
                    emitted.refused += 1;
                    emitted.last_refusal = Some(answer.problem(&[503]));
                }
                // The host is gone: nobody knows whether it had accepted this one.
                None => known = None,
            }
        }
    }

    /// Runs `EMITTERS` of them while `meanwhile` goes on.
    fn during<R>(&self, meanwhile: impl FnOnce() -> R) -> R {
        lock(&self.emitted).resize_with(EMITTERS, Emitted::default);
        thread::scope(|scope| {
            for emitter in 0..EMITTERS {
                scope.spawn(move || self.run(emitter));
            }
            // Also if `meanwhile` fails: the emitters must end.
            let stop = Stop(&self.stop);
            let result = meanwhile();
            drop(stop);
            result
        })
    }

    fn accepted(&self) -> usize {
        lock(&self.emitted).iter().map(|emitted| emitted.accepted.len()).sum()
    }

    fn refused(&self) -> usize {
        lock(&self.emitted).iter().map(|emitted| emitted.refused).sum()
    }

    /// Every event that was answered with 202 is in the journal, those of each emitter in their order.
    #[track_caller]
    fn check(&self, journal: &Journal) {
        let mut first: HashMap<String, usize> = HashMap::new();
        for (position, id) in journal.ids().into_iter().enumerate() {
            first.entry(id).or_insert(position);
        }
        for (emitter, emitted) in lock(&self.emitted).iter().enumerate() {
            let mut before = None;
            for id in &emitted.accepted {
                let position = first.get(id);
                assert!(position.is_some(), "{id} of emitter {emitter} was accepted and is lost");
                assert!(
                    before < position,
                    "{id} of emitter {emitter} came before one that was accepted earlier"
                );
                before = position;
            }
        }
    }
}

struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What the database has: the events whose acknowledgement is committed.
fn committed(installation: &Installation, backend: &Backend) -> HashSet<String> {
    const POSITION: &str = "SELECT position FROM consumers WHERE name = 'journal'";
    let position: i64;
    let ids: Vec<Vec<u8>>;
    match backend {
        Backend::Sqlite => {
            let database =
                rusqlite::Connection::open(installation.data().join("streamspace.db")).expect("it opens");
            position = database.query_row(POSITION, [], |row| row.get(0)).expect("a position");
            let mut query = database.prepare("SELECT id FROM events WHERE seq <= ?").expect("a query");
            let rows = query.query_map([position], |row| row.get(0)).expect("events");
            ids = rows.map(|row| row.expect("an id")).collect();
        }
        Backend::Postgres(database) => {
            let mut client = database.owner();
            client.batch_execute("SET search_path = streamspace").expect("the schema");
            position = client.query_one(POSITION, &[]).expect("a position").get(0);
            let rows = client.query("SELECT id FROM events WHERE seq <= $1", &[&position]).expect("events");
            ids = rows.into_iter().map(|row| row.get(0)).collect();
        }
    }
    ids.iter().map(|id| uuid::Uuid::from_slice(id).expect("an id").to_string()).collect()
}

fn wait_until_all_is_delivered(host: &Host) {
    host.wait_for(DEADLINE, "everything to be delivered", || {
        (host.consumer(PLUGIN, CONSUMER)["pending"] == 0).then_some(())
    });
}

/// Numbers that look random and are the same each time.
fn random_millis(state: &mut u64, below: u64) -> Duration {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    Duration::from_millis((*state >> 33) % below)
}

fn what_was_accepted_survives_kills_in_order(backend: &Backend) {
    let kills = match backend {
        Backend::Sqlite => 50,
        // Each start makes a dozen connections.
        Backend::Postgres(_) => 20,
    };
    let installation = Installation::on(backend).set("log.level", "info");
    let journal = Journal::of(&installation);
    let installation = installation.plugin(PLUGIN, &journal.config());
    let emitters = Emitters::default();
    let mut random = 7;
    let installation = emitters.during(|| {
        let mut installation = installation;
        let mut settled = HashSet::new();
        let mut runs = 0;
        for _ in 0..kills {
            let host = installation.start();
            // Until the plugin has run once, nobody wants its events.
            host.wait_state(PLUGIN, "running");
            emitters.connect(Some(&host));
            let before = emitters.accepted();
            wait_for(DEADLINE, "an event to be accepted", || (emitters.accepted() > before).then_some(()));
            thread::sleep(random_millis(&mut random, 300));
            let stopped = host.end(Signal::KILL, DEADLINE);
            emitters.connect(None);
            installation = stopped.installation;

            let all = journal.runs();
            for run in &all[runs..] {
                for id in run {
                    assert!(!settled.contains(id), "{id} came again after its acknowledgement was committed");
                }
                let once: HashSet<_> = run.iter().collect();
                assert_eq!(once.len(), run.len(), "an event came twice in one life of the host");
            }
            runs = all.len();
            settled = committed(&installation, backend);
        }
        installation
    });
    let host = installation.start();
    host.wait_state(PLUGIN, "running");
    wait_until_all_is_delivered(&host);
    emitters.check(&journal);
    assert!(emitters.accepted() > kills, "only {} events were accepted", emitters.accepted());
    assert_eq!(emitters.refused(), 0);
    host.stop();
}

fn a_consumer_that_is_new_begins_where_it_asks_to(backend: &Backend) {
    let host = Installation::on(backend).start();
    let post = |n: u64| {
        let accepted = host.post_event("session.created", &json!({"n": n})).json();
        assert_eq!(accepted["durability"], "log", "nobody wants it, and it is kept: {accepted}");
        accepted["ids"][0].as_str().expect("an id").to_owned()
    };
    let mut expected = vec![post(1)];
    for from_start in [false, true] {
        let journal = Journal(host.scratch().join(format!("{from_start}.jsonl")));
        host.install(host.builds().plugin(PLUGIN));
        let config =
            json!({"file": journal.0.to_str(), "topics": ["session.created"], "from_start": from_start});
        host.configure(PLUGIN, &config).expect(0);
        host.wait_state(PLUGIN, "running");
        expected.push(post(2));
        let expected = if from_start { &expected[..] } else { &expected[1..] };
        host.wait_for(DEADLINE, "the events to come", || {
            (journal.ids().len() >= expected.len()).then_some(())
        });
        assert_eq!(journal.ids(), expected, "from the start: {from_start}");
        host.cli(&["plugin", "uninstall", PLUGIN]).expect(0);
    }
    host.stop();
}

fn what_waits_for_a_plugin_waits_through_restarts(backend: &Backend) {
    let installation = Installation::on(backend);
    let journal = Journal::of(&installation);
    let host = installation.plugin(PLUGIN, &journal.config()).start();
    host.wait_state(PLUGIN, "running");
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    for n in 0..10 {
        host.post_event("test.durable", &json!({"n": n}));
    }
    assert_eq!(host.consumer(PLUGIN, CONSUMER)["pending"], 10);
    let host = host.end(Signal::KILL, DEADLINE).installation.start();
    assert_eq!(host.consumer(PLUGIN, CONSUMER)["pending"], 10);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    wait_until_all_is_delivered(&host);
    assert_eq!(journal.ids().len(), 10);
    // What is settled stays settled.
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "running");
    wait_until_all_is_delivered(&host);
    assert_eq!(journal.ids().len(), 10);
    host.stop();
}

fn a_consumer_that_is_away_for_too_long_is_told_of(backend: &Backend) {
    let installation =
        Installation::on(backend).set("events.hold_bytes", 1_048_576).set("events.keep_bytes", 1_048_576);
    let journal = Journal::of(&installation);
    let host = installation.plugin(PLUGIN, &journal.config()).start();
    host.wait_state(PLUGIN, "running");
    host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    let padding = "x".repeat(200_000);
    let ids: Vec<Value> = (0..10)
        .map(|n| {
            host.post_event("test.durable", &json!({"n": n, "padding": padding})).json()["ids"][0].clone()
        })
        .collect();
    let consumer = host.wait_count(PLUGIN, CONSUMER, "missed", 1);
    let missed = consumer["missed"].as_u64().expect("a number") as usize;
    assert_eq!(consumer["pending"], 10 - missed, "{consumer}");
    host.logged("the loss", |line| {
        line.message().starts_with("A consumer was away for too long") && line.text("consumer") == CONSUMER
    });
    // It is known after a restart, and what is left is delivered.
    let host = host.stop().installation.start();
    assert_eq!(host.consumer(PLUGIN, CONSUMER)["missed"], missed);
    host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    wait_until_all_is_delivered(&host);
    assert_eq!(journal.ids(), ids[missed..]);
    host.stop();
}

/// A small file system of its own, which goes with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(path: PathBuf) -> Self {
        fs::create_dir_all(&path).expect("a folder");
        let status = std::process::Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=16m,mode=700", "tmpfs"])
            .arg(&path)
            .status();
        assert!(status.is_ok_and(|status| status.success()), "this test mounts a tmpfs, which takes root");
        Self(path)
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: what still has it open lets it go later.
        let _ = std::process::Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_refuses_what_it_cannot_keep_and_recovers_without_a_restart() {
    let installation = Installation::new();
    let disk = SmallDisk::mount(installation.data());
    let journal = Journal::of(&installation);
    let host = installation.plugin(PLUGIN, &journal.config()).start();
    host.wait_state(PLUGIN, "running");
    let emitters = Emitters::default();
    emitters.during(|| {
        emitters.connect(Some(&host));
        wait_for(DEADLINE, "an event to be accepted", || (emitters.accepted() > 0).then_some(()));
        let ballast = fill(&disk.0);
        wait_for(DEADLINE, "the full disk to be said", || (emitters.refused() > 20).then_some(()));
        let refusal = lock(&emitters.emitted).iter().find_map(|emitted| emitted.last_refusal.clone());
        assert_eq!(refusal.expect("a refusal")["code"], "SSP-EVT-006");
        fs::remove_file(ballast).expect("room");
        let before = emitters.accepted();
        wait_for(DEADLINE, "events to be accepted again", || {
            (emitters.accepted() > before + 20).then_some(())
        });
    });
    wait_until_all_is_delivered(&host);
    emitters.check(&journal);
    let once: HashSet<_> = journal.ids().into_iter().collect();
    assert_eq!(once.len(), journal.ids().len(), "nothing came twice, since the host lived on");
    host.logged("the failure", |line| line.message().starts_with("The event log cannot be written"));
    host.logged("the recovery", |line| line.message() == "The event log is written again.");
    host.stop();
}

/// Fills a file system up to its last byte.
fn fill(folder: &Path) -> PathBuf {
    use std::io::Write;
    let path = folder.join("ballast");
    let mut file = fs::File::create(&path).expect("a file");
    for size in [4096, 1] {
        while file.write_all(&vec![0; size]).is_ok() {}
    }
    path
}

#[test]
fn a_database_that_goes_away_and_comes_back_is_used_again_without_a_restart() {
    let server = PostgresServer::start();
    let backend = Backend::Postgres(server.database());
    let installation = Installation::on(&backend);
    let journal = Journal::of(&installation);
    let host = installation.plugin(PLUGIN, &journal.config()).start();
    host.wait_state(PLUGIN, "running");
    let emitters = Emitters::default();
    emitters.during(|| {
        emitters.connect(Some(&host));
        for _ in 0..3 {
            let (accepted, refused) = (emitters.accepted(), emitters.refused());
            wait_for(DEADLINE, "events to be accepted", || {
                (emitters.accepted() > accepted + 20).then_some(())
            });
            server.kill();
            wait_for(DEADLINE, "events to be refused", || (emitters.refused() > refused + 20).then_some(()));
            server.start_again();
        }
        let accepted = emitters.accepted();
        wait_for(DEADLINE, "events to be accepted again", || {
            (emitters.accepted() > accepted + 20).then_some(())
        });
    });
    wait_until_all_is_delivered(&host);
    emitters.check(&journal);
    host.stop();
}
