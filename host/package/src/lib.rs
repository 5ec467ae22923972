//! Packages of plugins, `.sspkg`: reading, verifying, building and signing them.
//!
//! `docs/package-format.md` defines the format. This crate knows neither the network nor the host.
//!
//! A package that comes from outside is [opened](Unverified::open), which reads its first MiB at most, then
//! [verified](Unverified::verify) against a [`Keyring`], and only then is anything of it interpreted or decoded:
//!
//! ```
//! use std::{collections::BTreeMap, io::Cursor};
//! use streamspace_package::{Builder, Keyring, SecretKey, Unverified};
//!
//! # fn example(builder: Builder) -> Result<(), streamspace_package::PackageError> {
//! // A vendor builds and signs.
//! let key = SecretKey::generate(None)?;
//! let secret = SecretKey::from_file_text(&key.secret_file, None)?;
//! let mut package = builder.build()?;
//! package.sign(&secret)?;
//! let mut bytes = Vec::new();
//! package.write(&mut bytes)?;
//!
//! // A host verifies and unpacks.
//! let mut keyring = Keyring::new();
//! keyring.trust(key.public, "Example Ltd.");
//! let mut package = Unverified::open(Cursor::new(bytes))?.verify(&keyring)?;
//! let target = package.document().targets[0].clone();
//! let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
//! package.unpack(&target, |_| true, &mut files)?;
//! assert!(files.contains_key("manifest.json"));
//! # Ok(()) }
//! ```
#![forbid(unsafe_code)]

mod blob;
mod builder;
mod document;
mod error;
mod hash;
mod json;
mod key;
mod machine;
mod reader;
mod rules;
mod sign;
mod signature;
mod sink;
mod tar;
mod verified;

pub use builder::{Builder, Built, Library};
pub use document::{
    Abi, Blob, Capability, Document, Extensions, JSON_SCHEMA, MANIFEST_PATH, PackedFile, SBOM_PATH, SCHEMA,
    Target,
};
pub use error::PackageError;
pub use hash::{ContentHash, NoHash};
pub use key::{KeyId, Keyring, NoKeyId, PublicKey};
pub use machine::{CpuLevel, Glibc, Machine, NoMachine, Triple};
pub use reader::{MAX_HEAD_BYTES, Unverified};
pub use rules::{MAX_DEPTH, MAX_FILE_BYTES, MAX_FILES, MAX_PATH, MAX_TARGETS, MAX_TOTAL_BYTES};
pub use sign::{NewKey, SecretKey};
pub use signature::{
    MAX_SIGNATURES, Signature, Signer, parse_all as parse_signatures, verify as verify_signatures,
};
pub use sink::{Folder, Sink};
pub use verified::Verified;

/// The end of the name of a package: `NAME-VERSION.sspkg`.
pub const EXTENSION: &str = "sspkg";
