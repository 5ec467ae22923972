//! A copy of the host's own tables, to look into: of a database that a host may be using, which does not notice.
//!
//! SQLite's file is copied with its log, and not opened where it is: even a reader writes beside it. Of PostgreSQL, one
//! read-only transaction takes what is known of plugins, into a file of SQLite whose tables are of the same age. So what
//! looks into the copy is the same for both, and may bring it up to date.

use std::{
    fs::{self, File},
    io::{self, ErrorKind, Read},
    path::{Path, PathBuf},
    thread,
    time::{Duration, SystemTime},
};

use diesel::{
    Connection as _, QueryableByName, RunQueryDsl, SqliteConnection,
    sql_types::{Nullable, Text},
};
use tokio::runtime;

use super::{DatabaseError, FILE, migrations};
use crate::{
    config,
    postgres::{Postgres, PostgresError, reason},
};

/// What is taken of PostgreSQL: what is known of plugins, and whose packages are taken.
const TABLES: [&str; 8] = [
    "plugins",
    "grants",
    "plugin_generations",
    "plugin_pins",
    "plugin_operations",
    "trusted_keys",
    "revocations",
    "unsigned_plugins",
];
/// How often a file is copied that a host writes to meanwhile.
const ATTEMPTS: u32 = 20;
const BETWEEN: Duration = Duration::from_millis(50);
/// The header of SQLite's log. What is in it changes when the log begins anew.
const LOG_HEADER: u64 = 32;

/// What was copied.
#[derive(Debug)]
pub(crate) struct Copied {
    /// The migrations that this host has and the database has not, by name.
    pub(crate) pending: Vec<String>,
}

/// Copies the host's own tables into a database of SQLite in `folder`, in which there is none. `None`: there are no
/// tables yet. Blocks.
///
/// # Errors
///
/// [`DatabaseError::Newer`] for a database that a newer host has written; others when it cannot be read.
pub(crate) fn copy(
    data_dir: &Path,
    config: &config::Database,
    network: &runtime::Handle,
    folder: &Path,
) -> Result<Option<Copied>, DatabaseError> {
    let target = folder.join(FILE);
    match Postgres::new(config, network)? {
        None => {
            if !copy_file(&data_dir.join(FILE), &target)? {
                return Ok(None);
            }
            let applied = migrations::applied(&mut open(&target)?)?;
            Ok(Some(Copied { pending: migrations::pending(&config.url, &applied)? }))
        }
        Some(server) => {
            let limit = Duration::from_secs(config.wait_deadline_secs);
            network.block_on(copy_tables(&server, limit, &config.url, &target))
        }
    }
}

fn open(path: &Path) -> Result<SqliteConnection, DatabaseError> {
    let failed = |reason: String| DatabaseError::Open { path: path.to_owned(), reason };
    let text = path.to_str().ok_or_else(|| failed("its path is not UTF-8".to_owned()))?;
    SqliteConnection::establish(text).map_err(|why| failed(why.to_string()))
}

/// Copies a file of SQLite and its log. Answers whether there is one.
///
/// What is in the log counts before what is in the file, and is written into the file only while it is in the log. So the
/// two belong together, whatever was written in between, unless the log began anew.
fn copy_file(from: &Path, to: &Path) -> Result<bool, DatabaseError> {
    let (log, log_copy) = (beside(from), beside(to));
    for attempt in 0..ATTEMPTS {
        if attempt > 0 {
            thread::sleep(BETWEEN);
        }
        let before = state(from, &log)?;
        if before.file.is_none() {
            return Ok(false);
        }
        put(from, to)?;
        if before.log.is_empty() {
            remove(&log_copy)?;
        } else if !put(&log, &log_copy)? {
            continue;
        }
        let after = state(from, &log)?;
        if before.log == after.log && (!before.log.is_empty() || before.file == after.file) {
            return Ok(true);
        }
    }
    let reason = "a host writes to it all the time: try again when it has less to do".to_owned();
    Err(DatabaseError::Open { path: from.to_owned(), reason })
}

/// What tells whether something was written in between.
#[derive(PartialEq, Eq)]
struct State {
    /// Length and time; `None`: there is no file.
    file: Option<(u64, Option<SystemTime>)>,
    /// The header of the log; empty if nothing is in it.
    log: Vec<u8>,
}

fn state(file: &Path, log: &Path) -> Result<State, DatabaseError> {
    let metadata = found(fs::metadata(file)).map_err(failed("read the database", file))?;
    let mut header = Vec::new();
    let what = "read the log of the database";
    if let Some(opened) = found(File::open(log)).map_err(failed(what, log))? {
        opened.take(LOG_HEADER).read_to_end(&mut header).map_err(failed(what, log))?;
    }
    Ok(State { file: metadata.map(|metadata| (metadata.len(), metadata.modified().ok())), log: header })
}

/// Copies one file. Answers whether it was there.
fn put(from: &Path, to: &Path) -> Result<bool, DatabaseError> {
    remove(to)?;
    Ok(found(fs::copy(from, to)).map_err(failed("copy the database", from))?.is_some())
}

fn remove(path: &Path) -> Result<(), DatabaseError> {
    found(fs::remove_file(path)).map_err(failed("remove", path)).map(drop)
}

/// What is there.
fn found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(why) if why.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DatabaseError {
    let path = path.to_owned();
    move |source| DatabaseError::File { what, path, source }
}

async fn copy_tables(
    server: &Postgres,
    limit: Duration,
    url: &config::DatabaseUrl,
    target: &Path,
) -> Result<Option<Copied>, DatabaseError> {
    let mut config = server.config().clone();
    let asked = config.get_options().unwrap_or_default();
    let wait = limit.as_millis();
    config.options(format!(
        "{asked} -c search_path=streamspace -c default_transaction_read_only=on -c lock_timeout={wait} \
         -c statement_timeout=60000"
    ));
    let failed = |why: &tokio_postgres::Error| PostgresError::Read {
        server: format!("{server:?}"),
        reason: reason(why),
    };
    let (client, connection) = server.connect_as(&config).await?;
    let driver = tokio::spawn(connection);
    let ask = async |sql: &str| {
        let rows = client.simple_query(sql).await.map_err(|why| failed(&why))?;
        let texts = rows.iter().filter_map(|message| match message {
            tokio_postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_owned),
            _ => None,
        });
        Ok::<Vec<String>, PostgresError>(texts.collect())
    };
    let taken = async {
        ask("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let is_there = ask("SELECT to_regclass('streamspace.__diesel_schema_migrations') IS NOT NULL").await?;
        if is_there != ["t"] {
            return Ok(None);
        }
        let applied = ask("SELECT version FROM streamspace.__diesel_schema_migrations ORDER BY version").await?;
        let pending = migrations::pending(url, &applied)?;
        let mut copy = open(target)?;
        migrations::make_as_of(&mut copy, &applied)?;
        for table in TABLES {
            let columns = columns(&mut copy, table)?;
            if columns.is_empty() {
                continue;
            }
            let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            let rows = format!(
                "SELECT coalesce(json_agg(taken), '[]')::text FROM (SELECT {} FROM streamspace.{table}) AS taken",
                names.join(", ")
            );
            fill(&mut copy, table, &columns, &ask(&rows).await?.concat())?;
        }
        Ok::<_, DatabaseError>(Some(Copied { pending }))
    }
    .await;
    driver.abort();
    taken
}

#[derive(QueryableByName)]
struct Column {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Nullable<Text>)]
    r#type: Option<String>,
}

/// The columns of a table of the copy; none if it has no such table.
fn columns(copy: &mut SqliteConnection, table: &str) -> Result<Vec<Column>, DatabaseError> {
    let what = "read the tables of a copy";
    diesel::sql_query("SELECT name, type FROM pragma_table_info(?)")
        .bind::<Text, _>(table)
        .load(copy)
        .map_err(|source| DatabaseError::Query { what, source })
}

/// Puts rows into a table of the copy: an array of objects, in which bytes are as PostgreSQL writes them, `\x…`.
fn fill(
    copy: &mut SqliteConnection,
    table: &str,
    columns: &[Column],
    rows: &str,
) -> Result<(), DatabaseError> {
    let values: Vec<String> = columns
        .iter()
        .map(|Column { name, r#type }| match r#type.as_deref() {
            Some("BLOB") => format!("unhex(substr(value ->> '{name}', 3))"),
            _ => format!("value ->> '{name}'"),
        })
        .collect();
    let names: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
    let sql =
        format!("INSERT INTO {table} ({}) SELECT {} FROM json_each(?)", names.join(", "), values.join(", "));
    let what = "write a copy of the tables";
    diesel::sql_query(sql)
        .bind::<Text, _>(rows)
        .execute(copy)
        .map_err(|source| DatabaseError::Query { what, source })?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use rusqlite::Connection;

    use super::*;

    fn written(path: &Path) -> Connection {
        let database = Connection::open(path).expect("a database");
        let sql = "PRAGMA journal_mode = WAL; PRAGMA wal_autocheckpoint = 20; CREATE TABLE it (a, b)";
        database.execute_batch(sql).expect("a table");
        database
    }

    fn count(path: &Path) -> i64 {
        let database = Connection::open(path).expect("a copy");
        let check: String =
            database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).expect("an answer");
        assert_eq!(check, "ok");
        // Both rows of a transaction, or none.
        let sql = "SELECT count(*), count(*) % 2 FROM it";
        let (count, odd) = database
            .query_row(sql, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))
            .expect("rows");
        assert_eq!(odd, 0, "half a transaction");
        count
    }

    #[test]
    fn what_is_in_the_log_alone_is_copied() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        assert!(!copy_file(&from, &to).expect("looked at"), "there is none");
        let database = written(&from);
        database.execute_batch("INSERT INTO it VALUES (1, 1), (2, 2)").expect("rows");
        assert!(copy_file(&from, &to).expect("copied"));
        assert_eq!(count(&to), 2);
        drop(database);
        // Closed: the log is gone, and that of the copy before must not be taken for its log.
        fs::write(beside(&to), "stale").expect("written");
        assert!(copy_file(&from, &to).expect("copied"));
        assert_eq!(count(&to), 2);
    }

    #[test]
    fn a_copy_is_whole_while_somebody_writes() {
        let folder = tempfile::tempdir().expect("a folder");
        let (from, to) = (folder.path().join("a.db"), folder.path().join("copy.db"));
        let database = written(&from);
        thread::scope(|scope| {
            let (sender, done) = std::sync::mpsc::channel::<()>();
            scope.spawn(move || {
                let row = "x".repeat(1000);
                let sql = "INSERT INTO it VALUES (1, ?1), (2, ?1)";
                while done.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
                    database.execute(sql, [&row]).expect("rows");
                    thread::sleep(Duration::from_micros(200));
                }
            });
            let mut last = 0;
            for _ in 0..30 {
                // One that is written to all the time says so.
                if copy_file(&from, &to).is_ok() {
                    let found = count(&to);
                    assert!(found >= last, "{found} after {last}");
                    last = found;
                }
            }
            drop(sender);
        });
    }
}
