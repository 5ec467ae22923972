//! What a put and a get of a plugin's storage cost, through the interface's table, beside `rusqlite` with cached statements on
//! the same file system: 10,000 keys of 22 bytes, values of 256 bytes, each put another one.
//!
//! One iteration is a round of 256 puts, or of 1,000 gets, by all callers together; `items` are single ones.

use std::{
    sync::{
        Arc, LazyLock, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

use divan::{Bencher, black_box, counter::ItemsCount};
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

const KEYS: u64 = 10_000;
const PUTS: u64 = 256;
const GETS: u64 = 1_000;

fn main() {
    divan::main();
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
fn puts(bencher: Bencher<'_, '_>, store: &impl Store, callers: u64) {
    static ROUND: AtomicU64 = AtomicU64::new(0);
    let each = |first: u64| {
        for number in first..first + PUTS / callers {
            store.put(&key(number), &value());
        }
    };
    bencher.counter(ItemsCount::new(PUTS)).bench_local(|| {
        let first = ROUND.fetch_add(PUTS, Ordering::Relaxed);
        if callers == 1 {
            return each(first);
        }
        thread::scope(|scope| {
            for caller in 0..callers {
                scope.spawn(move || each(first + caller * (PUTS / callers)));
            }
        });
    });
}

const CALLERS: [u64; 2] = [1, 16];

#[divan::bench_group(sample_count = 20, sample_size = 1)]
mod put_full {
    use super::*;

    #[divan::bench(args = CALLERS)]
    fn ours(bencher: Bencher<'_, '_>, callers: u64) {
        static STORE: LazyLock<Ours> = LazyLock::new(|| Ours::new(Sync::Full));
        puts(bencher, &*STORE, callers);
    }

    #[divan::bench(args = CALLERS)]
    fn rusqlite(bencher: Bencher<'_, '_>, callers: u64) {
        static STORE: LazyLock<Rusqlite> = LazyLock::new(|| Rusqlite::new(Sync::Full));
        puts(bencher, &*STORE, callers);
    }
}

#[divan::bench_group(sample_count = 200, sample_size = 1)]
mod put_normal {
    use super::*;

    #[divan::bench(args = CALLERS)]
    fn ours(bencher: Bencher<'_, '_>, callers: u64) {
        static STORE: LazyLock<Ours> = LazyLock::new(|| Ours::new(Sync::Normal));
        puts(bencher, &*STORE, callers);
    }

    #[divan::bench(args = CALLERS)]
    fn rusqlite(bencher: Bencher<'_, '_>, callers: u64) {
        static STORE: LazyLock<Rusqlite> = LazyLock::new(|| Rusqlite::new(Sync::Normal));
        puts(bencher, &*STORE, callers);
    }
}

#[divan::bench_group(sample_count = 200, sample_size = 1)]
mod get {
    use super::*;

    fn gets(bencher: Bencher<'_, '_>, store: &impl Store) {
        let keys: Vec<String> = (0..GETS).map(key).collect();
        bencher
            .counter(ItemsCount::new(GETS))
            .bench_local(|| keys.iter().map(|key| store.get(key)).sum::<usize>());
    }

    #[divan::bench]
    fn ours(bencher: Bencher<'_, '_>) {
        static STORE: LazyLock<Ours> = LazyLock::new(|| Ours::new(Sync::Normal));
        gets(bencher, &*STORE);
    }

    #[divan::bench]
    fn rusqlite(bencher: Bencher<'_, '_>) {
        static STORE: LazyLock<Rusqlite> = LazyLock::new(|| Rusqlite::new(Sync::Normal));
        gets(bencher, &*STORE);
    }
}
