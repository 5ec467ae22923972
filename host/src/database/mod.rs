//! SQL for plugins: the host's half of `database/1`.
//!
//! A plugin's calls run on its own threads. With SQLite, each plugin has a file of its own, behind an authorizer and limits;
//! with PostgreSQL, a schema and a login role of its own. What a plugin may not do, the database refuses: no text of a
//! statement is searched for it.

mod capability;
mod error;
mod migrations;
mod parameters;
mod pool;
mod postgres;
mod session;
mod sqlite;
mod upgrade;

use std::{
    collections::HashMap,
    fmt, fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use streamspace_plugin::{
    abi::{Fault, FaultKind},
    database::Dialect,
};

pub(crate) use self::postgres::PluginLogin;
pub use self::{
    capability::open as open_database,
    error::DatabaseError,
    migrations::{MigrationError, PackageMigrations},
};
use self::{
    pool::Pool,
    postgres::{PostgresHistory, PostgresRole, PostgresSchemas},
    sqlite::SqliteFile,
};
use crate::{config, postgres::Postgres, store::DataDir};

/// The permission in a plugin's manifest.
const PERMISSION: &str = "database";

/// The longest statement, in bytes: 1 MiB. Sessions keep some of them.
const MAX_SQL_BYTES: usize = 1024 * 1024;

/// What bounds a plugin.
#[derive(Debug, Clone)]
struct Limits {
    /// How long a call waits for a connection or a lock.
    wait: Duration,
    connections: u32,
    statement_deadline: Duration,
    transaction_deadline: Duration,
    max_rows: u64,
    max_value_bytes: u64,
    max_plugin_bytes: u64,
}

impl Limits {
    fn new(database: &config::Database) -> Self {
        Self {
            wait: Duration::from_secs(database.wait_deadline_secs),
            connections: database.plugin_connections,
            statement_deadline: Duration::from_secs(database.statement_deadline_secs),
            transaction_deadline: Duration::from_secs(database.transaction_deadline_secs),
            max_rows: database.max_rows,
            max_value_bytes: database.max_value_bytes,
            max_plugin_bytes: database.max_plugin_bytes,
        }
    }
}

/// The databases of all plugins.
#[derive(Debug)]
pub struct Databases {
    /// `DATA_DIR/plugin-data`.
    folder: PathBuf,
    limits: Limits,
    postgres: Option<PostgresSchemas>,
    /// What connects the plugins that were started: two versions of one share it.
    roles: Mutex<HashMap<String, PostgresRole>>,
}

/// The database of one plugin that is started.
pub struct PluginDatabase {
    dialect: Dialect,
    limits: Limits,
    /// `None` if the manifest does not ask for it.
    pool: Option<Arc<Pool>>,
}

impl Databases {
    /// Where plugins' data is. `postgres` is the database of `database.url`, if that is one. Touches nothing yet.
    #[must_use]
    pub fn new(data: &DataDir, settings: &config::Database, postgres: Option<&Postgres>) -> Self {
        let limits = Limits::new(settings);
        Self {
            folder: data.path().join("plugin-data"),
            postgres: postgres.map(|postgres| PostgresSchemas::new(postgres.clone(), limits.clone())),
            limits,
            roles: Mutex::default(),
        }
    }

    /// Sees that the migrations in `package`, the folder of a plugin's files, can be read and are for this database. Touches
    /// no data.
    ///
    /// # Errors
    ///
    /// [`DatabaseError::Migration`].
    pub fn judge<'a>(
        &self,
        permissions: impl IntoIterator<Item = &'a str>,
        package: &Path,
    ) -> Result<(), DatabaseError> {
        let of_package = PackageMigrations::read(package)?;
        if of_package.is_empty() {
            return Ok(());
        }
        if !permissions.into_iter().any(|permission| permission == PERMISSION) {
            return Err(MigrationError::NoPermission.into());
        }
        of_package.of(self.dialect())?;
        Ok(())
    }

    /// Makes the database of a plugin ready, before the plugin is loaded: it is there, and every migration in `package`,
    /// the folder of the plugin's files, is applied. Nothing is made for a plugin without the permission. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]. The migrations before the one that failed stay applied.
    pub fn prepare<'a>(
        &self,
        plugin: &str,
        permissions: impl IntoIterator<Item = &'a str>,
        package: &Path,
    ) -> Result<PluginDatabase, DatabaseError> {
        self.recover(plugin, package)?;
        let permitted = permissions.into_iter().any(|permission| permission == PERMISSION);
        let of_package = PackageMigrations::read(package)?;
        let dialect = self.dialect();
        let limits = self.limits.clone();
        if !permitted {
            if !of_package.is_empty() {
                return Err(MigrationError::NoPermission.into());
            }
            return Ok(PluginDatabase { dialect, limits, pool: None });
        }
        let wanted = of_package.of(dialect)?;
        let connect = match &self.postgres {
            None => {
                let file = self.file(plugin);
                let mut session = file.open().map_err(DatabaseError::Open)?;
                migrations::apply(&mut session, wanted, self.limits.transaction_deadline)?;
                Box::new(file) as Box<dyn session::Connect>
            }
            Some(postgres) => {
                let role = self.set_up(postgres, plugin)?;
                let mut history = PostgresHistory::open(postgres, &role)?;
                migrations::apply(&mut history, wanted, self.limits.transaction_deadline)?;
                Box::new(role)
            }
        };
        let pool = Pool::new(connect, limits.connections, limits.wait);
        Ok(PluginDatabase { dialect, limits, pool: Some(pool) })
    }

    /// Undoes the migrations after `version`, the newest first, each by its `down.sql` in `package`; 0 undoes all. The
    /// plugin must not be running. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]. Those that were undone before the one that failed stay undone.
    pub fn rollback_to(&self, plugin: &str, package: &Path, version: i64) -> Result<(), DatabaseError> {
        let of_package = PackageMigrations::read(package)?;
        let known = of_package.of(self.dialect())?;
        match &self.postgres {
            None => {
                let mut session = self.file(plugin).open().map_err(DatabaseError::Open)?;
                migrations::rollback_to(&mut session, known, version, self.limits.transaction_deadline)
            }
            Some(postgres) => {
                let role = postgres.set_up(plugin)?;
                let mut history = PostgresHistory::open(postgres, &role)?;
                migrations::rollback_to(&mut history, known, version, self.limits.transaction_deadline)
            }
        }
    }

    /// Removes all that a plugin has stored, and nothing else. The plugin must not be running. Blocks.
    ///
    /// # Errors
    ///
    /// [`DatabaseError`]; some of it may be gone then, and it may be tried again.
    pub fn purge(&self, plugin: &str) -> Result<(), DatabaseError> {
        self.keep(plugin)?;
        self.roles().remove(plugin);
        let folder = self.folder.join(plugin);
        match &self.postgres {
            None => sqlite::remove(&folder)
                .map_err(|source| DatabaseError::Remove { path: folder.clone(), source })?,
            Some(postgres) => postgres.purge(plugin)?,
        }
        // It stays if something else is in it.
        let _ = fs::remove_dir(&folder);
        Ok(())
    }

    /// The plugins that have tables in PostgreSQL. With SQLite they are folders. Blocks.
    pub(crate) fn in_postgres(&self) -> Result<Vec<String>, DatabaseError> {
        self.postgres.as_ref().map_or(Ok(Vec::new()), PostgresSchemas::plugins)
    }

    /// Makes an empty schema for a plugin, and answers how to connect as the role that has it. `None` with SQLite. Blocks.
    pub(crate) fn empty_schema(&self, plugin: &str) -> Result<Option<PluginLogin>, DatabaseError> {
        let Some(postgres) = &self.postgres else { return Ok(None) };
        postgres.purge(plugin)?;
        Ok(Some(postgres.set_up(plugin)?.login()))
    }

    /// Sets up a plugin's role, and ends what is connected as it.
    fn set_up(&self, postgres: &PostgresSchemas, plugin: &str) -> Result<PostgresRole, DatabaseError> {
        let role = postgres.set_up(plugin)?;
        self.roles().insert(plugin.to_owned(), role.clone());
        Ok(role)
    }

    /// The role of a plugin that may be running.
    fn role(&self, plugin: &str) -> Result<PostgresRole, DatabaseError> {
        let known = self.roles().get(plugin).cloned();
        match (known, &self.postgres) {
            (Some(role), _) => Ok(role),
            (None, Some(postgres)) => self.set_up(postgres, plugin),
            (None, None) => {
                let reason = "there is no PostgreSQL".to_owned();
                Err(DatabaseError::Server { what: "looking for the plugin's role", reason })
            }
        }
    }

    fn roles(&self) -> MutexGuard<'_, HashMap<String, PostgresRole>> {
        self.roles.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn dialect(&self) -> Dialect {
        if self.postgres.is_some() { Dialect::POSTGRES } else { Dialect::SQLITE }
    }

    fn file(&self, plugin: &str) -> SqliteFile {
        SqliteFile::new(self.folder.join(plugin), self.limits.clone())
    }
}

impl PluginDatabase {
    fn pool(&self) -> Result<&Arc<Pool>, Fault> {
        self.pool.as_ref().ok_or_else(|| {
            Fault::new(
                FaultKind::DENIED,
                "the plugin's manifest does not ask for a database: add \"database\" to its `permissions`",
            )
        })
    }
}

impl fmt::Debug for PluginDatabase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PluginDatabase")
            .field("dialect", &self.dialect)
            .field("pool", &self.pool)
            .finish_non_exhaustive()
    }
}

fn too_many_rows(max_rows: u64) -> Fault {
    Fault::new(
        FaultKind::TOO_LARGE,
        format_args!(
            "the query has more than {max_rows} rows (`database.max_rows`, or what the plugin set): read them in parts"
        ),
    )
}

/// Whether a value of a row is not too long.
fn check_length(length: usize, column: &str, max_value_bytes: u64) -> Result<(), Fault> {
    if length as u64 <= max_value_bytes {
        return Ok(());
    }
    Err(Fault::new(
        FaultKind::TOO_LARGE,
        format_args!(
            "column `{column}` has a value of {length} bytes: expected at most {max_value_bytes} \
             (`database.max_value_bytes`)"
        ),
    ))
}

#[cfg(test)]
mod tests;
