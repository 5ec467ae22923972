//! Looking at what is in the log. Works on a host that is stopped, too.

use std::sync::Arc;

use super::{super::Event, rows};
use crate::{
    store::{Connection, Database, DatabaseError},
    topic,
};

/// How many events are looked at in one query, and in all for one page: a filter that little matches must not read the
/// whole log.
const HEADERS: i64 = 1024;
const LOOKED_AT: usize = 16 * 1024;
/// The most data of one page, in bytes.
const PAGE_BYTES: u64 = 4 * 1024 * 1024;

/// The events in the log. Everything here blocks.
#[derive(Debug, Clone)]
pub struct EventRecords(Arc<Database>);

/// Where in the log a page is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// At its end.
    Newest,
    /// After an event.
    After(u64),
    /// Before an event.
    Before(u64),
}

/// A piece of the log.
#[derive(Debug, Default)]
pub struct Page {
    /// What was found, with its numbers, in their order.
    pub events: Vec<(u64, Arc<Event>)>,
    /// Up to which number, both included, everything was looked at: below it, or from the first of these on.
    pub looked_at: Option<(u64, u64)>,
    /// Whether there is more in the direction that was looked in.
    pub more: bool,
    /// The oldest event in the log.
    pub oldest: Option<u64>,
}

impl EventRecords {
    /// Those in this database.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Up to `limit` events whose topic one of `filters` names; with no filter, of all topics.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn page(&self, filters: &[String], place: Place, limit: usize) -> Result<Page, DatabaseError> {
        self.0.with("read the event log", |connection| {
            let mut search = Search { filters, limit, ..Search::default() };
            match place {
                Place::After(after) => search.forwards(connection, after)?,
                Place::Newest => search.backwards(connection, u64::MAX)?,
                Place::Before(before) => search.backwards(connection, before)?,
            }
            search.found.sort_unstable();
            let events =
                if search.found.is_empty() { Vec::new() } else { rows::load(connection, &search.found)? };
            Ok(Page {
                events,
                looked_at: search.first.zip(search.last),
                more: search.more,
                oldest: rows::oldest(connection)?,
            })
        })
    }
}

#[derive(Default)]
struct Search<'a> {
    filters: &'a [String],
    limit: usize,
    found: Vec<u64>,
    bytes: u64,
    seen: usize,
    first: Option<u64>,
    last: Option<u64>,
    more: bool,
}

impl Search<'_> {
    /// Looks at one. Answers whether it was looked at; if not, the page is full.
    fn look(&mut self, seq: u64, topic: &str, bytes: u64) -> bool {
        let wanted =
            self.filters.is_empty() || self.filters.iter().any(|filter| topic::matches(filter, topic));
        if self.seen >= LOOKED_AT {
            return false;
        }
        if wanted {
            let full = self.bytes + bytes > PAGE_BYTES && !self.found.is_empty();
            if self.found.len() >= self.limit || full {
                return false;
            }
            self.found.push(seq);
            self.bytes += bytes;
        }
        self.seen += 1;
        self.first = Some(self.first.map_or(seq, |first| first.min(seq)));
        self.last = Some(self.last.map_or(seq, |last| last.max(seq)));
        true
    }

    fn forwards(&mut self, connection: &mut Connection, mut after: u64) -> diesel::QueryResult<()> {
        loop {
            let headers = rows::headers(connection, after, HEADERS)?;
            for header in &headers {
                if !self.look(header.seq, &header.topic, header.bytes) {
                    self.more = true;
                    return Ok(());
                }
            }
            match headers.last() {
                Some(last) if headers.len() as i64 == HEADERS => after = last.seq,
                _ => return Ok(()),
            }
        }
    }

    fn backwards(&mut self, connection: &mut Connection, mut before: u64) -> diesel::QueryResult<()> {
        loop {
            let headers = rows::headers_before(connection, before, HEADERS)?;
            for (seq, topic, bytes) in &headers {
                if !self.look(*seq, topic, *bytes) {
                    self.more = true;
                    return Ok(());
                }
            }
            match headers.last() {
                Some((last, ..)) if headers.len() as i64 == HEADERS => before = *last,
                _ => return Ok(()),
            }
        }
    }
}
