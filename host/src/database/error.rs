//! Why a plugin's database is not what it should be, for operators.

use std::{io, path::PathBuf};

use streamspace_plugin::abi::Fault;

use super::migrations::MigrationError;

/// Why a plugin's database cannot be used. Each has a stable code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DatabaseError {
    /// The file, or the plugin's own connection, cannot be opened.
    #[error("the plugin's database cannot be opened: {0}. Check the disk, and who owns the data folder")]
    Open(Fault),
    /// A migration.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// Files cannot be removed.
    #[error("the plugin's data in {} cannot be removed: {source}. Check who owns the data folder", path.display())]
    Remove {
        /// The folder.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The way back of an upgrade cannot be made or taken.
    #[error("the way back of the plugin's tables, {}, cannot be used: {source}. Check the disk, and who owns the data folder", path.display())]
    WayBack {
        /// The file or folder.
        path: PathBuf,
        /// What was said.
        source: io::Error,
    },
    /// The host's user may not do what a plugin's schema takes.
    #[error(
        "PostgreSQL's user `{user}` cannot make schemas and roles for plugins in the database `{database}`: {lacks}. As a \
         superuser: ALTER DATABASE \"{database}\" OWNER TO \"{user}\"; ALTER ROLE \"{user}\" CREATEROLE;"
    )]
    Rights {
        /// The host's user.
        user: String,
        /// The database.
        database: String,
        /// What is missing.
        lacks: String,
    },
    /// A role or a schema is not as the fence needs it.
    #[error("the plugin's role `{role}` is not fenced in: {reason}. {advice}")]
    Fence {
        /// The role.
        role: String,
        /// What is wrong.
        reason: String,
        /// What to do.
        advice: String,
    },
    /// PostgreSQL cannot be reached, or refuses what the host asks.
    #[error("the plugin's schema in PostgreSQL cannot be used: {what}: {reason}")]
    Server {
        /// What was tried.
        what: &'static str,
        /// What was said.
        reason: String,
    },
}

impl DatabaseError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Open(_) => "SSP-DAT-101",
            Self::Remove { .. } => "SSP-DAT-102",
            Self::WayBack { .. } => "SSP-DAT-103",
            Self::Migration(why) => why.code(),
            Self::Rights { .. } => "SSP-DAT-121",
            Self::Fence { .. } => "SSP-DAT-122",
            Self::Server { .. } => "SSP-DAT-123",
        }
    }
}
