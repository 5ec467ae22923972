//! Backups: everything that the host and its plugins keep, in one file, taken while the host runs.
//!
//! ```text
//! a tar archive
//!   backup.json                        what it is of
//!   streamspace.db                     the host's own tables, or
//!   postgres.dump                      the whole database, as `pg_dump --format=custom` writes it
//!   plugins/NAME/HASH/…                the plugins' files
//!   plugin-data/NAME/{database,storage}.db
//! ```
//!
//! Each database is consistent in itself. The host's comes first: what a consumer had acknowledged by then, its plugin has
//! in its own data, which is taken later; what came after is delivered again. The key that secrets are sealed with is not
//! in it, nor is the administrator's token.

mod postgres;
mod restore;
mod write;

use std::{
    io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use self::{
    restore::{Restored, restore},
    write::write,
};
use crate::{
    postgres::PostgresError,
    store::{DatabaseError, SecretError},
};

/// The form of the archive.
const FORMAT: u32 = 1;
/// The archive's first file.
const FACTS: &str = "backup.json";
/// The dump of a PostgreSQL database.
const DUMP: &str = "postgres.dump";
/// What is copied as it is, and what is taken by the database.
const PLUGINS: &str = "plugins";
const PLUGIN_DATA: &str = "plugin-data";

/// What a backup is of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Facts {
    /// The form of the archive.
    pub format: u32,
    /// The host that wrote it.
    pub version: String,
    /// When, RFC 3339.
    pub created: String,
    /// `sqlite` or `postgres`.
    pub database: String,
    /// The plugins that were installed.
    pub plugins: Vec<String>,
    /// The plugins that have tables in PostgreSQL.
    pub tables: Vec<String>,
    /// The newest migration of the host's own tables.
    pub migration: String,
    /// The id of the key that secrets are sealed with; empty if there are none.
    pub key: String,
}

/// Why a backup was not written, or not restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file cannot be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is a file of this name.
    #[error("{} is there already: a backup overwrites nothing. Choose another name", path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A database's file cannot be copied.
    #[error("cannot take the database {}: {reason}", path.display())]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// It is not a backup, or damaged.
    #[error("{} is no backup that can be restored: expected {expected}, found {found}. Nothing was changed", path.display())]
    NotABackup {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// A program of PostgreSQL is not there, or failed.
    #[error(
        "`{program}` did not succeed: {reason}. It comes with PostgreSQL's client programs (`postgresql-client`) and must be as new as the server"
    )]
    Program {
        /// Which.
        program: &'static str,
        /// What it said.
        reason: String,
    },
    /// A newer host wrote it.
    #[error(
        "the backup is of a newer host: its tables have the migration {found}, and this host, version {}, knows them up \
         to {known}. Start the newer version. Nothing was changed",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The backup's newest migration.
        found: String,
        /// This host's.
        known: String,
    },
    /// Its secrets could not be read.
    #[error(
        "the secrets in the backup are sealed with the key {key}, which is not here: put the `secret.key` of the host that \
         was backed up into the data folder first. Nothing was changed"
    )]
    OtherKey {
        /// The key's id.
        key: String,
    },
    /// What was in PostgreSQL is gone, and what takes its place is not all there.
    #[error(
        "the database was restored in part, so that no host can run on it: {source}. Repeat the command{}",
        before.as_deref().map(|file| format!(", or restore what was there before, {}", file.display())).unwrap_or_default()
    )]
    Half {
        /// The backup of what was there.
        before: Option<PathBuf>,
        /// What failed.
        source: Box<BackupError>,
    },
    /// The keys of this host cannot be read.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A plugin's tables in PostgreSQL cannot be listed or made.
    #[error("{0}")]
    Tables(#[from] crate::database::DatabaseError),
    /// The host's own tables cannot be used, or another host uses them.
    #[error(transparent)]
    Own(#[from] DatabaseError),
    /// PostgreSQL cannot be reached.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
}

impl BackupError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "SSP-DAT-021",
            Self::Exists { .. } => "SSP-DAT-022",
            Self::Database { .. } => "SSP-DAT-023",
            Self::NotABackup { .. } => "SSP-DAT-024",
            Self::Program { .. } => "SSP-DAT-025",
            Self::Newer { .. } | Self::OtherKey { .. } => "SSP-DAT-026",
            Self::Half { .. } => "SSP-DAT-027",
            Self::Secret(why) => why.code(),
            Self::Tables(why) => why.code(),
            Self::Own(why) => why.code(),
            Self::Postgres(_) => "SSP-DAT-002",
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io { what, path, source }
}
