//! Public keys, and which of them are trusted.

use std::{collections::BTreeMap, fmt, str::FromStr};

use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{ContentHash, PackageError, error::shown};

/// The id of a key, as minisign prints it: 16 hexadecimal digits in upper case. It is read without the zeros that it begins with,
/// too, which minisign leaves out, as long as 8 digits are left.
///
/// It is no secret and no proof: whoever makes a key can give it the id of another.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(u64);

/// A text is no id of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected the id of a minisign key, 16 hexadecimal digits such as E7620F1842B4E81F, found {found:?}")]
pub struct NoKeyId {
    /// Its beginning.
    pub found: String,
}

impl KeyId {
    /// As it stands in keys and signatures: little-endian.
    pub(crate) fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(u64::from_le_bytes(bytes))
    }

    pub(crate) fn to_bytes(self) -> [u8; 8] {
        self.0.to_le_bytes()
    }
}

impl FromStr for KeyId {
    type Err = NoKeyId;

    fn from_str(text: &str) -> Result<Self, NoKeyId> {
        // One in 2^32 ids begins with more zeros: what is shorter was rather cut off, and revoking is for good.
        let digits = (8..=16).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = if digits { u64::from_str_radix(text, 16).ok() } else { None };
        number.map(Self).ok_or_else(|| NoKeyId { found: text.chars().take(80).collect() })
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016X}", self.0)
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let key: Self = text.parse().map_err(de::Error::custom)?;
        // People may write it as they like; documents have it in one form.
        if key.to_string() == text { Ok(key) } else { Err(de::Error::custom("expected upper case")) }
    }
}

/// A minisign public key. As text, the 56 characters of base64 that minisign calls the public key.
///
/// ```
/// use streamspace_package::PublicKey;
///
/// let key: PublicKey = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3".parse()?;
/// assert_eq!(key.id().to_string(), "E7620F1842B4E81F");
/// assert_eq!(PublicKey::from_file_text(&key.to_file_text())?, key);
/// # Ok::<(), streamspace_package::PackageError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PublicKey([u8; PublicKey::BYTES]);

impl PublicKey {
    /// `Ed`, the id, and the key of Ed25519.
    const BYTES: usize = 2 + 8 + 32;

    /// Reads a file as `minisign -G` writes it, with a comment in its first line; or the key alone.
    ///
    /// # Errors
    ///
    /// [`PackageError::PublicKey`].
    pub fn from_file_text(text: &str) -> Result<Self, PackageError> {
        let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let first = lines.next().unwrap_or_default();
        if !first.starts_with("untrusted comment:") {
            return first.parse();
        }
        lines.next().unwrap_or_default().parse()
    }

    /// The file that minisign reads with `-p`.
    #[must_use]
    pub fn to_file_text(&self) -> String {
        format!("untrusted comment: minisign public key {}\n{self}\n", self.id())
    }

    /// Its id.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let mut id = [0; 8];
        id.copy_from_slice(&self.0[2..10]);
        KeyId::from_bytes(id)
    }

    /// The key that verifies.
    pub(crate) fn verifier(&self) -> Result<minisign_verify::PublicKey, PackageError> {
        let text = self.to_string();
        minisign_verify::PublicKey::from_base64(&text).map_err(|_| no_key(&text, "a key of Ed25519"))
    }
}

fn no_key(text: &str, expected: &'static str) -> PackageError {
    PackageError::PublicKey { what: shown(text.as_bytes()), expected }
}

/// Whether it begins as the secret keys of minisign do.
fn is_secret(text: &str) -> bool {
    ["RWRTY0Iy", "RWQAAEIy"].iter().any(|beginning| text.starts_with(beginning))
}

impl FromStr for PublicKey {
    type Err = PackageError;

    fn from_str(text: &str) -> Result<Self, PackageError> {
        let expected = "56 characters of base64";
        // What is longer may be a secret key, which nobody wants in a log.
        if text.len() > 56 {
            let what = match is_secret(text) {
                true => "a secret key".to_owned(),
                false => format!("a text of {} bytes", text.len()),
            };
            return Err(PackageError::PublicKey { what, expected });
        }
        let bytes = STANDARD.decode(text).map_err(|_| no_key(text, expected))?;
        let bytes: [u8; Self::BYTES] = bytes.try_into().map_err(|_| no_key(text, expected))?;
        if !bytes.starts_with(b"Ed") {
            return Err(no_key(text, "a key of Ed25519, which begins with RW"));
        }
        Ok(Self(bytes))
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for PublicKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PublicKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The keys that are trusted, each with the name that the operator gave it, and what is revoked.
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    keys: BTreeMap<PublicKey, String>,
    revoked_keys: BTreeMap<KeyId, String>,
    revoked_packages: BTreeMap<ContentHash, String>,
}

impl Keyring {
    /// No key, and nothing revoked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Trusts a key, under a name that people know its owner by.
    pub fn trust(&mut self, key: PublicKey, name: impl Into<String>) -> &mut Self {
        self.keys.insert(key, name.into());
        self
    }

    /// Revokes all keys with this id, trusted or not, with the reason that is shown.
    pub fn revoke_key(&mut self, key: KeyId, reason: impl Into<String>) -> &mut Self {
        self.revoked_keys.insert(key, reason.into());
        self
    }

    /// Revokes the package with this [hash](crate::Unverified::hash), with the reason that is shown.
    pub fn revoke_package(&mut self, package: ContentHash, reason: impl Into<String>) -> &mut Self {
        self.revoked_packages.insert(package, reason.into());
        self
    }

    /// The trusted keys with this id, and their names. There is seldom more than one.
    pub(crate) fn of(&self, id: KeyId) -> impl Iterator<Item = (&PublicKey, &str)> {
        self.keys.iter().filter(move |(key, _)| key.id() == id).map(|(key, name)| (key, name.as_str()))
    }

    /// Why a key is revoked, if it is.
    #[must_use]
    pub fn revoked_key(&self, key: KeyId) -> Option<&str> {
        self.revoked_keys.get(&key).map(String::as_str)
    }

    /// Why a package is revoked, if it is.
    #[must_use]
    pub fn revoked_package(&self, package: ContentHash) -> Option<&str> {
        self.revoked_packages.get(&package).map(String::as_str)
    }

    /// Every trusted key as it is shown.
    pub(crate) fn shown(&self) -> Vec<String> {
        let all = self.keys.iter().filter(|(key, _)| self.revoked_key(key.id()).is_none());
        all.map(|(key, name)| format!("{} ({name})", key.id())).collect()
    }

    /// Refuses what is revoked.
    pub(crate) fn admit_package(&self, hash: ContentHash) -> Result<(), PackageError> {
        let Some(reason) = self.revoked_package(hash) else { return Ok(()) };
        Err(PackageError::RevokedPackage { hash, reason: reason.to_owned() })
    }

    /// Refuses what is revoked.
    pub(crate) fn admit_key(&self, key: KeyId) -> Result<(), PackageError> {
        let Some(reason) = self.revoked_key(key) else { return Ok(()) };
        Err(PackageError::RevokedKey { key, reason: reason.to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_a_secret_key_is_shown_where_a_public_one_is_expected() {
        let key = crate::SecretKey::generate(None).expect("a key");
        let line = key.secret_file.lines().nth(1).expect("a key").to_owned();
        for text in [&key.secret_file, &line, &line.replace("RWQAAEIy", "RWQAAEIz")] {
            let why = PublicKey::from_file_text(text).expect_err("a secret key").to_string();
            assert!(!why.contains(&line[76..90]) && !why.contains(&line[8..20]), "{why}");
        }
        let why = PublicKey::from_file_text(&line).expect_err("a secret key").to_string();
        assert!(why.contains("a secret key is no minisign public key"), "{why}");
    }

    #[test]
    fn an_id_is_read_as_minisign_prints_it() {
        let key: KeyId = "3c26FBCFCDA37E1".parse().expect("an id");
        assert_eq!(key.to_string(), "03C26FBCFCDA37E1");
        assert_eq!(KeyId::from_bytes(key.to_bytes()), key);
        for text in ["", "+1", "0x1", "E7620F1842B4E81FF", "xyz", "E7620F1"] {
            assert!(text.parse::<KeyId>().is_err(), "{text}");
        }
        // A document has it in one form.
        assert!(serde_json::from_str::<KeyId>("\"3C26FBCFCDA37E1\"").is_err());
        assert!(serde_json::from_str::<KeyId>("\"03C26FBCFCDA37E1\"").is_ok());
    }
}
