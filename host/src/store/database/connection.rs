//! One connection to the host's own tables, on either database.

use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    time::Duration,
};

use diesel::{
    Connection as _, QueryResult, RunQueryDsl, SqliteConnection,
    connection::{AnsiTransactionManager, SimpleConnection, TransactionManager},
    result::Error,
};
use diesel_async::{
    AsyncPgConnection,
    async_connection_wrapper::{AsyncConnectionWrapper, BlockOn},
};
use tokio::runtime;

use super::DatabaseError;
use crate::{
    config::Sync,
    postgres::{Postgres, PostgresError},
};

/// Runs a query on whichever database it is: the body is compiled once for each.
macro_rules! on {
    ($connection:expr, |$inner:ident| $body:expr) => {
        match $connection {
            $crate::store::Connection::Sqlite($inner) => $body,
            $crate::store::Connection::Postgres($inner) => $body,
        }
    };
}

pub(crate) use on;

/// What a host that runs has locked in PostgreSQL: "StreamSp", read as a number.
const HOST_LOCK: i64 = i64::from_be_bytes(*b"StreamSp");

/// Runs the client's futures on the host's network threads while the caller waits.
pub(crate) struct OnNetwork(runtime::Handle);

impl BlockOn for OnNetwork {
    fn block_on<F: Future>(&self, future: F) -> F::Output {
        self.0.block_on(future)
    }

    fn get_runtime() -> Self {
        Self(runtime::Handle::current())
    }
}

pub(crate) type PostgresConnection = AsyncConnectionWrapper<AsyncPgConnection, OnNetwork>;

/// One connection. Everything on it blocks.
#[expect(clippy::large_enum_variant, reason = "there are a handful, and diesel's traits are not for boxes")]
pub(crate) enum Connection {
    Sqlite(SqliteConnection),
    Postgres(PostgresConnection),
}

/// Where the host's own tables are.
#[derive(Debug, Clone)]
pub(super) enum Place {
    File(PathBuf),
    Server(Box<Postgres>),
}

impl Connection {
    /// Connects. `sync` says what a commit waits for, `wait` how long a lock is waited for.
    pub(super) fn open(place: &Place, sync: Sync, wait: Duration) -> Result<Self, DatabaseError> {
        match place {
            Place::File(path) => open_file(path, sync, wait).map(Self::Sqlite),
            Place::Server(server) => open_server(server, sync, wait).map(Self::Postgres),
        }
    }
}

impl Connection {
    /// Whether there is somebody at its other end.
    pub(super) fn is_alive(&mut self) -> bool {
        match self {
            Self::Sqlite(_) => true,
            Self::Postgres(c) => c.batch_execute("SELECT 1").is_ok(),
        }
    }

    /// Makes this the host's connection, for as long as it is open. Answers `false` if another host has one.
    pub(super) fn claim(&mut self) -> QueryResult<bool> {
        match self {
            // Whoever has the data directory has the file.
            Self::Sqlite(_) => Ok(true),
            Self::Postgres(c) => {
                let lock = diesel::dsl::sql::<diesel::sql_types::Bool>("pg_try_advisory_lock(");
                diesel::select(lock.bind::<diesel::sql_types::BigInt, _>(HOST_LOCK).sql(")")).get_result(c)
            }
        }
    }

    /// Undoes one [`claim`](Self::claim).
    pub(super) fn release(&mut self) -> QueryResult<()> {
        match self {
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(c) => c.batch_execute(&format!("SELECT pg_advisory_unlock({HOST_LOCK})")),
        }
    }

    /// Runs `work` in one transaction that will write: committed if it succeeds, else rolled back.
    pub(crate) fn write<R>(&mut self, work: impl FnOnce(&mut Self) -> QueryResult<R>) -> QueryResult<R> {
        match self {
            // Takes the lock at once: one that is taken later fails if somebody wrote in between.
            Self::Sqlite(c) => AnsiTransactionManager::begin_transaction_sql(c, "BEGIN IMMEDIATE")?,
            Self::Postgres(c) => Transactions::<PostgresConnection>::begin_transaction(c)?,
        }
        match work(self) {
            Ok(result) => {
                on!(self, |c| commit(c))?;
                Ok(result)
            }
            Err(why) => match on!(self, |c| rollback(c)) {
                Ok(()) => Err(why),
                // The transaction is there still: nobody may go on with the connection.
                Err(_) => Err(Error::BrokenTransactionManager),
            },
        }
    }
}

impl Connection {
    /// Runs `work` within a transaction. What it has written is undone if it answers `None` or fails, and the transaction
    /// goes on.
    pub(crate) fn attempt<R>(
        &mut self,
        work: impl FnOnce(&mut Self) -> QueryResult<Option<R>>,
    ) -> QueryResult<Option<R>> {
        on!(self, |c| begin(c))?;
        let result = work(self);
        if matches!(result, Ok(Some(_))) {
            on!(self, |c| commit(c))?;
        } else if on!(self, |c| rollback(c)).is_err() {
            return Err(Error::BrokenTransactionManager);
        }
        result
    }
}

type Transactions<C> = <C as diesel::Connection>::TransactionManager;

/// Within a transaction: a savepoint.
fn begin<C: diesel::Connection>(connection: &mut C) -> QueryResult<()> {
    Transactions::<C>::begin_transaction(connection)
}

fn commit<C: diesel::Connection>(connection: &mut C) -> QueryResult<()> {
    Transactions::<C>::commit_transaction(connection)
}

fn rollback<C: diesel::Connection>(connection: &mut C) -> QueryResult<()> {
    Transactions::<C>::rollback_transaction(connection)
}

fn open_file(path: &Path, sync: Sync, wait: Duration) -> Result<SqliteConnection, DatabaseError> {
    let mut options = OpenOptions::new();
    options.create(true).truncate(false).write(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // SQLite gives the files beside it the same mode.
        options.mode(0o600);
    }
    options.open(path).map_err(|source| DatabaseError::File {
        what: "open the database",
        path: path.to_owned(),
        source,
    })?;
    let failed = |reason: String| DatabaseError::Open { path: path.to_owned(), reason };
    let text = path.to_str().ok_or_else(|| failed("its path is not UTF-8".to_owned()))?;
    let mut connection = SqliteConnection::establish(text).map_err(|why| failed(why.to_string()))?;
    let sync = match sync {
        Sync::Full => "FULL",
        Sync::Normal => "NORMAL",
    };
    let wait = wait.as_millis();
    let settings = format!(
        "PRAGMA busy_timeout = {wait}; PRAGMA journal_mode = WAL; PRAGMA synchronous = {sync}; PRAGMA foreign_keys = ON; \
         PRAGMA wal_autocheckpoint = 4000; PRAGMA journal_size_limit = 16777216;"
    );
    connection.batch_execute(&settings).map_err(|why| failed(why.to_string()))?;
    Ok(connection)
}

fn open_server(server: &Postgres, sync: Sync, wait: Duration) -> Result<PostgresConnection, DatabaseError> {
    let mut config = server.config().clone();
    let sync = match sync {
        Sync::Full => "on",
        Sync::Normal => "off",
    };
    let wait = wait.as_millis();
    // Whatever else the URL asks for stays.
    let asked = config.get_options().unwrap_or_default();
    config.options(format!(
        "{asked} -c search_path=streamspace -c synchronous_commit={sync} -c lock_timeout={wait} \
         -c statement_timeout=60000 -c idle_in_transaction_session_timeout=60000 -c client_min_messages=warning"
    ));
    let inner = server.network().block_on(async {
        let (client, connection) = server.connect_as(&config).await?;
        AsyncPgConnection::try_from_client_and_connection(client, connection)
            .await
            .map_err(|why| PostgresError::Connect { server: format!("{server:?}"), reason: why.to_string() })
    })?;
    let _network = server.network().enter();
    Ok(PostgresConnection::from(inner))
}
