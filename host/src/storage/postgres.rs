//! Plugins' keys in a table of PostgreSQL, which only the host's own user reaches.

use std::{
    collections::{BTreeSet, HashMap},
    fmt,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use streamspace_plugin::storage::{ListedValue, StoredValue};
use tokio::{sync::Semaphore, task::JoinHandle, time::timeout};
use tokio_postgres::{Client, Error, Statement, error::SqlState, types::ToSql};

use super::{
    Change, LIST_BYTES, Range, Revisions, Rows, StorageError,
    change::{self, Answer, LONGEST_INTEGER, Overlay, Row},
    signed, unsigned,
};
use crate::{
    config::Sync,
    postgres::{Postgres, reason},
};

/// The most keys that one sweep removes, and how often there is one.
const SWEEP: i64 = 100;
const SWEEP_EVERY_US: u64 = 1_000_000;

/// Waits until nobody else changes keys of the plugin, for the rest of the transaction. Whoever changes any takes it: what was
/// read to decide a change is not changed before that is written.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7810794, hashtext($1))";
/// Removes a part of a plugin's keys, which takes less than a statement may.
const REMOVE_PART: &str = "DELETE FROM streamspace.plugin_storage WHERE plugin = $1 AND key IN (
    SELECT key FROM streamspace.plugin_storage WHERE plugin = $1 ORDER BY key LIMIT 1000)";

/// The statements that every connection prepares.
#[derive(Debug)]
struct Statements {
    get: Statement,
    read: Statement,
    put: Statement,
    delete: Statement,
    list: Statement,
    remove: Statement,
    sweep: Statement,
    lock: Statement,
    block: Statement,
}

impl Statements {
    async fn prepare(client: &Client) -> Result<Self, Error> {
        let read = format!(
            "SELECT key, CASE WHEN octet_length(value) <= {LONGEST_INTEGER} THEN value ELSE '' END, revision, expires_us
             FROM streamspace.plugin_storage WHERE plugin = $1 AND key = ANY ($2)"
        );
        let put = format!(
            "WITH held AS MATERIALIZED ({LOCK})
             INSERT INTO streamspace.plugin_storage (plugin, key, value, revision, expires_us)
             SELECT $1, new.* FROM held, UNNEST($2::text[], $3::bytea[], $4::bigint[], $5::bigint[]) AS new
             ON CONFLICT (plugin, key) DO UPDATE
             SET value = excluded.value, revision = excluded.revision, expires_us = excluded.expires_us"
        );
        // Sent at once, and waited for together.
        let (get, read, put, delete, list, remove, sweep, lock, block) = tokio::try_join!(
            client.prepare(
                "SELECT value, revision, expires_us FROM streamspace.plugin_storage WHERE plugin = $1 AND key = $2"
            ),
            client.prepare(&read),
            client.prepare(&put),
            client.prepare("DELETE FROM streamspace.plugin_storage WHERE plugin = $1 AND key = ANY ($2)"),
            // The sum of what came before ends a page of large values early.
            client.prepare(
                r#"SELECT key, value, revision, expires_us FROM (
                     SELECT key, CASE WHEN $6 THEN value ELSE '' END AS value, revision, expires_us,
                       sum(CASE WHEN $6 THEN octet_length(value) ELSE 0 END) OVER (ORDER BY key) AS bytes,
                       row_number() OVER (ORDER BY key) AS place
                     FROM (
                       SELECT * FROM streamspace.plugin_storage
                       WHERE plugin = $1 AND key >= $2 AND ($3 OR key > $2) AND ($4::text IS NULL OR key < $4)
                         AND (expires_us = 0 OR expires_us > $7)
                       ORDER BY key LIMIT $5
                     ) AS page
                   ) AS page WHERE place = 1 OR bytes <= $8 ORDER BY key"#
            ),
            client.prepare(
                "DELETE FROM streamspace.plugin_storage
                 WHERE plugin = $1 AND key >= $2 AND ($3::text IS NULL OR key < $3)"
            ),
            // Leaves alone what another one is changing: it may not be over any more then.
            client.prepare(
                "DELETE FROM streamspace.plugin_storage WHERE plugin = $1 AND key IN (
                   SELECT key FROM streamspace.plugin_storage
                   WHERE plugin = $1 AND expires_us > 0 AND expires_us <= $2 LIMIT $3 FOR UPDATE SKIP LOCKED)"
            ),
            client.prepare(LOCK),
            client.prepare("SELECT nextval('streamspace.plugin_storage_revisions')"),
        )?;
        Ok(Self { get, read, put, delete, list, remove, sweep, lock, block })
    }
}

/// A connection with its statements. It ends with the value.
#[derive(Debug)]
struct Session {
    client: Client,
    statements: Statements,
    connection: JoinHandle<()>,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.connection.abort();
    }
}

/// Connections that all plugins' storage shares.
pub(super) struct PostgresPool {
    postgres: Postgres,
    free: Semaphore,
    idle: Mutex<Vec<Session>>,
    wait: Duration,
    sync: Sync,
}

impl fmt::Debug for PostgresPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PostgresPool").field(&self.postgres).finish()
    }
}

type Parameter<'a> = &'a (dyn ToSql + std::marker::Sync);

/// Why a piece of work on a connection failed.
struct Failed {
    error: Error,
    /// Whether it was the last step, so that it may have been done all the same.
    open: bool,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self { error, open: false }
    }
}

impl PostgresPool {
    pub(super) fn new(postgres: Postgres, connections: u32, wait: Duration, sync: Sync) -> Self {
        Self { postgres, free: Semaphore::new(connections as usize), idle: Mutex::default(), wait, sync }
    }

    /// The keys of one plugin.
    pub(super) fn of(self: &Arc<Self>, plugin: &str) -> PostgresRows {
        PostgresRows { pool: Arc::clone(self), plugin: plugin.to_owned(), state: Mutex::default() }
    }

    async fn connect(&self) -> Result<Session, StorageError> {
        let unreachable = |why: &dyn fmt::Display| StorageError::Unreachable { reason: why.to_string() };
        let (client, connection) = self.postgres.connect().await.map_err(|why| unreachable(&why))?;
        // What goes wrong on it, its user sees.
        let connection = tokio::spawn(async move { drop(connection.await) });
        let committed = match self.sync {
            Sync::Full => "on",
            Sync::Normal => "off",
        };
        let millis = self.wait.as_millis();
        let set_up = async {
            // The server gives up before this side does.
            let settings = format!(
                "SET statement_timeout = {millis}; SET idle_in_transaction_session_timeout = {millis};
                 SET synchronous_commit = {committed}; SET client_min_messages = warning"
            );
            client.batch_execute(&settings).await?;
            Statements::prepare(&client).await
        };
        match set_up.await {
            Ok(statements) => Ok(Session { client, statements, connection }),
            Err(why) => {
                connection.abort();
                Err(self.error(&why))
            }
        }
    }

    /// Runs `work` on a connection, from a plugin's thread. On another one again if the first turns out to be gone, unless
    /// the work may be done already.
    fn run<T, F>(&self, work: F) -> Result<T, StorageError>
    where
        F: AsyncFn(&Session) -> Result<T, Failed>,
    {
        let secs = self.wait.as_secs();
        self.postgres.network().block_on(async {
            let permit = timeout(self.wait, self.free.acquire()).await;
            let _permit = permit.map_err(|_| StorageError::Busy { secs })?;
            let mut fresh = false;
            loop {
                let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
                let session = match idle.filter(|session| !fresh && !session.client.is_closed()) {
                    Some(session) => session,
                    None => {
                        fresh = true;
                        // Each step has a limit of its own; all of it together too.
                        let connected = timeout(2 * self.wait, self.connect()).await;
                        connected.map_err(|_| StorageError::Unreachable {
                            reason: format!("no connection within {secs} s"),
                        })??
                    }
                };
                let limit = self.wait + Duration::from_secs(1);
                let Ok(done) = timeout(limit, work(&session)).await else {
                    return Err(StorageError::TimedOut { secs: limit.as_secs() });
                };
                let is_gone = session.client.is_closed();
                match done {
                    Ok(value) => {
                        self.put_back(session);
                        return Ok(value);
                    }
                    Err(Failed { error, open }) => {
                        let is_gone = is_gone || error.as_db_error().is_none() || is_going(&error);
                        if is_gone && !open && !fresh {
                            fresh = true;
                            continue;
                        }
                        // One whose transaction failed is not worth looking into.
                        let error = self.error(&error);
                        return Err(match error {
                            StorageError::Unreachable { reason } if open => StorageError::Unreachable {
                                reason: format!("{reason}; the change may have been made or not"),
                            },
                            error => error,
                        });
                    }
                }
            }
        })
    }

    fn put_back(&self, session: Session) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(session);
    }

    fn error(&self, error: &Error) -> StorageError {
        let reason = reason(error);
        let Some(code) = error.code() else { return StorageError::Unreachable { reason } };
        match code.code().get(..2) {
            _ if is_going(error) => StorageError::Unreachable { reason },
            _ if [SqlState::QUERY_CANCELED, SqlState::LOCK_NOT_AVAILABLE].contains(code) => {
                StorageError::Busy { secs: self.wait.as_secs() }
            }
            // Others were in the way: a deadlock.
            Some("40") => StorageError::Busy { secs: self.wait.as_secs() },
            // No resources: a full disk, too many connections.
            Some("08" | "53" | "58") => StorageError::Unreachable { reason },
            _ => StorageError::Refused { reason },
        }
    }
}

/// Whether a server is on its way up or down, or a standby.
fn is_going(error: &Error) -> bool {
    let codes = [
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    error.code().is_some_and(|code| codes.contains(code))
}

/// The keys of one plugin.
#[derive(Debug)]
pub(super) struct PostgresRows {
    pool: Arc<PostgresPool>,
    plugin: String,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    revisions: Revisions,
    sweep_at_us: u64,
}

impl Rows for PostgresRows {
    fn get(&self, key: &str, now_us: u64) -> Result<Option<StoredValue>, StorageError> {
        let row = self.pool.run(async |session| {
            Ok(session.client.query_opt(&session.statements.get, &[&self.plugin, &key]).await?)
        })?;
        let stored = row.map(|row| StoredValue {
            value: row.get::<_, Vec<u8>>(0).into(),
            revision: unsigned(row.get(1)),
            expires_us: unsigned(row.get(2)),
        });
        Ok(stored.filter(|stored| !change::is_over(stored.expires_us, now_us)))
    }

    fn list(&self, range: &Range<'_>, now_us: u64) -> Result<Vec<ListedValue>, StorageError> {
        let (limit, now, most) = (range.limit as i64, signed(now_us), LIST_BYTES as i64);
        let rows = self.pool.run(async |session| {
            let parameters: [Parameter<'_>; 8] = [
                &self.plugin,
                &range.from,
                &range.included,
                &range.end,
                &limit,
                &range.with_values,
                &now,
                &most,
            ];
            Ok(session.client.query(&session.statements.list, &parameters).await?)
        })?;
        let listed = rows.iter().map(|row| ListedValue {
            key: row.get::<_, &str>(0).into(),
            value: row.get::<_, Vec<u8>>(1).into(),
            revision: unsigned(row.get(2)),
            expires_us: unsigned(row.get(3)),
        });
        Ok(listed.collect())
    }

    fn apply(&self, sets: &[&[Change<'_>]], now_us: u64) -> Result<Vec<Answer>, StorageError> {
        // Held by the one call that there is at a time.
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        self.set_revisions_apart(&mut state.revisions, sets.iter().map(|set| set.len() as u64).sum())?;
        let keys = change::keys_to_read(sets);
        let answers = if keys.is_empty() {
            let plan = change::plan(sets, &HashMap::new(), now_us, || state.revisions.take());
            // One statement, which is a transaction. To do it twice is as good as once.
            self.pool.run(async |session| self.put(session, &plan.after).await.map_err(Failed::from))?;
            plan.answers
        } else {
            self.apply_to(sets, &keys, now_us, &mut state.revisions)?
        };
        self.sweep(&mut state, now_us);
        Ok(answers)
    }

    fn remove_prefix(&self, prefix: &str) -> Result<u64, StorageError> {
        let end = change::behind(prefix);
        self.pool.run(async |session| {
            let (client, statements) = (&session.client, &session.statements);
            let (lock, remove): ([Parameter<'_>; 1], [Parameter<'_>; 3]) =
                ([&self.plugin], [&self.plugin, &prefix, &end]);
            let done = tokio::try_join!(
                client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
                client.query_one(&statements.lock, &lock),
                client.execute(&statements.remove, &remove),
                client.batch_execute("COMMIT"),
            );
            // Done again, it would answer with another number.
            done.map(|(_, _, removed, _)| removed).map_err(|error| Failed { error, open: true })
        })
    }
}

impl PostgresRows {
    /// Removes every key, however many there are.
    pub(super) fn remove_all(&self) -> Result<(), StorageError> {
        loop {
            let removed = self
                .pool
                .run(async |session| Ok(session.client.execute(REMOVE_PART, &[&self.plugin]).await?))?;
            if removed == 0 {
                return Ok(());
            }
        }
    }

    /// Reads what the changes depend on, works them out, and writes what they come to.
    fn apply_to(
        &self,
        sets: &[&[Change<'_>]],
        keys: &BTreeSet<&str>,
        now_us: u64,
        revisions: &mut Revisions,
    ) -> Result<Vec<Answer>, StorageError> {
        let keys: Vec<&str> = keys.iter().copied().collect();
        // A second try of the work takes the same ones again: the first one's were never seen.
        let first = revisions.next;
        let (answers, next) = self.pool.run(async |session| {
            let (client, statements) = (&session.client, &session.statements);
            let (lock, read): ([Parameter<'_>; 1], [Parameter<'_>; 2]) =
                ([&self.plugin], [&self.plugin, &keys]);
            let (_, _, rows) = tokio::try_join!(
                client.batch_execute("BEGIN ISOLATION LEVEL READ COMMITTED"),
                // An earlier instance of the plugin, or a call whose connection was given up, may be at it.
                client.query_one(&statements.lock, &lock),
                client.query(&statements.read, &read),
            )?;
            let before: HashMap<String, Row<'static>> = rows
                .iter()
                .map(|row| {
                    let (revision, expires_us) = (unsigned(row.get(2)), unsigned(row.get(3)));
                    (row.get(0), Row { value: row.get::<_, Vec<u8>>(1).into(), revision, expires_us })
                })
                .collect();
            let mut next = first;
            let plan = change::plan(sets, &before, now_us, || {
                next += 1;
                next - 1
            });
            let gone: Vec<&str> =
                plan.after.iter().filter(|(_, row)| row.is_none()).map(|(key, _)| *key).collect();
            let remove = async {
                match gone.is_empty() {
                    true => Ok(0),
                    false => client.execute(&statements.delete, &[&self.plugin, &gone]).await,
                }
            };
            let written =
                tokio::try_join!(self.put(session, &plan.after), remove, client.batch_execute("COMMIT"));
            written.map_err(|error| Failed { open: error.as_db_error().is_none(), error })?;
            Ok((plan.answers, next))
        })?;
        revisions.next = next;
        Ok(answers)
    }

    async fn put(&self, session: &Session, after: &Overlay<'_>) -> Result<u64, Error> {
        let rows: Vec<_> = after.iter().filter_map(|(key, row)| Some((*key, row.as_ref()?))).collect();
        if rows.is_empty() {
            return Ok(0);
        }
        let keys: Vec<&str> = rows.iter().map(|(key, _)| *key).collect();
        let values: Vec<&[u8]> = rows.iter().map(|(_, row)| &*row.value).collect();
        let revisions: Vec<i64> = rows.iter().map(|(_, row)| signed(row.revision)).collect();
        let expires: Vec<i64> = rows.iter().map(|(_, row)| signed(row.expires_us)).collect();
        let parameters: [Parameter<'_>; 5] = [&self.plugin, &keys, &values, &revisions, &expires];
        session.client.execute(&session.statements.put, &parameters).await
    }

    fn set_revisions_apart(&self, revisions: &mut Revisions, count: u64) -> Result<(), StorageError> {
        if revisions.left() < count {
            let block: i64 = self.pool.run(async |session| {
                Ok(session.client.query_one(&session.statements.block, &[]).await?.get(0))
            })?;
            revisions.refill(unsigned(block));
        }
        Ok(())
    }

    /// Removes some of the keys whose time is over; they are invisible already.
    fn sweep(&self, state: &mut State, now_us: u64) {
        if now_us < state.sweep_at_us {
            return;
        }
        let now = signed(now_us);
        // What stays behind now is swept another time.
        let removed = self.pool.run(async |session| {
            Ok(session.client.execute(&session.statements.sweep, &[&self.plugin, &now, &SWEEP]).await?)
        });
        let is_more = removed.is_ok_and(|removed| signed(removed) >= SWEEP);
        state.sweep_at_us = if is_more { now_us } else { now_us.saturating_add(SWEEP_EVERY_US) };
    }
}
