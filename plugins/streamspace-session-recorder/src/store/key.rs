//! Keys: one for each recording, wrapped by another one.

use std::{
    fmt,
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use aes_gcm::{Aes256Gcm, KeyInit, aead::AeadInOut};
use zeroize::{Zeroize, ZeroizeOnDrop};

use super::{Error, files};

/// Bytes of a key.
pub const KEY_BYTES: usize = 32;

const MAGIC: &[u8; 8] = b"SSRKEY\x01\n";
const NONCE: usize = 12;
const TAG: usize = 16;
const LONGEST_ID: usize = 64;
pub(super) const WHOLE: &str = "one of version 1, whole";
/// What the file with a recording's wrapped key is called.
pub(super) const FILE: &str = "key";

/// Encrypts one recording. Its memory is wiped when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct DataKey([u8; KEY_BYTES]);

/// Wraps data keys. Its memory is wiped when it goes.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct MasterKey {
    #[zeroize(skip)]
    id: String,
    bytes: [u8; KEY_BYTES],
}

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MasterKey({:?}, …)", self.id)
    }
}

impl DataKey {
    /// A new one, from the system's random bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn generate() -> Result<Self, Error> {
        let mut key = Self([0; KEY_BYTES]);
        getrandom::fill(&mut key.0).map_err(Error::Random)?;
        Ok(key)
    }

    /// From bytes that nobody else has. They are not wiped here.
    pub const fn from_bytes(bytes: [u8; KEY_BYTES]) -> Self {
        Self(bytes)
    }

    /// As a file can hold it: encrypted by the master key, for this recording alone.
    ///
    /// # Errors
    ///
    /// [`Error::Random`].
    pub fn wrap(&self, master: &MasterKey, recording: &str) -> Result<WrappedKey, Error> {
        let mut nonce = [0; NONCE];
        getrandom::fill(&mut nonce).map_err(Error::Random)?;
        let mut wrapped = WrappedKey { id: master.id.clone(), nonce, key: self.0, tag: [0; TAG] };
        // What is encrypted in place is never seen outside of it in the clear: this cannot fail for 32 bytes.
        let tag = master.cipher().encrypt_inout_detached(
            &nonce.into(),
            &wrapped.associated(recording),
            wrapped.key.as_mut_slice().into(),
        );
        match tag {
            Ok(tag) => wrapped.tag = tag.into(),
            Err(_) => {
                wrapped.key.zeroize();
                return Err(unexpected("a data key", "32 bytes that are encrypted", "that they were not"));
            }
        }
        Ok(wrapped)
    }

    pub(super) fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.0.into())
    }
}

impl MasterKey {
    /// A new one, from the system's random bytes.
    ///
    /// # Errors
    ///
    /// [`Error::Random`]; [`Error::Unexpected`] if the id is empty or has more than 64 bytes.
    pub fn generate(id: &str) -> Result<Self, Error> {
        let mut key = Self::from_bytes(id, [0; KEY_BYTES])?;
        getrandom::fill(&mut key.bytes).map_err(Error::Random)?;
        Ok(key)
    }

    /// From bytes that nobody else has. They are not wiped here.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] if the id is empty or has more than 64 bytes.
    pub fn from_bytes(id: &str, bytes: [u8; KEY_BYTES]) -> Result<Self, Error> {
        match id.len() {
            1..=LONGEST_ID => Ok(Self { id: id.into(), bytes }),
            length => Err(unexpected("the id of a master key", "1 to 64 bytes", length)),
        }
    }

    /// What it is called, so that it is found again.
    pub fn id(&self) -> &str {
        &self.id
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&self.bytes.into())
    }
}

/// A data key, encrypted by a master key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrappedKey {
    id: String,
    nonce: [u8; NONCE],
    key: [u8; KEY_BYTES],
    tag: [u8; TAG],
}

impl WrappedKey {
    /// Which master key it needs.
    pub fn master(&self) -> &str {
        &self.id
    }

    /// The data key.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] if it is another master key or another recording, or if it was changed.
    pub fn unwrap(&self, master: &MasterKey, recording: &str) -> Result<DataKey, Error> {
        if master.id != self.id {
            return Err(unexpected("the master key", "the one by which the data key is wrapped", &master.id));
        }
        let mut key = DataKey(self.key);
        master
            .cipher()
            .decrypt_inout_detached(
                &self.nonce.into(),
                &self.associated(recording),
                key.0.as_mut_slice().into(),
                &self.tag.into(),
            )
            .map_err(|_| {
                let expected = "what this master key wrapped for this recording";
                unexpected("a wrapped key", expected, "another, or one that was changed")
            })?;
        Ok(key)
    }

    /// For another master key.
    ///
    /// # Errors
    ///
    /// Those of [`WrappedKey::unwrap`] and [`DataKey::wrap`].
    pub fn rewrap(&self, old: &MasterKey, new: &MasterKey, recording: &str) -> Result<Self, Error> {
        self.unwrap(old, recording)?.wrap(new, recording)
    }

    /// A key of one recording is not another's.
    fn associated(&self, recording: &str) -> Vec<u8> {
        [MAGIC, self.id.as_bytes(), b"\0", recording.as_bytes()].concat()
    }

    /// As a file has it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let length = [self.id.len() as u8];
        let mut bytes = [MAGIC, &length[..], self.id.as_bytes(), &self.nonce, &self.key, &self.tag].concat();
        bytes.extend(crc32c::crc32c(&bytes).to_le_bytes());
        bytes
    }

    /// From what [`WrappedKey::to_bytes`] made.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Error> {
        let wrong = |found: &str| unexpected("a wrapped key", WHOLE, found);
        let (body, sum) = bytes.split_last_chunk::<4>().ok_or_else(|| wrong("its beginning"))?;
        let body = body.strip_prefix(MAGIC).ok_or_else(|| wrong("something else"))?;
        if crc32c::crc32c(&bytes[..bytes.len() - 4]) != u32::from_le_bytes(*sum) {
            return Err(wrong("one that was changed"));
        }
        let parts = || {
            let (&length, rest) = body.split_first()?;
            let (id, rest) = rest.split_at_checked(length.into())?;
            let (nonce, rest) = rest.split_first_chunk()?;
            let (key, rest) = rest.split_first_chunk()?;
            let id = str::from_utf8(id).ok().filter(|id| (1..=LONGEST_ID).contains(&id.len()))?;
            let tag = rest.try_into().ok()?;
            Some(Self { id: id.into(), nonce: *nonce, key: *key, tag })
        };
        parts().ok_or_else(|| wrong("other lengths"))
    }
}

fn unexpected(what: &'static str, expected: &'static str, found: impl ToString) -> Error {
    Error::Unexpected { what, expected, found: found.to_string() }
}

/// Keeps a wrapped key in a recording's folder, in place of one that is there. It is there whole or not at all.
///
/// # Errors
///
/// [`Error::Io`].
pub fn keep_key(folder: &Path, key: &WrappedKey) -> Result<(), Error> {
    let (path, new) = (folder.join(FILE), folder.join("key.new"));
    let mut file = File::create(&new).map_err(files::failed("creating", &new))?;
    file.write_all(&key.to_bytes()).map_err(files::failed("writing", &new))?;
    file.sync_all().map_err(files::failed("syncing", &new))?;
    fs::rename(&new, &path).map_err(files::failed("renaming", &new))?;
    files::sync_folder(folder)
}

/// The wrapped key in a recording's folder.
///
/// # Errors
///
/// [`Error::Io`] if there is none or it cannot be read, [`Error::Key`] if it is not whole.
pub fn read_key(folder: &Path) -> Result<WrappedKey, Error> {
    let path = folder.join(FILE);
    let file = File::open(&path).map_err(files::failed("opening", &path))?;
    let mut bytes = Vec::new();
    // One with the longest id has fewer.
    file.take(256).read_to_end(&mut bytes).map_err(files::failed("reading", &path))?;
    WrappedKey::from_bytes(&bytes).map_err(|why| Error::Key { path, why: why.to_string() })
}

/// Wraps a recording's data key by another master key. Its segments stay as they are.
///
/// # Errors
///
/// Those of [`read_key`], [`WrappedKey::rewrap`] and [`keep_key`]. The old one stays then.
pub fn rewrap(folder: &Path, recording: &str, old: &MasterKey, new: &MasterKey) -> Result<(), Error> {
    keep_key(folder, &read_key(folder)?.rewrap(old, new, recording)?)
}
