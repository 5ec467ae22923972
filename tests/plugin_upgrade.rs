//! Another version takes the place of a plugin that runs: nobody notices, and what fails is taken back.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use std::{
    collections::BTreeSet,
    fs,
    path::PathBuf,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

use rustix::process::Signal;
use serde_json::{Value, json};
use streamspace_tests::{
    Answer, Api, Backend, DEADLINE, Folder, Host, Installation, cloud_event, on_both_backends, replace,
};

const PLUGIN: &str = "fixture-upgrade";
const UPGRADES: u64 = 20;

on_both_backends!(
    nobody_notices_twenty_upgrades_under_load,
    a_version_that_does_not_come_up_changes_nothing,
    a_version_that_fails_while_it_is_watched_is_taken_back,
    a_host_that_is_killed_meanwhile_has_the_old_version,
    tables_follow_the_version_back_and_forth,
    tables_that_cannot_be_taken_back_are_before_the_next_upgrade,
);

/// A running host with the first version.
fn start(backend: &Backend, gate_secs: i64) -> Host {
    let installation = Installation::on(backend)
        .set("plugins.health_gate_secs", gate_secs)
        .set("plugins.health_gate_failures", 0)
        .set("plugins.drain_deadline_secs", 5);
    let config = config(&installation);
    let host = installation.plugin(PLUGIN, &config).start();
    host.wait_state(PLUGIN, "running");
    host
}

fn config(installation: &Installation) -> Value {
    json!({"file": journal(installation).to_str()})
}

fn journal(installation: &Installation) -> PathBuf {
    installation.scratch().join("journal.jsonl")
}

/// What the versions wrote down of one kind: which of them, and the number.
fn noted(installation: &Installation, what: &str) -> Vec<(u64, Value)> {
    let text = fs::read_to_string(journal(installation)).unwrap_or_default();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let of_kind = lines.filter(|line| line["what"] == what);
    of_kind.map(|line| (line["generation"].as_u64().unwrap(), line["n"].clone())).collect()
}

/// The numbers of the events of a topic, in the order in which they were handled.
fn numbers(installation: &Installation, topic: &str) -> Vec<u64> {
    noted(installation, topic).into_iter().map(|(_, n)| n.as_u64().unwrap()).collect()
}

/// The folder of another version: what it is called, and the defaults that make it what it is.
fn version(installation: &Installation, generation: u64, name: &str, defaults: &Value) -> Folder {
    let folder = installation.copy(PLUGIN, name);
    let number = format!("0.{generation}.0");
    folder.change(|library| {
        replace(library, r#""version":"0.1.0""#, &format!(r#""version":"{number}""#));
    });
    let path = PathBuf::from(folder.path()).join("manifest.json");
    let mut manifest: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    manifest["version"] = number.into();
    let properties = &mut manifest["configSchema"]["properties"];
    properties["generation"]["default"] = generation.into();
    for (key, value) in defaults.as_object().unwrap() {
        properties[key]["default"] = value.clone();
    }
    fs::remove_file(&path).unwrap();
    fs::write(path, manifest.to_string()).unwrap();
    folder
}

/// Gives a version a migration that adds a column.
fn with_migration(folder: Folder, with_down: bool) -> Folder {
    for dialect in ["sqlite", "postgres"] {
        let migration = PathBuf::from(folder.path()).join("migrations").join(dialect).join("0002_added");
        fs::create_dir_all(&migration).unwrap();
        fs::write(migration.join("up.sql"), "ALTER TABLE items ADD COLUMN added TEXT;").unwrap();
        if with_down {
            fs::write(migration.join("down.sql"), "ALTER TABLE items DROP COLUMN added;").unwrap();
        }
    }
    folder
}

fn upgrade(api: &Api, folder: &Folder) -> Answer {
    api.post_json(&format!("/api/v1/plugins/{PLUGIN}/upgrade"), &json!({"path": folder.path()}))
}

fn get(api: &Api, path: &str) -> Answer {
    api.get(&format!("/api/plugins/{PLUGIN}{path}"))
}

fn serves(host: &Host, generation: &str) {
    assert_eq!(get(host.api(), "/generation").expect(200).body, generation);
}

fn wait_generation(host: &Host, generation: &str) {
    host.wait_for(DEADLINE, "the other version to serve", || {
        (get(host.api(), "/generation").body == generation).then_some(())
    });
}

/// Emits one event and waits until a version has handled it. Answers which.
fn handled_by(host: &Host, n: u64) -> u64 {
    host.post_event("test.durable", &json!({"n": n}));
    host.wait_for(DEADLINE, "the event to be handled", || {
        noted(host, "test.durable").into_iter().find(|(_, found)| *found == n).map(|(by, _)| by)
    })
}

fn consumers(host: &Host) -> Vec<String> {
    let plugin = host.plugin(PLUGIN);
    let mut names: Vec<String> = plugin["consumers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|consumer| consumer["name"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn stored_versions(host: &Host) -> usize {
    fs::read_dir(host.data().join("plugins").join(PLUGIN)).unwrap().count()
}

/// The one that is installed runs, as if nothing had been.
fn is_as_before(host: &Host) {
    let plugin = host.wait_state(PLUGIN, "running");
    assert_eq!(plugin["version"], "0.1.0", "{plugin}");
    assert_eq!(consumers(host), ["durable", "ephemeral"]);
    serves(host, "1");
    assert_eq!(get(host.api(), "/columns").expect(200).body, "as before");
    assert_eq!(get(host.api(), "/extra").status, 404);
    assert_eq!(stored_versions(host), 1, "the files of the other version are gone");
    assert!(!host.data().join("plugin-data").join(PLUGIN).join("upgrade").exists());
}

/// Asks and emits at a steady pace until it is told to stop. Answers how many events of each topic were accepted.
fn load(host: &Host, stop: &AtomicBool, generations: &std::sync::Mutex<BTreeSet<String>>) -> u64 {
    let emitter = |topic: &'static str| {
        let api = host.api().another();
        move || {
            let mut next = 0;
            while !stop.load(Ordering::Relaxed) {
                let events: Vec<Value> =
                    (next..next + 10).map(|n| cloud_event(topic, &json!({"n": n}))).collect();
                let _ = api.events(&events).expect(202);
                next += 10;
                thread::sleep(Duration::from_millis(10));
            }
            next
        }
    };
    thread::scope(|scope| {
        let emitters = ["test.durable", "test.ephemeral"].map(|topic| scope.spawn(emitter(topic)));
        for path in ["/generation", "/inline"] {
            let api = host.api().another();
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let answer = get(&api, path).expect(200);
                    generations.lock().unwrap().insert(answer.body);
                    thread::sleep(Duration::from_millis(1));
                }
            });
        }
        let [durable, ephemeral] = emitters.map(|emitter| emitter.join().expect("every event is accepted"));
        for (topic, count) in [("test.durable", durable), ("test.ephemeral", ephemeral)] {
            host.wait_for(DEADLINE, "every event to be handled", || {
                (numbers(host, topic).len() as u64 >= count).then_some(())
            });
            let expected: Vec<u64> = (0..count).collect();
            assert_eq!(numbers(host, topic), expected, "{topic}: lost, twice or in another order");
        }
        durable
    })
}

fn nobody_notices_twenty_upgrades_under_load(backend: &Backend) {
    let host = start(backend, 0);
    // The old version's files have the version that the host was installed with.
    let versions = [version(&host, 2, "even", &json!({})), version(&host, 3, "odd", &json!({}))];
    let (stop, generations) = (AtomicBool::new(false), std::sync::Mutex::default());
    let emitted = thread::scope(|scope| {
        let load = scope.spawn(|| load(&host, &stop, &generations));
        let api = host.api().another();
        for n in 0..UPGRADES {
            let folder = &versions[usize::from(n % 2 == 1)];
            let answer = upgrade(&api, folder);
            if answer.status != 200 {
                stop.store(true, Ordering::Relaxed);
            }
            let plugin = answer.expect(200).json();
            assert_eq!(plugin["version"], format!("0.{}.0", 2 + n % 2));
            assert_eq!(plugin["state"], "running");
        }
        stop.store(true, Ordering::Relaxed);
        load.join().expect("the load")
    });
    assert!(emitted > 100, "{emitted}");
    let generations: Vec<String> = generations.into_inner().unwrap().into_iter().collect();
    assert_eq!(generations, ["1", "2", "3"]);
    let consumer = host.consumer(PLUGIN, "durable");
    assert_eq!((consumer["dead"].as_u64(), consumer["retried"].as_u64()), (Some(0), Some(0)), "{consumer}");
    // Every one that was replaced was told.
    assert_eq!(noted(&host, "disable").len() as u64, UPGRADES);
    let _ = host.stop();
}

fn a_version_that_does_not_come_up_changes_nothing(backend: &Backend) {
    let host = start(backend, 0);
    for (generation, fails, reason) in
        [(2, "load", "it was told to fail in load"), (3, "enable", "told to panic in enable")]
    {
        let folder = version(&host, generation, fails, &json!({"fails": fails, "extra": true}));
        let folder = with_migration(folder, true);
        let problem = upgrade(host.api(), &folder).problem(&[422]);
        assert_eq!(problem["code"], "SSP-UPG-001", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
        is_as_before(&host);
        assert_eq!(handled_by(&host, generation), 1);
    }
    // One whose migration fails, and one that is no plugin's library any more.
    let folder = version(&host, 4, "migration", &json!({}));
    for dialect in ["sqlite", "postgres"] {
        let migrations = PathBuf::from(folder.path()).join("migrations").join(dialect);
        for (name, up) in
            [("0002_good", "ALTER TABLE items ADD COLUMN added TEXT;"), ("0003_bad", "NONSENSE;")]
        {
            fs::create_dir_all(migrations.join(name)).unwrap();
            fs::write(migrations.join(name).join("up.sql"), up).unwrap();
            fs::write(migrations.join(name).join("down.sql"), "ALTER TABLE items DROP COLUMN added;")
                .unwrap();
        }
    }
    let problem = upgrade(host.api(), &folder).problem(&[422]);
    assert!(problem["detail"].as_str().unwrap().contains("SSP-DAT-114"), "{problem}");
    is_as_before(&host);
    // Nothing of them is in the way of one that is good, and nothing of them was started again.
    assert!(noted(&host, "disable").iter().all(|(by, _)| *by != 1), "the old one was never ended");
    let good = version(&host, 5, "good", &json!({}));
    let _ = upgrade(host.api(), &good).expect(200);
    serves(&host, "5");
    let _ = host.stop();
}

fn a_version_that_fails_while_it_is_watched_is_taken_back(backend: &Backend) {
    let host = start(backend, 50);
    for (generation, fails, reason) in [
        (2, "event", "told to panic in a consumer"),
        (3, "route", "told to panic in a route"),
        (4, "hang", "hangs"),
    ] {
        let folder = version(&host, generation, fails, &json!({"fails": fails, "extra": true}));
        // With SQLite it has no way down: the file is as it was.
        let with_down = generation != 2 || matches!(backend, Backend::Postgres(_));
        let folder = with_migration(folder, with_down);
        let api = host.api().another();
        let problem = thread::scope(|scope| {
            let upgrading = scope.spawn(|| upgrade(&api, &folder));
            host.wait_for(DEADLINE, "the new version to serve", || {
                let extra = get(host.api(), "/columns").body == "added";
                (extra && consumers(&host).contains(&"extra".to_owned())).then_some(())
            });
            let plugin = host.plugin(PLUGIN);
            assert_eq!((&plugin["state"], &plugin["version"]), (&json!("upgrading"), &json!("0.1.0")));
            // Nobody comes in between.
            let refused = host.api().post(&format!("/api/v1/plugins/{PLUGIN}/disable")).problem(&[409]);
            assert_eq!(refused["code"], "SSP-PLG-007", "{refused}");
            if fails == "route" {
                let _ = get(host.api(), "/generation").problem(&[500]);
            } else {
                // What the new version could not handle is the old one's.
                assert_eq!(handled_by(&host, generation), 1);
            }
            upgrading.join().unwrap().problem(&[422])
        });
        assert_eq!(problem["code"], "SSP-UPG-001", "{problem}");
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
        is_as_before(&host);
        assert_eq!(handled_by(&host, 10 + generation), 1);
    }
    let _ = host.stop();
}

fn a_host_that_is_killed_meanwhile_has_the_old_version(backend: &Backend) {
    let host = start(backend, 50);
    let folder = with_migration(version(&host, 2, "next", &json!({"extra": true})), true);
    let api = host.api().another();
    let command = thread::spawn({
        let path = folder.path().to_owned();
        move || {
            api.try_send(
                "POST",
                &format!("/api/v1/plugins/{PLUGIN}/upgrade"),
                &[("Content-Type", "application/json")],
                Some(json!({"path": path}).to_string().as_bytes()),
            )
        }
    });
    wait_generation(&host, "2");
    assert_eq!(handled_by(&host, 1), 2);
    if matches!(backend, Backend::Sqlite) {
        who_comes_meanwhile_is_told(&host);
    }
    let killed = host.end(Signal::KILL, DEADLINE);
    let _ = command.join();
    let host = killed.installation.start();
    let plugin = host.wait_state(PLUGIN, "running");
    assert_eq!(plugin["version"], "0.1.0", "{plugin}");
    serves(&host, "1");
    assert_eq!(get(host.api(), "/columns").expect(200).body, "as before");
    assert_eq!(handled_by(&host, 2), 1);
    host.wait_for(DEADLINE, "the new version's consumer to be gone", || {
        (consumers(&host) == ["durable", "ephemeral"]).then_some(())
    });
    let _ = host.stop();
}

/// While another is upgraded, nothing is installed or removed, and everything is shown.
fn who_comes_meanwhile_is_told(host: &Host) {
    let other = host.copy("fixture-journal", "other");
    let refused = host.api().post_json("/api/v1/plugins", &json!({"path": other.path()}));
    let problem = refused.problem(&[503]);
    assert_eq!(problem["code"], "SSP-PLG-021", "{problem}");
    assert!(refused.header("retry-after").is_some(), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    assert!(detail.contains(&format!("`{PLUGIN}` is being upgraded")), "{detail}");
    let removed = host.api().delete(&format!("/api/v1/plugins/{PLUGIN}"));
    assert_eq!(removed.problem(&[503])["code"], "SSP-PLG-021");
    let list = host.api().get("/api/v1/plugins").expect(200).json();
    assert_eq!(list["plugins"].as_array().map(Vec::len), Some(1), "{list}");
}

/// The new version's files say how its tables are taken back, so they stay until that was done.
fn tables_that_cannot_be_taken_back_are_before_the_next_upgrade(backend: &Backend) {
    let host = start(backend, 50);
    let folder = with_migration(version(&host, 2, "bad", &json!({"fails": "event"})), true);
    for dialect in ["sqlite", "postgres"] {
        let down = PathBuf::from(folder.path()).join("migrations").join(dialect).join("0002_added/down.sql");
        fs::write(down, "NONSENSE;").unwrap();
    }
    let api = host.api().another();
    let problem = thread::scope(|scope| {
        let upgrading = scope.spawn(|| upgrade(&api, &folder));
        wait_generation(&host, "2");
        if matches!(backend, Backend::Sqlite) {
            let way_back = host.data().join("plugin-data").join(PLUGIN).join("upgrade");
            fs::remove_file(way_back.join("database.before")).unwrap();
        }
        assert_eq!(handled_by(&host, 1), 1);
        upgrading.join().unwrap().problem(&[422])
    });
    assert!(problem["detail"].as_str().unwrap().contains("its tables are as the new version left them"));
    assert_eq!(stored_versions(&host), 2, "nobody knows how any more");
    serves(&host, "1");

    let next = version(&host, 3, "next", &json!({}));
    let refused = upgrade(host.api(), &next).problem(&[409, 503]);
    assert_eq!(refused["code"], "SSP-PLG-022", "{refused}");
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "failed");
    assert_eq!(stored_versions(&host), 2, "nobody knows how any more");

    for home in fs::read_dir(host.data().join("plugins").join(PLUGIN)).unwrap() {
        for dialect in ["sqlite", "postgres"] {
            let down =
                home.as_ref().unwrap().path().join("migrations").join(dialect).join("0002_added/down.sql");
            if down.exists() {
                fs::remove_file(&down).unwrap();
                fs::write(down, "ALTER TABLE items DROP COLUMN added;").unwrap();
            }
        }
    }
    let host = host.stop().installation.start();
    is_as_before(&host);
    assert_eq!(handled_by(&host, 2), 1);
    let _ = host.stop();
}

fn tables_follow_the_version_back_and_forth(backend: &Backend) {
    let host = start(backend, 0);
    let columns = |host: &Host| get(host.api(), "/columns").expect(200).body;
    assert_eq!(get(host.api(), "/items").expect(200).body, "1");
    let next = with_migration(version(&host, 2, "next", &json!({})), true);
    let _ = upgrade(host.api(), &next).expect(200);
    assert_eq!(
        (get(host.api(), "/items").expect(200).body.as_str(), columns(&host).as_str()),
        ("2", "added")
    );
    // The first one again: its files are those of the build.
    let first = host.copy(PLUGIN, "first");
    let _ = upgrade(host.api(), &first).expect(200);
    assert_eq!(
        (get(host.api(), "/items").expect(200).body.as_str(), columns(&host).as_str()),
        ("3", "as before")
    );
    // It starts as well as it runs.
    let host = host.stop().installation.start();
    host.wait_state(PLUGIN, "running");
    assert_eq!(get(host.api(), "/items").expect(200).body, "4");
    if matches!(backend, Backend::Postgres(_)) {
        let no_way_back = with_migration(version(&host, 3, "one-way", &json!({})), false);
        let problem = upgrade(host.api(), &no_way_back).problem(&[422]);
        assert!(problem["detail"].as_str().unwrap().contains("SSP-DAT-120"), "{problem}");
        serves(&host, "1");
    }
    let _ = host.stop();
}

#[test]
fn a_request_that_runs_ends_in_the_version_that_it_came_to() {
    let host = start(&Backend::Sqlite, 0);
    let next = version(&host, 2, "next", &json!({}));
    thread::scope(|scope| {
        let api = host.api().another();
        let slow = scope.spawn(move || get(&api, "/slow").expect(200).body);
        host.wait_for(DEADLINE, "the request to be there", || {
            (!noted(&host, "slow").is_empty()).then_some(())
        });
        let _ = upgrade(host.api(), &next).expect(200);
        assert_eq!(slow.join().unwrap(), "1");
    });
    serves(&host, "2");
    let _ = host.stop();
}

#[test]
fn an_event_in_hand_is_finished_before_the_new_version_gets_the_next() {
    let host = start(&Backend::Sqlite, 0);
    let next = version(&host, 2, "next", &json!({}));
    for n in 0..5 {
        host.post_event("test.durable", &json!({"n": n, "slow_ms": 300}));
    }
    let _ = upgrade(host.api(), &next).expect(200);
    host.wait_for(DEADLINE, "all events", || (numbers(&host, "test.durable").len() == 5).then_some(()));
    assert_eq!(numbers(&host, "test.durable"), [0, 1, 2, 3, 4]);
    let by: BTreeSet<u64> = noted(&host, "test.durable").into_iter().map(|(by, _)| by).collect();
    assert_eq!(by.into_iter().collect::<Vec<_>>(), [1, 2]);
    let _ = host.stop();
}

#[test]
fn jobs_contributions_and_consumers_are_those_of_the_version() {
    let host = start(&Backend::Sqlite, 0);
    let titles = |host: &Host| {
        let shown = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/contributions")).expect(200).json();
        shown["widgets"][0]["title"].as_str().unwrap().to_owned()
    };
    let jobs = |host: &Host| {
        let jobs = host.api().get(&format!("/api/v1/plugins/{PLUGIN}/jobs")).expect(200).json();
        let jobs = jobs["jobs"].as_array().unwrap().iter();
        jobs.map(|job| job["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let ticks_of = |host: &Host, generation: u64| {
        let before = noted(host, "tick").len();
        host.wait_for(DEADLINE, "the job to run", || {
            noted(host, "tick").into_iter().skip(before).any(|(by, _)| by == generation).then_some(())
        });
    };
    ticks_of(&host, 1);
    let next = version(&host, 2, "next", &json!({"extra": true}));
    let _ = upgrade(host.api(), &next).expect(200);
    let ticks = noted(&host, "tick").len();
    ticks_of(&host, 2);
    let since: BTreeSet<u64> = noted(&host, "tick").into_iter().skip(ticks).map(|(by, _)| by).collect();
    assert_eq!(since.into_iter().collect::<Vec<_>>(), [2], "the old version runs no job any more");
    assert_eq!(
        (titles(&host).as_str(), jobs(&host)),
        ("Generation 2", vec!["extra".to_owned(), "tick".to_owned()])
    );
    assert_eq!(consumers(&host), ["durable", "ephemeral", "extra"]);
    assert_eq!(get(host.api(), "/extra").expect(200).body, "2");
    // What only one version had goes with it.
    let last = version(&host, 3, "last", &json!({}));
    let _ = upgrade(host.api(), &last).expect(200);
    assert_eq!((titles(&host).as_str(), jobs(&host)), ("Generation 3", vec!["tick".to_owned()]));
    assert_eq!(consumers(&host), ["durable", "ephemeral"]);
    assert_eq!(get(host.api(), "/extra").status, 404);
    ticks_of(&host, 3);
    let updated = host.logged("the upgrade", |line| line.message() == "A plugin was upgraded.");
    assert_eq!((updated.text("version"), updated.text("new_version")), ("0.1.0", "0.2.0"));
    let _ = host.stop();
}

#[test]
fn one_that_does_not_run_is_replaced_as_it_is() {
    let host = start(&Backend::Sqlite, 0);
    let first = host.copy(PLUGIN, "first");
    let problem = upgrade(host.api(), &first).problem(&[409]);
    assert_eq!(problem["code"], "SSP-UPG-003", "{problem}");
    let other = host.copy("fixture-journal", "other");
    assert_eq!(upgrade(host.api(), &other).problem(&[422])["code"], "SSP-UPG-002");
    let unknown =
        host.api().post_json("/api/v1/plugins/fixture-journal/upgrade", &json!({"path": other.path()}));
    assert_eq!(unknown.problem(&[404])["code"], "SSP-PLG-001");

    let _ = host.cli(&["plugin", "disable", PLUGIN]).expect(0);
    let second = version(&host, 2, "second", &json!({}));
    let said = host.cli(&["plugin", "upgrade", second.path()]).expect(0).stdout;
    assert!(said.contains("0.2.0") && said.contains("disabled"), "{said}");
    let _ = host.cli(&["plugin", "enable", PLUGIN]).expect(0);
    serves(&host, "2");

    // On a stopped host too, and by the command line on one that runs.
    let stopped = host.stop().installation;
    let third = version(&stopped, 3, "third", &json!({}));
    let _ = stopped.cli(&["plugin", "upgrade", third.path()]).expect(0);
    let host = stopped.start();
    host.wait_state(PLUGIN, "running");
    serves(&host, "3");
    let fourth = version(&host, 4, "fourth", &json!({}));
    let said = host.cli(&["plugin", "upgrade", fourth.path()]).expect(0).stdout;
    assert!(said.contains("0.4.0") && said.contains("running"), "{said}");
    serves(&host, "4");
    let _ = host.stop();
}
