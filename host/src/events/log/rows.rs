//! The log's tables.

use std::sync::Arc;

use bytes::Bytes;
use diesel::prelude::*;
use uuid::Uuid;

use super::super::{Event, RefusedEvent};
use crate::store::{
    Connection, on,
    schema::{consumers, events, refusals},
};

diesel::define_sql_function! {
    /// The number of bytes.
    fn length(data: diesel::sql_types::Binary) -> diesel::sql_types::Integer;
}

/// How many rows one statement inserts, where each statement costs a trip to the server. Each has nine values, and
/// PostgreSQL takes 65,535.
const ROWS_PER_STATEMENT: usize = 256;

/// A durable consumer, as the database has it.
pub(super) struct StoredConsumer {
    pub(super) id: i64,
    pub(super) plugin: String,
    pub(super) name: String,
    pub(super) filters: Vec<String>,
    pub(super) position: u64,
    pub(super) missed: u64,
    pub(super) dead: u64,
    pub(super) parked: Vec<RefusedEvent>,
}

/// What can be known of an event without its data.
pub(super) struct Header {
    pub(super) seq: u64,
    pub(super) stored_us: u64,
    pub(super) topic: String,
    pub(super) bytes: u64,
}

#[derive(Insertable)]
#[diesel(table_name = events)]
struct NewRow<'a> {
    seq: i64,
    id: &'a [u8],
    time_us: i64,
    stored_us: i64,
    topic: &'a str,
    source: &'a str,
    subject: &'a str,
    data: &'a [u8],
    attributes: &'a [u8],
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = events)]
struct Row {
    seq: i64,
    id: Vec<u8>,
    time_us: i64,
    topic: String,
    source: String,
    subject: String,
    data: Vec<u8>,
    attributes: Vec<u8>,
}

#[derive(Insertable)]
#[diesel(table_name = refusals)]
struct NewRefusal<'a> {
    consumer: i64,
    seq: i64,
    event_id: &'a [u8],
    time_us: i64,
    topic: &'a str,
    source: &'a str,
    subject: &'a str,
    data: &'a [u8],
    attributes: &'a [u8],
    attempts: i64,
    due_us: Option<i64>,
    refused_us: i64,
    reason: &'a str,
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = refusals)]
pub(super) struct RefusalRow {
    seq: i64,
    event_id: Vec<u8>,
    time_us: i64,
    topic: String,
    source: String,
    subject: String,
    data: Vec<u8>,
    attributes: Vec<u8>,
    attempts: i64,
    due_us: Option<i64>,
    refused_us: i64,
    reason: String,
}

/// The number of the newest event.
pub(super) fn head(connection: &mut Connection) -> QueryResult<u64> {
    on!(connection, |c| {
        let head: Option<i64> = events::table.select(diesel::dsl::max(events::seq)).first(c)?;
        // What has no event has no newest: consumers know how far it once was.
        let position: Option<i64> =
            consumers::table.select(diesel::dsl::max(consumers::position)).first(c)?;
        Ok(unsigned(head.unwrap_or(0).max(position.unwrap_or(0))))
    })
}

/// The bytes of data of all events.
pub(super) fn bytes(connection: &mut Connection) -> QueryResult<u64> {
    let bytes: Option<i64> =
        on!(connection, |c| events::table.select(diesel::dsl::sum(length(events::data))).first(c))?;
    Ok(unsigned(bytes.unwrap_or(0)))
}

/// Writes events under the numbers from `first` on.
pub(super) fn append(
    connection: &mut Connection,
    first: u64,
    stored_us: u64,
    written: &[&Event],
) -> QueryResult<()> {
    let rows: Vec<NewRow<'_>> = (first..)
        .zip(written)
        .map(|(seq, event)| NewRow {
            seq: signed(seq),
            id: event.id.as_bytes(),
            time_us: signed(event.time_us),
            stored_us: signed(stored_us),
            topic: &event.topic,
            source: &event.source,
            subject: &event.subject,
            data: &event.data,
            attributes: &event.attributes,
        })
        .collect();
    match connection {
        Connection::Sqlite(c) => {
            // One prepared statement, since no trip is saved by fewer.
            for row in &rows {
                diesel::insert_into(events::table).values(row).execute(c)?;
            }
        }
        Connection::Postgres(c) => {
            for rows in rows.chunks(ROWS_PER_STATEMENT) {
                diesel::insert_into(events::table).values(rows).execute(c)?;
            }
        }
    }
    Ok(())
}

/// What is after number `after`, without the data.
pub(super) fn headers(connection: &mut Connection, after: u64, limit: i64) -> QueryResult<Vec<Header>> {
    let rows: Vec<(i64, i64, String, i32)> = on!(connection, |c| {
        events::table
            .filter(events::seq.gt(signed(after)))
            .order(events::seq)
            .limit(limit)
            .select((events::seq, events::stored_us, events::topic, length(events::data)))
            .load(c)
    })?;
    let header = |(seq, stored_us, topic, bytes): (i64, i64, String, i32)| Header {
        seq: unsigned(seq),
        stored_us: unsigned(stored_us),
        topic,
        bytes: u64::try_from(bytes).unwrap_or(0),
    };
    Ok(rows.into_iter().map(header).collect())
}

/// As [`headers`], of what is before number `before`, the newest first.
pub(super) fn headers_before(
    connection: &mut Connection,
    before: u64,
    limit: i64,
) -> QueryResult<Vec<(u64, String, u64)>> {
    let rows: Vec<(i64, String, i32)> = on!(connection, |c| {
        events::table
            .filter(events::seq.lt(signed(before)))
            .order(events::seq.desc())
            .limit(limit)
            .select((events::seq, events::topic, length(events::data)))
            .load(c)
    })?;
    let header =
        |(seq, topic, bytes): (i64, String, i32)| (unsigned(seq), topic, u64::try_from(bytes).unwrap_or(0));
    Ok(rows.into_iter().map(header).collect())
}

/// The number of the oldest event; `None` if there is none.
pub(super) fn oldest(connection: &mut Connection) -> QueryResult<Option<u64>> {
    let oldest: Option<i64> =
        on!(connection, |c| events::table.select(diesel::dsl::min(events::seq)).first(c))?;
    Ok(oldest.map(unsigned))
}

/// The events with these numbers, in order.
pub(super) fn load(connection: &mut Connection, numbers: &[u64]) -> QueryResult<Vec<(u64, Arc<Event>)>> {
    let numbers: Vec<i64> = numbers.iter().copied().map(signed).collect();
    let rows: Vec<Row> = on!(connection, |c| {
        events::table.filter(events::seq.eq_any(&numbers)).order(events::seq).select(Row::as_select()).load(c)
    })?;
    Ok(rows.into_iter().map(|row| (unsigned(row.seq), Arc::new(row.into()))).collect())
}

/// How many events of each topic there are after number `after` and up to `up_to`.
pub(super) fn topics(connection: &mut Connection, after: u64, up_to: u64) -> QueryResult<Vec<(String, u64)>> {
    let rows: Vec<(String, i64)> = on!(connection, |c| {
        events::table
            .filter(events::seq.gt(signed(after)).and(events::seq.le(signed(up_to))))
            .group_by(events::topic)
            .select((events::topic, diesel::dsl::count_star()))
            .load(c)
    })?;
    Ok(rows.into_iter().map(|(topic, count)| (topic, unsigned(count))).collect())
}

/// Removes the events up to number `up_to`.
pub(super) fn trim(connection: &mut Connection, up_to: u64) -> QueryResult<usize> {
    on!(connection, |c| diesel::delete(events::table.filter(events::seq.le(signed(up_to)))).execute(c))
}

/// All durable consumers.
pub(super) fn consumers(connection: &mut Connection) -> QueryResult<Vec<StoredConsumer>> {
    let rows: Vec<(i64, String, String, String, i64, i64)> = on!(connection, |c| {
        consumers::table
            .order(consumers::id)
            .select((
                consumers::id,
                consumers::plugin,
                consumers::name,
                consumers::filters,
                consumers::position,
                consumers::missed,
            ))
            .load(c)
    })?;
    let mut found = Vec::with_capacity(rows.len());
    for (id, plugin, name, filters, position, missed) in rows {
        let (dead, parked): (i64, Vec<RefusalRow>) = on!(connection, |c| {
            let of_it = refusals::table.filter(refusals::consumer.eq(id));
            let dead = of_it.filter(refusals::due_us.is_null()).count().get_result(c)?;
            let parked = of_it
                .filter(refusals::due_us.is_not_null())
                .order(refusals::seq)
                .select(RefusalRow::as_select())
                .load(c)?;
            QueryResult::Ok((dead, parked))
        })?;
        found.push(StoredConsumer {
            id,
            plugin,
            name,
            // What this host wrote itself; without filters it wants nothing until its plugin says again what it wants.
            filters: serde_json::from_str(&filters).unwrap_or_default(),
            position: unsigned(position),
            missed: unsigned(missed),
            dead: unsigned(dead),
            parked: parked.into_iter().map(RefusedEvent::from).collect(),
        });
    }
    Ok(found)
}

/// Makes a durable consumer that is new. Answers its number.
pub(super) fn add_consumer(
    connection: &mut Connection,
    plugin: &str,
    name: &str,
    filters: &str,
    position: u64,
    now_us: u64,
) -> QueryResult<i64> {
    on!(connection, |c| {
        diesel::insert_into(consumers::table)
            .values((
                consumers::plugin.eq(plugin),
                consumers::name.eq(name),
                consumers::filters.eq(filters),
                consumers::position.eq(signed(position)),
                consumers::active_us.eq(signed(now_us)),
                consumers::missed.eq(0),
            ))
            .returning(consumers::id)
            .get_result(c)
    })
}

/// A consumer that is known wants something else, or was just connected to its plugin.
pub(super) fn change_consumer(
    connection: &mut Connection,
    id: i64,
    filters: &str,
    now_us: u64,
) -> QueryResult<()> {
    on!(connection, |c| {
        let changed = (consumers::filters.eq(filters), consumers::active_us.eq(signed(now_us)));
        diesel::update(consumers::table.find(id)).set(changed).execute(c)
    })?;
    Ok(())
}

/// A consumer has come so far.
pub(super) fn set_position(connection: &mut Connection, id: i64, position: u64) -> QueryResult<()> {
    on!(connection, |c| {
        diesel::update(consumers::table.find(id)).set(consumers::position.eq(signed(position))).execute(c)
    })?;
    Ok(())
}

/// A consumer has missed events.
pub(super) fn add_missed(
    connection: &mut Connection,
    id: i64,
    position: u64,
    missed: u64,
) -> QueryResult<()> {
    on!(connection, |c| {
        let changed = (
            consumers::position.eq(signed(position)),
            consumers::missed.eq(consumers::missed + signed(missed)),
        );
        diesel::update(consumers::table.find(id)).set(changed).execute(c)
    })?;
    Ok(())
}

pub(super) fn remove_consumer(connection: &mut Connection, id: i64) -> QueryResult<()> {
    // What it refused goes with it.
    on!(connection, |c| diesel::delete(consumers::table.find(id)).execute(c))?;
    Ok(())
}

/// Writes that a consumer refused an event, for the first time or again.
pub(super) fn put_refusal(
    connection: &mut Connection,
    consumer: i64,
    refused: &RefusedEvent,
) -> QueryResult<()> {
    let event = &*refused.event;
    // PostgreSQL takes no NUL in a text; a reason comes from a plugin.
    let reason = refused.reason.replace('\0', "\u{fffd}");
    let row = NewRefusal {
        consumer,
        seq: signed(refused.seq),
        event_id: event.id.as_bytes(),
        time_us: signed(event.time_us),
        topic: &event.topic,
        source: &event.source,
        subject: &event.subject,
        data: &event.data,
        attributes: &event.attributes,
        attempts: i64::from(refused.attempts),
        due_us: refused.due_us.map(signed),
        refused_us: signed(refused.refused_us),
        reason: &reason,
    };
    let changed = (
        refusals::attempts.eq(row.attempts),
        refusals::due_us.eq(row.due_us),
        refusals::refused_us.eq(row.refused_us),
        refusals::reason.eq(row.reason),
    );
    on!(connection, |c| {
        diesel::insert_into(refusals::table)
            .values(&row)
            .on_conflict((refusals::consumer, refusals::event_id))
            .do_update()
            .set(changed)
            .execute(c)
    })?;
    Ok(())
}

pub(super) fn remove_refusal(connection: &mut Connection, consumer: i64, event: Uuid) -> QueryResult<()> {
    on!(connection, |c| {
        diesel::delete(refusals::table.find((consumer, &event.as_bytes()[..]))).execute(c)
    })?;
    Ok(())
}

impl From<Row> for Event {
    fn from(row: Row) -> Self {
        Self {
            id: uuid(&row.id),
            time_us: unsigned(row.time_us),
            topic: row.topic.into(),
            source: row.source.into(),
            subject: row.subject.into(),
            data: Bytes::from(row.data),
            attributes: Bytes::from(row.attributes),
        }
    }
}

impl From<RefusalRow> for RefusedEvent {
    fn from(row: RefusalRow) -> Self {
        Self {
            event: Arc::new(Event {
                id: uuid(&row.event_id),
                time_us: unsigned(row.time_us),
                topic: row.topic.into(),
                source: row.source.into(),
                subject: row.subject.into(),
                data: Bytes::from(row.data),
                attributes: Bytes::from(row.attributes),
            }),
            seq: unsigned(row.seq),
            attempts: u32::try_from(row.attempts).unwrap_or(u32::MAX),
            due_us: row.due_us.map(unsigned),
            refused_us: unsigned(row.refused_us),
            reason: row.reason,
        }
    }
}

fn uuid(bytes: &[u8]) -> Uuid {
    // The column holds what `Uuid::as_bytes` gave.
    Uuid::from_slice(bytes).unwrap_or_default()
}

/// Both databases count with signed numbers.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

pub(super) fn unsigned(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
