//! Events that were given up: to be looked at, tried again, or dropped. Works on a host that is stopped, too.

use std::sync::Arc;

use diesel::prelude::*;
use uuid::Uuid;

use super::{
    super::{Event, RefusedEvent},
    rows::{RefusalRow, remove_refusal, signed},
};
use crate::{
    clock,
    store::{
        Connection, Database, DatabaseError, on,
        schema::{consumers, refusals},
    },
};

/// The dead letters of all plugins. Everything here blocks.
#[derive(Debug, Clone)]
pub struct DeadLetters(Arc<Database>);

/// An event that was given up, and why.
#[derive(Debug, Clone)]
pub struct DeadLetter {
    /// The consumer that gave up.
    pub consumer: String,
    /// The event.
    pub event: Arc<Event>,
    /// How often it was tried.
    pub attempts: u32,
    /// Why it was given up.
    pub reason: String,
    /// When, microseconds since 1970-01-01 UTC.
    pub time_us: u64,
}

/// Which dead letters of a plugin.
#[derive(Debug, Clone, Default)]
pub struct Which {
    /// Those of one consumer.
    pub consumer: Option<String>,
    /// The one of this event.
    pub event: Option<Uuid>,
}

impl DeadLetters {
    /// Those in this database.
    #[must_use]
    pub fn new(database: Arc<Database>) -> Self {
        Self(database)
    }

    /// Forgets a plugin's durable consumers, with all that waits for them and their dead letters: it was uninstalled.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn forget(&self, plugin: &str) -> Result<(), DatabaseError> {
        self.0.with("forget the consumers of a plugin", |connection| {
            on!(connection, |c| {
                diesel::delete(consumers::table.filter(consumers::plugin.eq(plugin))).execute(c)
            })
        })?;
        Ok(())
    }

    /// The first `limit` of a plugin's dead letters after the first `skip`, oldest first.
    ///
    /// # Errors
    ///
    /// When the database cannot be used.
    pub fn list(
        &self,
        plugin: &str,
        which: &Which,
        skip: u32,
        limit: u32,
    ) -> Result<Vec<DeadLetter>, DatabaseError> {
        let of = self.consumers(plugin, which)?;
        let rows = self.0.with("list the dead letters", |connection| {
            find(connection, &of, which, i64::from(skip), i64::from(limit))
        })?;
        let letter = |(id, row): (i64, RefusalRow)| {
            let refused = RefusedEvent::from(row);
            let consumer = of.iter().find(|(of, _)| *of == id).map(|(_, name)| name.clone());
            DeadLetter {
                consumer: consumer.unwrap_or_default(),
                event: refused.event,
                attempts: refused.attempts,
                reason: refused.reason,
                time_us: refused.refused_us,
            }
        };
        Ok(rows.into_iter().map(letter).collect())
    }

    /// Has them tried again, as if for the first time. Answers them with the numbers of their consumers.
    pub(crate) fn replay(
        &self,
        plugin: &str,
        which: &Which,
    ) -> Result<Vec<(i64, RefusedEvent)>, DatabaseError> {
        let of = self.consumers(plugin, which)?;
        let now = signed(clock::unix_time_us());
        self.0.with("replay dead letters", |connection| {
            connection.write(|connection| {
                let mut replayed = Vec::new();
                for (id, row) in find(connection, &of, which, 0, i64::MAX)? {
                    let refused = RefusedEvent { attempts: 0, due_us: Some(0), ..RefusedEvent::from(row) };
                    let event = &refused.event.id.as_bytes()[..];
                    on!(connection, |c| {
                        let changed = (refusals::due_us.eq(now), refusals::attempts.eq(0));
                        diesel::update(refusals::table.find((id, event))).set(changed).execute(c)
                    })?;
                    replayed.push((id, refused));
                }
                Ok(replayed)
            })
        })
    }

    /// Drops them for good. Answers how many of which consumer.
    pub(crate) fn drop(&self, plugin: &str, which: &Which) -> Result<Vec<(i64, u64)>, DatabaseError> {
        let of = self.consumers(plugin, which)?;
        self.0.with("drop dead letters", |connection| {
            connection.write(|connection| {
                let mut dropped: Vec<(i64, u64)> = of.iter().map(|(id, _)| (*id, 0)).collect();
                for (id, row) in find(connection, &of, which, 0, i64::MAX)? {
                    remove_refusal(connection, id, RefusedEvent::from(row).event.id)?;
                    for (_, count) in dropped.iter_mut().filter(|(of, _)| *of == id) {
                        *count += 1;
                    }
                }
                Ok(dropped)
            })
        })
    }

    /// The numbers and names of the consumers that are meant.
    fn consumers(&self, plugin: &str, which: &Which) -> Result<Vec<(i64, String)>, DatabaseError> {
        let mut found: Vec<(i64, String)> = self.0.with("find a plugin's consumers", |connection| {
            on!(connection, |c| {
                let of_plugin = consumers::table.filter(consumers::plugin.eq(plugin));
                of_plugin.order(consumers::name).select((consumers::id, consumers::name)).load(c)
            })
        })?;
        if let Some(wanted) = &which.consumer {
            found.retain(|(_, name)| name == wanted);
        }
        Ok(found)
    }
}

/// The dead letters of these consumers, oldest first.
fn find(
    connection: &mut Connection,
    of: &[(i64, String)],
    which: &Which,
    skip: i64,
    limit: i64,
) -> QueryResult<Vec<(i64, RefusalRow)>> {
    let ids: Vec<i64> = of.iter().map(|(id, _)| *id).collect();
    on!(connection, |c| {
        let mut query = refusals::table
            .filter(refusals::consumer.eq_any(&ids).and(refusals::due_us.is_null()))
            .order((refusals::refused_us, refusals::seq))
            .offset(skip)
            .limit(limit)
            .select((refusals::consumer, RefusalRow::as_select()))
            .into_boxed();
        if let Some(event) = &which.event {
            query = query.filter(refusals::event_id.eq(&event.as_bytes()[..]));
        }
        query.load(c)
    })
}
