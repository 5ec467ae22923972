//! The event log: what durable events are written to before they count as accepted, and where durable consumers read
//! what their memory does not hold.
//!
//! One writes at a time. Whatever waits then is one transaction: the events of all emitters, and how far the consumers
//! came. After the commit he offers the events to the consumers, in their order, and tells the emitters. A thread reads
//! for consumers that are behind, and removes what is old.

mod dead_letters;
mod reader;
mod records;
mod registry;
mod retention;
mod rows;
mod writer;

use std::{
    fmt,
    sync::{
        Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use diesel::QueryResult;

pub use self::{
    dead_letters::{DeadLetter, DeadLetters, Which},
    records::{EventRecords, Page, Place},
};
use self::{reader::Reads, retention::Keep, writer::Waiting};
use super::{Bus, Consumer, Event};
use crate::{
    config::{self, Sync},
    store::{Connection, Database, DatabaseError},
};

/// The most data that may wait to be written, in bytes. What comes beyond is refused.
const MAX_WAITING_BYTES: usize = 64 * 1024 * 1024;

/// Why an event was not written to the log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogError {
    /// The database does not take it.
    #[error("the event log cannot be written: {reason}. The event was not accepted; send it again later")]
    Unavailable {
        /// What the database said.
        reason: String,
    },
    /// More comes than the database takes.
    #[error(
        "{MAX_WAITING_BYTES} bytes of events wait to be written already. The event was not accepted; send it again later"
    )]
    Full,
    /// It takes too long.
    #[error(
        "the event log did not answer within {seconds} s (`events.commit_deadline_secs`): whether the event was accepted \
         is not known. Send it again; what was accepted twice has the same data under two ids"
    )]
    Late {
        /// How long was waited.
        seconds: u64,
    },
    /// The host stops.
    #[error("the host is stopping: the event was not accepted")]
    Stopping,
}

impl LogError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unavailable { .. } => "SSP-EVT-006",
            Self::Full => "SSP-EVT-007",
            Self::Late { .. } => "SSP-EVT-008",
            Self::Stopping => "SSP-EVT-009",
        }
    }
}

/// Called when it is known whether events were accepted. Must not block.
pub(crate) type Done = Box<dyn FnOnce(Result<(), LogError>) + Send>;

/// Writes what belongs to an append's events, in their transaction, and answers the events. With `None` it is undone, and
/// the append has no events. It may be called again when the transaction failed.
pub(super) type Work = Box<dyn FnMut(&mut Connection) -> QueryResult<Option<Vec<Arc<Event>>>> + Send>;

/// Events that are accepted together or not at all.
pub(super) struct Append {
    /// Of one with work: what that answered when it was last called.
    pub(super) entries: Vec<Entry>,
    pub(super) work: Option<Work>,
    pub(super) done: Done,
}

/// An event of an [`Append`].
pub(super) struct Entry {
    pub(super) event: Arc<Event>,
    /// Whether it is written down. One that is not goes with the others to keep their order.
    pub(super) durable: bool,
}

/// The log.
pub struct EventLog {
    database: Arc<Database>,
    logger: slog::Logger,
    sync: Sync,
    commit_deadline: Duration,
    keep: Keep,
    bus: OnceLock<Weak<Bus>>,
    work: Mutex<Waiting>,
    /// Signalled when the writer has something to do, and when it has done something.
    work_changed: Condvar,
    reads: Mutex<Reads>,
    reads_changed: Condvar,
    /// The number of the newest event that was written.
    head: AtomicU64,
    /// The number of the newest event that all consumers were offered.
    offered: AtomicU64,
    /// Bytes of data in the log.
    bytes: AtomicU64,
}

impl EventLog {
    /// Opens the log. Nothing is written before [`start`](Self::start).
    pub(super) fn open(
        database: Arc<Database>,
        config: &config::Events,
        logger: &slog::Logger,
    ) -> Result<Self, DatabaseError> {
        let (head, bytes) = database.with("read the end of the event log", |connection| {
            Ok((rows::head(connection)?, rows::bytes(connection)?))
        })?;
        Ok(Self {
            database,
            logger: logger.clone(),
            sync: config.sync,
            commit_deadline: Duration::from_secs(config.commit_deadline_secs),
            keep: Keep::new(config),
            bus: OnceLock::new(),
            work: Mutex::default(),
            work_changed: Condvar::new(),
            reads: Mutex::default(),
            reads_changed: Condvar::new(),
            head: AtomicU64::new(head),
            offered: AtomicU64::new(head),
            bytes: AtomicU64::new(bytes),
        })
    }

    /// Starts its threads, which end with [`stop`](Self::stop). Events go to `bus`; `connection` is the writer's.
    pub(super) fn start(self: &Arc<Self>, bus: Weak<Bus>, connection: Connection) -> std::io::Result<()> {
        let _ = self.bus.set(bus);
        self.bring_writer(connection);
        let (writer, reader) = (Arc::clone(self), Arc::clone(self));
        thread::Builder::new().name("ss:log-writer".to_owned()).spawn(move || writer.write_on())?;
        thread::Builder::new().name("ss:log-reader".to_owned()).spawn(move || reader::run(&reader))?;
        Ok(())
    }

    /// How long an emitter waits for its commit.
    #[must_use]
    pub fn commit_deadline(&self) -> Duration {
        self.commit_deadline
    }

    /// The number of the newest event.
    #[must_use]
    pub fn head(&self) -> u64 {
        self.head.load(Ordering::Acquire)
    }

    /// The number of the newest event that was offered to all who want it.
    #[must_use]
    pub fn offered(&self) -> u64 {
        self.offered.load(Ordering::Acquire)
    }

    /// The events in it, to be looked at.
    #[must_use]
    pub fn records(&self) -> EventRecords {
        EventRecords::new(Arc::clone(&self.database))
    }

    /// The bytes of data in the log.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Has events written. Does not wait.
    pub(super) fn append(&self, append: Append) {
        if self.enqueue(append).is_some() {
            self.work_changed.notify_all();
        }
    }

    /// Has events written, and writes them itself if nobody else does. Blocks.
    pub(super) fn append_here(&self, append: Append) {
        if let Some(work) = self.enqueue(append) {
            self.write_here(work);
        }
    }

    fn enqueue(&self, append: Append) -> Option<MutexGuard<'_, Waiting>> {
        let bytes: usize = append.entries.iter().map(|entry| entry.event.data.len()).sum();
        let mut work = self.work();
        let why = if work.stopping {
            LogError::Stopping
        } else if work.bytes > 0 && work.bytes + bytes > MAX_WAITING_BYTES {
            LogError::Full
        } else {
            work.bytes += bytes;
            work.appends.push_back(append);
            return Some(work);
        };
        drop(work);
        (append.done)(Err(why));
        None
    }

    /// A consumer has something to be written. Does not wait.
    pub(super) fn settled(&self, consumer: Arc<Consumer>) {
        self.work().settled.push(consumer);
        self.work_changed.notify_all();
    }

    /// Has the reader bring more to a consumer that is behind. Does not wait.
    pub(super) fn read(&self, consumer: Arc<Consumer>) {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).wanted.push_back(consumer);
        self.reads_changed.notify_all();
    }

    /// Forgets consumers and what they refused, in the order of what is written.
    pub(super) fn forget(&self, consumers: Vec<i64>) {
        self.work().forgotten.extend(consumers);
        self.work_changed.notify_all();
    }

    /// Waits until all that waits now is written and read, or the deadline has passed. Answers whether it is.
    #[must_use]
    pub fn flush(&self, deadline: Instant) -> bool {
        loop {
            let idle = {
                let reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
                reads.wanted.is_empty() && !reads.busy
            };
            let work = self.work();
            if idle && work.is_idle() {
                return true;
            }
            let wait = deadline.saturating_duration_since(Instant::now()).min(Duration::from_millis(5));
            if wait.is_zero() {
                return false;
            }
            drop(self.work_changed.wait_timeout(work, wait).unwrap_or_else(PoisonError::into_inner));
        }
    }

    /// Writes what waits and ends the threads. What comes later is refused.
    pub fn stop(&self, deadline: Instant) {
        let flushed = self.flush(deadline);
        self.work().stopping = true;
        self.reads.lock().unwrap_or_else(PoisonError::into_inner).stopping = true;
        self.work_changed.notify_all();
        self.reads_changed.notify_all();
        if !flushed {
            slog::warn!(
                self.logger,
                "The event log could not write everything: what consumers have done last will be handed to them again."
            );
        }
    }

    fn work(&self) -> MutexGuard<'_, Waiting> {
        self.work.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn bus(&self) -> Option<Arc<Bus>> {
        self.bus.get().and_then(Weak::upgrade)
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EventLog").field("head", &self.head()).finish_non_exhaustive()
    }
}
