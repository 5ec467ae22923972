//! Why the store did not do something.

use std::{
    io,
    path::{Path, PathBuf},
};

use streamspace_plugin::manifest::ManifestError;

use super::{DatabaseError, RecordError, SecretError};

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
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
    /// The manifest is not one.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// The library is not where it should be.
    #[error(
        "the plugin's library is missing: expected {}. Build it, or name it in the manifest's `entrypoints.library`",
        path.display()
    )]
    NoLibrary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file is not acceptable.
    #[error("{} is not acceptable: expected {expected}, found {found}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// What the database knows of it cannot be had.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The keys for secrets cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A package cannot be unpacked.
    #[error(transparent)]
    Package(#[from] Box<streamspace_package::PackageError>),
    /// A file is not as it was installed.
    #[error(
        "a file of the plugin `{plugin}` is not as it was installed: {}: expected {expected}, found {found}. Nothing of it \
         is loaded. Find out who changed it; then uninstall the plugin and install it again, or go back to a version that \
         is kept with `streamspace plugin rollback {plugin}`",
        path.display()
    )]
    Changed {
        /// The plugin.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// What was installed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A record leads elsewhere.
    #[error(
        "the record of the plugin `{plugin}` is damaged: {reason}. Restore a backup, or uninstall the plugin"
    )]
    Damaged {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// Whether the plugin is there and only cannot be read: it can be uninstalled.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. }
            | Self::Changed { .. }
            | Self::Manifest { .. }
            | Self::Io { .. }
            | Self::NoLibrary { .. } => true,
            Self::Record(why) => !matches!(why, RecordError::Database(_)),
            Self::File { .. } | Self::Package(_) | Self::Database(_) | Self::Secret(_) => false,
        }
    }
}

pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}
