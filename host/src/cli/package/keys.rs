//! Reading keys that the command line names.

use std::{io, path::Path};

use anyhow::{Context, anyhow, bail};
use streamspace_package::{PackageError, PublicKey, SecretKey};

use super::{Coded, at};
use crate::{cli::password, packaging::PackagingError, store::read_bounded};

/// The largest file of a key, in bytes.
const MAX_BYTES: u64 = 4096;

/// A secret key, with its password if it is encrypted.
pub(in crate::cli) fn secret(file: &Path) -> anyhow::Result<SecretKey> {
    let text = text(file)?;
    let password = match SecretKey::is_encrypted(&text) {
        true => {
            let question = format!("Password of {}: ", file.display());
            Some(password::read(&question).with_context(|| format!("{} is encrypted", file.display()))?)
        }
        false => None,
    };
    let key = SecretKey::from_file_text(&text, password.as_deref()).map_err(at(file))?;
    warn_of_readers(file);
    Ok(key)
}

/// A public key: the file of one, or the key itself.
pub(in crate::cli) fn public(file_or_key: &str) -> anyhow::Result<PublicKey> {
    if let Ok(key) = file_or_key.parse() {
        return Ok(key);
    }
    let file = Path::new(file_or_key);
    if !file.exists() {
        return file_or_key.parse().map_err(|why: PackageError| {
            anyhow!("{why}. Nor is there a file of that name ({})", why.code())
        });
    }
    let text = text(file)?;
    if SecretKey::from_file_text(&text, None).is_ok() || SecretKey::is_encrypted(&text) {
        bail!(
            "{file_or_key} is a secret key: expected the public one, which is in the file that ends with `.pub`"
        );
    }
    Ok(PublicKey::from_file_text(&text).map_err(at(file))?)
}

fn text(file: &Path) -> anyhow::Result<String> {
    let bytes = read_bounded(file, MAX_BYTES).map_err(|why| Coded(PackagingError::Files(why)))?;
    let not_text = |_| io::Error::new(io::ErrorKind::InvalidData, "it is no text");
    let path = file.to_owned();
    Ok(String::from_utf8(bytes)
        .map_err(not_text)
        .map_err(|source| Coded(PackagingError::Io { what: "read the key", path, source }))?)
}

/// A key that others may read is no secret; it may be meant so, as with one of development.
#[cfg(unix)]
fn warn_of_readers(file: &Path) {
    use std::os::unix::fs::MetadataExt;

    if let Ok(metadata) = file.metadata()
        && metadata.mode() & 0o077 != 0
    {
        let shown = file.display();
        eprintln!("warning: others on this machine may read {shown}: run `chmod 600 {shown}`");
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_: &Path) {}
