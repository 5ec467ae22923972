//! Why something was not done with a package.

use std::{fmt, io};

use crate::{ContentHash, KeyId};

/// Why a package was refused, or something was not done with it.
///
/// Each says what it is about within the package, what was expected and found, and what to do. Which file the package is
/// in is known to the caller, who says that before it. [`code`](Self::code) is stable.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// The operating system did not read or write.
    #[error("cannot {what}: {source}. Look who owns it, and whether the disk is full")]
    Io {
        /// What was tried, on what.
        what: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// It does not begin as a package does.
    #[error(
        "it is no package: expected a ustar archive that begins with `package.json`, found {found}. Name a `.sspkg` file"
    )]
    NoPackage {
        /// What it begins with.
        found: String,
    },
    /// It ends too early.
    #[error("it is cut off in {entry}: expected {expected} bytes, found {found}. Copy or download it again")]
    Truncated {
        /// Where.
        entry: String,
        /// How long it has to be at least.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// There are bytes after the end.
    #[error(
        "there is something behind its end: expected {expected} bytes, found {found}. Copy or download it again"
    )]
    Trailing {
        /// How long it has to be.
        expected: u64,
        /// How long it is.
        found: u64,
    },
    /// An entry is not the one that has to be here.
    #[error(
        "expected the entry `{expected}`, found {found}. The package was not built by `streamspace package build`, or was changed"
    )]
    Entry {
        /// The name of the entry that has to be here.
        expected: String,
        /// What is here.
        found: String,
    },
    /// An entry is no regular file: a link, a folder, a device, or an extension of the format.
    #[error(
        "the entry {entry} is {found}: expected regular files alone. The package was not built by `streamspace package build`, or was changed"
    )]
    EntryKind {
        /// Its name.
        entry: String,
        /// What it is.
        found: String,
    },
    /// A header is not as it has to be, byte for byte.
    #[error(
        "the header of {entry} is not as it has to be: expected {field} {expected}, found {found}. The package was not built by `streamspace package build`, or is damaged"
    )]
    Header {
        /// The name of the entry that has to be here.
        entry: String,
        /// Which field.
        field: &'static str,
        /// What it has to hold.
        expected: String,
        /// What it holds.
        found: String,
    },
    /// What is read before anything is verified is too large.
    #[error(
        "{what} is too large: expected at most {most} bytes, found {found}. Ask its vendor for a smaller one"
    )]
    TooLarge {
        /// What.
        what: &'static str,
        /// How many bytes it may have.
        most: u64,
        /// How many it has.
        found: u64,
    },
    /// `package.json` breaks its rules.
    #[error("package.json is not valid at {path}: {problem}. Its vendor builds it anew")]
    Document {
        /// Where in it: `targets[0].triple`.
        path: String,
        /// Expected and found.
        problem: String,
    },
    /// `package.json` has a schema that this version does not know.
    #[error(
        "package.json has schema {found}: expected {expected}. Use a newer host, or ask its vendor for a package for this one"
    )]
    Schema {
        /// What this version knows.
        expected: u32,
        /// What it says.
        found: String,
    },
    /// What a blob has is not what was signed.
    #[error(
        "{file}: expected {what} {expected}, found {found}. The package is damaged or was changed: download it again"
    )]
    Blob {
        /// The file that is in it.
        file: String,
        /// Which of the four.
        what: &'static str,
        /// What `package.json` says.
        expected: String,
        /// What it has.
        found: String,
    },
    /// A blob cannot be decoded.
    #[error(
        "{file} cannot be decoded: expected one zstd frame with {expected} bytes in a window of at most 8 MiB, found {found}. Its vendor builds the package anew"
    )]
    Decode {
        /// The file that is in it.
        file: String,
        /// How many bytes it has to have.
        expected: u64,
        /// What is wrong.
        found: String,
    },
    /// The author's manifest, or a library, says something else than `package.json`.
    #[error(
        "{file} does not agree with package.json: expected {field} {expected}, found {found}. Its vendor builds the package anew"
    )]
    Disagrees {
        /// `manifest.json` or a library.
        file: String,
        /// What is not the same.
        field: &'static str,
        /// What `package.json` says.
        expected: String,
        /// What it says.
        found: String,
    },
    /// The author's manifest is not one.
    #[error("manifest.json: {0}")]
    Manifest(#[from] streamspace_plugin::manifest::ManifestError),
    /// There is no such file in the package.
    #[error("the package has no file {path:?}. `streamspace package inspect` lists those that it has")]
    NoFile {
        /// The path asked for.
        path: String,
    },
    /// None of the targets fits the machine.
    #[error(
        "the package has no library for this machine: expected {machine}, found {}. Ask its vendor for a build for it",
        Listed(offered)
    )]
    NoTarget {
        /// What this machine is.
        machine: String,
        /// The targets that there are, each with why it does not fit.
        offered: Vec<String>,
    },

    /// Nobody has signed it.
    #[error(
        "it is not signed: expected a signature in package.minisig, found none. Ask its vendor for a signed package"
    )]
    NoSignature,
    /// `package.minisig` is not what it has to be.
    #[error(
        "package.minisig is damaged at line {line}: expected {expected}, found {found}. Its vendor signs it anew"
    )]
    Signature {
        /// From 1 on.
        line: usize,
        /// What has to be there.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// It is signed, and by nobody who is trusted.
    #[error(
        "package.minisig is by a key that is not trusted here: expected one of {}, found {}. If the vendor's own pages name that key, add it with `streamspace trust add`",
        Listed(trusted),
        Listed(found)
    )]
    UnknownKey {
        /// The keys that are trusted.
        trusted: Vec<String>,
        /// The keys that have signed it.
        found: Vec<KeyId>,
    },
    /// A signature bears the id of a trusted key, and was not made with it.
    #[error(
        "package.minisig bears the id {key} and was not made by the key of that id that is trusted here ({name}): expected a signature by it, found another one, or a damaged one. Do not install it; ask its vendor"
    )]
    WrongKey {
        /// The id.
        key: KeyId,
        /// Whose key that is here.
        name: String,
    },
    /// The signature is the trusted key's, and for another `package.json`.
    #[error(
        "package.json was changed after {name} ({key}) signed it: expected what the signature is for, found SHA-256 {found}. Do not install it; download it again"
    )]
    Changed {
        /// The key.
        key: KeyId,
        /// Whose key it is.
        name: String,
        /// The hash of `package.json` as it is.
        found: ContentHash,
    },
    /// The key was revoked.
    #[error(
        "the key {key} of package.json or package.minisig is revoked: {reason}. Ask its vendor for a package that a newer key has signed"
    )]
    RevokedKey {
        /// The key.
        key: KeyId,
        /// Why.
        reason: String,
    },
    /// The package was revoked.
    #[error("this package is revoked ({hash}): {reason}. Install another version")]
    RevokedPackage {
        /// Its hash.
        hash: ContentHash,
        /// Why.
        reason: String,
    },
    /// The signature may be good, and cannot be checked here.
    #[error("the signature by {key} could not be checked: {reason}. That does not say that it is wrong")]
    NotChecked {
        /// The key.
        key: KeyId,
        /// What stands in the way.
        reason: String,
    },

    /// A text is no public key.
    #[error(
        "{what} is no minisign public key: expected {expected}. It is the second line of a file that `minisign -G` or `streamspace package keygen` has made"
    )]
    PublicKey {
        /// Which text.
        what: String,
        /// What has to be there.
        expected: &'static str,
    },
    /// A text is no secret key.
    #[error(
        "it is no minisign secret key: {reason}. Name a file that `minisign -G` or `streamspace package keygen` has made"
    )]
    SecretKey {
        /// What is wrong. Nothing of the key is in it.
        reason: &'static str,
    },
    /// The secret key is encrypted, and there is no password.
    #[error("the secret key is encrypted: expected its password, found none")]
    NoPassword,
    /// The secret key is encrypted with another password.
    #[error("the password does not open the secret key, or the key is damaged. Try it again")]
    WrongPassword,
    /// Signing failed.
    #[error("signing failed: {reason}")]
    Signing {
        /// Why.
        reason: String,
    },
    /// What a package should be built from cannot be in one.
    #[error("{what} cannot be packed: expected {expected}, found {found}")]
    Input {
        /// What.
        what: String,
        /// What it has to be.
        expected: String,
        /// What it is.
        found: String,
    },
}

impl PackageError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Io { .. } => "SSP-PKG-001",
            Self::NoPackage { .. } => "SSP-PKG-002",
            Self::Truncated { .. } => "SSP-PKG-003",
            Self::Trailing { .. } => "SSP-PKG-004",
            Self::Entry { .. } => "SSP-PKG-005",
            Self::EntryKind { .. } => "SSP-PKG-006",
            Self::Header { .. } => "SSP-PKG-007",
            Self::TooLarge { .. } => "SSP-PKG-008",
            Self::Document { .. } => "SSP-PKG-009",
            Self::Schema { .. } => "SSP-PKG-010",
            Self::Blob { .. } => "SSP-PKG-011",
            Self::Decode { .. } => "SSP-PKG-012",
            Self::Disagrees { .. } => "SSP-PKG-013",
            Self::Manifest(_) => "SSP-PKG-014",
            Self::NoFile { .. } => "SSP-PKG-015",
            Self::NoTarget { .. } => "SSP-PKG-016",
            Self::NoSignature => "SSP-PKG-021",
            Self::Signature { .. } => "SSP-PKG-022",
            Self::UnknownKey { .. } => "SSP-PKG-023",
            Self::WrongKey { .. } => "SSP-PKG-024",
            Self::Changed { .. } => "SSP-PKG-025",
            Self::RevokedKey { .. } => "SSP-PKG-026",
            Self::RevokedPackage { .. } => "SSP-PKG-027",
            Self::NotChecked { .. } => "SSP-PKG-028",
            Self::PublicKey { .. } => "SSP-PKG-031",
            Self::SecretKey { .. } => "SSP-PKG-032",
            Self::NoPassword => "SSP-PKG-033",
            Self::WrongPassword => "SSP-PKG-034",
            Self::Signing { .. } => "SSP-PKG-035",
            Self::Input { .. } => "SSP-PKG-041",
        }
    }

    /// Whether nothing is known to be wrong with the package: it was not read, or could not be checked.
    #[must_use]
    pub fn is_undecided(&self) -> bool {
        matches!(self, Self::Io { .. } | Self::NotChecked { .. })
    }

    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        move |source| Self::Io { what, source }
    }
}

/// Several things in a sentence.
struct Listed<'a, T>(&'a [T]);

/// The most that is listed; a sentence is for people.
const MOST_LISTED: usize = 20;

impl<T: fmt::Display> fmt::Display for Listed<'_, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (at, one) in self.0.iter().take(MOST_LISTED).enumerate() {
            write!(f, "{}{one}", if at == 0 { "" } else { ", " })?;
        }
        match self.0.len().saturating_sub(MOST_LISTED) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}

/// Foreign bytes as a text that a terminal shows and does not act on, and that is not long.
pub(crate) fn shown(bytes: &[u8]) -> String {
    const MOST: usize = 100;
    let cut = bytes.get(..MOST).unwrap_or(bytes);
    format!("`{}{}`", cut.escape_ascii(), if bytes.len() > MOST { "…" } else { "" })
}
