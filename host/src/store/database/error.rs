use std::{io, path::PathBuf};

use diesel::result::{DatabaseErrorKind, Error};

use crate::postgres::PostgresError;

/// Why the host's own tables cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The database's file cannot be used.
    #[error("cannot {what} {}: {source}. Check who owns the data directory (`data_dir`)", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// SQLite cannot use the file.
    #[error("cannot open the database {}: {reason}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        reason: String,
    },
    /// PostgreSQL cannot be reached.
    #[error("{0}")]
    Postgres(#[from] PostgresError),
    /// The database was written by a newer host.
    #[error(
        "the database was written by a newer host: it has the migration {found}, and this one, version {}, knows \
         them up to {known}. Start the newer version, or restore a backup that this one made",
        env!("CARGO_PKG_VERSION")
    )]
    Newer {
        /// The migration that this host does not know.
        found: String,
        /// The last that it knows.
        known: String,
    },
    /// A migration of the host's own tables failed.
    #[error("the host's tables cannot be brought up to date: {reason}. Nothing was changed")]
    Migration {
        /// What the database said.
        reason: String,
    },
    /// Another host uses the database.
    #[error(
        "another host uses this PostgreSQL database: stop it first, or give this one a database of its own \
         (`database.url`)"
    )]
    InUse,
    /// A statement failed.
    #[error("cannot {what}: {source}")]
    Query {
        /// What was tried.
        what: &'static str,
        /// What the database said.
        source: Error,
    },
    /// No connection became free in time.
    #[error(
        "all connections to the database were busy for {seconds} s: try again, or raise `database.connections` \
        "
    )]
    Busy {
        /// How long was waited.
        seconds: u64,
    },
}

impl DatabaseError {
    /// The code, for those who ask over HTTP.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } | Self::Open { .. } => "SSP-DAT-001",
            Self::Postgres(_) => "SSP-DAT-002",
            Self::Newer { .. } => "SSP-DAT-003",
            Self::Migration { .. } => "SSP-DAT-004",
            Self::InUse => "SSP-DAT-005",
            Self::Query { .. } => "SSP-DAT-006",
            Self::Busy { .. } => "SSP-DAT-007",
        }
    }
}

/// Whether a connection is of no more use after this error.
pub(crate) fn breaks_connection(error: &Error) -> bool {
    match error {
        Error::DatabaseError(DatabaseErrorKind::ClosedConnection, _) | Error::BrokenTransactionManager => {
            true
        }
        // What a server that is gone looks like differs from driver to driver; a constraint or a full disk it is not.
        Error::DatabaseError(DatabaseErrorKind::Unknown | DatabaseErrorKind::UnableToSendCommand, said) => {
            said.table_name().is_none()
        }
        _ => false,
    }
}
