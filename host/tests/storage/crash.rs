//! A process that is killed while it writes: what was answered is there, and nothing in part.

use std::{
    env,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    sync::Arc,
};

use streamspace_host::{
    config::Config,
    postgres::Postgres,
    storage::{PluginStorage, Storage},
};
use streamspace_tests::{Backend, PostgresDatabase, on_both_backends};

use crate::support::{prepare, set};

on_both_backends!(what_was_answered_survives_a_kill);

/// Tells the child its data folder, and the URL of its database.
const FOLDER: &str = "TEST_STORAGE_FOLDER";
const URL: &str = "TEST_STORAGE_URL";

fn open(folder: &Path, url: &str, network: &tokio::runtime::Runtime) -> PluginStorage {
    let mut config = Config { data_dir: folder.to_owned(), ..Config::default() };
    config.database.url = serde_json::from_value(url.into()).unwrap();
    prepare(&config, network);
    let postgres = Postgres::new(&config.database, network.handle()).unwrap();
    Arc::new(Storage::new(&config, postgres)).of("a-plugin")
}

/// What the child does: sets pairs of keys, by two threads, and says which are set.
#[test]
#[ignore = "the child of the other tests"]
fn child() {
    let (Ok(folder), Ok(url)) = (env::var(FOLDER), env::var(URL)) else { return };
    let network = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let keys = open(Path::new(&folder), &url, &network);
    std::thread::scope(|scope| {
        for thread in 0..2 {
            let keys = &keys;
            scope.spawn(move || {
                for number in 0.. {
                    let value = number.to_string();
                    let (left, right) =
                        (format!("{thread}/{number}/left"), format!("{thread}/{number}/right"));
                    keys.apply(vec![set(&left, value.as_bytes()), set(&right, value.as_bytes())]).unwrap();
                    // One write each: the parent reads whole lines.
                    std::io::stdout().write_all(format!("done {thread}/{number}\n").as_bytes()).unwrap();
                }
            });
        }
    });
}

fn what_was_answered_survives_a_kill(backend: &Backend) {
    let folder = tempfile::tempdir().unwrap();
    let url = match backend {
        Backend::Sqlite => "sqlite",
        Backend::Postgres(database) => PostgresDatabase::url(database),
    };
    let mut child = Command::new(env::current_exe().unwrap())
        .args(["--exact", "crash::child", "--ignored", "--nocapture", "--test-threads", "1"])
        .env(FOLDER, folder.path())
        .env(URL, url)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut answered = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    for line in lines.by_ref().map(Result::unwrap) {
        answered.extend(line.split_once("done ").map(|(_, done)| done.to_owned()));
        if answered.len() == 100 {
            // SIGKILL.
            child.kill().unwrap();
        }
    }
    child.wait().unwrap();
    assert!(answered.len() >= 100, "the child ended by itself after {}", answered.len());

    let network = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let keys = open(folder.path(), url, &network);
    for done in &answered {
        let side = |side: &str| keys.get(&format!("{done}/{side}")).unwrap().map(|stored| stored.value);
        let value = done.split_once('/').unwrap().1.as_bytes();
        assert_eq!(side("left").as_deref(), Some(value), "{done}");
        assert_eq!(side("right").as_deref(), Some(value), "{done}");
    }
    let (mut after, mut sides) = (String::new(), [0, 0]);
    loop {
        let page = keys.list("", &after, 1000, false).unwrap();
        let Some(last) = page.last() else { break };
        after = last.key.to_string();
        for listed in &page {
            sides[usize::from(listed.key.ends_with("left"))] += 1;
        }
    }
    assert_eq!(sides[0], sides[1], "no batch is there in part");
}
