//! The thread that writes.

use std::{
    collections::VecDeque,
    sync::{Arc, PoisonError, atomic::Ordering},
    time::{Duration, Instant},
};

use diesel::result::Error;
use slog::{error, info};

use super::{
    super::{Change, Consumer, Event, Unsaved},
    Append, EventLog, LogError, rows,
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

/// What waits for the writer.
#[derive(Default)]
pub(super) struct Work {
    pub(super) appends: VecDeque<Append>,
    /// Bytes of data in `appends`.
    pub(super) bytes: usize,
    pub(super) settled: Vec<Arc<Consumer>>,
    pub(super) forgotten: Vec<i64>,
    pub(super) stopping: bool,
    busy: bool,
}

impl Work {
    pub(super) fn is_idle(&self) -> bool {
        self.appends.is_empty() && self.settled.is_empty() && self.forgotten.is_empty() && !self.busy
    }
}

/// What is written in one transaction.
struct Group {
    appends: Vec<Append>,
    settled: Vec<(Arc<Consumer>, i64, Unsaved)>,
    forgotten: Vec<i64>,
}

/// The connection, and what is to be done about it.
struct Writer<'a> {
    log: &'a EventLog,
    connection: Option<Connection>,
    /// Whether the last commit's outcome is not known.
    lost_track: bool,
    failing: bool,
}

pub(super) fn run(log: &EventLog, connection: Connection) {
    let mut writer = Writer { log, connection: Some(connection), lost_track: false, failing: false };
    while let Some(group) = log.next_group(writer.failing) {
        writer.write(group);
        log.work().busy = false;
        log.work_changed.notify_all();
    }
}

impl EventLog {
    /// Waits for something to write. `None` when the log was stopped and nothing waits.
    fn next_group(&self, failing: bool) -> Option<Group> {
        let mut work = self.work();
        // With nobody to tell, a failure is not repeated at full speed.
        let not_before = Instant::now() + if failing { RETRY } else { ACKNOWLEDGEMENTS_WAIT };
        loop {
            if !work.appends.is_empty() {
                break;
            }
            let wait = not_before.saturating_duration_since(Instant::now());
            let has_more = !work.settled.is_empty() || !work.forgotten.is_empty();
            if work.stopping && (failing || !has_more) {
                return None;
            }
            if has_more && (wait.is_zero() || work.stopping) {
                break;
            }
            let wait = if has_more { wait } else { Duration::from_secs(60) };
            work = self.work_changed.wait_timeout(work, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
        work.busy = true;
        let (mut appends, mut events, mut bytes) = (Vec::new(), 0, 0);
        while let Some(append) = work.appends.pop_front() {
            events += append.entries.len();
            let size: usize = append.entries.iter().map(|entry| entry.event.data.len()).sum();
            bytes += size;
            work.bytes = work.bytes.saturating_sub(size);
            appends.push(append);
            if events >= GROUP_EVENTS || bytes >= GROUP_BYTES {
                break;
            }
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
        Some(Group { appends, settled, forgotten })
    }
}

impl Writer<'_> {
    fn write(&mut self, group: Group) {
        let Group { appends, settled, forgotten } = group;
        let why = match self.commit(&appends, &settled, &forgotten) {
            Ok(first) => {
                self.committed(first, appends);
                self.saved(&settled);
                return;
            }
            Err(why) => why,
        };
        if self.connection.is_some() && appends.len() + settled.len() > 1 {
            // The database is there and does not like something of it: everybody stands for himself.
            for append in appends {
                match self.commit(std::slice::from_ref(&append), &[], &[]) {
                    Ok(first) => self.committed(first, vec![append]),
                    Err(why) => (append.done)(Err(why)),
                }
            }
            for one in settled {
                match self.commit(&[], std::slice::from_ref(&one), &[]) {
                    Ok(_) => self.saved(&[one]),
                    Err(_) => self.not_saved(vec![one]),
                }
            }
            let _ = self.commit(&[], &[], &forgotten).inspect_err(|_| self.log.forget(forgotten.clone()));
            return;
        }
        for append in appends {
            (append.done)(Err(why.clone()));
        }
        self.not_saved(settled);
        if !forgotten.is_empty() {
            self.log.forget(forgotten);
        }
    }

    /// Writes a group in one transaction. Answers the number of its first event.
    fn commit(
        &mut self,
        appends: &[Append],
        settled: &[(Arc<Consumer>, i64, Unsaved)],
        forgotten: &[i64],
    ) -> Result<u64, LogError> {
        let result = self.connect().and_then(|()| {
            let first = self.log.head() + 1;
            let written: Vec<&Event> = durable(appends).map(|event| &**event).collect();
            let Some(connection) = &mut self.connection else {
                return Err(Error::BrokenTransactionManager.to_string());
            };
            let now = clock::unix_time_us();
            match write_all(connection, first, now, &written, settled, forgotten) {
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
                    info!(self.log.logger, "The event log is written again.");
                }
                Ok(first)
            }
            Err(reason) => {
                if !std::mem::replace(&mut self.failing, true) {
                    error!(
                        self.log.logger,
                        "The event log cannot be written: durable events are refused until it can.";
                        "error" => &reason
                    );
                }
                Err(LogError::Unavailable { reason })
            }
        }
    }

    /// Makes sure of a connection, and that what it has is known.
    fn connect(&mut self) -> Result<(), String> {
        if self.connection.is_none() {
            let connection = self.log.database.connect_alone(self.log.sync).map_err(|why| why.to_string())?;
            self.connection = Some(connection);
        }
        let Some(connection) = self.connection.as_mut().filter(|_| self.lost_track) else {
            return Ok(());
        };
        let head = self.log.head();
        match rows::head(connection).and_then(|found| {
            // Looks at every event, so only if there are more than was thought.
            let bytes = if found > head { Some(rows::bytes(connection)?) } else { None };
            Ok((found, bytes))
        }) {
            Ok((head, bytes)) => {
                self.lost_track = false;
                if let Some(bytes) = bytes {
                    self.log.bytes.store(bytes, Ordering::Relaxed);
                    // A commit was reported as failed and was none: those events are there, and only the log has them.
                    self.log.head.store(head, Ordering::Release);
                    if let Some(bus) = self.log.bus() {
                        bus.lost_track();
                    }
                    self.log.offered.store(head, Ordering::Release);
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

    /// Offers what was written to the consumers and tells the emitters.
    fn committed(&self, first: u64, appends: Vec<Append>) {
        let count = durable(&appends).count() as u64;
        let bytes: usize = durable(&appends).map(|event| event.data.len()).sum();
        self.log.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        let head = first + count - 1;
        self.log.head.store(head, Ordering::Release);
        if let Some(bus) = self.log.bus() {
            let mut seq = first;
            for entry in appends.iter().flat_map(|append| &append.entries) {
                let number = if entry.durable { seq } else { 0 };
                bus.hand_over(&entry.event, number);
                seq += u64::from(entry.durable);
            }
        }
        self.log.offered.store(head, Ordering::Release);
        for append in appends {
            (append.done)(Ok(()));
        }
    }

    fn saved(&self, settled: &[(Arc<Consumer>, i64, Unsaved)]) {
        let ready: Vec<_> = settled
            .iter()
            .filter(|(consumer, _, unsaved)| consumer.saved(unsaved.position))
            .map(|(consumer, ..)| Arc::clone(consumer))
            .collect();
        if let Some(bus) = self.log.bus() {
            bus.schedule(&ready);
        }
    }

    fn not_saved(&self, settled: Vec<(Arc<Consumer>, i64, Unsaved)>) {
        for (consumer, _, unsaved) in settled {
            let consumer = consumer.not_saved(unsaved);
            self.log.settled(consumer);
        }
    }
}

fn durable(appends: &[Append]) -> impl Iterator<Item = &Arc<Event>> {
    let entries = appends.iter().flat_map(|append| &append.entries);
    entries.filter(|entry| entry.durable).map(|entry| &entry.event)
}

fn write_all(
    connection: &mut Connection,
    first: u64,
    now_us: u64,
    written: &[&Event],
    settled: &[(Arc<Consumer>, i64, Unsaved)],
    forgotten: &[i64],
) -> Result<(), Error> {
    connection.write(|connection| {
        rows::append(connection, first, now_us, written)?;
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
