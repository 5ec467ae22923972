//! The thread that reads for consumers that are behind, and that removes what is old.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError},
    time::{Duration, Instant},
};

use diesel::QueryResult;
use slog::error;

use super::{
    super::{Consumer, Room},
    EventLog, rows,
};
use crate::{
    store::{Connection, breaks_connection},
    topic,
};

/// How many events are looked at in one go.
const HEADERS: i64 = 1024;
/// The most events that are loaded in one go, and the most data of theirs, in bytes.
const EVENTS: usize = 256;
const BYTES: u64 = 4 * 1024 * 1024;
/// How long to wait after a failure.
const RETRY: Duration = Duration::from_millis(500);

/// What waits for the reader.
#[derive(Default)]
pub(super) struct Reads {
    pub(super) wanted: VecDeque<Arc<Consumer>>,
    pub(super) busy: bool,
    pub(super) stopping: bool,
}

pub(super) fn run(log: &Arc<EventLog>) {
    let mut reader = Reader { log, connection: None, failing: false };
    let mut removed = Instant::now();
    while let Some(consumer) = log.next_read(removed + super::retention::INTERVAL) {
        match consumer {
            Some(consumer) => reader.read_for(&consumer),
            None => {
                removed = Instant::now();
                reader.remove_old();
            }
        }
        log.reads.lock().unwrap_or_else(PoisonError::into_inner).busy = false;
        log.work_changed.notify_all();
    }
}

impl EventLog {
    /// Waits for a consumer to read for, or until it is time to remove what is old. `None` when the log was stopped.
    fn next_read(&self, tidy_at: Instant) -> Option<Option<Arc<Consumer>>> {
        let mut reads = self.reads.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if reads.stopping {
                return None;
            }
            let wait = tidy_at.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                reads.busy = true;
                return Some(None);
            }
            if let Some(consumer) = reads.wanted.pop_front() {
                reads.busy = true;
                return Some(Some(consumer));
            }
            reads = self.reads_changed.wait_timeout(reads, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What was found for a consumer: up to a number, and whether that is the end of the log.
struct Found {
    events: Vec<(u64, Arc<super::Event>)>,
    read_to: u64,
    at_end: bool,
}

pub(super) struct Reader<'a> {
    pub(super) log: &'a Arc<EventLog>,
    connection: Option<Connection>,
    failing: bool,
}

impl Reader<'_> {
    fn read_for(&mut self, consumer: &Arc<Consumer>) {
        let Some(room) = consumer.room() else { return };
        let Some(found) = self.with(|connection| find(connection, consumer, room)) else {
            // Not at full speed, and not for ever: the next one in the queue may have gone meanwhile.
            consumer.not_read();
            std::thread::sleep(RETRY);
            if consumer.fall_behind() {
                self.log.read(Arc::clone(consumer));
            }
            return;
        };
        let (ready, again) = consumer.fill(found.events, found.read_to, found.at_end);
        if ready && let Some(bus) = self.log.bus() {
            bus.schedule(std::slice::from_ref(consumer));
        }
        if again {
            self.log.read(Arc::clone(consumer));
        }
    }

    /// Runs a query. `None`: it failed, which was said.
    pub(super) fn with<R>(&mut self, query: impl FnOnce(&mut Connection) -> QueryResult<R>) -> Option<R> {
        let result = match self.connection.take().map_or_else(|| self.log.database.connect(self.log.sync), Ok)
        {
            Ok(mut connection) => {
                let result = query(&mut connection);
                if !result.as_ref().is_err_and(breaks_connection) {
                    self.connection = Some(connection);
                }
                result.map_err(|why| why.to_string())
            }
            Err(why) => Err(why.to_string()),
        };
        match result {
            Ok(result) => {
                self.failing = false;
                Some(result)
            }
            Err(why) => {
                if !std::mem::replace(&mut self.failing, true) {
                    error!(self.log.logger, "The event log cannot be read: consumers that are behind wait until it can."; "error" => why);
                }
                None
            }
        }
    }
}

fn find(connection: &mut Connection, consumer: &Consumer, room: Room) -> QueryResult<Found> {
    let headers = rows::headers(connection, room.after, HEADERS)?;
    let mut at_end = i64::try_from(headers.len()).is_ok_and(|found| found < HEADERS);
    let mut read_to = headers.last().map_or(room.after, |last| last.seq);
    let (mut wanted, mut bytes) = (Vec::new(), 0);
    for header in &headers {
        if !consumer.filters().iter().any(|filter| topic::matches(filter, &header.topic)) {
            continue;
        }
        let full = wanted.len() >= EVENTS.min(room.events)
            || bytes + header.bytes > BYTES.min(room.bytes as u64) && !wanted.is_empty();
        if full {
            at_end = false;
            read_to = wanted.last().copied().unwrap_or(room.after);
            break;
        }
        wanted.push(header.seq);
        bytes += header.bytes;
    }
    let events = if wanted.is_empty() { Vec::new() } else { rows::load(connection, &wanted)? };
    Ok(Found { events, read_to, at_end })
}
