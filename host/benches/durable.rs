//! What a durable emit costs: the time of 640 events that are in the log when it ends, by 1, 8 and 64 emitters at once,
//! beside the same rows written by rusqlite alone, as many in one transaction as there are emitters.

#![expect(clippy::print_stdout, reason = "the figures are this program's output")]

mod support {
    pub(crate) mod payload;
    pub(crate) mod turns;
}

use std::{path::Path, sync::Arc, thread, time::Duration};

use bytes::Bytes;
use streamspace_host::{
    config::{self, Sync},
    events::{Bus, Limits, NewEvent},
    store::Database,
};

use self::support::{payload::payload, turns};

/// Events of one round.
const EVENTS: usize = 640;
const ROUNDS: usize = 60;
const TOPIC: &str = "session.created";

fn main() {
    // `cargo test` runs benchmarks to see whether they work.
    if std::env::args().any(|argument| argument == "--test" || argument == "--list") {
        return;
    }
    turns::heading();
    for (sync, name) in [(Sync::Full, "full"), (Sync::Normal, "normal")] {
        for emitters in [1, 8, 64] {
            let network = tokio::runtime::Runtime::new().expect("a runtime");
            let (ours, floors) = (folder(), folder());
            let bus = bus(ours.path(), sync, &network);
            let mut floor = Floor::new(floors.path(), name);
            let what = format!("{name}, emitters: {emitters}");
            turns::measure(&what, EVENTS as u64, ROUNDS, || emit(&bus, emitters), || floor.write(emitters));
            bus.log().expect("a log").stop(std::time::Instant::now() + Duration::from_secs(5));
        }
    }
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

fn emit(bus: &Bus, emitters: usize) {
    let data = payload();
    let source: Arc<str> = "/streamspace/bench".into();
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
}

/// No threads, no queue, and a group that is always full.
struct Floor {
    database: rusqlite::Connection,
    seq: i64,
}

impl Floor {
    fn new(folder: &Path, sync: &str) -> Self {
        let database = rusqlite::Connection::open(folder.join("floor.db")).expect("a database");
        let settings = format!("PRAGMA journal_mode = WAL; PRAGMA synchronous = {sync};");
        database.execute_batch(&settings).expect("settings");
        let table = "CREATE TABLE events (seq INTEGER NOT NULL PRIMARY KEY, id BLOB NOT NULL, time_us INTEGER NOT NULL, \
                     stored_us INTEGER NOT NULL, topic TEXT NOT NULL, source TEXT NOT NULL, subject TEXT NOT NULL, \
                     data BLOB NOT NULL, attributes BLOB NOT NULL) STRICT";
        database.execute_batch(table).expect("a table");
        Self { database, seq: 0 }
    }

    fn write(&mut self, group: usize) {
        let data = payload();
        for _ in 0..EVENTS / group {
            let transaction = self.database.transaction().expect("a transaction");
            {
                let sql = "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
                let mut insert = transaction.prepare_cached(sql).expect("a statement");
                for _ in 0..group {
                    self.seq += 1;
                    let id = uuid::Uuid::now_v7();
                    let row = rusqlite::params![
                        self.seq,
                        &id.as_bytes()[..],
                        self.seq,
                        self.seq,
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
    }
}
