//! The host's own tables: SQLite in a file of the data directory, or PostgreSQL in the schema `streamspace`.

mod connection;
mod error;
mod migrations;
mod snapshot;

use std::{
    path::Path,
    sync::{Condvar, Mutex, PoisonError},
    time::{Duration, Instant},
};

use tokio::runtime;

use self::connection::Place;
#[cfg(test)]
use self::connection::PostgresConnection;
pub use self::error::DatabaseError;
pub(crate) use self::{
    connection::{Connection, on},
    error::breaks_connection,
    migrations::newest as newest_migration,
    snapshot::copy as copy_database,
};
use crate::{
    config::{self, Sync},
    postgres::Postgres,
};

/// The file, in the data directory.
pub(crate) const FILE: &str = "streamspace.db";

/// The host's own tables, and a few connections to them for administration. The event log has its own.
pub struct Database {
    place: Place,
    wait: Duration,
    limit: usize,
    pool: Mutex<Pool>,
    /// Signalled when a connection comes back.
    free: Condvar,
}

#[derive(Default)]
struct Pool {
    idle: Vec<Connection>,
    taken: usize,
}

/// The place in the pool of a connection that is in use. Unless the connection was given back, it has gone, be it in a
/// panic.
struct InUse<'a>(&'a Database);

impl Drop for InUse<'_> {
    fn drop(&mut self) {
        self.0.forget();
    }
}

impl Database {
    /// Opens the database that the configuration names and brings its tables up to date. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; a database that a newer host has written is left as it is.
    pub fn open(
        data_dir: &Path,
        config: &config::Database,
        network: &runtime::Handle,
    ) -> Result<Self, DatabaseError> {
        let database = Self::new(data_dir, config, network)?;
        let mut connection = database.connect(Sync::Full)?;
        if migrations::are_wanted(&mut connection)? {
            // Not beneath a host that runs, nor beside another that begins.
            database.claim(&mut connection)?;
            let done = migrations::run(&mut connection);
            connection
                .release()
                .map_err(|source| DatabaseError::Query { what: "let the database go", source })?;
            done?;
        }
        database.give_back(connection);
        Ok(database)
    }

    /// The database as it is: its tables may be any, or none.
    pub(crate) fn new(
        data_dir: &Path,
        config: &config::Database,
        network: &runtime::Handle,
    ) -> Result<Self, DatabaseError> {
        let place = match Postgres::new(config, network)? {
            None => Place::File(data_dir.join(FILE)),
            Some(server) => Place::Server(Box::new(server)),
        };
        Ok(Self {
            place,
            wait: Duration::from_secs(config.wait_deadline_secs),
            limit: config.connections.max(1) as usize,
            pool: Mutex::default(),
            free: Condvar::new(),
        })
    }

    /// The server, unless the tables are in a file.
    #[must_use]
    pub fn postgres(&self) -> Option<&Postgres> {
        match &self.place {
            Place::File(_) => None,
            Place::Server(server) => Some(server),
        }
    }

    /// A connection of the caller's own, outside of the pool.
    pub(crate) fn connect(&self, sync: Sync) -> Result<Connection, DatabaseError> {
        Connection::open(&self.place, sync, self.wait)
    }

    /// A connection of the caller's own that makes this host the only one on the database, for as long as it is open.
    pub(crate) fn connect_alone(&self, sync: Sync) -> Result<Connection, DatabaseError> {
        let mut connection = self.connect(sync)?;
        self.claim(&mut connection)?;
        Ok(connection)
    }

    fn claim(&self, connection: &mut Connection) -> Result<(), DatabaseError> {
        let until = Instant::now() + self.wait;
        let what = "claim the database";
        // The server may take a moment to see that a host was killed.
        while !connection.claim().map_err(|source| DatabaseError::Query { what, source })? {
            if Instant::now() >= until {
                return Err(DatabaseError::InUse);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Runs `work` on a connection of the pool. Blocks: not for threads of the HTTP server.
    pub(crate) fn with<R>(
        &self,
        what: &'static str,
        work: impl FnOnce(&mut Connection) -> Result<R, diesel::result::Error>,
    ) -> Result<R, DatabaseError> {
        let mut connection = self.take()?;
        let place = InUse(self);
        let result = work(&mut connection);
        if result.as_ref().is_err_and(breaks_connection) {
            drop(connection);
        } else {
            std::mem::forget(place);
            self.give_back(connection);
        }
        result.map_err(|source| DatabaseError::Query { what, source })
    }

    /// A connection that works: one that waited in the pool may be of a server that has gone since.
    fn take(&self) -> Result<Connection, DatabaseError> {
        let mut connection = self.take_any()?;
        if connection.is_alive() {
            return Ok(connection);
        }
        drop(connection);
        self.forget();
        // The others were thrown away with it.
        self.take_any()
    }

    fn take_any(&self) -> Result<Connection, DatabaseError> {
        let until = Instant::now() + self.wait;
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if let Some(connection) = pool.idle.pop() {
                pool.taken += 1;
                return Ok(connection);
            }
            if pool.taken < self.limit {
                pool.taken += 1;
                drop(pool);
                return self.connect(Sync::Full).inspect_err(|_| self.forget());
            }
            let wait = until.saturating_duration_since(Instant::now());
            if wait.is_zero() {
                return Err(DatabaseError::Busy { seconds: self.wait.as_secs() });
            }
            pool = self.free.wait_timeout(pool, wait).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.taken = pool.taken.saturating_sub(1);
        pool.idle.push(connection);
        drop(pool);
        self.free.notify_one();
    }

    /// A connection that was taken does not come back.
    fn forget(&self) {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        pool.taken = pool.taken.saturating_sub(1);
        // Those that wait there are of the same server: they are as old.
        let stale = std::mem::take(&mut pool.idle);
        drop(pool);
        drop(stale);
        self.free.notify_one();
    }
}

impl std::fmt::Debug for Database {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Database").field("place", &self.place).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::panic::{AssertUnwindSafe, catch_unwind};

    use super::*;

    #[test]
    fn a_panic_leaves_its_place_in_the_pool_to_others() {
        let folder = tempfile::tempdir().expect("a folder");
        let network = runtime::Runtime::new().expect("a runtime");
        let settings =
            config::Database { connections: 1, wait_deadline_secs: 0, ..config::Database::default() };
        let database = Database::open(folder.path(), &settings, network.handle()).expect("a database");
        let panics = || database.with("panic", |_| -> Result<(), _> { panic!("in the work") });
        assert!(catch_unwind(AssertUnwindSafe(panics)).is_err());
        database.with("use the place", |_| Ok(())).expect("a connection");
    }
}
