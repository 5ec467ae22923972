//! A plugin's keys in a file of their own.
//!
//! Two connections: one writes, the other reads, so that nobody who reads waits for the disk. The statements are prepared
//! once and kept by `rusqlite`.

use std::{
    collections::{BTreeSet, HashMap},
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use rusqlite::{CachedStatement, Connection, ErrorCode, OpenFlags, OptionalExtension, Params, params};
use streamspace_plugin::storage::{Applied, ListedValue, StoredValue};

use super::{
    Action, Change, Expected, LIST_BYTES, Limits, Range, Revisions, Rows, StorageError,
    change::{self, Answer, LONGEST_INTEGER, Row},
    signed, unsigned,
};
use crate::{config::Sync, store::make_private_dir};

const FILE: &str = "storage.db";
/// The most keys that one sweep removes, and how often there is one.
const SWEEP: usize = 100;
const SWEEP_EVERY_US: u64 = 1_000_000;

const SCHEMA: &str = "
    CREATE TABLE IF NOT EXISTS storage (
        key TEXT PRIMARY KEY, value BLOB NOT NULL, revision INTEGER NOT NULL, expires_us INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX IF NOT EXISTS expiring ON storage (expires_us) WHERE expires_us > 0;
    CREATE TABLE IF NOT EXISTS revisions (block INTEGER NOT NULL) STRICT;
    INSERT INTO revisions SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM revisions);";
const GET: &str = "SELECT value, revision, expires_us FROM storage WHERE key = ?1";
const PUT: &str = "INSERT INTO storage (key, value, revision, expires_us) VALUES (?1, ?2, ?3, ?4)
    ON CONFLICT (key) DO UPDATE
    SET value = excluded.value, revision = excluded.revision, expires_us = excluded.expires_us";
const DELETE: &str = "DELETE FROM storage WHERE key = ?1";

#[derive(Debug)]
pub(super) struct SqliteFile {
    file: File,
    writer: Mutex<Writer>,
    reader: Mutex<Connection>,
}

/// What an error is about.
#[derive(Debug)]
struct File {
    path: PathBuf,
    max_bytes: u64,
    wait: Duration,
}

#[derive(Debug)]
struct Writer {
    connection: Connection,
    revisions: Revisions,
    sweep_at_us: u64,
}

impl SqliteFile {
    /// Opens the file in a plugin's folder, or makes both.
    pub(super) fn open(folder: &Path, limits: &Limits) -> Result<Self, StorageError> {
        let path = folder.join(FILE);
        let file = File { path: path.clone(), max_bytes: limits.max_file_bytes, wait: limits.wait };
        let all = folder.parent().unwrap_or(folder);
        make_private_dir(all)
            .and_then(|()| make_private_dir(folder))
            .and_then(|()| make_private_file(&path))
            .map_err(|why| file.io(&why))?;
        let connect = || -> rusqlite::Result<(Connection, Connection)> {
            let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let writer = Connection::open_with_flags(&path, flags)?;
            writer.busy_timeout(limits.wait)?;
            writer.pragma_update(None, "journal_mode", "wal")?;
            let sync = match limits.sync {
                Sync::Full => "full",
                Sync::Normal => "normal",
            };
            writer.pragma_update(None, "synchronous", sync)?;
            // Pages that are written again and again reach the file once in four times as many as by default: that is a
            // third of what a put costs. The log has 16 MiB then; that of a larger change is not kept for ever.
            writer.pragma_update(None, "wal_autocheckpoint", 4000)?;
            writer.pragma_update(None, "journal_size_limit", 16 * 1024 * 1024)?;
            let page: u64 = writer.query_row("PRAGMA page_size", [], |row| row.get(0).map(unsigned))?;
            let pages = signed(limits.max_file_bytes / page.max(1));
            writer.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            // Another one may be opening the file too.
            writer.execute_batch(&format!("BEGIN IMMEDIATE; {SCHEMA} COMMIT"))?;
            let reader = Connection::open_with_flags(&path, flags)?;
            reader.busy_timeout(limits.wait)?;
            reader.pragma_update(None, "query_only", true)?;
            Ok((writer, reader))
        };
        let (connection, reader) = connect().map_err(|why| file.error(&why))?;
        let writer = Writer { connection, revisions: Revisions::default(), sweep_at_us: 0 };
        Ok(Self { file, writer: Mutex::new(writer), reader: Mutex::new(reader) })
    }

    fn writer(&self) -> MutexGuard<'_, Writer> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn reader(&self) -> MutexGuard<'_, Connection> {
        self.reader.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Rows for SqliteFile {
    fn get(&self, key: &str, now_us: u64) -> Result<Option<StoredValue>, StorageError> {
        let get = || -> rusqlite::Result<Option<StoredValue>> {
            let reader = self.reader();
            let mut statement = reader.prepare_cached(GET)?;
            let mut rows = statement.query([key])?;
            let Some(row) = rows.next()? else { return Ok(None) };
            let expires_us = unsigned(row.get(2)?);
            if change::is_over(expires_us, now_us) {
                return Ok(None);
            }
            let value = row.get_ref(0)?.as_blob()?.to_vec();
            Ok(Some(StoredValue { value: value.into(), revision: unsigned(row.get(1)?), expires_us }))
        };
        get().map_err(|why| self.file.error(&why))
    }

    fn list(&self, range: &Range<'_>, now_us: u64) -> Result<Vec<ListedValue>, StorageError> {
        let list = || -> rusqlite::Result<Vec<ListedValue>> {
            let value = if range.with_values { "value" } else { "x''" };
            let from = if range.included { ">=" } else { ">" };
            let end = if range.end.is_some() { "key < ?2" } else { "?2 IS NULL" };
            let sql = format!(
                "SELECT key, {value}, revision, expires_us FROM storage
                 WHERE key {from} ?1 AND {end} AND (expires_us = 0 OR expires_us > ?3) ORDER BY key LIMIT ?4"
            );
            let reader = self.reader();
            let mut statement = reader.prepare_cached(&sql)?;
            let mut rows =
                statement.query(params![range.from, range.end, signed(now_us), range.limit as i64])?;
            let (mut listed, mut bytes) = (Vec::new(), 0);
            while let Some(row) = rows.next()? {
                let value = row.get_ref(1)?.as_blob()?;
                bytes += value.len();
                if bytes > LIST_BYTES && !listed.is_empty() {
                    break;
                }
                listed.push(ListedValue {
                    key: row.get_ref(0)?.as_str()?.into(),
                    value: value.to_vec().into(),
                    revision: unsigned(row.get(2)?),
                    expires_us: unsigned(row.get(3)?),
                });
            }
            Ok(listed)
        };
        list().map_err(|why| self.file.error(&why))
    }

    fn apply(&self, sets: &[&[Change<'_>]], now_us: u64) -> Result<Vec<Answer>, StorageError> {
        let mut writer = self.writer();
        let answers = writer.apply(sets, now_us).map_err(|why| self.file.error(&why))?;
        writer.sweep(now_us);
        Ok(answers)
    }

    fn remove_prefix(&self, prefix: &str) -> Result<u64, StorageError> {
        let sql = match change::behind(prefix) {
            Some(_) => "DELETE FROM storage WHERE key >= ?1 AND key < ?2",
            None => "DELETE FROM storage WHERE key >= ?1 AND ?2 IS NULL",
        };
        let writer = self.writer();
        let removed = writer
            .end_what_is_open()
            .and_then(|()| writer.execute(sql, params![prefix, change::behind(prefix)]));
        removed.map(|count| count as u64).map_err(|why| self.file.error(&why))
    }
}

impl Writer {
    fn execute(&self, sql: &str, params: impl Params) -> rusqlite::Result<usize> {
        self.connection.prepare_cached(sql)?.execute(params)
    }

    fn apply(&mut self, sets: &[&[Change<'_>]], now_us: u64) -> rusqlite::Result<Vec<Answer>> {
        self.end_what_is_open()?;
        self.set_revisions_apart(sets.iter().map(|set| set.len() as u64).sum())?;
        // By far the most frequent case needs no transaction of its own.
        if let [[only]] = sets
            && let (Action::Set(value), Expected::Any) = (&only.action, only.expected)
        {
            let revision = self.revisions.take();
            let expires_us = signed(change::expires(only.ttl_us, now_us));
            self.execute(PUT, params![&*only.key, &**value, signed(revision), expires_us])?;
            return Ok(vec![Ok(vec![Applied { revision, number: 0 }])]);
        }
        self.execute("BEGIN IMMEDIATE", [])?;
        let done = self.apply_within(sets, now_us).and_then(|answers| {
            self.execute("COMMIT", [])?;
            Ok(answers)
        });
        // Some errors end the transaction, others leave that to us. If it cannot be ended now, it is ended before the
        // next one.
        if done.is_err() && !self.connection.is_autocommit() {
            let _ = self.execute("ROLLBACK", []);
        }
        done
    }

    /// Ends a transaction that could not be ended when it failed: what is written now would never be committed.
    fn end_what_is_open(&self) -> rusqlite::Result<()> {
        if !self.connection.is_autocommit() {
            self.execute("ROLLBACK", [])?;
        }
        Ok(())
    }

    fn apply_within(&mut self, sets: &[&[Change<'_>]], now_us: u64) -> rusqlite::Result<Vec<Answer>> {
        let before = self.read(change::keys_to_read(sets))?;
        let plan = change::plan(sets, &before, now_us, || self.revisions.take());
        let mut put = self.connection.prepare_cached(PUT)?;
        for (key, row) in &plan.after {
            match row {
                Some(row) => {
                    put.execute(params![key, &*row.value, signed(row.revision), signed(row.expires_us)])?
                }
                None => self.execute(DELETE, [key])?,
            };
        }
        Ok(plan.answers)
    }

    fn read(&self, keys: BTreeSet<&str>) -> rusqlite::Result<HashMap<String, Row<'static>>> {
        let sql = format!(
            "SELECT CASE WHEN length(value) <= {LONGEST_INTEGER} THEN value ELSE x'' END, revision, expires_us
             FROM storage WHERE key = ?1"
        );
        let mut statement: Option<CachedStatement<'_>> = None;
        let mut rows = HashMap::new();
        for key in keys {
            let statement = match &mut statement {
                Some(statement) => statement,
                none => none.insert(self.connection.prepare_cached(&sql)?),
            };
            let row = statement.query_row([key], |row| {
                let value: Vec<u8> = row.get(0)?;
                let (revision, expires_us) = (unsigned(row.get(1)?), unsigned(row.get(2)?));
                Ok(Row { value: value.into(), revision, expires_us })
            });
            if let Some(row) = row.optional()? {
                rows.insert(key.to_owned(), row);
            }
        }
        Ok(rows)
    }

    /// Has at least `count` revisions ready that no process used before.
    fn set_revisions_apart(&mut self, count: u64) -> rusqlite::Result<()> {
        if self.revisions.left() < count {
            let mut statement =
                self.connection.prepare("UPDATE revisions SET block = block + 1 RETURNING block")?;
            let mut rows = statement.query([])?;
            let block = rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?.get(0).map(unsigned)?;
            // It is committed when its last step is done, and not before.
            while rows.next()?.is_some() {}
            self.revisions.refill(block);
        }
        Ok(())
    }

    /// Removes some of the keys whose time is over; they are invisible already.
    fn sweep(&mut self, now_us: u64) {
        if now_us < self.sweep_at_us {
            return;
        }
        let sql = "DELETE FROM storage WHERE key IN
            (SELECT key FROM storage WHERE expires_us > 0 AND expires_us <= ?1 LIMIT ?2)";
        // What stays behind now is swept another time.
        let removed = self.execute(sql, params![signed(now_us), SWEEP as i64]).unwrap_or_default();
        self.sweep_at_us = if removed < SWEEP { now_us.saturating_add(SWEEP_EVERY_US) } else { now_us };
    }
}

impl File {
    fn io(&self, why: &io::Error) -> StorageError {
        StorageError::File { path: self.path.clone(), reason: why.to_string() }
    }

    fn error(&self, why: &rusqlite::Error) -> StorageError {
        let reason = || why.to_string();
        match why.sqlite_error_code() {
            // The same code for the plugin's limit and for a disk that is full.
            Some(ErrorCode::DiskFull) if self.is_at_its_limit() => {
                StorageError::Full { limit: self.max_bytes }
            }
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
                StorageError::Busy { secs: self.wait.as_secs() }
            }
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                StorageError::Damaged { path: self.path.clone(), reason: reason() }
            }
            Some(_) => StorageError::File { path: self.path.clone(), reason: reason() },
            // Not SQLite: the table holds what this host did not put there.
            None => StorageError::Damaged { path: self.path.clone(), reason: reason() },
        }
    }

    /// Whether the disk has room, so that it must be the limit that was met.
    fn is_at_its_limit(&self) -> bool {
        const ROOM: u64 = 64 * 1024 * 1024;
        #[cfg(unix)]
        {
            let disk = rustix::fs::statvfs(&self.path);
            disk.is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) > ROOM)
        }
        #[cfg(not(unix))]
        {
            fs::metadata(&self.path).is_ok_and(|file| file.len() + ROOM > self.max_bytes)
        }
    }
}

/// SQLite gives the files beside it the same mode.
fn make_private_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}

/// Removes the file in a plugin's folder, with what SQLite puts beside it, and the folder if nothing else is in it.
pub(super) fn purge(folder: &Path) -> Result<(), StorageError> {
    for end in ["", "-wal", "-shm", "-journal"] {
        let path = folder.join(format!("{FILE}{end}"));
        match fs::remove_file(&path) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => {
                return Err(StorageError::File { path, reason: why.to_string() });
            }
            _ => {}
        }
    }
    // Not empty, or not there.
    let _ = fs::remove_dir(folder);
    Ok(())
}
