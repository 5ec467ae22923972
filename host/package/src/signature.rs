//! `package.minisig`: signatures in minisign's form, one behind the other.

use std::fmt;

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{ContentHash, KeyId, Keyring, PackageError, PublicKey, error::shown};

/// The most signatures of one document.
pub const MAX_SIGNATURES: usize = 8;
/// The longest line of a signature, in bytes.
const MAX_LINE: usize = 1024;
/// The largest `package.minisig`, in bytes: 32 KiB.
pub(crate) const MAX_SIGNATURE_BYTES: u64 = (MAX_SIGNATURES * 4 * MAX_LINE) as u64;

const UNTRUSTED: &str = "untrusted comment: ";
const TRUSTED: &str = "trusted comment: ";

/// One signature: four lines, as in a `.minisig` file. Not verified by having it.
#[derive(Clone, PartialEq, Eq)]
pub struct Signature {
    /// The four lines, each with its line feed.
    text: String,
    key: KeyId,
    prehashed: bool,
    /// The signature of the document, and that of it with the trusted comment.
    signatures: [[u8; 64]; 2],
}

impl Signature {
    /// Reads a `.minisig` file with one signature. Line ends of Windows are taken for line feeds.
    ///
    /// # Errors
    ///
    /// [`PackageError::Signature`].
    pub fn parse(text: &str) -> Result<Self, PackageError> {
        let text = text.replace("\r\n", "\n");
        let text = if text.ends_with('\n') { text } else { text + "\n" };
        let mut all = parse_all(text.as_bytes())?;
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (None, _) => Err(damaged(1, "a signature", "none")),
            (Some(_), false) => Err(damaged(5, "the end, after one signature", "more")),
        }
    }

    /// The four lines.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The id of the key that it says to be made with.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key
    }

    /// What the signer says beside it. Part of what is signed.
    #[must_use]
    pub fn trusted_comment(&self) -> &str {
        self.text.lines().nth(2).and_then(|line| line.strip_prefix(TRUSTED)).unwrap_or_default()
    }

    /// Whether it is a signature of `bytes` by `key`, which is known as `name`.
    ///
    /// # Errors
    ///
    /// [`PackageError::WrongKey`], [`PackageError::Changed`], [`PackageError::NotChecked`].
    pub fn verify(&self, bytes: &[u8], key: &PublicKey, name: &str) -> Result<(), PackageError> {
        let id = self.key;
        if id != key.id() {
            return Err(PackageError::WrongKey { key: id, name: name.to_owned() });
        }
        if !self.prehashed {
            let reason = "it is of minisign's old form, without a hash. Have it made by minisign 0.11 or newer, or with `minisign -SH`";
            return Err(PackageError::NotChecked { key: id, reason: reason.to_owned() });
        }
        let not_checked =
            |why: minisign_verify::Error| PackageError::NotChecked { key: id, reason: why.to_string() };
        let signature = minisign_verify::Signature::decode(&self.text).map_err(not_checked)?;
        match key.verifier()?.verify(bytes, &signature, false) {
            Ok(()) => Ok(()),
            Err(minisign_verify::Error::InvalidSignature) if self.was_made_by(key) => {
                Err(PackageError::Changed { key: id, name: name.to_owned(), found: ContentHash::of(bytes) })
            }
            Err(minisign_verify::Error::InvalidSignature) => {
                Err(PackageError::WrongKey { key: id, name: name.to_owned() })
            }
            Err(why) => Err(not_checked(why)),
        }
    }

    /// Whether the key made it, for whatever document: the second signature is of the first one and the comment.
    ///
    /// Decides between two refusals, and never admits anything.
    fn was_made_by(&self, key: &PublicKey) -> bool {
        let [of_document, of_comment] = &self.signatures;
        // What minisign calls a signature without a comment, in its old form: over the bytes themselves.
        let bones = [b"Ed".as_slice(), &key.id().to_bytes(), of_comment].concat();
        let Ok(bones) = minisign::SignatureBones::from_bytes(&bones) else { return false };
        let Ok(key) = minisign::PublicKey::from_base64(&key.to_string()) else { return false };
        let signed = [of_document.as_slice(), self.trusted_comment().as_bytes()].concat();
        minisign::verify(&key, &bones.into(), std::io::Cursor::new(signed), true, false, true).is_ok()
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signature").field("key", &self.key).field("comment", &self.trusted_comment()).finish()
    }
}

/// A trusted key that has signed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Signer {
    /// The key.
    pub key: PublicKey,
    /// The name that it is trusted under.
    pub name: String,
    /// What it says beside its signature.
    pub comment: String,
}

impl Signer {
    /// The id of its key.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key.id()
    }
}

/// Verifies that trusted keys have signed `bytes`: one at least, and each whose id the signatures have. Answers with those.
///
/// For anything that is signed as packages are, such as the index of a catalogue. What is said of revoked packages does not
/// count here.
///
/// # Errors
///
/// [`PackageError::NoSignature`], [`PackageError::UnknownKey`], [`PackageError::WrongKey`], [`PackageError::Changed`],
/// [`PackageError::RevokedKey`], [`PackageError::NotChecked`].
pub fn verify(
    bytes: &[u8],
    signatures: &[Signature],
    keyring: &Keyring,
) -> Result<Vec<Signer>, PackageError> {
    if signatures.is_empty() {
        return Err(PackageError::NoSignature);
    }
    let mut signers = Vec::new();
    let mut revoked = Ok(());
    for signature in signatures {
        let id = signature.key_id();
        // It counts as if it were not there: whoever has the key could have made it.
        if let Err(why) = keyring.admit_key(id) {
            revoked = Err(why);
            continue;
        }
        let mut refusal = Ok(());
        let mut verified = false;
        for (key, name) in keyring.of(id) {
            match signature.verify(bytes, key, name) {
                Ok(()) => {
                    let comment = signature.trusted_comment().to_owned();
                    signers.push(Signer { key: key.clone(), name: name.to_owned(), comment });
                    verified = true;
                }
                Err(why) => refusal = Err(why),
            }
        }
        if !verified {
            refusal?;
        }
    }
    if signers.is_empty() {
        revoked?;
        let found = signatures.iter().map(Signature::key_id).collect();
        return Err(PackageError::UnknownKey { trusted: keyring.shown(), found });
    }
    Ok(signers)
}

/// Reads a file with signatures, one behind the other: strictly, since the first bytes that are read of a stranger's
/// package are these. An empty file has none.
///
/// # Errors
///
/// [`PackageError::Signature`], [`PackageError::TooLarge`].
pub fn parse_all(bytes: &[u8]) -> Result<Vec<Signature>, PackageError> {
    let found = bytes.len() as u64;
    if found > MAX_SIGNATURE_BYTES {
        return Err(PackageError::TooLarge { what: "package.minisig", most: MAX_SIGNATURE_BYTES, found });
    }
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let mut all: Vec<Signature> = Vec::new();
    for (at, chunk) in lines.chunks(4).enumerate() {
        let first = at * 4 + 1;
        if at == MAX_SIGNATURES {
            return Err(damaged(first, "at most 8 signatures", "more"));
        }
        let signature = parse_one(chunk, first)?;
        if all.iter().any(|other| other.key == signature.key) {
            return Err(damaged(first + 1, "one signature of each key", &signature.key.to_string()));
        }
        all.push(signature);
    }
    Ok(all)
}

/// Reads four lines, the first of which has this number.
fn parse_one(lines: &[&[u8]], first: usize) -> Result<Signature, PackageError> {
    let line = |at: usize| -> Result<&str, PackageError> {
        let number = first + at;
        let bytes =
            lines.get(at).ok_or_else(|| damaged(number, "four lines for each signature", "the end"))?;
        let without_end =
            bytes.strip_suffix(b"\n").ok_or_else(|| damaged(number, "a line feed at the end", "none"))?;
        if without_end.len() >= MAX_LINE {
            return Err(damaged(number, "at most 1023 bytes", &without_end.len().to_string()));
        }
        let text =
            std::str::from_utf8(without_end).map_err(|_| damaged_bytes(number, "UTF-8", without_end))?;
        match text.chars().any(|char| char.is_control() && char != '\t') {
            true => Err(damaged_bytes(number, "no control characters but tabs", without_end)),
            false => Ok(text),
        }
    };
    let starting = |at: usize, prefix: &str, expected: &'static str| {
        let text = line(at)?;
        text.strip_prefix(prefix).ok_or_else(|| damaged_bytes(first + at, expected, text.as_bytes()))
    };
    starting(0, UNTRUSTED, "`untrusted comment: `")?;
    let text = line(1)?;
    let no_signature = || damaged_bytes(first + 1, "74 bytes of base64, Ed25519", text.as_bytes());
    let bytes: [u8; 74] =
        STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or_else(no_signature)?;
    let prehashed = match &bytes[..2] {
        b"ED" => true,
        b"Ed" => false,
        _ => return Err(no_signature()),
    };
    starting(2, TRUSTED, "`trusted comment: `")?;
    let text = line(3)?;
    let of_comment: [u8; 64] = STANDARD
        .decode(text)
        .ok()
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| damaged_bytes(first + 3, "64 bytes of base64", text.as_bytes()))?;
    let (mut id, mut of_document) = ([0; 8], [0; 64]);
    id.copy_from_slice(&bytes[2..10]);
    of_document.copy_from_slice(&bytes[10..]);
    // The lines were looked at, so that they are UTF-8.
    let text = lines.iter().map(|line| String::from_utf8_lossy(line)).collect();
    Ok(Signature { text, key: KeyId::from_bytes(id), prehashed, signatures: [of_document, of_comment] })
}

fn damaged(line: usize, expected: &'static str, found: &str) -> PackageError {
    PackageError::Signature { line, expected, found: found.to_owned() }
}

fn damaged_bytes(line: usize, expected: &'static str, found: &[u8]) -> PackageError {
    PackageError::Signature { line, expected, found: shown(found) }
}
