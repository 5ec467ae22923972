//! Keys that sign.

use std::{fmt, io::Cursor};

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{PackageError, PublicKey, Signature};

/// A new key pair.
pub struct NewKey {
    /// The file of the secret key, as `minisign -s` reads it. It is to be kept with mode 0600.
    pub secret_file: String,
    /// The public key.
    pub public: PublicKey,
}

impl fmt::Debug for NewKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NewKey").field("public", &self.public).finish_non_exhaustive()
    }
}

/// A secret key that is ready to sign.
pub struct SecretKey(minisign::SecretKey);

impl SecretKey {
    /// Makes a key pair. With a password, the secret key's file is encrypted with it.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signing`] without random numbers, or memory (32 MiB) for the password.
    pub fn generate(password: Option<&str>) -> Result<NewKey, PackageError> {
        let pair = match password {
            Some(password) => minisign::KeyPair::generate_encrypted_keypair(Some(password.to_owned())),
            None => minisign::KeyPair::generate_unencrypted_keypair(),
        }
        .map_err(failed)?;
        let comment = if password.is_some() { "encrypted" } else { "unencrypted" };
        let public: PublicKey = pair.pk.to_base64().parse()?;
        let comment = format!("minisign {comment} secret key {}", public.id());
        let secret_file = pair.sk.to_box(Some(&comment)).map_err(failed)?.into_string();
        Ok(NewKey { secret_file, public })
    }

    /// Reads the file of a secret key, of this crate or of minisign.
    ///
    /// # Errors
    ///
    /// [`PackageError::SecretKey`], [`PackageError::NoPassword`], [`PackageError::WrongPassword`].
    pub fn from_file_text(text: &str, password: Option<&str>) -> Result<Self, PackageError> {
        let no_key = |reason| PackageError::SecretKey { reason };
        let line = text.lines().nth(1).ok_or_else(|| no_key("it has no second line"))?;
        let bytes = STANDARD.decode(line.trim()).map_err(|_| no_key("its second line is not base64"))?;
        if bytes.len() == 42 && bytes.starts_with(b"Ed") {
            return Err(no_key("it is a public one; the secret one is in a file without `.pub` at the end"));
        }
        // `Ed`, how the password makes a key of encryption, `B2`, salt and limits of that, the id, the key, a check.
        if bytes.len() != 158 || !bytes.starts_with(b"Ed") || bytes.get(4..6) != Some(b"B2") {
            return Err(no_key("its second line is something else"));
        }
        let encrypted = match &bytes[2..4] {
            b"\0\0" => false,
            b"Sc" => true,
            _ => return Err(no_key("it is encrypted in an unknown way")),
        };
        let text = format!("untrusted comment: \n{}\n", line.trim());
        let file = minisign::SecretKeyBox::from_string(&text).map_err(|_| no_key("it cannot be read"))?;
        let key = match (encrypted, password) {
            // minisign 0.11 leaves the check out of a key that it does not encrypt. What it signs is verified here.
            (false, _) if bytes.ends_with(&[0; 32]) => {
                minisign::SecretKey::from_bytes(&bytes).map_err(|_| no_key("it cannot be read"))?
            }
            (false, _) => file.into_unencrypted_secret_key().map_err(|_| no_key("it is damaged"))?,
            (true, None) => return Err(PackageError::NoPassword),
            (true, Some(password)) => {
                file.into_secret_key(Some(password.to_owned())).map_err(|_| PackageError::WrongPassword)?
            }
        };
        Ok(Self(key))
    }

    /// Whether the file of a secret key is encrypted, so that it takes a password. `false` for what is no such file.
    #[must_use]
    pub fn is_encrypted(text: &str) -> bool {
        matches!(Self::from_file_text(text, None), Err(PackageError::NoPassword))
    }

    /// Its public key.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signing`] for a key that has none.
    pub fn public(&self) -> Result<PublicKey, PackageError> {
        minisign::PublicKey::from_secret_key(&self.0).map_err(failed)?.to_base64().parse()
    }

    /// Signs `bytes`. `comment` is signed as well, and shown to who verifies it: one line.
    ///
    /// Two signatures of the same bytes are not the same: Ed25519 is given random numbers, against faults of the machine.
    ///
    /// # Errors
    ///
    /// [`PackageError::Input`] for a comment that is too long or has control characters but tabs, [`PackageError::Signing`].
    pub fn sign(&self, bytes: &[u8], comment: &str) -> Result<Signature, PackageError> {
        if comment.len() > 512 || comment.chars().any(|char| char.is_control() && char != '\t') {
            return Err(PackageError::Input {
                what: "the comment of the signature".to_owned(),
                expected: "one line of at most 512 bytes".to_owned(),
                found: format!("{} bytes", comment.len()),
            });
        }
        let public = minisign::PublicKey::from_secret_key(&self.0).map_err(failed)?;
        let untrusted = format!("signature from minisign secret key {}", self.public()?.id());
        let signature =
            minisign::sign(Some(&public), &self.0, Cursor::new(bytes), Some(comment), Some(&untrusted))
                .map_err(failed)?;
        Signature::parse(&signature.into_string())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretKey").finish_non_exhaustive()
    }
}

fn failed(why: minisign::PError) -> PackageError {
    PackageError::Signing { reason: why.to_string() }
}
