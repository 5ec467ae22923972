//! The master key, and those that were it before.

use std::{fmt, fs, io::Read, path::Path};

use serde::Deserialize;
use streamspace_plugin::prelude::{Error, Result};

/// Bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;
/// A file with a key has 64 digits and perhaps an end of line: nothing more of it is read.
const MAX_KEY_FILE: u64 = 256;

/// A key in hexadecimal digits, as a configuration has it. Never shown.
#[derive(Clone, Deserialize)]
#[serde(transparent)]
pub(crate) struct Digits(String);

impl fmt::Debug for Digits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}

impl Digits {
    /// The key. `setting` is where the configuration has it.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub(crate) fn key(&self, setting: &str) -> Result<MasterKey> {
        MasterKey::of(&self.0)
            .ok_or_else(|| Error::permanent(format!("`{setting}` is no key: expected 64 hexadecimal digits")))
    }
}

/// What the keys of recordings are sealed with, and what those of older ones may be. Never shown.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct MasterKey {
    bytes: [u8; KEY_BYTES],
    /// They open what they have sealed, and seal nothing any more.
    former: Vec<[u8; KEY_BYTES]>,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(a key)")
    }
}

impl MasterKey {
    pub(crate) const fn new(bytes: [u8; KEY_BYTES]) -> Self {
        Self { bytes, former: Vec::new() }
    }

    /// Reads 64 hexadecimal digits.
    pub(crate) fn of(digits: &str) -> Option<Self> {
        let digits = digits.trim_ascii();
        if digits.len() != 2 * KEY_BYTES || !digits.is_ascii() {
            return None;
        }
        let mut key = [0; KEY_BYTES];
        for (at, byte) in key.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * at..2 * at + 2)?, 16).ok()?;
        }
        Some(Self::new(key))
    }

    /// Reads a file with 64 hexadecimal digits. `setting` is where the configuration names it.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or has none.
    pub(crate) fn of_file(setting: &str, path: &Path) -> Result<Self> {
        let mut text = String::new();
        let file = fs::File::open(path);
        file.and_then(|file| file.take(MAX_KEY_FILE).read_to_string(&mut text))
            .map_err(|why| Error::new(format!("`{setting}`, {}, cannot be read: {why}", path.display())))?;
        Self::of(&text).ok_or_else(|| {
            Error::permanent(format!(
                "`{setting}`, {}, has no key: expected 64 hexadecimal digits",
                path.display()
            ))
        })
    }

    /// With others that were it before.
    pub(crate) fn after(mut self, former: impl IntoIterator<Item = Self>) -> Self {
        self.former.extend(former.into_iter().map(|key| key.bytes));
        self
    }

    pub(crate) fn digits(&self) -> String {
        self.bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The one that seals.
    pub(crate) fn bytes(&self) -> &[u8; KEY_BYTES] {
        &self.bytes
    }

    /// All that open: the one that seals, and those before it.
    pub(crate) fn all(&self) -> impl Iterator<Item = &[u8; KEY_BYTES]> {
        std::iter::once(&self.bytes).chain(&self.former)
    }
}
