//! What a put and a get of a plugin's storage cost, through the interface's table, beside `rusqlite` with cached statements on
//! the same file system: 10,000 keys of 22 bytes, values of 256 bytes, each put another one. A round is of 1,024 puts by one
//! caller, of 2,048 by 16, or of 1,000 gets.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod support {
    pub(crate) mod turns;
}

use std::{
    hint::black_box,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use rusqlite::{Connection, params};
use streamspace_host::{
    config::{Config, Sync},
    storage::{Storage, open_storage},
};
use streamspace_plugin::{
    abi::{Bound, ROption, RSlice, RStr},
    storage::{ChangeKind, ChangeView, Expected, ExpectedKind, StorageRef},
};
use tempfile::TempDir;

use self::support::turns;

const KEYS: u64 = 10_000;
const GETS: u64 = 1_000;
const ROUNDS: usize = 40;

/// The number of the next put.
static ROUND: AtomicU64 = AtomicU64::new(0);

fn main() {
    // `cargo test` runs benchmarks to see whether they work.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    turns::heading();
    for (sync, name) in [(Sync::Full, "full"), (Sync::Normal, "normal")] {
        let (ours, peer) = (Ours::new(sync), Rusqlite::new(sync));
        for (callers, count) in [(1, 1024), (16, 2048)] {
            let what = format!("put, {name}, callers: {callers}");
            let round = |store: &dyn Store| puts(store, callers, count);
            turns::measure(&what, count, ROUNDS, || round(&ours), || round(&peer));
        }
        let what = format!("put, {name}, callers: 16, floor");
        turns::measure(&what, 2048, ROUNDS, || puts(&ours, 16, 2048), || peer.put_in_groups(16, 2048));
        if sync == Sync::Normal {
            let keys: Vec<String> = (0..GETS).map(key).collect();
            turns::measure("get", GETS, 20 * ROUNDS, || gets(&ours, &keys), || gets(&peer, &keys));
        }
    }
}

/// Something that has values under keys.
trait Store: std::marker::Sync {
    fn put(&self, key: &str, value: &[u8]);
    fn get(&self, key: &str) -> usize;
}

/// The interface's table, as a plugin has it.
struct Ours {
    storage: Bound<StorageRef>,
    _opened: Box<dyn std::any::Any + Send + std::marker::Sync>,
    _folder: TempDir,
}

/// One connection for everybody, as a plugin would have it that brings `rusqlite` itself.
struct Rusqlite {
    connection: Mutex<Connection>,
    _folder: TempDir,
}

fn folder() -> TempDir {
    TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

impl Ours {
    fn new(sync: Sync) -> Self {
        let folder = folder();
        let mut config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        config.storage.sync = sync;
        let (capability, opened) = open_storage(Arc::new(Storage::new(&config, None)).of("a-plugin"));
        let storage = capability.bind().expect("this host's table");
        fill(Self { storage, _opened: Box::new(opened), _folder: folder })
    }
}

impl Store for Ours {
    fn put(&self, key: &str, value: &[u8]) {
        let change = ChangeView {
            key: RStr::from_str(key),
            kind: ChangeKind::SET,
            value: RSlice::from_slice(value),
            amount: 0,
            ttl_ms: 0,
            expected: Expected { kind: ExpectedKind::ANY, revision: 0 },
        };
        let applied = self.storage.table.apply()(self.storage.handle, RSlice::from_slice(&[change]));
        black_box(applied.into_result().expect("a put"));
    }

    fn get(&self, key: &str) -> usize {
        match self.storage.table.get()(self.storage.handle, RStr::from_str(key)).into_result() {
            Ok(ROption::RSome(stored)) => stored.value.len(),
            other => panic!("no value: {other:?}"),
        }
    }
}

impl Rusqlite {
    fn new(sync: Sync) -> Self {
        let folder = folder();
        let connection = Connection::open(folder.path().join("peer.db")).expect("a file");
        connection.pragma_update(None, "journal_mode", "wal").expect("a pragma");
        let sync = if sync == Sync::Full { "full" } else { "normal" };
        connection.pragma_update(None, "synchronous", sync).expect("a pragma");
        connection
            .execute_batch(
                "CREATE TABLE kv (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID",
            )
            .expect("a table");
        fill(Self { connection: Mutex::new(connection), _folder: folder })
    }
}

impl Rusqlite {
    /// A round of puts by one caller, so many in each transaction: groups that are always full, and nobody to be woken.
    fn put_in_groups(&self, size: u64, count: u64) {
        let first = ROUND.fetch_add(count, Ordering::Relaxed);
        for group in (first..first + count).step_by(size as usize) {
            self.connection.lock().expect("no panic").execute_batch("BEGIN IMMEDIATE").expect("begun");
            (group..group + size).for_each(|number| self.put(&key(number), &value()));
            self.connection.lock().expect("no panic").execute_batch("COMMIT").expect("committed");
        }
    }
}

impl Store for Rusqlite {
    fn put(&self, key: &str, value: &[u8]) {
        let connection = self.connection.lock().expect("no panic");
        let sql = "INSERT INTO kv (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
        let put = connection.prepare_cached(sql).and_then(|mut put| put.execute(params![key, value]));
        black_box(put.expect("a put"));
    }

    fn get(&self, key: &str) -> usize {
        let connection = self.connection.lock().expect("no panic");
        let mut get = connection.prepare_cached("SELECT value FROM kv WHERE key = ?1").expect("a statement");
        get.query_row([key], |row| row.get::<_, Vec<u8>>(0)).expect("a value").len()
    }
}

fn key(number: u64) -> String {
    // In no order: a multiplier that is prime to the number of keys.
    format!("key/{:018}", number.wrapping_mul(7_919) % KEYS)
}

/// A value that no other put has.
fn value() -> [u8; 256] {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut value = [b'x'; 256];
    value[1..17].copy_from_slice(format!("{:016}", NEXT.fetch_add(1, Ordering::Relaxed)).as_bytes());
    (value[0], value[255]) = (b'"', b'"');
    value
}

fn fill<S: Store>(store: S) -> S {
    (0..KEYS).for_each(|number| store.put(&key(number), &value()));
    store
}

/// A round of puts by `callers` at once.
fn puts(store: &dyn Store, callers: u64, count: u64) {
    let each = |first: u64| {
        for number in first..first + count / callers {
            store.put(&key(number), &value());
        }
    };
    let first = ROUND.fetch_add(count, Ordering::Relaxed);
    if callers == 1 {
        return each(first);
    }
    thread::scope(|scope| {
        for caller in 0..callers {
            scope.spawn(move || each(first + caller * (count / callers)));
        }
    });
}

fn gets(store: &dyn Store, keys: &[String]) {
    black_box(keys.iter().map(|key| store.get(key)).sum::<usize>());
}
