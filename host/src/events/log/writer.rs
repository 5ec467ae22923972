//! Who writes: the writer is in one pair of hands at a time. A thread that emits takes it if nobody has it, and writes what
//! waits, its own event among it. What nobody writes at once is written by a thread of the log's own.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, MutexGuard, PoisonError, atomic::Ordering},
    thread,
    time::{Duration, Instant},
};

use diesel::{QueryResult, result::Error};
use slog::{error, info};

use super::{
    super::{Change, Consumer, Event, Unsaved},
    Append, Entry, EventLog, LogError, rows,
};
use crate::{
    clock,
    store::{Connection, breaks_connection},
};

/// The most events of one transaction, and the most data, in bytes: what it costs to undo one.
const GROUP_EVENTS: usize = 4096;
const GROUP_BYTES: usize = 16 * 1024 * 1024;
/// How long acknowledgements wait for company: each commit is a write to the disk. If the host is killed, what was
/// acknowledged in this time is delivered again.
const ACKNOWLEDGEMENTS_WAIT: Duration = Duration::from_millis(10);
/// How long to wait after a failure when nobody waits for the outcome.
const RETRY: Duration = Duration::from_millis(500);
/// How long emitters are waited for that were told of the last commit together and are about to come again: less than
/// the commit that is saved.
const COMPANY_WAIT: Duration = Duration::from_micros(50);

/// What waits to be written, and the writer when it is in nobody's hands.
#[derive(Default)]
pub(super) struct Waiting {
    pub(super) appends: VecDeque<Append>,
    /// Bytes of data in `appends`.
    pub(super) bytes: usize,
    pub(super) settled: Vec<Arc<Consumer>>,
    pub(super) forgotten: Vec<i64>,
    pub(super) stopping: bool,
    /// How many appends the last group had.
    company: usize,
    writer: Option<Writer>,
}

impl Waiting {
    pub(super) fn is_idle(&self) -> bool {
        !self.waits() && self.writer.is_some()
    }

    fn waits(&self) -> bool {
        !(self.appends.is_empty() && self.settled.is_empty() && self.forgotten.is_empty())
    }
}

/// What is written in one transaction.
struct Group {
    appends: Vec<Append>,
    settled: Vec<(Arc<Consumer>, i64, Unsaved)>,
    forgotten: Vec<i64>,
}

/// The connection, and what is to be done about it.
struct Writer {
    connection: Option<Connection>,
    /// Whether the last commit's outcome is not known.
    lost_track: bool,
    failing: bool,
}

/// Has the writer, and gives it back.
struct Turn<'a> {
    log: &'a EventLog,
    writer: Option<Writer>,
}

impl EventLog {
    /// Brings the writer, with its connection. Nothing is written before.
    pub(super) fn bring_writer(&self, connection: Connection) {
        let writer = Writer { connection: Some(connection), lost_track: false, failing: false };
        self.work().writer = Some(writer);
    }

    /// Writes what waits, if nobody else does and this may be done by whoever comes: a file answers soon, and a thread
    /// that is woken for it costs more than the commit.
    pub(super) fn write_here(&self, mut work: MutexGuard<'_, Waiting>) {
        let in_a_file = |writer: &mut Writer| matches!(writer.connection, Some(Connection::Sqlite(_)));
        match work.writer.take_if(in_a_file) {
            Some(writer) => Turn { log: self, writer: Some(writer) }.write(work),
            // Whoever writes looks again before he goes; the thread, if it has nothing to do, must be told.
            None if work.writer.is_some() => {
                drop(work);
                self.work_changed.notify_all();
            }
            None => {}
        }
    }

    /// Writes what nobody wrote, until the log was stopped and nothing waits.
    pub(super) fn write_on(&self) {
        while let Some((work, turn)) = self.wait_for_work() {
            // The writer is back in its place then; without this thread nobody would use it.
            if catch_unwind(AssertUnwindSafe(|| turn.write(work))).is_err() {
                error!(
                    self.logger,
                    "A panic while the event log was written: emitters that wait are told that they are late."
                );
            }
        }
    }

    fn wait_for_work(&self) -> Option<(MutexGuard<'_, Waiting>, Turn<'_>)> {
        let mut work = self.work();
        let began = Instant::now();
        loop {
            let mut wait = Duration::from_secs(60);
            if let Some(writer) = &work.writer {
                // With nobody to tell, a failure is not repeated at full speed.
                let not_before = began + if writer.failing { RETRY } else { ACKNOWLEDGEMENTS_WAIT };
                let left = not_before.saturating_duration_since(Instant::now());
                let waits = work.waits();
                if work.appends.is_empty() && work.stopping && (writer.failing || !waits) {
                    work.writer = None;
                    return None;
                }
                if !work.appends.is_empty() || waits && (left.is_zero() || work.stopping) {
                    let turn = Turn { log: self, writer: work.writer.take() };
                    return Some((work, turn));
                }
                if waits {
                    wait = left;
                }
            }
            work = self.work_changed.wait_timeout(work, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Takes what is written next.
    fn next_group<'a>(&'a self, mut work: MutexGuard<'a, Waiting>) -> Group {
        // Those that emitted together are likely to do so again.
        if (1..work.company).contains(&work.appends.len()) {
            let until = Instant::now() + COMPANY_WAIT;
            while work.appends.len() < work.company && Instant::now() < until {
                drop(work);
                thread::yield_now();
                work = self.work();
            }
        }
        let (mut appends, mut events, mut bytes) = (Vec::with_capacity(work.appends.len()), 0, 0);
        while let Some(append) = work.appends.pop_front() {
            events += append.entries.len().max(1);
            let size: usize = append.entries.iter().map(|entry| entry.event.data.len()).sum();
            bytes += size;
            work.bytes = work.bytes.saturating_sub(size);
            appends.push(append);
            if events >= GROUP_EVENTS || bytes >= GROUP_BYTES {
                break;
            }
        }
        if !appends.is_empty() {
            work.company = appends.len();
        }
        let (settled, forgotten) = (std::mem::take(&mut work.settled), std::mem::take(&mut work.forgotten));
        drop(work);
        let offered = self.offered.load(Ordering::Acquire);
        let settled = settled
            .into_iter()
            .filter_map(|consumer| {
                let (id, unsaved) = (consumer.id()?, consumer.take_unsaved(offered)?);
                Some((consumer, id, unsaved))
            })
            .collect();
        Group { appends, settled, forgotten }
    }
}

impl Turn<'_> {
    fn write(mut self, work: MutexGuard<'_, Waiting>) {
        let group = self.log.next_group(work);
        // Not in the turn meanwhile: if this panics, the connection goes with it.
        if let Some(mut writer) = self.writer.take() {
            writer.write(self.log, group);
            self.writer = Some(writer);
        }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        let writer = self.writer.take().unwrap_or_else(|| {
            // Nobody knows which consumers were offered what.
            if let Some(bus) = self.log.bus() {
                bus.lost_track();
            }
            Writer { connection: None, lost_track: true, failing: false }
        });
        let mut work = self.log.work();
        work.writer = Some(writer);
        let more = work.waits() || work.stopping;
        drop(work);
        if more {
            self.log.work_changed.notify_all();
        }
    }
}

impl Writer {
    fn write(&mut self, log: &EventLog, group: Group) {
        let Group { mut appends, settled, forgotten } = group;
        let why = match self.commit(log, &mut appends, &settled, &forgotten) {
            Ok(first) => {
                committed(log, first, appends);
                saved(log, &settled);
                return;
            }
            Err(why) => why,
        };
        if self.connection.is_some() && appends.len() + settled.len() > 1 {
            // The database is there and does not like something of it: everybody stands for himself.
            for mut append in appends {
                match self.commit(log, std::slice::from_mut(&mut append), &[], &[]) {
                    Ok(first) => committed(log, first, vec![append]),
                    Err(why) => (append.done)(Err(why)),
                }
            }
            for one in settled {
                match self.commit(log, &mut [], std::slice::from_ref(&one), &[]) {
                    Ok(_) => saved(log, &[one]),
                    Err(_) => not_saved(log, vec![one]),
                }
            }
            let _ = self.commit(log, &mut [], &[], &forgotten).inspect_err(|_| log.forget(forgotten.clone()));
            return;
        }
        for append in appends {
            (append.done)(Err(why.clone()));
        }
        not_saved(log, settled);
        if !forgotten.is_empty() {
            log.forget(forgotten);
        }
    }

    /// Writes a group in one transaction. Answers the number of its first event.
    fn commit(
        &mut self,
        log: &EventLog,
        appends: &mut [Append],
        settled: &[(Arc<Consumer>, i64, Unsaved)],
        forgotten: &[i64],
    ) -> Result<u64, LogError> {
        let result = self.connect(log).and_then(|()| {
            let first = log.head() + 1;
            let Some(connection) = &mut self.connection else {
                return Err(Error::BrokenTransactionManager.to_string());
            };
            let now = clock::unix_time_us();
            match write_all(connection, first, now, appends, settled, forgotten) {
                Ok(()) => Ok(first),
                Err(why) => {
                    // After a failed commit nobody knows but the database.
                    self.lost_track = true;
                    if breaks_connection(&why) {
                        self.connection = None;
                    }
                    Err(why.to_string())
                }
            }
        });
        match result {
            Ok(first) => {
                if std::mem::take(&mut self.failing) {
                    info!(log.logger, "The event log is written again.");
                }
                Ok(first)
            }
            Err(reason) => {
                if !std::mem::replace(&mut self.failing, true) {
                    error!(
                        log.logger,
                        "The event log cannot be written: durable events are refused until it can.";
                        "error" => &reason
                    );
                }
                Err(LogError::Unavailable { reason })
            }
        }
    }

    /// Makes sure of a connection, and that what it has is known.
    fn connect(&mut self, log: &EventLog) -> Result<(), String> {
        if self.connection.is_none() {
            let connection = log.database.connect_alone(log.sync).map_err(|why| why.to_string())?;
            self.connection = Some(connection);
        }
        let Some(connection) = self.connection.as_mut().filter(|_| self.lost_track) else {
            return Ok(());
        };
        let head = log.head();
        match rows::head(connection).and_then(|found| {
            // Looks at every event, so only if there are more than was thought.
            let bytes = if found > head { Some(rows::bytes(connection)?) } else { None };
            Ok((found, bytes))
        }) {
            Ok((head, bytes)) => {
                self.lost_track = false;
                if let Some(bytes) = bytes {
                    log.bytes.store(bytes, Ordering::Relaxed);
                    // A commit was reported as failed and was none: those events are there, and only the log has them.
                    log.head.store(head, Ordering::Release);
                    if let Some(bus) = log.bus() {
                        bus.lost_track();
                    }
                    log.offered.store(head, Ordering::Release);
                }
                Ok(())
            }
            Err(why) => {
                if breaks_connection(&why) {
                    self.connection = None;
                }
                Err(why.to_string())
            }
        }
    }
}

/// Offers what was written to the consumers and tells the emitters.
fn committed(log: &EventLog, first: u64, appends: Vec<Append>) {
    let count = durable(&appends).count() as u64;
    let bytes: usize = durable(&appends).map(|event| event.data.len()).sum();
    log.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
    let head = first + count - 1;
    log.head.store(head, Ordering::Release);
    if let Some(bus) = log.bus() {
        let mut seq = first;
        for entry in appends.iter().flat_map(|append| &append.entries) {
            let number = if entry.durable { seq } else { 0 };
            bus.hand_over(&entry.event, number);
            seq += u64::from(entry.durable);
        }
    }
    log.offered.store(head, Ordering::Release);
    for append in appends {
        (append.done)(Ok(()));
    }
}

fn saved(log: &EventLog, settled: &[(Arc<Consumer>, i64, Unsaved)]) {
    let ready: Vec<_> = settled
        .iter()
        .filter(|(consumer, _, unsaved)| consumer.saved(unsaved.position))
        .map(|(consumer, ..)| Arc::clone(consumer))
        .collect();
    if let Some(bus) = log.bus() {
        bus.schedule(&ready);
    }
}

fn not_saved(log: &EventLog, settled: Vec<(Arc<Consumer>, i64, Unsaved)>) {
    for (consumer, _, unsaved) in settled {
        let consumer = consumer.not_saved(unsaved);
        log.settled(consumer);
    }
}

fn durable(appends: &[Append]) -> impl Iterator<Item = &Arc<Event>> {
    let entries = appends.iter().flat_map(|append| &append.entries);
    entries.filter(|entry| entry.durable).map(|entry| &entry.event)
}

/// Does an append's work, if it has any. What was refused leaves nothing behind.
fn work(connection: &mut Connection, append: &mut Append) -> QueryResult<()> {
    let Some(work) = &mut append.work else { return Ok(()) };
    let events = connection.attempt(work)?.unwrap_or_default();
    append.entries = events.into_iter().map(|event| Entry { event, durable: true }).collect();
    Ok(())
}

fn write_all(
    connection: &mut Connection,
    first: u64,
    now_us: u64,
    appends: &mut [Append],
    settled: &[(Arc<Consumer>, i64, Unsaved)],
    forgotten: &[i64],
) -> Result<(), Error> {
    connection.write(|connection| {
        for append in &mut *appends {
            work(connection, append)?;
        }
        let written: Vec<&Event> = durable(appends).map(|event| &**event).collect();
        rows::append(connection, first, now_us, &written)?;
        for (_, id, unsaved) in settled {
            for change in &unsaved.changes {
                match change {
                    Change::Refused(refused) => rows::put_refusal(connection, *id, refused)?,
                    Change::Resolved(event) => rows::remove_refusal(connection, *id, *event)?,
                }
            }
            rows::set_position(connection, *id, unsaved.position)?;
        }
        for id in forgotten {
            rows::remove_consumer(connection, *id)?;
        }
        Ok(())
    })
}
