//! Opening a package: what may be read of it before it is verified.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::{
    ContentHash, Document, Keyring, PackageError, Signature, Verified, parse_signatures,
    signature::{MAX_SIGNATURE_BYTES, verify},
    tar::{self, BLOCK},
    verified::place,
};

/// The most bytes that are read before anything is verified: both headers, `package.json` and `package.minisig`.
pub const MAX_HEAD_BYTES: u64 = 1024 * 1024;

pub(crate) const DOCUMENT: &str = "package.json";
pub(crate) const SIGNATURES: &str = "package.minisig";

/// A package that is open and not verified: nothing of it has been interpreted but the form of its signatures.
#[derive(Debug)]
pub struct Unverified<S> {
    source: S,
    /// How long the source is.
    length: u64,
    document: Vec<u8>,
    signatures: Vec<Signature>,
    /// Where the blobs begin.
    payload: u64,
}

impl<S: Read + Seek> Unverified<S> {
    /// Opens a package, from the beginning of `source`. Reads [`MAX_HEAD_BYTES`] at most.
    ///
    /// # Errors
    ///
    /// [`PackageError`] for what does not begin as a package does.
    pub fn open(mut source: S) -> Result<Self, PackageError> {
        let length = source.seek(SeekFrom::End(0)).map_err(PackageError::io("find the package's end"))?;
        source.rewind().map_err(PackageError::io("find the package's beginning"))?;
        let mut head = Head { source: &mut source, length, at: 0 };
        let document = head.file(DOCUMENT, MAX_HEAD_BYTES)?;
        let signatures = head.file(SIGNATURES, MAX_SIGNATURE_BYTES)?;
        let payload = head.at;
        Ok(Self { signatures: parse_signatures(&signatures)?, source, length, document, payload })
    }

    /// The hash of the package: the SHA-256 of `package.json`, which has the hashes of everything else. Signing it once
    /// more does not change it.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.document)
    }

    /// The signatures. That they are there says nothing.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The bytes that are signed.
    #[must_use]
    pub fn document_bytes(&self) -> &[u8] {
        &self.document
    }

    /// How many bytes the file has.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Verifies the signatures: one at least is by a trusted key, and each that bears the id of one is by it. Nothing in it
    /// is revoked: the package, the key that `package.json` names, all keys that have signed.
    ///
    /// # Errors
    ///
    /// [`PackageError::RevokedPackage`], [`PackageError::NoSignature`], [`PackageError::UnknownKey`],
    /// [`PackageError::WrongKey`], [`PackageError::Changed`], [`PackageError::RevokedKey`], [`PackageError::NotChecked`];
    /// then what is wrong with `package.json` or the length of the file.
    pub fn verify(self, keyring: &Keyring) -> Result<Verified<S>, PackageError> {
        keyring.admit_package(self.hash())?;
        let signers = verify(&self.document, &self.signatures, keyring)?;
        self.interpret(keyring, signers)
    }

    /// Takes the package as it is, whoever has signed it or not: for development, on an operator's word, and for looking
    /// into it. What `keyring` says to be revoked is refused all the same. [`Verified::signers`] is empty then.
    ///
    /// # Errors
    ///
    /// [`PackageError::RevokedPackage`], [`PackageError::RevokedKey`]; then what is wrong with `package.json` or the length
    /// of the file.
    pub fn accept_unsigned(self, keyring: &Keyring) -> Result<Verified<S>, PackageError> {
        keyring.admit_package(self.hash())?;
        for signature in &self.signatures {
            keyring.admit_key(signature.key_id())?;
        }
        self.interpret(keyring, Vec::new())
    }

    fn interpret(
        mut self,
        keyring: &Keyring,
        signers: Vec<crate::Signer>,
    ) -> Result<Verified<S>, PackageError> {
        let document = Document::parse(&self.document)?;
        if let Some(key) = document.signing_key_id {
            keyring.admit_key(key)?;
        }
        let places = place(&mut self.source, &document, self.payload, self.length)?;
        Ok(Verified::new(self.source, self.document, document, self.signatures, signers, places))
    }

    /// Adds a signature, in place of an earlier one by the same key. It is not verified.
    ///
    /// # Errors
    ///
    /// [`PackageError::Input`] when there are [`MAX_SIGNATURES`](crate::MAX_SIGNATURES) already.
    pub fn add_signature(&mut self, signature: Signature) -> Result<(), PackageError> {
        add(&mut self.signatures, signature)
    }

    /// Writes the package with the signatures that it has now. The rest is copied as it is, without a look at it.
    ///
    /// # Errors
    ///
    /// [`PackageError::Io`].
    pub fn write(&mut self, mut out: impl Write) -> Result<(), PackageError> {
        let failed = || PackageError::io("write the package");
        out.write_all(&head(&self.document, &self.signatures)).map_err(failed())?;
        self.source.seek(SeekFrom::Start(self.payload)).map_err(PackageError::io("read the package"))?;
        io::copy(&mut (&mut self.source).take(self.length), &mut out)
            .map_err(PackageError::io("copy the package"))?;
        out.flush().map_err(failed())
    }
}

/// Adds a signature to others, or puts it in place of one by the same key.
pub(crate) fn add(all: &mut Vec<Signature>, signature: Signature) -> Result<(), PackageError> {
    if let Some(same) = all.iter_mut().find(|other| other.key_id() == signature.key_id()) {
        *same = signature;
        return Ok(());
    }
    if all.len() == crate::MAX_SIGNATURES {
        return Err(PackageError::Input {
            what: "a further signature".to_owned(),
            expected: format!("at most {} in a package", crate::MAX_SIGNATURES),
            found: all.len().to_string(),
        });
    }
    all.push(signature);
    Ok(())
}

/// The first two entries.
pub(crate) fn head(document: &[u8], signatures: &[Signature]) -> Vec<u8> {
    let signatures: String = signatures.iter().map(Signature::as_str).collect();
    let mut bytes = Vec::new();
    for (name, content) in [(DOCUMENT, document), (SIGNATURES, signatures.as_bytes())] {
        bytes.extend(tar::header(name, content.len() as u64));
        bytes.extend(content);
        bytes.resize(tar::padded(bytes.len() as u64) as usize, 0);
    }
    bytes
}

/// Reads the first entries, within [`MAX_HEAD_BYTES`].
struct Head<'a, S> {
    source: &'a mut S,
    length: u64,
    at: u64,
}

impl<S: Read> Head<'_, S> {
    fn file(&mut self, name: &'static str, most: u64) -> Result<Vec<u8>, PackageError> {
        let mut header = [0; BLOCK as usize];
        let beginning = self.length.min(BLOCK) as usize;
        if self.at == 0 && self.length < BLOCK {
            // Whatever it is, what it begins with says more than that it is short.
            self.exactly(&mut header[..beginning], name)?;
            no_package(&header[..beginning])?;
            return Err(self.truncated(name, BLOCK));
        }
        self.exactly(&mut header, name)?;
        if self.at == BLOCK {
            no_package(&header)?;
        }
        let size = tar::size_in(&header, name)?;
        if size > most {
            return Err(PackageError::TooLarge { what: name, most, found: size });
        }
        let whole = self.at + tar::padded(size);
        if whole > MAX_HEAD_BYTES {
            let what = "what precedes the files";
            return Err(PackageError::TooLarge { what, most: MAX_HEAD_BYTES, found: whole });
        }
        if whole > self.length {
            return Err(self.truncated(name, whole));
        }
        let mut content = vec![0; tar::padded(size) as usize];
        self.exactly(&mut content, name)?;
        let padding = content.split_off(size as usize);
        zeros(&padding, name)?;
        Ok(content)
    }

    fn exactly(&mut self, bytes: &mut [u8], name: &str) -> Result<(), PackageError> {
        let end = self.at + bytes.len() as u64;
        if end > self.length {
            return Err(self.truncated(name, end));
        }
        self.source.read_exact(bytes).map_err(PackageError::io(format!("read {name}")))?;
        self.at = end;
        Ok(())
    }

    fn truncated(&self, name: &str, expected: u64) -> PackageError {
        PackageError::Truncated { entry: name.to_owned(), expected, found: self.length }
    }
}

/// Refuses what is something else altogether.
fn no_package(beginning: &[u8]) -> Result<(), PackageError> {
    let is_tar = beginning.get(257..262) == Some(b"ustar");
    if is_tar || beginning.starts_with(DOCUMENT.as_bytes()) {
        return Ok(());
    }
    let found = match beginning {
        [] => "an empty file".to_owned(),
        [0x1f, 0x8b, ..] => "a gzip file".to_owned(),
        [b'P', b'K', 3 | 5, ..] => "a zip archive".to_owned(),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => "a zstd file".to_owned(),
        [0x7f, b'E', b'L', b'F', ..] => "a library or program".to_owned(),
        [b'{', ..] => "a JSON document".to_owned(),
        [b'<', ..] => "a web page".to_owned(),
        _ => crate::error::shown(beginning.get(..16).unwrap_or(beginning)),
    };
    Err(PackageError::NoPackage { found })
}

/// Checks what fills a file up to whole blocks.
pub(crate) fn zeros(padding: &[u8], entry: &str) -> Result<(), PackageError> {
    if padding.iter().all(|byte| *byte == 0) {
        return Ok(());
    }
    Err(PackageError::Header {
        entry: entry.to_owned(),
        field: "what fills it up to whole blocks",
        expected: "zeros".to_owned(),
        found: "other bytes".to_owned(),
    })
}
