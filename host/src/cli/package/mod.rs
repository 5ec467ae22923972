//! `streamspace package …`: a vendor's work. None of it is about a host.

mod build;
mod diff;
mod inspect;
mod keygen;
pub(in crate::cli) mod keys;
mod lint;
mod new;
mod sign;
mod verify;

use std::{fmt, fs::File, path::Path};

use clap::Subcommand;
use streamspace_package::{Keyring, PackageError, Unverified, Verified};

use super::Global;
use crate::packaging::PackagingError;

#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Begin a plugin: write a crate that builds, and that lacks nothing
    New(new::New),
    /// Make a key pair to sign packages with
    Keygen(keygen::Keygen),
    /// Build a package from a plugin's crate, or from a folder with its manifest.json and libraries
    Build(build::Build),
    /// Add a signature to a package
    Sign(sign::Sign),
    /// Check a package from its signatures to its last byte
    Verify(verify::Verify),
    /// Show what is in a package. Checks no signature
    Inspect(inspect::Inspect),
    /// Show what an upgrade from one package to another would bring
    Diff(diff::ShowDiff),
    /// Say what a plugin lacks before others should install it
    Lint(lint::Lint),
}

impl Verb {
    pub(super) fn run(&self, global: &Global) -> anyhow::Result<()> {
        match self {
            Self::New(verb) => verb.run(global),
            Self::Keygen(verb) => verb.run(global),
            Self::Build(verb) => verb.run(global),
            Self::Sign(verb) => verb.run(global),
            Self::Verify(verb) => verb.run(global),
            Self::Inspect(verb) => verb.run(global),
            Self::Diff(verb) => verb.run(global),
            Self::Lint(verb) => verb.run(global),
        }
    }
}

/// An error with its code behind it.
#[derive(Debug)]
struct Coded(PackagingError);

impl fmt::Display for Coded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.0, self.0.code())
    }
}

impl std::error::Error for Coded {}

/// What could not be checked: which does not say that it is wrong.
#[derive(Debug)]
pub(super) struct Undecided(String);

impl fmt::Display for Undecided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Undecided {}

impl Undecided {
    /// With what is said about it.
    pub(in crate::cli) fn new(said: String) -> Self {
        Self(said)
    }

    /// Sorts out the errors of a check.
    fn sorted(error: anyhow::Error) -> anyhow::Error {
        let undecided = match error.downcast_ref() {
            Some(Coded(PackagingError::Package { source, .. })) => source.is_undecided(),
            Some(Coded(PackagingError::Io { .. } | PackagingError::Files(_))) => true,
            _ => false,
        };
        if undecided { Self(super::told(&error)).into() } else { error }
    }
}

/// An error about a package in its file.
fn at(path: &Path) -> impl Fn(PackageError) -> Coded {
    let path = path.to_owned();
    move |source| Coded(PackagingError::Package { path: path.clone(), source })
}

fn open(path: &Path) -> anyhow::Result<(Unverified<File>, u64)> {
    anyhow::ensure!(
        !path.is_dir(),
        "{} is a folder: expected a package, a file `NAME-VERSION.sspkg`",
        path.display()
    );
    let file = File::open(path)
        .map_err(|source| Coded(PackagingError::Io { what: "open", path: path.to_owned(), source }))?;
    let package = Unverified::open(file).map_err(at(path))?;
    let size = package.length();
    Ok((package, size))
}

/// A package to look into, whoever has signed it.
fn look_into(path: &Path) -> anyhow::Result<(Verified<File>, u64)> {
    let (package, size) = open(path)?;
    Ok((package.accept_unsigned(&Keyring::new()).map_err(at(path))?, size))
}

/// A number of bytes for people.
fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000.. => format!("{:.1} MB", count as f64 / 1e6),
    }
}
