//! A package that was verified: its files.

use std::{
    collections::BTreeMap,
    io::{Read, Seek, SeekFrom, Write},
};

use streamspace_plugin::manifest::Manifest;

use crate::{
    Blob, ContentHash, Document, MANIFEST_PATH, PackageError, Signature, Signer, Sink, Target, blob,
    reader::zeros,
    tar::{self, BLOCK, END},
};

/// Where the entry of each blob begins, by the blob's hash.
pub(crate) type Places = BTreeMap<ContentHash, u64>;

/// A package whose document is known to be what was signed, or was [taken as it is](crate::Unverified::accept_unsigned).
///
/// Its blobs are checked as they are read.
#[derive(Debug)]
pub struct Verified<S> {
    source: S,
    bytes: Vec<u8>,
    document: Document,
    signatures: Vec<Signature>,
    signers: Vec<Signer>,
    places: Places,
}

impl<S: Read + Seek> Verified<S> {
    pub(crate) fn new(
        source: S,
        bytes: Vec<u8>,
        document: Document,
        signatures: Vec<Signature>,
        signers: Vec<Signer>,
        places: Places,
    ) -> Self {
        Self { source, bytes, document, signatures, signers, places }
    }

    /// What the package says of itself.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The bytes that are signed: `package.json`.
    #[must_use]
    pub fn document_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash of the package: the SHA-256 of `package.json`.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    /// The trusted keys that have signed it, in the order of their signatures. Empty if it was taken unsigned.
    #[must_use]
    pub fn signers(&self) -> &[Signer] {
        &self.signers
    }

    /// The trusted key that `package.json` names as its vendor's, if that has signed.
    #[must_use]
    pub fn vendor(&self) -> Option<&Signer> {
        let named = self.document.signing_key_id?;
        self.signers.iter().find(|signer| signer.key_id() == named)
    }

    /// All signatures, also by keys that are not trusted here.
    #[must_use]
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The text of `package.minisig`.
    #[must_use]
    pub fn signature_text(&self) -> String {
        self.signatures.iter().map(Signature::as_str).collect()
    }

    /// Unpacks the files for one target: manifest and library, then those that `wanted` says yes to, by their paths.
    /// Only the blobs of these are read.
    ///
    /// # Errors
    ///
    /// [`PackageError`]. What the sink has then is to be thrown away.
    pub fn unpack<K: Sink>(
        &mut self,
        target: &Target,
        mut wanted: impl FnMut(&str) -> bool,
        sink: &mut K,
    ) -> Result<(), PackageError> {
        let needed = [MANIFEST_PATH, target.library.path.as_str()];
        for (path, blob) in self.document.unpacked(target) {
            if !needed.contains(&path) && !wanted(path) {
                continue;
            }
            let create = PackageError::io(format!("make the file {path}"));
            let mut file = sink.create(path, blob.size).map_err(create)?;
            copy(&mut self.source, &self.places, path, blob, &mut file)?;
            sink.close(path, file).map_err(PackageError::io(format!("write the file {path}")))?;
        }
        Ok(())
    }

    /// Copies one file. See [`Document::blob`] and the targets' libraries.
    ///
    /// # Errors
    ///
    /// [`PackageError`]. What was written then is to be thrown away.
    pub fn copy(&mut self, path: &str, blob: &Blob, out: &mut impl Write) -> Result<(), PackageError> {
        copy(&mut self.source, &self.places, path, blob, out)
    }

    /// Reads one of the small files, such as `README.md`. It is read into memory, if it has at most `most` bytes.
    ///
    /// # Errors
    ///
    /// [`PackageError::NoFile`], [`PackageError::TooLarge`], and what is wrong with its blob.
    pub fn read(&mut self, path: &str, most: u64) -> Result<Vec<u8>, PackageError> {
        let no_file = || PackageError::NoFile { path: path.chars().take(200).collect() };
        let blob = *self.document.blob(path).ok_or_else(no_file)?;
        if blob.size > most {
            return Err(PackageError::TooLarge { what: "the file", most, found: blob.size });
        }
        let mut bytes = Vec::new();
        self.copy(path, &blob, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the author's manifest, which says the same as the document.
    ///
    /// # Errors
    ///
    /// [`PackageError::Manifest`], [`PackageError::Disagrees`], and what is wrong with its blob.
    pub fn manifest(&mut self) -> Result<Manifest, PackageError> {
        let bytes = self.read(MANIFEST_PATH, streamspace_plugin::manifest::MAX_BYTES as u64)?;
        let manifest = Manifest::parse(&bytes)?;
        self.document.check_manifest(&manifest)?;
        Ok(manifest)
    }

    /// Checks all of the package, also what is for other machines: every entry, hash and size, and the manifest. `done` is
    /// told the path of each file before it is read.
    ///
    /// # Errors
    ///
    /// The first that is wrong.
    pub fn check(&mut self, mut done: impl FnMut(&str)) -> Result<(), PackageError> {
        for blob in self.document.blobs() {
            let path = path_of(&self.document, &blob);
            done(&path);
            copy(&mut self.source, &self.places, &path, &blob, &mut std::io::sink())?;
        }
        self.manifest().map(drop)
    }
}

/// A path that a blob is unpacked to.
fn path_of(document: &Document, wanted: &Blob) -> String {
    let mut all = document.targets.iter().flat_map(|target| document.unpacked(target));
    all.find(|(_, blob)| blob.sha256 == wanted.sha256)
        .map_or_else(|| wanted.entry(), |(path, _)| path.to_owned())
}

/// Where the blobs of a document are, if the file is as long as they make it and ends as it has to.
pub(crate) fn place<S: Read + Seek>(
    source: &mut S,
    document: &Document,
    payload: u64,
    length: u64,
) -> Result<Places, PackageError> {
    let mut at = payload;
    let mut places = Places::new();
    let mut cut = None;
    for blob in document.blobs() {
        places.insert(blob.sha256, at);
        at += BLOCK + tar::padded(blob.compressed_size);
        if at > length && cut.is_none() {
            cut = Some(blob.entry());
        }
    }
    let expected = at + END;
    if length < expected {
        let entry = cut.unwrap_or_else(|| "the end of the archive".to_owned());
        return Err(PackageError::Truncated { entry, expected, found: length });
    }
    let mut end = [0; END as usize];
    source.seek(SeekFrom::Start(at)).map_err(PackageError::io("read the end of the archive"))?;
    source.read_exact(&mut end).map_err(PackageError::io("read the end of the archive"))?;
    if end.iter().any(|byte| *byte != 0) {
        let header: &[u8] = &end[..100];
        let name = header.split(|byte| *byte == 0).next().unwrap_or_default();
        return Err(PackageError::Entry {
            expected: "the end of the archive".to_owned(),
            found: crate::error::shown(name),
        });
    }
    if length > expected {
        return Err(PackageError::Trailing { expected, found: length });
    }
    Ok(places)
}

/// Copies the file in one blob: entry, size and hash of what is packed are checked first, then it is decoded.
fn copy<S: Read + Seek>(
    source: &mut S,
    places: &Places,
    path: &str,
    blob: &Blob,
    out: &mut impl Write,
) -> Result<(), PackageError> {
    let reading = || PackageError::io(format!("read {path}"));
    let entry = blob.entry();
    let no_blob = || PackageError::NoFile { path: path.to_owned() };
    let at = *places.get(&blob.sha256).ok_or_else(no_blob)?;
    source.seek(SeekFrom::Start(at)).map_err(reading())?;
    let mut header = [0; BLOCK as usize];
    source.read_exact(&mut header).map_err(reading())?;
    tar::expect(&header, &entry, blob.compressed_size)?;
    blob::check_packed(source, path, blob)?;
    let mut padding = vec![0; (tar::padded(blob.compressed_size) - blob.compressed_size) as usize];
    source.read_exact(&mut padding).map_err(reading())?;
    zeros(&padding, &entry)?;
    source.seek(SeekFrom::Start(at + BLOCK)).map_err(reading())?;
    blob::decode(source, path, blob, out)
}
