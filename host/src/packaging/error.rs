//! Why a vendor's work on a package was not done.

use std::{io, path::PathBuf};

use streamspace_package::PackageError;

use crate::store::StoreError;

/// Why it was not done. Each has a stable code.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackagingError {
    /// A file of the plugin's folder cannot be used.
    #[error(transparent)]
    Files(#[from] StoreError),
    /// Cargo did not build the crate.
    #[error("{command} failed: {reason}. What it said stands above")]
    Cargo {
        /// The command line.
        command: String,
        /// How it ended.
        reason: String,
    },
    /// Cargo built it, and there is no library.
    #[error(
        "the crate in {} has no dynamic library: expected `crate-type = [\"cdylib\"]` in Cargo.toml, found none among what \
         cargo built",
        folder.display()
    )]
    NoLibrary {
        /// The crate's folder.
        folder: PathBuf,
    },
    /// A file is no library that can be packed.
    #[error("{file} cannot be packed: expected {expected}, found {found}")]
    Library {
        /// The file.
        file: String,
        /// What was expected.
        expected: String,
        /// What it is.
        found: String,
    },
    /// A library is another plugin.
    #[error(
        "{file} is another plugin than manifest.json says: expected {expected}, found {found}. Make `name` and `version` the \
         same in manifest.json and Cargo.toml, and build it anew"
    )]
    Mismatch {
        /// The file.
        file: String,
        /// Name and version in the manifest.
        expected: String,
        /// Those in the library.
        found: String,
    },
    /// A panic in it would end the host.
    #[error(
        "{file} would end the host with a panic: expected panic = \"unwind\", found {found:?}. Change the profile"
    )]
    Panic {
        /// The file.
        file: String,
        /// The strategy in its note.
        found: String,
    },
    /// A library is for another target than was said.
    #[error("{file} was built for another target: expected {expected}, found {found}")]
    Target {
        /// The file.
        file: String,
        /// The triple that was said.
        expected: String,
        /// The triple in its note.
        found: String,
    },
    /// Two libraries are for one target.
    #[error("{file} is a second library for {triple}: expected one for each target")]
    TwiceTarget {
        /// The second file.
        file: String,
        /// The triple.
        triple: String,
    },
    /// The level that was declared is below what the library needs.
    #[error(
        "{file} needs a newer processor than was declared: expected {declared} at most, found {found}. Declare that with \
         --cpu, or build it without `-C target-cpu` and `-C target-feature`"
    )]
    Cpu {
        /// The file.
        file: String,
        /// What `--cpu` says.
        declared: String,
        /// What the library says.
        found: String,
    },
    /// The list of crates in a library is damaged.
    #[error(
        "the list of crates that `cargo auditable` leaves in a library is damaged: {reason}. Build it anew"
    )]
    Dependencies {
        /// What is wrong.
        reason: String,
    },
    /// A bill of materials is not one.
    #[error(
        "the bill of materials is not usable: expected CycloneDX as JSON, from version 1.5 on, found {found}"
    )]
    Sbom {
        /// What it is.
        found: String,
    },
    /// A file that others made cannot be read, or one cannot be written.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// There is something already where a plugin should begin.
    #[error("{} is there already: go on in it, or choose another name", path.display())]
    Taken {
        /// The folder.
        path: PathBuf,
    },
    /// Something is wrong with a package, a key or a signature.
    #[error("{}: {source}", path.display())]
    Package {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: PackageError,
    },
}

impl PackagingError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Files(_) => "SSP-BLD-001",
            Self::Cargo { .. } => "SSP-BLD-002",
            Self::NoLibrary { .. } => "SSP-BLD-003",
            Self::Library { .. } => "SSP-BLD-004",
            Self::Mismatch { .. } => "SSP-BLD-005",
            Self::Panic { .. } => "SSP-BLD-006",
            Self::Target { .. } => "SSP-BLD-007",
            Self::TwiceTarget { .. } => "SSP-BLD-008",
            Self::Cpu { .. } => "SSP-BLD-009",
            Self::Dependencies { .. } => "SSP-BLD-010",
            Self::Sbom { .. } => "SSP-BLD-011",
            Self::Io { .. } | Self::Taken { .. } => "SSP-BLD-012",
            Self::Package { source, .. } => source.code(),
        }
    }
}
