//! The plugin's own tables, in SQL: `database/1`.
//!
//! Each plugin has a database of its own: a file with SQLite, a schema with PostgreSQL. It sees no other plugin's tables and
//! not the host's, so that names need no prefix. Its tables come from the migrations that lie beside its manifest. The
//! manifest must have the permission `database`.
//!
//! Parameters are `$1`, `$2`, … with both databases. Values that do not fit are errors, in either direction: nothing is
//! rounded, cut or taken for something else on the way.
//!
//! What a column does with a value of another type is the database's own. PostgreSQL refuses it. SQLite refuses what it cannot
//! convert, and converts the rest, also in `STRICT` tables: a number in a `TEXT` column becomes a text, perhaps rounded, a text
//! that is a number becomes one in an `INTEGER` or `REAL` column, and a whole number beyond 2^53 is rounded in a `REAL` column. So
//! give a column values of its own type, as in this table.
//!
//! | Rust | SQLite (`STRICT` tables) | PostgreSQL |
//! |---|---|---|
//! | `i8` … `i64`, `u8` … `u64`, `usize` | `INTEGER` | `smallint`, `integer`, `bigint`, `numeric` |
//! | `f32`, `f64`, finite | `REAL` | `real`, `double precision` |
//! | `&str`, `String`, unit enums | `TEXT` | `text`, `varchar`, `char`, `uuid`, `numeric`, enums |
//! | `&[u8]`, `Vec<u8>`, [`Bytes`] | `BLOB` | `bytea` |
//! | `bool` | `INTEGER`, 0 or 1 | `boolean` |
//! | [`Timestamp`] | `TEXT` | `timestamptz`, `timestamp` (UTC) |
//! | [`Json`] | `TEXT` | `jsonb`, `json` |
//! | `Option` | `NULL` | `NULL` |

mod error;
mod row;
mod table;
mod timestamp;
mod value;

use std::{
    fmt,
    marker::PhantomData,
    ops::{ControlFlow, Deref},
    panic::{self, AssertUnwindSafe},
    time::Duration,
};

use serde::de::DeserializeOwned;

pub use self::{
    error::DatabaseError,
    table::{
        Database as DatabaseTable, DatabaseRef, Dialect, ID, RowView, StatementView, ValueKind, ValueView,
    },
    timestamp::{Timestamp, TimestampError},
    value::{Bytes, Json, ToValue, Value, ValueError},
};
use crate::abi::{Bound, Fault, FaultKind, Handle, RSlice, RStr, RowSink, TransactionBody, resume};

/// The plugin's tables. Dereferences to its [`Statements`], each of which is a transaction of its own there.
#[derive(Debug, Clone, Copy)]
pub struct Database(Statements);

/// A transaction that is under way. Dereferences to its [`Statements`].
///
/// It stays on the thread of its body. After a statement has failed, it does nothing more and is undone: give the error
/// back from the body.
pub struct Transaction<'a> {
    statements: Statements,
    /// Neither `Send` nor `Sync`.
    of_body: PhantomData<&'a *mut ()>,
}

/// Runs statements, on a [`Database`] or in a [`Transaction`].
#[derive(Debug, Clone, Copy)]
pub struct Statements {
    host: Option<Bound<DatabaseRef>>,
    deadline_ms: u64,
}

impl Database {
    /// `[any]` The database behind a host's table, or none. A plugin gets its own from
    /// [`Context::database`](crate::Context::database); this is for tests.
    ///
    /// ```
    /// # use streamspace_plugin::{database::Database, prelude::*};
    /// let absent = Database::new(None);
    /// assert_eq!(absent.exec("DELETE FROM visits", params![]), Err(DatabaseError::Unavailable));
    /// ```
    #[must_use]
    pub fn new(host: Option<Bound<DatabaseRef>>) -> Self {
        Self(Statements { host, deadline_ms: 0 })
    }

    /// `[any]` The same, with this time for each statement, up to the operator's limit, which is also the default (30 s
    /// unless changed).
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use streamspace_plugin::prelude::*;
    /// fn count(context: &Context) -> Result<i64> {
    ///     let quick = context.database().with_deadline(Duration::from_millis(500));
    ///     Ok(quick.query_one("SELECT COUNT(*) FROM visits", params![])?.unwrap_or(0))
    /// }
    /// ```
    #[must_use]
    pub fn with_deadline(&self, deadline: Duration) -> Self {
        Self(Statements { deadline_ms: milliseconds(deadline), ..self.0 })
    }

    /// `[worker]` `[setup]` Runs `body` in a transaction: all of it is done when `body` answers `Ok`, and nothing of it when
    /// `body` fails or panics, when a statement failed, or when the operator's limit for transactions passes (60 s unless
    /// changed). The transaction sees no half of another one; with SQLite there is one at a time.
    ///
    /// Within `body`, use the transaction that it is given. The database itself refuses statements there.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn transfer(context: &Context, from: &str, to: &str, hours: i64) -> Result<()> {
    ///     context.database().transaction(|transaction| {
    ///         let change = "UPDATE budgets SET hours = hours + $1 WHERE team = $2";
    ///         transaction.exec(change, params![-hours, from])?;
    ///         if transaction.exec(change, params![hours, to])? == 0 {
    ///             return Err(Error::permanent("there is no such team"));
    ///         }
    ///         Ok(())
    ///     })
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// What `body` failed with, or a [`DatabaseError`] if it could not be begun or not be committed.
    pub fn transaction<R, E: From<DatabaseError>>(
        &self,
        body: impl FnOnce(&Transaction<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let Some(host) = self.0.host else { return Err(DatabaseError::Unavailable.into()) };
        let (mut body, mut ended) = (Some(body), None);
        let mut run = |handle: Handle| {
            let Some(body) = body.take() else {
                return Err(Fault::new(FaultKind::INVALID, "the host ran the body of a transaction twice"));
            };
            let host = Some(Bound { table: host.table, handle });
            let transaction = Transaction { statements: Statements { host, ..self.0 }, of_body: PhantomData };
            // The host's own code is on the stack, which no panic of the plugin's may cross.
            let result = panic::catch_unwind(AssertUnwindSafe(|| body(&transaction)));
            let succeeded = matches!(result, Ok(Ok(_)));
            ended = Some(result);
            if succeeded { Ok(()) } else { Err(Fault::new(FaultKind::FAILED, "the body failed")) }
        };
        let done = host.table.transaction()(host.handle, TransactionBody::new(&mut run)).into_result();
        match (ended, done) {
            (Some(Err(payload)), _) => resume(payload),
            (Some(Ok(Err(why))), _) => Err(why),
            (Some(Ok(Ok(answer))), Ok(())) => Ok(answer),
            (_, Err(fault)) => Err(DatabaseError::from(fault).into()),
            (None, Ok(())) => {
                Err(DatabaseError::Other("the host did not run the transaction's body".to_owned()).into())
            }
        }
    }

    /// `[any]` What database there is, for statements that differ.
    ///
    /// ```
    /// # use streamspace_plugin::{database::Dialect, prelude::*};
    /// fn search(context: &Context, word: &str) -> Result<Vec<String>> {
    ///     let database = context.database();
    ///     let sql = match database.dialect()? {
    ///         Dialect::SQLITE => "SELECT text FROM notes WHERE notes MATCH $1",
    ///         _ => "SELECT text FROM notes WHERE to_tsvector('simple', text) @@ plainto_tsquery('simple', $1)",
    ///     };
    ///     Ok(database.query(sql, params![word])?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Unavailable`], [`DatabaseError::Denied`], [`DatabaseError::Closed`].
    pub fn dialect(&self) -> Result<Dialect, DatabaseError> {
        let host = self.0.host()?;
        host.table.dialect()(host.handle).into_result().map_err(DatabaseError::from)
    }
}

impl Deref for Database {
    type Target = Statements;

    fn deref(&self) -> &Statements {
        &self.0
    }
}

impl Deref for Transaction<'_> {
    type Target = Statements;

    fn deref(&self) -> &Statements {
        &self.statements
    }
}

impl fmt::Debug for Transaction<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Transaction").field(&self.statements.host).finish()
    }
}

impl Statements {
    /// `[worker]` `[setup]` Runs a statement and answers how many rows it changed.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn forget(context: &Context, user: &str) -> Result<bool> {
    ///     Ok(context.database().exec("DELETE FROM visits WHERE user_name = $1", params![user])? > 0)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; nothing was done then.
    pub fn exec(&self, sql: &str, params: &[&dyn ToValue]) -> Result<u64, DatabaseError> {
        let host = self.host()?;
        self.with_statement(sql, params, |statement| host.table.exec()(host.handle, statement).into_result())
    }

    /// `[worker]` `[setup]` Runs a query and answers all its rows: structs by the columns' names, tuples by position, or a
    /// single value for a single column. [`for_each`](Self::for_each) does not hold them all in memory.
    ///
    /// ```
    /// # use streamspace_plugin::{database::Timestamp, prelude::*};
    /// #[derive(serde::Deserialize)]
    /// struct Visit {
    ///     user_name: String,
    ///     at: Timestamp,
    ///     minutes: Option<u32>,
    /// }
    ///
    /// fn since(context: &Context, at: Timestamp) -> Result<Vec<Visit>> {
    ///     Ok(context.database().query("SELECT user_name, at, minutes FROM visits WHERE at >= $1", params![at])?)
    /// }
    ///
    /// fn busiest(context: &Context) -> Result<Vec<(String, i64)>> {
    ///     let sql = "SELECT user_name, COUNT(*) FROM visits GROUP BY user_name ORDER BY 2 DESC LIMIT 10";
    ///     Ok(context.database().query(sql, params![])?)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]. More rows than the operator allows (1,000,000 unless changed) are one, and so is a row that does
    /// not have the shape of a `T`.
    pub fn query<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
    ) -> Result<Vec<T>, DatabaseError> {
        let mut rows = Vec::new();
        self.rows(sql, params, &mut |row| {
            rows.push(row);
            true
        })?;
        Ok(rows)
    }

    /// `[worker]` `[setup]` As [`query`](Self::query), for one row or none.
    ///
    /// ```
    /// # use streamspace_plugin::prelude::*;
    /// fn visits(context: &Context, user: &str) -> Result<i64> {
    ///     let sql = "SELECT COUNT(*) FROM visits WHERE user_name = $1";
    ///     Ok(context.database().query_one(sql, params![user])?.unwrap_or(0))
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; a second row is one.
    pub fn query_one<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
    ) -> Result<Option<T>, DatabaseError> {
        let (mut found, mut more) = (None, false);
        self.rows(sql, params, &mut |row| {
            more = found.is_some();
            found.get_or_insert(row);
            !more
        })?;
        if more {
            return Err(DatabaseError::Invalid(
                "expected one row or none, found more: `query` takes many".to_owned(),
            ));
        }
        Ok(found)
    }

    /// `[worker]` `[setup]` Runs a query and gives each row to `each`, until that breaks off; answers with what it broke off
    /// with. Only some rows at a time are in memory.
    ///
    /// ```
    /// # use std::ops::ControlFlow;
    /// # use streamspace_plugin::prelude::*;
    /// fn first_long(context: &Context) -> Result<Option<String>> {
    ///     let sql = "SELECT user_name, minutes FROM visits ORDER BY at";
    ///     let found = context.database().for_each(sql, params![], |(user, minutes): (String, i64)| {
    ///         if minutes > 60 { ControlFlow::Break(user) } else { ControlFlow::Continue(()) }
    ///     })?;
    ///     Ok(found)
    /// }
    /// ```
    ///
    /// # Errors
    ///
    /// As [`query`](Self::query); `each` may have been given rows before.
    pub fn for_each<T: DeserializeOwned, B>(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
        mut each: impl FnMut(T) -> ControlFlow<B>,
    ) -> Result<Option<B>, DatabaseError> {
        let (mut broken, mut panicked) = (None, None);
        let result = self.rows(sql, params, &mut |row| {
            // The host's own code is on the stack, which no panic of the plugin's may cross.
            match panic::catch_unwind(AssertUnwindSafe(|| each(row))) {
                Ok(ControlFlow::Continue(())) => true,
                Ok(ControlFlow::Break(with)) => {
                    broken = Some(with);
                    false
                }
                Err(payload) => {
                    panicked = Some(payload);
                    false
                }
            }
        });
        if let Some(payload) = panicked {
            resume(payload);
        }
        result.map(|()| broken)
    }

    fn host(&self) -> Result<Bound<DatabaseRef>, DatabaseError> {
        self.host.ok_or(DatabaseError::Unavailable)
    }

    fn rows<T: DeserializeOwned>(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
        each: &mut dyn FnMut(T) -> bool,
    ) -> Result<(), DatabaseError> {
        let host = self.host()?;
        let mut mismatch = None;
        let mut take = |row: &RowView<'_>| match row::decode(row) {
            Ok(row) => Ok(each(row)),
            Err(why) => {
                mismatch = Some(why);
                Ok(false)
            }
        };
        let result = self.with_statement(sql, params, |statement| {
            host.table.query()(host.handle, statement, RowSink::new(&mut take)).into_result()
        });
        match mismatch {
            Some(why) => Err(DatabaseError::Decode(why.0)),
            None => result.map(drop),
        }
    }

    fn with_statement<T>(
        &self,
        sql: &str,
        params: &[&dyn ToValue],
        run: impl FnOnce(StatementView<'_>) -> Result<T, Fault>,
    ) -> Result<T, DatabaseError> {
        let mut values = Vec::with_capacity(params.len());
        for (index, param) in params.iter().enumerate() {
            let value = param.to_value();
            values.push(
                value.map_err(|why| DatabaseError::Invalid(format!("parameter ${}: {why}", index + 1)))?,
            );
        }
        let views: Vec<_> = values.iter().map(Value::view).collect();
        let statement = StatementView {
            sql: RStr::from_str(sql),
            parameters: RSlice::from_slice(&views),
            deadline_ms: self.deadline_ms,
            max_rows: 0,
        };
        run(statement).map_err(DatabaseError::from)
    }
}

fn milliseconds(deadline: Duration) -> u64 {
    u64::try_from(deadline.as_millis()).unwrap_or(u64::MAX).max(1)
}
