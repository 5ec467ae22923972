//! A plugin's database file.

mod fault;
mod fence;

use std::{
    fs::{self, OpenOptions},
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use rusqlite::{
    Batch, Connection, ErrorCode, OpenFlags, Rows,
    config::DbConfig,
    fallible_iterator::FallibleIterator as _,
    limits::Limit,
    types::{ToSqlOutput, ValueRef},
};
use smallvec::SmallVec;
use streamspace_plugin::{
    abi::{Fault, FaultKind, RSlice, RStr},
    database::{RowView, Timestamp, Value, ValueKind, ValueView},
};

pub(super) use self::fence::HISTORY;
use self::{
    fault::{fault, without_value},
    fence::Fence,
};
use super::{
    Limits, MAX_SQL_BYTES, parameters,
    session::{Connect, Session, Sink, Statement},
};
use crate::store::make_private_dir;

/// The file's name in the folder of the plugin's data.
pub(super) const FILE: &str = "database.db";

/// How often SQLite asks whether the time is over, in steps of its virtual machine.
const STEPS: i32 = 1000;

/// Where a plugin's file is, and what bounds it.
#[derive(Debug, Clone)]
pub(super) struct SqliteFile {
    folder: PathBuf,
    limits: Limits,
}

/// One connection to it.
#[derive(Debug)]
pub(super) struct SqliteSession {
    connection: Connection,
    fence: Arc<Fence>,
    limits: Limits,
    folder: PathBuf,
}

/// Where in a script of several statements one failed.
#[derive(Debug)]
pub(super) struct ScriptFault {
    /// The statement's number, from 1.
    pub(super) statement: usize,
    /// Its first line in the script, or that of what SQLite stumbled over, from 1.
    pub(super) line: usize,
    pub(super) fault: Fault,
}

impl SqliteFile {
    pub(super) fn new(folder: PathBuf, limits: Limits) -> Self {
        Self { folder, limits }
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(FILE)
    }

    pub(super) fn open(&self) -> Result<SqliteSession, Fault> {
        let path = self.path();
        make(&self.folder, &path)
            .map_err(|why| Fault::new(FaultKind::UNREACHABLE, format_args!("{}: {why}", path.display())))?;
        SqliteSession::open(&path, self.folder.clone(), &self.limits)
    }
}

/// Before SQLite makes it, which gives its log and its index the file's own mode.
fn make(folder: &Path, path: &Path) -> io::Result<()> {
    make_private_dir(folder)?;
    make_file(path)
}

/// Makes an empty file that nobody else reads, unless it is there.
pub(super) fn make_file(path: &Path) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options.open(path).map(drop)
}

impl Connect for SqliteFile {
    fn connect(&self) -> Result<Box<dyn Session>, Fault> {
        Ok(Box::new(self.open()?))
    }
}

impl SqliteSession {
    fn open(path: &Path, folder: PathBuf, limits: &Limits) -> Result<Self, Fault> {
        // Not SQLITE_OPEN_URI: a name is a name.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let fence = Arc::new(Fence::new());
        let opened = Connection::open_with_flags(path, flags).and_then(|connection| {
            set_up(&connection, limits, &fence)?;
            Ok(connection)
        });
        let connection =
            opened.map_err(|why| fault(&why).at(&format!("the database file {}", path.display())))?;
        fence.as_host(|| ());
        Ok(Self { connection, fence, limits: limits.clone(), folder })
    }

    /// Runs what the host wrote.
    pub(super) fn as_host<T>(
        &mut self,
        run: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, Fault> {
        self.fence.begin(Instant::now() + self.limits.statement_deadline);
        self.fence.as_host(|| run(&self.connection)).map_err(|why| fault(&why).into())
    }

    /// Runs the statements of a script, one after the other, within the transaction that is under way, and answers how many
    /// there are.
    pub(super) fn script(&mut self, sql: &str, deadline: Instant) -> Result<usize, ScriptFault> {
        let line_at = |at: usize| 1 + sql.bytes().take(at).filter(|byte| *byte == b'\n').count();
        let mut batch = Batch::new(&self.connection, sql);
        let (mut statement, mut begin) = (1, 0);
        loop {
            self.wait(deadline);
            let next = batch.next().map_err(|why| ScriptFault {
                statement,
                line: match &why {
                    rusqlite::Error::SqlInputError { offset, .. } if *offset >= 0 => {
                        line_at(begin + usize::try_from(*offset).unwrap_or(0))
                    }
                    _ => line_at(start_of(sql, begin)),
                },
                fault: self.explain(&why),
            })?;
            let Some(mut prepared) = next else { return Ok(statement - 1) };
            // It has no parameters, so that this is its text; an empty one may come before it.
            let text = prepared.expanded_sql().unwrap_or_default();
            let rest = sql.get(begin..).unwrap_or_default();
            begin += rest.find(&text).unwrap_or(0);
            let first = start_of(sql, begin);
            begin += text.len();
            let run = self.run_to_end(&mut prepared, &[]).and_then(|_| match self.fence.creates_table() {
                true => self.all_strict(),
                false => Ok(()),
            });
            run.map_err(|fault| ScriptFault { statement, line: line_at(first), fault })?;
            statement += 1;
        }
    }

    /// Begins a plugin's statement: how long it may run, and how long it may wait for another's lock.
    fn wait(&self, deadline: Instant) {
        self.fence.begin(deadline);
        let left = deadline.saturating_duration_since(Instant::now());
        // It cannot fail: a connection takes any time.
        let _ = self.connection.busy_timeout(left.min(self.limits.wait));
    }

    fn explain(&self, why: &rusqlite::Error) -> Fault {
        if let Some(denied) = self.fence.denied() {
            return Fault::new(FaultKind::DENIED, format_args!("a plugin's SQL is not allowed {denied}"));
        }
        let explained = fault(why);
        if why.sqlite_error_code() == Some(ErrorCode::DiskFull) && has_room(&self.folder) {
            return Fault::new(
                FaultKind::TOO_LARGE,
                format_args!(
                    "the plugin's database is full: it may have {} bytes (`database.max_plugin_bytes`)",
                    self.limits.max_plugin_bytes
                ),
            );
        }
        explained.into()
    }

    /// Compiles and binds a statement, and does with it what is to be done.
    fn with<T>(
        &mut self,
        statement: &Statement<'_>,
        run: impl FnOnce(&Self, &mut rusqlite::Statement<'_>) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let this = &*self;
        this.wait(statement.deadline);
        let mut prepared = this.connection.prepare_cached(statement.sql).map_err(|why| this.explain(&why))?;
        // What is in the cache already makes no table: those that do are not kept.
        if !this.fence.creates_table() {
            return run(this, bound(&mut prepared, statement)?);
        }
        let done = this.within_savepoint(|| {
            let answer = run(this, bound(&mut prepared, statement)?)?;
            this.all_strict()?;
            Ok(answer)
        });
        prepared.discard();
        done
    }

    fn within_savepoint<T>(&self, run: impl FnOnce() -> Result<T, Fault>) -> Result<T, Fault> {
        let own = |sql: &str| {
            self.fence.as_host(|| self.connection.execute_batch(sql)).map_err(|why| self.explain(&why))
        };
        own("SAVEPOINT streamspace")?;
        match run() {
            Ok(answer) => {
                own("RELEASE streamspace")?;
                Ok(answer)
            }
            Err(why) => {
                // What keeps it from being undone keeps the session from being used again.
                let _ = own("ROLLBACK TO streamspace; RELEASE streamspace");
                Err(why)
            }
        }
    }

    /// Whether every table is `STRICT`; those that virtual tables keep for themselves excepted.
    fn all_strict(&self) -> Result<(), Fault> {
        const LAX: &str = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' \
                           AND NOT strict AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' LIMIT 1";
        let lax = self.fence.as_host(|| {
            let mut found = self.connection.prepare_cached(LAX)?;
            let mut rows = found.query([])?;
            rows.next()?.map(|row| row.get::<_, String>(0)).transpose()
        });
        match lax.map_err(|why| self.explain(&why))? {
            None => Ok(()),
            Some(name) => Err(Fault::new(
                FaultKind::INVALID,
                format_args!(
                    "the table `{name}` is not STRICT, so that it would take values of any type: write `CREATE TABLE \
                     {name} (…) STRICT`"
                ),
            )),
        }
    }

    /// Runs a statement, drops its rows, and answers how many rows it changed.
    fn run_to_end(
        &self,
        prepared: &mut rusqlite::Statement<'_>,
        parameters: &[Value<'_>],
    ) -> Result<u64, Fault> {
        parameters::count(prepared.parameter_count(), parameters.len())?;
        let before = self.connection.total_changes();
        let mut rows = prepared.raw_query();
        while rows.next().map_err(|why| without_value(self.explain(&why)))?.is_some() {}
        drop(rows);
        // The number of the statement before, if this one changed nothing.
        Ok(if self.connection.total_changes() == before { 0 } else { self.connection.changes() })
    }

    fn send(
        &self,
        columns: &[RStr<'_>],
        rows: &mut Rows<'_>,
        max_rows: u64,
        sink: &mut Sink<'_>,
    ) -> Result<u64, Fault> {
        let mut count = 0;
        while let Some(row) = rows.next().map_err(|why| without_value(self.explain(&why)))? {
            if count == max_rows {
                return Err(super::too_many_rows(max_rows));
            }
            let mut values: SmallVec<[ValueView<'_>; 16]> = SmallVec::new();
            for (index, name) in columns.iter().enumerate() {
                let value = row.get_ref(index).map_err(|why| self.explain(&why))?;
                values.push(self.view(value, name)?);
            }
            count += 1;
            let row = RowView { columns: RSlice::from_slice(columns), values: RSlice::from_slice(&values) };
            if !sink(row)? {
                break;
            }
        }
        // One that was broken off and changes something: whether that is kept is known at its end, since a reference may lead
        // nowhere.
        if rows.as_ref().is_some_and(|running| !running.readonly()) {
            while rows.next().map_err(|why| without_value(self.explain(&why)))?.is_some() {}
        }
        Ok(count)
    }

    /// SQLite's own memory, lent until the next row.
    fn view<'a>(&self, value: ValueRef<'a>, column: &str) -> Result<ValueView<'a>, Fault> {
        let number = |kind, number| ValueView { kind, number, bytes: RSlice::from_slice(&[]) };
        let bytes = |kind, bytes: &'a [u8]| {
            super::check_length(bytes.len(), column, self.limits.max_value_bytes).map(|()| ValueView {
                kind,
                number: 0,
                bytes: RSlice::from_slice(bytes),
            })
        };
        Ok(match value {
            ValueRef::Null => number(ValueKind::NULL, 0),
            ValueRef::Integer(value) => number(ValueKind::INTEGER, value),
            ValueRef::Real(value) => number(ValueKind::REAL, value.to_bits().cast_signed()),
            ValueRef::Text(text) => {
                if std::str::from_utf8(text).is_err() || text.contains(&0) {
                    let reason = "the text is not UTF-8, or has a NUL in it: store bytes as BLOB";
                    return Err(Fault::new(FaultKind::INVALID, format_args!("column `{column}`: {reason}")));
                }
                bytes(ValueKind::TEXT, text)?
            }
            ValueRef::Blob(value) => bytes(ValueKind::BLOB, value)?,
        })
    }
}

impl Session for SqliteSession {
    fn exec(&mut self, statement: &Statement<'_>) -> Result<u64, Fault> {
        self.with(statement, |this, prepared| this.run_to_end(prepared, statement.parameters))
    }

    fn query(&mut self, statement: &Statement<'_>, sink: &mut Sink<'_>) -> Result<u64, Fault> {
        self.with(statement, |this, prepared| {
            let names: Vec<String> = prepared.column_names().into_iter().map(str::to_owned).collect();
            let columns: Vec<RStr<'_>> = names.iter().map(|name| RStr::from_str(name)).collect();
            let mut rows = prepared.raw_query();
            this.send(&columns, &mut rows, statement.max_rows, sink)
        })
    }

    fn begin(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.wait(deadline);
        // At once for writing: one that becomes a writer later would fail where it now waits.
        self.fence
            .as_host(|| self.connection.execute_batch("BEGIN IMMEDIATE"))
            .map_err(|why| self.explain(&why))
    }

    fn commit(&mut self, deadline: Instant) -> Result<(), Fault> {
        self.wait(deadline);
        if self.connection.is_autocommit() {
            let said = "SQLite undid the transaction when a statement failed";
            return Err(Fault::new(FaultKind::FAILED, said));
        }
        self.fence.as_host(|| self.connection.execute_batch("COMMIT")).map_err(|why| self.explain(&why))
    }

    fn rollback(&mut self) {
        if !self.connection.is_autocommit() {
            // What keeps it from being undone keeps the session from being used again.
            let _ = self.fence.as_host(|| self.connection.execute_batch("ROLLBACK"));
        }
    }

    fn is_sound(&self) -> bool {
        self.connection.is_autocommit()
    }
}

/// Removes the file with its log and its index.
pub(super) fn remove(folder: &Path) -> io::Result<()> {
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(folder.join(format!("{FILE}{suffix}"))) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => return Err(why),
            _ => {}
        }
    }
    Ok(())
}

/// Whether the disk has room, so that it is the file that has not.
fn has_room(folder: &Path) -> bool {
    const ENOUGH: u64 = 16 * 1024 * 1024;
    #[cfg(unix)]
    {
        rustix::fs::statvfs(folder).is_ok_and(|disk| disk.f_bavail.saturating_mul(disk.f_frsize) >= ENOUGH)
    }
    #[cfg(not(unix))]
    {
        let _ = (folder, ENOUGH);
        true
    }
}

/// Makes a connection one that a plugin may use.
fn set_up(connection: &Connection, limits: &Limits, fence: &Arc<Fence>) -> rusqlite::Result<()> {
    connection.busy_timeout(limits.wait)?;
    for (option, value) in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_WRITABLE_SCHEMA, false),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FKEY, true),
        (DbConfig::SQLITE_DBCONFIG_ENABLE_FTS3_TOKENIZER, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
    ] {
        connection.set_db_config(option, value)?;
    }
    let max_sql = i32::try_from(MAX_SQL_BYTES).unwrap_or(i32::MAX);
    let largest = limits.max_value_bytes.saturating_mul(2).saturating_add(64 * 1024);
    for (limit, value) in [
        // Also of a whole row: the values themselves are checked one by one.
        (Limit::SQLITE_LIMIT_LENGTH, i32::try_from(largest).unwrap_or(1_000_000_000).max(max_sql)),
        (Limit::SQLITE_LIMIT_SQL_LENGTH, max_sql),
        (Limit::SQLITE_LIMIT_ATTACHED, 0),
        (Limit::SQLITE_LIMIT_COLUMN, 1000),
        (Limit::SQLITE_LIMIT_EXPR_DEPTH, 500),
        (Limit::SQLITE_LIMIT_COMPOUND_SELECT, 200),
        (Limit::SQLITE_LIMIT_FUNCTION_ARG, 100),
        (Limit::SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 1000),
        (Limit::SQLITE_LIMIT_TRIGGER_DEPTH, 100),
        (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
    ] {
        connection.set_limit(limit, value)?;
    }
    connection.set_prepared_statement_cache_capacity(64);
    connection.authorizer(Some({
        let fence = Arc::clone(fence);
        move |context: rusqlite::hooks::AuthContext<'_>| fence.judge(&context)
    }))?;
    connection.progress_handler(
        STEPS,
        Some({
            let fence = Arc::clone(fence);
            move || fence.is_late()
        }),
    )?;
    connection.pragma_update(None, "journal_mode", "wal")?;
    // What a large transaction leaves of the log.
    connection.pragma_update(None, "journal_size_limit", 64 * 1024 * 1024)?;
    connection.pragma_update(None, "cell_size_check", true)?;
    let page_size: i64 = connection.pragma_query_value(None, "page_size", |row| row.get(0))?;
    let max_bytes = i64::try_from(limits.max_plugin_bytes).unwrap_or(i64::MAX);
    let max_pages = (max_bytes / page_size.max(1)).max(1);
    // SQLite answers what it took, which is not less than there are already.
    connection.pragma_update_and_check(None, "max_page_count", max_pages, |_| Ok(()))
}

/// Binds the parameters. All of them are `$1` to `$N`, and none is left out.
fn bound<'a, 'c>(
    prepared: &'a mut rusqlite::Statement<'c>,
    statement: &Statement<'_>,
) -> Result<&'a mut rusqlite::Statement<'c>, Fault> {
    let given = statement.parameters.len();
    for slot in 1..=prepared.parameter_count() {
        let name = prepared.parameter_name(slot).unwrap_or("?");
        let number = name.strip_prefix('$').filter(|digits| !digits.starts_with(['0', '+']));
        let Some(number) = number.and_then(|digits| digits.parse::<usize>().ok()) else {
            return Err(Fault::new(
                FaultKind::INVALID,
                format_args!(
                    "parameters are written $1, $2, …: found `{name}`. A cast is written CAST($1 AS TEXT)"
                ),
            ));
        };
        let Some(value) = statement.parameters.get(number - 1) else {
            return Err(Fault::new(
                FaultKind::INVALID,
                format_args!("the statement has a parameter ${number}, and {given} were given"),
            ));
        };
        let bind = prepared.raw_bind_parameter(slot, to_sql(value));
        bind.map_err(|why| Fault::from(fault(&why)))?;
    }
    // Each has one slot, however often it stands in the statement.
    if prepared.parameter_count() < given {
        let used = |number: usize| {
            (1..=prepared.parameter_count())
                .any(|slot| prepared.parameter_name(slot) == Some(&format!("${number}")))
        };
        let unused = (1..=given).find(|number| !used(*number)).unwrap_or(given);
        return Err(Fault::new(
            FaultKind::INVALID,
            format_args!("{given} parameters were given, and the statement has no ${unused}"),
        ));
    }
    Ok(prepared)
}

fn to_sql<'a>(value: &'a Value<'a>) -> ToSqlOutput<'a> {
    let borrowed = ToSqlOutput::Borrowed;
    match value {
        Value::Integer(number) => borrowed(ValueRef::Integer(*number)),
        Value::Real(number) => borrowed(ValueRef::Real(*number)),
        Value::Text(text) | Value::Json(text) => borrowed(ValueRef::Text(text.as_bytes())),
        Value::Blob(bytes) => borrowed(ValueRef::Blob(bytes)),
        Value::Bool(value) => borrowed(ValueRef::Integer((*value).into())),
        Value::Timestamp(time) => ToSqlOutput::Owned(Timestamp::to_sql_text(*time).into()),
        // `parameters::read` makes no others.
        _ => borrowed(ValueRef::Null),
    }
}

/// Where the first word of what begins at `begin` is.
fn start_of(sql: &str, begin: usize) -> usize {
    let rest = sql.get(begin..).unwrap_or_default();
    let mut left = rest;
    loop {
        left = left.trim_start();
        if let Some(comment) = left.strip_prefix("--") {
            left = comment.split_once('\n').map_or("", |(_, after)| after);
        } else if let Some(comment) = left.strip_prefix("/*") {
            left = comment.split_once("*/").map_or("", |(_, after)| after);
        } else {
            return begin + rest.len() - left.len();
        }
    }
}
