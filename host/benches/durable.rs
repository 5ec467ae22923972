//! What a durable emit costs: the time of 640 events that are in the log when it ends, by 1, 8 and 64 emitters at once,
//! beside the same rows written by rusqlite alone, as many in one transaction as there are emitters.

mod support {
    pub(crate) mod payload;
}

use std::{path::Path, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use divan::{Bencher, counter::ItemsCount};
use streamspace_host::{
    config::{self, Sync},
    events::{Bus, Limits, NewEvent},
    store::Database,
};

use self::support::payload::payload;

/// Events of one sample.
const EVENTS: usize = 640;
const TOPIC: &str = "session.created";
const EMITTERS: [usize; 3] = [1, 8, 64];

fn main() {
    divan::main();
}

/// A folder on the disk that the build is on: the temporary one may be in memory.
fn folder() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder")
}

/// A bus with a log, and nobody who wants its events.
fn bus(folder: &Path, sync: Sync, network: &tokio::runtime::Runtime) -> Arc<Bus> {
    let database =
        Database::open(folder, &config::Database::default(), network.handle()).expect("a database");
    let limits = Limits {
        max_data_bytes: 1024 * 1024,
        max_pending: 65_536,
        handler_deadline: Duration::from_secs(60),
    };
    let events = config::Events { sync, ..config::Events::default() };
    let logger = slog::Logger::root(slog::Discard, slog::o!());
    Bus::open(limits, &events, &Arc::new(database), &logger).expect("a bus")
}

fn emit(bencher: Bencher<'_, '_>, emitters: usize, sync: Sync) {
    let (folder, network) = (folder(), tokio::runtime::Runtime::new().expect("a runtime"));
    let bus = bus(folder.path(), sync, &network);
    let data = payload();
    let source: Arc<str> = "/streamspace/bench".into();
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        thread::scope(|scope| {
            for _ in 0..emitters {
                scope.spawn(|| {
                    for _ in 0..EVENTS / emitters {
                        let event = NewEvent {
                            topic: TOPIC,
                            source: Arc::clone(&source),
                            subject: "",
                            time_us: None,
                            data: data.clone(),
                            attributes: Bytes::new(),
                        };
                        bus.emit(event).expect("accepted");
                    }
                });
            }
        });
    });
    bus.log().expect("a log").stop(std::time::Instant::now() + Duration::from_secs(5));
}

#[divan::bench(args = EMITTERS, sample_count = 30, sample_size = 1)]
fn full(bencher: Bencher<'_, '_>, emitters: usize) {
    emit(bencher, emitters, Sync::Full);
}

#[divan::bench(args = EMITTERS, sample_count = 30, sample_size = 1)]
fn normal(bencher: Bencher<'_, '_>, emitters: usize) {
    emit(bencher, emitters, Sync::Normal);
}

/// The floor: no threads, no queue, and a group that is always full.
fn floor(bencher: Bencher<'_, '_>, group: usize, sync: &str) {
    let folder = folder();
    let mut database = rusqlite::Connection::open(folder.path().join("floor.db")).expect("a database");
    let settings = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {sync};");
    database.execute_batch(&settings).expect("settings");
    let table = "CREATE TABLE events (seq INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, time_us INTEGER NOT NULL, \
                 stored_us INTEGER NOT NULL, topic TEXT NOT NULL, source TEXT NOT NULL, subject TEXT NOT NULL, \
                 data BLOB NOT NULL, attributes BLOB NOT NULL) STRICT";
    database.execute_batch(table).expect("a table");
    let (data, mut seq) = (payload(), 0_i64);
    bencher.counter(ItemsCount::new(EVENTS)).bench_local(|| {
        for _ in 0..EVENTS / group {
            let transaction = database.transaction().expect("a transaction");
            {
                let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let mut insert = transaction.prepare_cached(sql).expect("a statement");
                for _ in 0..group {
                    seq += 1;
                    let id = uuid::Uuid::now_v7();
                    let row = rusqlite::params![
                        seq,
                        &id.as_bytes()[..],
                        seq,
                        seq,
                        TOPIC,
                        "/streamspace/bench",
                        "",
                        &data[..],
                        &b""[..]
                    ];
                    insert.execute(row).expect("a row");
                }
            }
            transaction.commit().expect("a commit");
        }
    });
}

#[divan::bench(args = EMITTERS, sample_count = 30, sample_size = 1)]
fn floor_full(bencher: Bencher<'_, '_>, group: usize) {
    floor(bencher, group, "FULL");
}

#[divan::bench(args = EMITTERS, sample_count = 30, sample_size = 1)]
fn floor_normal(bencher: Bencher<'_, '_>, group: usize) {
    floor(bencher, group, "NORMAL");
}
