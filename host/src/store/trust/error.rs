use std::{io, path::PathBuf};

use streamspace_package::PackageError;

use crate::store::DatabaseError;

/// Why something about trust was not done, or a plugin is not trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The key is no key, or cannot sign.
    #[error(transparent)]
    Key(#[from] PackageError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The name, or the key, is there already.
    #[error(
        "the key {key} was not added: expected a new name and a new key, found {found}. Remove that with \
         `streamspace trust remove`, or choose another name"
    )]
    Taken {
        /// The key that was to be added.
        key: String,
        /// What is there.
        found: String,
    },
    /// A name cannot be one.
    #[error("a key's name: expected 1 to 100 characters in one line, found {found}")]
    Name {
        /// What was found.
        found: String,
    },
    /// There is no such key.
    #[error("no key `{wanted}` is trusted here; `streamspace trust list` shows those that are")]
    NoKey {
        /// The id or name that was asked for.
        wanted: String,
    },
    /// What is to be revoked is neither a key nor a package.
    #[error(
        "{place}: expected the id of a key (16 hexadecimal digits) or the SHA-256 of a package.json (64), found `{found}`. \
         `streamspace package inspect` shows both. Nothing was revoked"
    )]
    Subject {
        /// Where it stands.
        place: String,
        /// What was found.
        found: String,
    },
    /// A list of revocations is too long.
    #[error("the list of revocations: expected at most {most} lines, found more. Nothing was revoked")]
    TooMany {
        /// How many it may have.
        most: usize,
    },
    /// A date cannot be one until which a plugin is allowed.
    #[error("`{found}`: expected a date from tomorrow on and within a year, such as {example}")]
    Until {
        /// What was found.
        found: String,
        /// One that can be.
        example: String,
    },
    /// What may be unsigned is no plugin.
    #[error("`{found}` is no plugin's name: expected one such as `example-plugin`")]
    NoPlugin {
        /// What was found.
        found: String,
    },
    /// The key of this host cannot be used.
    #[error("cannot {what} this host's signing key {}: {source}", path.display())]
    LocalKey {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Others may read the key of this host.
    #[error(
        "this host's signing key {} may be read by others (mode {mode:o}): expected 600. Revoke its id if somebody may have \
         seen it (`streamspace trust list` shows it) and delete the file; else correct it with `chmod 600`",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A plugin may be unsigned no longer, or never might.
    #[error(
        "the plugin `{plugin}` is not signed by anybody who is trusted here, and {}. Upgrade it to a signed package, or \
         allow it again with `streamspace trust allow-unsigned {plugin} --until DATE`",
        until.as_ref().map_or("nothing allows that".to_owned(), |until| format!("that was allowed until {until}"))
    )]
    Unsigned {
        /// The plugin.
        plugin: String,
        /// Until when it might.
        until: Option<String>,
    },
    /// What signed it, or the package itself, was revoked after it was installed.
    #[error(
        "the plugin `{plugin}` {version} is not loaded: {subject} was revoked{}. Upgrade it, or go back to a version that is \
         not with `streamspace plugin rollback {plugin}`",
        if reason.is_empty() { String::new() } else { format!(" ({reason})") }
    )]
    Revoked {
        /// The plugin.
        plugin: String,
        /// Its version.
        version: String,
        /// The key, or the package.
        subject: String,
        /// Why, as far as that was said.
        reason: String,
    },
}

impl TrustError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Key(why) => why.code(),
            Self::Database(why) => why.code(),
            Self::Taken { .. } => "SSP-TRU-001",
            Self::Name { .. } => "SSP-TRU-002",
            Self::NoKey { .. } => "SSP-TRU-003",
            Self::Subject { .. } => "SSP-TRU-004",
            Self::TooMany { .. } => "SSP-TRU-005",
            Self::Until { .. } => "SSP-TRU-006",
            Self::LocalKey { .. } => "SSP-TRU-007",
            Self::Exposed { .. } => "SSP-TRU-008",
            Self::Unsigned { .. } => "SSP-TRU-009",
            Self::Revoked { .. } => "SSP-TRU-010",
            Self::NoPlugin { .. } => "SSP-TRU-012",
        }
    }
}
