//! Why something about catalogues was not done.

use std::{io, path::PathBuf};

use streamspace_package::PackageError;

use super::{
    fetch::FetchError,
    index::{IndexError, Moment},
};
use crate::store::DatabaseError;

/// Why it was not done. Each has a stable code.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// There is no such catalogue.
    #[error("there is no catalogue `{name}`; `streamspace catalog list` shows those that there are")]
    NoCatalogue {
        /// The name asked for.
        name: String,
    },
    /// There is one already.
    #[error(
        "there is a catalogue `{name}` already, at {location}: remove it first, or give this one another name (`--name`)"
    )]
    Taken {
        /// The name.
        name: String,
        /// Where the one is that there is.
        location: String,
    },
    /// It is not where a catalogue can be.
    #[error("{location} is not where a catalogue can be: {problem}")]
    Location {
        /// What was given.
        location: String,
        /// What is wrong with it.
        problem: String,
    },
    /// It is no catalogue's name.
    #[error("{found:?} is no catalogue's name: {expected}")]
    Name {
        /// What was given.
        found: String,
        /// What was expected.
        expected: &'static str,
    },
    /// No catalogue has the plugin.
    #[error(
        "no catalogue has a plugin `{name}`; `streamspace catalog search TEXT` looks for one, after `streamspace catalog sync`"
    )]
    NoListing {
        /// The name asked for.
        name: String,
    },
    /// Something cannot be read from where the catalogue is.
    #[error("the catalogue `{catalogue}`: {source}")]
    Fetch {
        /// The catalogue.
        catalogue: String,
        /// Why.
        source: Box<FetchError>,
    },
    /// The signature is not as it has to be.
    #[error("the index of the catalogue `{catalogue}` at {location} is not accepted: {}", said(.source))]
    Signature {
        /// The catalogue.
        catalogue: String,
        /// Where it is.
        location: String,
        /// Why.
        source: Box<PackageError>,
    },
    /// The index is signed and is not one.
    #[error(
        "the index of the catalogue `{catalogue}` is signed and not valid: {source}. Whoever hosts it builds it anew"
    )]
    Index {
        /// The catalogue.
        catalogue: String,
        /// What is wrong.
        source: IndexError,
    },
    /// The index is that of another catalogue.
    #[error(
        "the index at {location} is that of the catalogue `{found}`: expected that of `{expected}`. Look whether its address has changed hands"
    )]
    Another {
        /// Where it is.
        location: String,
        /// The name that it had.
        expected: String,
        /// The name that it has.
        found: String,
    },
    /// The index is older than one that was seen.
    #[error(
        "the index of the catalogue `{catalogue}` is older than one that was read before: expected version {known} or a later one, found {found}. Somebody may be replaying it; nothing was changed"
    )]
    Replayed {
        /// The catalogue.
        catalogue: String,
        /// The version that was seen.
        known: u64,
        /// The version that it has.
        found: u64,
    },
    /// There are two indexes of one version.
    #[error(
        "the catalogue `{catalogue}` has two different indexes of version {version}: whoever hosts it raises the version with each change. Nothing was changed"
    )]
    Forked {
        /// The catalogue.
        catalogue: String,
        /// The version.
        version: u64,
    },
    /// The index is out of date.
    #[error(
        "the index of the catalogue `{catalogue}` expired at {expired}: newer news may have been kept away. Whoever hosts it builds it anew; look too whether this machine's clock is right"
    )]
    Expired {
        /// The catalogue.
        catalogue: String,
        /// When.
        expired: Moment,
    },
    /// There is no time left.
    #[error(
        "the catalogue `{catalogue}` was not reached before the time for all of them was over: sync it by its name"
    )]
    NoTime {
        /// The catalogue.
        catalogue: String,
    },
    /// It was imported, and so has nothing to sync from.
    #[error(
        "the catalogue `{catalogue}` was imported from a file and has no signature: import the file again instead"
    )]
    Imported {
        /// The catalogue.
        catalogue: String,
    },
    /// A file cannot be imported.
    #[error("{} cannot be imported: {problem}", path.display())]
    Import {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// The listing has no native code.
    #[error(
        "`{plugin}` cannot be installed from the catalogue `{catalogue}`: it was imported from a list of the platform's plugins, which have no native code for this host. Ask its vendor for a package (`.sspkg`), or add a catalogue that has one"
    )]
    NoCode {
        /// The plugin.
        plugin: String,
        /// The catalogue.
        catalogue: String,
    },
    /// The rating is none.
    #[error("a rating is a whole number from 1 to 5, found {found}")]
    Rating {
        /// What was sent.
        found: i64,
    },
    /// The review is too long.
    #[error("a review has at most {most} bytes, found {found}")]
    Review {
        /// The most.
        most: usize,
        /// What was sent.
        found: usize,
    },
    /// Not an account.
    #[error("accounts rate plugins, and this caller is none: sign in, or use a token of an account")]
    NoAccount,
    /// A catalogue cannot be built.
    #[error("{}: {problem}", path.display())]
    Build {
        /// The file or folder.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// A package cannot be put into a catalogue.
    #[error("{}: {source}", path.display())]
    Package {
        /// The package.
        path: PathBuf,
        /// What is wrong.
        source: Box<PackageError>,
    },
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
    /// The database.
    #[error(transparent)]
    Database(#[from] DatabaseError),
}

impl CatalogError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoCatalogue { .. } => "SSP-CAT-001",
            Self::Taken { .. } => "SSP-CAT-002",
            Self::Location { .. } | Self::Name { .. } => "SSP-CAT-003",
            Self::NoListing { .. } => "SSP-CAT-004",
            Self::Index { .. } => "SSP-CAT-005",
            Self::Another { .. } => "SSP-CAT-006",
            Self::Replayed { .. } => "SSP-CAT-007",
            Self::Forked { .. } => "SSP-CAT-008",
            Self::Expired { .. } => "SSP-CAT-009",
            Self::NoTime { .. } => "SSP-CAT-010",
            Self::Imported { .. } => "SSP-CAT-011",
            Self::Import { .. } => "SSP-CAT-012",
            Self::NoCode { .. } => "SSP-CAT-013",
            Self::Rating { .. } | Self::Review { .. } => "SSP-CAT-014",
            Self::NoAccount => "SSP-CAT-015",
            Self::Build { .. } => "SSP-CAT-016",
            Self::Io { .. } => "SSP-CAT-017",
            Self::Fetch { source, .. } => source.code(),
            // What is wrong with a signature is the same whatever is signed.
            Self::Signature { source, .. } | Self::Package { source, .. } => source.code(),
            Self::Database(why) => why.code(),
        }
    }
}

/// What is wrong with an index's signature. What to do about a stranger's key is not what it is with a package.
fn said(source: &PackageError) -> String {
    let PackageError::UnknownKey { trusted, found } = source else { return source.to_string() };
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    format!(
        "expected a signature by {}, found one by {}. Ask whoever hosts the catalogue for its key, by another way than the \
         catalogue itself; with another key, remove it and add it anew",
        trusted.join(" or "),
        found.join(", ")
    )
}
