//! What is sealed in the database: encrypted and authenticated, with a key that is not in it.

use std::{
    env, fmt, fs, io,
    path::{Path, PathBuf},
};

use chacha20poly1305::{
    KeyInit, XChaCha20Poly1305, XNonce,
    aead::{Aead, Payload},
};
use sha2::{Digest, Sha256};

use super::data_dir::write_private;
use crate::hex::hex;

/// The variable that holds the key in place of the file: 64 hexadecimal digits.
pub(crate) const VARIABLE: &str = "STREAMSPACE_SECRET_KEY";
/// The variable with the key before it, for the time of a rotation.
pub(crate) const PREVIOUS_VARIABLE: &str = "STREAMSPACE_SECRET_KEY_PREVIOUS";
/// The file, in the data directory.
pub(super) const FILE: &str = "secret.key";

const KEY_BYTES: usize = 32;
const ID_BYTES: usize = 8;
const NONCE_BYTES: usize = 24;
/// The form of what is sealed: this byte, the key's id, the nonce, the ciphertext with its tag. Backups look for the id there.
const FORM: u8 = 1;

/// Why a secret cannot be sealed or read.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The key file cannot be used.
    #[error("cannot {what} the key file {}: {source}", path.display())]
    File {
        /// What was tried.
        what: &'static str,
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// What should be a key is none.
    #[error("{place} holds no key: expected 64 hexadecimal digits. Restore it from where it was kept")]
    NotAKey {
        /// The file or variable.
        place: String,
    },
    /// Others may read the key file.
    #[error(
        "the key file {} may be read by others (mode {mode:o}): expected 600. Correct it with `chmod 600`, and rotate \
         the key if somebody may have seen it",
        path.display()
    )]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// The key is another one.
    #[error(
        "{what} was sealed with the key {key}, which is neither in {FILE} nor in {VARIABLE}. Restore that key, or set the \
         values again"
    )]
    OtherKey {
        /// What was to be read.
        what: String,
        /// The key's id.
        key: String,
    },
    /// It was changed, or moved from elsewhere.
    #[error(
        "{what} is damaged: it is not what was sealed. Restore it from a backup, or set the values again"
    )]
    Damaged {
        /// What was to be read.
        what: String,
    },
    /// The key comes from the environment, which this process cannot change.
    #[error(
        "the key comes from {VARIABLE}: put a new key into it and the one it held into {PREVIOUS_VARIABLE}, and repeat \
         the command"
    )]
    FromEnvironment,
    /// There are no random bytes.
    #[error("the operating system gives no random bytes: {0}")]
    Random(String),
}

impl SecretError {
    /// The code, for those who ask over HTTP.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::File { .. } => "SSP-DAT-011",
            Self::NotAKey { .. } => "SSP-DAT-012",
            Self::Exposed { .. } => "SSP-DAT-013",
            Self::OtherKey { .. } => "SSP-DAT-014",
            Self::Damaged { .. } => "SSP-DAT-015",
            Self::FromEnvironment => "SSP-DAT-016",
            Self::Random(_) => "SSP-DAT-017",
        }
    }
}

/// The keys: the first seals, all read. More than one there is only in the middle of a rotation.
#[derive(Clone)]
pub struct SecretKeys {
    keys: Vec<[u8; KEY_BYTES]>,
    /// `None`: from the environment.
    file: Option<PathBuf>,
}

impl SecretKeys {
    /// The keys of a data directory: from the environment, or from the file, which is made if it is not there.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn open(data_dir: &Path) -> Result<Self, SecretError> {
        if let Some(keys) = Self::find(data_dir)? {
            return Ok(keys);
        }
        let path = data_dir.join(FILE);
        let keys = vec![random()?];
        write(&path, &keys)?;
        Ok(Self { keys, file: Some(path) })
    }

    /// The keys of a data directory; `None` if it has none yet.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn find(data_dir: &Path) -> Result<Option<Self>, SecretError> {
        let mut keys = Vec::new();
        for variable in [VARIABLE, PREVIOUS_VARIABLE] {
            if let Ok(text) = env::var(variable)
                && !text.is_empty()
            {
                let not_a_key = || SecretError::NotAKey { place: format!("the variable {variable}") };
                keys.push(parse(text.trim()).ok_or_else(not_a_key)?);
            }
        }
        if env::var(VARIABLE).is_ok_and(|text| !text.is_empty()) {
            return Ok(Some(Self { keys, file: None }));
        }
        let path = data_dir.join(FILE);
        let keys = match fs::read_to_string(&path) {
            Ok(text) => {
                check_mode(&path)?;
                let lines: Option<Vec<_>> = text.lines().map(|line| parse(line.trim())).collect();
                let not_a_key = || SecretError::NotAKey { place: format!("the key file {}", path.display()) };
                lines.filter(|keys| !keys.is_empty()).ok_or_else(not_a_key)?
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(SecretError::File { what: "read", path, source }),
        };
        Ok(Some(Self { keys, file: Some(path) }))
    }

    /// No key, which reads nothing.
    pub(super) fn none() -> Self {
        Self { keys: Vec::new(), file: None }
    }

    /// Puts a new key in front of those there are. [`retire`](Self::retire) ends the rotation, once all is sealed with it.
    /// Keys from the environment were put there by the operator.
    ///
    /// # Errors
    ///
    /// [`SecretError`].
    pub fn renew(&mut self) -> Result<(), SecretError> {
        let Some(path) = &self.file else {
            return if self.keys.len() > 1 { Ok(()) } else { Err(SecretError::FromEnvironment) };
        };
        let mut keys = self.keys.clone();
        keys.insert(0, random()?);
        write(path, &keys)?;
        self.keys = keys;
        Ok(())
    }

    /// Forgets all keys but the first.
    ///
    /// # Errors
    ///
    /// [`SecretError::File`].
    pub fn retire(&mut self) -> Result<(), SecretError> {
        self.keys.truncate(1);
        match &self.file {
            Some(path) => write(path, &self.keys),
            None => Ok(()),
        }
    }

    /// Whether the key of this id is here.
    #[must_use]
    pub fn has(&self, wanted: &str) -> bool {
        self.keys.iter().any(|key| hex(&id(key)) == wanted)
    }

    /// Seals `plain`. It can be read for the same `what` only: the configuration of one plugin is not that of another.
    ///
    /// # Errors
    ///
    /// [`SecretError::Random`].
    pub fn seal(&self, what: &str, plain: &[u8]) -> Result<Vec<u8>, SecretError> {
        let [key, ..] = self.keys.as_slice() else {
            return Err(SecretError::NotAKey { place: "the key ring".to_owned() });
        };
        let mut nonce = [0; NONCE_BYTES];
        fill(&mut nonce)?;
        let payload = Payload { msg: plain, aad: what.as_bytes() };
        let sealed = cipher(key)
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| SecretError::Damaged { what: what.to_owned() })?;
        Ok([&[FORM][..], &id(key), &nonce, &sealed].concat())
    }

    /// Reads what was [sealed](Self::seal) for the same `what`.
    ///
    /// # Errors
    ///
    /// [`SecretError::OtherKey`], [`SecretError::Damaged`].
    pub fn unseal(&self, what: &str, sealed: &[u8]) -> Result<Vec<u8>, SecretError> {
        let damaged = || SecretError::Damaged { what: what.to_owned() };
        let rest = sealed.strip_prefix(&[FORM]).ok_or_else(damaged)?;
        let (key_id, rest) = rest.split_first_chunk::<ID_BYTES>().ok_or_else(damaged)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE_BYTES>().ok_or_else(damaged)?;
        let key = self.keys.iter().find(|key| id(key) == *key_id);
        let other = || SecretError::OtherKey { what: what.to_owned(), key: hex(key_id) };
        let payload = Payload { msg: sealed, aad: what.as_bytes() };
        cipher(key.ok_or_else(other)?).decrypt(&XNonce::from(*nonce), payload).map_err(|_| damaged())
    }
}

impl fmt::Debug for SecretKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKeys").field("keys", &self.keys.len()).field("file", &self.file).finish()
    }
}

fn cipher(key: &[u8; KEY_BYTES]) -> XChaCha20Poly1305 {
    XChaCha20Poly1305::new(&(*key).into())
}

/// Names a key without telling it.
fn id(key: &[u8; KEY_BYTES]) -> [u8; ID_BYTES] {
    let hash: [u8; 32] = Sha256::digest(key).into();
    let mut id = [0; ID_BYTES];
    for (to, from) in id.iter_mut().zip(hash) {
        *to = from;
    }
    id
}

fn parse(text: &str) -> Option<[u8; KEY_BYTES]> {
    if text.len() != 2 * KEY_BYTES || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return None;
    }
    let mut key = [0; KEY_BYTES];
    for (position, byte) in key.iter_mut().enumerate() {
        *byte = u8::from_str_radix(text.get(2 * position..2 * position + 2)?, 16).ok()?;
    }
    Some(key)
}

fn random() -> Result<[u8; KEY_BYTES], SecretError> {
    let mut key = [0; KEY_BYTES];
    fill(&mut key)?;
    Ok(key)
}

fn fill(bytes: &mut [u8]) -> Result<(), SecretError> {
    getrandom::fill(bytes).map_err(|why| SecretError::Random(why.to_string()))
}

fn write(path: &Path, keys: &[[u8; KEY_BYTES]]) -> Result<(), SecretError> {
    let text: String = keys.iter().map(|key| format!("{}\n", hex(key))).collect();
    let failed = |source| SecretError::File { what: "write", path: path.to_owned(), source };
    write_private(path, text.as_bytes()).map_err(failed)
}

#[cfg(unix)]
fn check_mode(path: &Path) -> Result<(), SecretError> {
    use std::os::unix::fs::PermissionsExt;
    let failed = |source| SecretError::File { what: "read", path: path.to_owned(), source };
    let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o777;
    if mode & 0o077 == 0 { Ok(()) } else { Err(SecretError::Exposed { path: path.to_owned(), mode }) }
}

#[cfg(not(unix))]
fn check_mode(_: &Path) -> Result<(), SecretError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(folder: &Path) -> SecretKeys {
        SecretKeys::open(folder).expect("keys")
    }

    #[test]
    fn what_is_sealed_is_read_for_the_same_thing_only() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = keys(folder.path());
        let sealed = keys.seal("one", b"hunter2").expect("sealed");
        assert!(!sealed.windows(7).any(|part| part == b"hunter2"));
        assert_eq!(keys.unseal("one", &sealed).expect("read"), b"hunter2");
        assert!(matches!(keys.unseal("two", &sealed), Err(SecretError::Damaged { .. })));
    }

    #[test]
    fn every_byte_counts() {
        let folder = tempfile::tempdir().expect("a folder");
        let keys = keys(folder.path());
        let sealed = keys.seal("one", b"x").expect("sealed");
        for position in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[position] ^= 1;
            assert!(keys.unseal("one", &changed).is_err(), "byte {position}");
        }
        for length in 0..sealed.len() {
            assert!(keys.unseal("one", &sealed[..length]).is_err(), "{length} bytes");
        }
    }

    #[test]
    fn a_rotation_reads_the_old_until_it_is_over() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut rotated = keys(folder.path());
        let old = rotated.seal("one", b"x").expect("sealed");
        rotated.renew().expect("renewed");
        // What a host finds that starts in the middle of it.
        let mut rotated = keys(folder.path());
        assert_eq!(rotated.unseal("one", &old).expect("read"), b"x");
        let new = rotated.seal("one", b"x").expect("sealed");
        rotated.retire().expect("retired");
        let after = keys(folder.path());
        assert_eq!(after.unseal("one", &new).expect("read"), b"x");
        assert!(matches!(after.unseal("one", &old), Err(SecretError::OtherKey { .. })));
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_may_read_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let _ = keys(folder.path());
        let path = folder.path().join(FILE);
        let mode = fs::metadata(&path).expect("the file").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("changed");
        assert!(matches!(SecretKeys::open(folder.path()), Err(SecretError::Exposed { mode: 0o640, .. })));
    }
}
