//! Building a package.

use std::{collections::BTreeMap, io::Write};

use semver::{Version, VersionReq};
use serde_json::{Map, Value};
use streamspace_plugin::{
    Facts,
    manifest::{Manifest, PluginName},
};

use crate::{
    Abi, Blob, ContentHash, CpuLevel, Document, Extensions, Glibc, KeyId, MAX_HEAD_BYTES, PackageError,
    PackedFile, PublicKey, SCHEMA, SecretKey, Signature, Target, Triple, blob, reader, rules, tar,
};

/// Builds a package. The same input gives the same bytes on every machine, but for signatures.
#[derive(Debug)]
pub struct Builder {
    document: Document,
    payload: BTreeMap<ContentHash, Vec<u8>>,
}

/// A library, and what it is for. All but its bytes and the processor's level comes from the library itself: what its note
/// says, and which version of glibc has its symbols.
#[derive(Debug)]
pub struct Library<'a> {
    /// Its name without a folder: `libexample.so`.
    pub file: &'a str,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// What its note says.
    pub facts: &'a Facts,
    /// The level of the processor that it takes: of `facts.cpu`, see [`CpuLevel::with_features`]. `None` for none.
    pub cpu: Option<CpuLevel>,
    /// The oldest glibc that has its symbols.
    pub glibc_min: Option<Glibc>,
}

impl Builder {
    /// Begins a package with the author's `manifest.json`. Name, version, permissions, dependencies, conflicts and what people
    /// read come from there.
    ///
    /// # Errors
    ///
    /// [`PackageError::Manifest`]; [`PackageError::Input`] for a dependency or a conflict that is no plugin's name.
    pub fn new(manifest: &[u8]) -> Result<Self, PackageError> {
        let fields = Manifest::parse(manifest)?;
        let dependencies = named("dependencies", &fields.dependencies)?;
        let conflicts = named("conflicts", &fields.conflicts)?;
        let mut permissions = Vec::new();
        for permission in &fields.permissions {
            if !permissions.contains(permission) {
                permissions.push(permission.clone());
            }
        }
        let mut payload = BTreeMap::new();
        let blob = keep(&mut payload, "manifest.json", manifest)?;
        let host = fields.requirements.streamspace_version.as_deref();
        let document = Document {
            schema: SCHEMA,
            name: fields.name.clone(),
            version: fields.version.clone(),
            display_name: fields.display_name.clone(),
            description: fields.description.clone().filter(|text| !text.is_empty()),
            author: fields.author.clone().filter(|text| !text.is_empty()),
            license: fields.license.clone().filter(|text| !text.is_empty()),
            homepage: fields.homepage.clone().filter(|text| !text.is_empty()),
            host: host.and_then(|range| VersionReq::parse(range).ok()),
            permissions,
            dependencies,
            conflicts,
            manifest: blob,
            targets: Vec::new(),
            files: Vec::new(),
            sbom: None,
            signing_key_id: None,
            next_key: None,
            extensions: Extensions::default(),
        };
        Ok(Self { document, payload })
    }

    /// The plugin's name.
    #[must_use]
    pub fn name(&self) -> &PluginName {
        &self.document.name
    }

    /// The plugin's version.
    #[must_use]
    pub fn version(&self) -> &Version {
        &self.document.version
    }

    /// Adds a library. Order does not matter.
    ///
    /// # Errors
    ///
    /// [`PackageError::Input`] for a library of another plugin, version, or of a target that is no triple;
    /// [`PackageError::Io`] when it cannot be packed.
    pub fn library(&mut self, library: &Library<'_>) -> Result<&mut Self, PackageError> {
        let Library { file, bytes, facts, cpu, glibc_min } = library;
        let wrong = |expected: String, found: String| PackageError::Input {
            what: format!("the library {file}"),
            expected,
            found,
        };
        let wanted = format!("the library of {} {}", self.document.name, self.document.version);
        if *facts.name != *self.document.name.as_str() || *facts.version != self.document.version.to_string()
        {
            return Err(wrong(wanted, format!("that of {} {}", facts.name, facts.version)));
        }
        let triple: Triple = facts
            .target
            .parse()
            .map_err(|why: crate::NoMachine| wrong(why.expected.to_owned(), why.found))?;
        let sdk = Version::parse(&facts.sdk)
            .map_err(|_| wrong("the version of an SDK".to_owned(), facts.sdk.to_string()))?;
        let blob = keep(&mut self.payload, file, bytes)?;
        self.document.targets.push(Target {
            triple,
            cpu: *cpu,
            cpu_features: facts.cpu.iter().map(ToString::to_string).collect(),
            glibc_min: *glibc_min,
            rustc: facts.rustc.to_string(),
            panic: facts.panic.to_string(),
            sdk,
            abi: Abi::of(facts),
            library: PackedFile { path: (*file).to_owned(), blob },
        });
        Ok(self)
    }

    /// Adds another file. Order does not matter.
    ///
    /// # Errors
    ///
    /// [`PackageError::Io`] when it cannot be packed.
    pub fn file(&mut self, path: &str, bytes: &[u8]) -> Result<&mut Self, PackageError> {
        let blob = keep(&mut self.payload, path, bytes)?;
        self.document.files.push(PackedFile { path: path.to_owned(), blob });
        Ok(self)
    }

    /// Adds what it is made of: CycloneDX as JSON.
    ///
    /// # Errors
    ///
    /// [`PackageError::Io`] when it cannot be packed.
    pub fn sbom(&mut self, bytes: &[u8]) -> Result<&mut Self, PackageError> {
        self.document.sbom = Some(keep(&mut self.payload, crate::SBOM_PATH, bytes)?);
        Ok(self)
    }

    /// Says which key the vendor signs with.
    pub fn signing_key(&mut self, key: KeyId) -> &mut Self {
        self.document.signing_key_id = Some(key);
        self
    }

    /// Says which key the vendor will sign later versions with.
    pub fn next_key(&mut self, key: PublicKey) -> &mut Self {
        self.document.next_key = Some(key);
        self
    }

    /// Adds keys of the vendor's own, which begin with `x-`.
    pub fn extensions(&mut self, extensions: Map<String, Value>) -> &mut Self {
        self.document.extensions = Extensions(extensions);
        self
    }

    /// Builds the package.
    ///
    /// # Errors
    ///
    /// [`PackageError::Document`] for what breaks a rule: no library, two for one target, a path that is none.
    pub fn build(self) -> Result<Built, PackageError> {
        let Self { mut document, payload } = self;
        document.targets.sort_by(|a, b| (&a.triple, a.cpu).cmp(&(&b.triple, b.cpu)));
        document.files.sort_by(|a, b| a.path.cmp(&b.path));
        rules::check(&document)?;
        let bytes = document.to_bytes();
        // As every reader will read it: what cannot be read must not be signed.
        let read = Document::parse(&bytes)?;
        // Both headers, and room for signatures.
        let found = bytes.len() as u64 + 4 * tar::BLOCK + crate::signature::MAX_SIGNATURE_BYTES;
        if found > MAX_HEAD_BYTES {
            return Err(PackageError::TooLarge { what: "package.json", most: MAX_HEAD_BYTES, found });
        }
        Ok(Built { document: read, bytes, payload, signatures: Vec::new() })
    }
}

/// A package that was built, and can be signed and written.
#[derive(Debug)]
pub struct Built {
    document: Document,
    bytes: Vec<u8>,
    payload: BTreeMap<ContentHash, Vec<u8>>,
    signatures: Vec<Signature>,
}

impl Built {
    /// What it says of itself.
    #[must_use]
    pub fn document(&self) -> &Document {
        &self.document
    }

    /// The bytes to sign: `package.json`.
    #[must_use]
    pub fn document_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The hash of the package: the SHA-256 of `package.json`.
    #[must_use]
    pub fn hash(&self) -> ContentHash {
        ContentHash::of(&self.bytes)
    }

    /// `NAME-VERSION.sspkg`.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.{}", self.document.name, self.document.version, crate::EXTENSION)
    }

    /// Signs it. The comment of the signature says name and version.
    ///
    /// # Errors
    ///
    /// As [`SecretKey::sign`].
    pub fn sign(&mut self, key: &SecretKey) -> Result<(), PackageError> {
        let signature = key.sign(&self.bytes, &self.document.signature_comment())?;
        self.add_signature(signature)
    }

    /// Adds a signature that was made elsewhere, in place of an earlier one by the same key. It is not verified.
    ///
    /// # Errors
    ///
    /// [`PackageError::Input`] when there are too many.
    pub fn add_signature(&mut self, signature: Signature) -> Result<(), PackageError> {
        reader::add(&mut self.signatures, signature)
    }

    /// Writes it.
    ///
    /// # Errors
    ///
    /// [`PackageError::Io`].
    pub fn write(&self, mut out: impl Write) -> Result<(), PackageError> {
        let failed = || PackageError::io("write the package");
        out.write_all(&reader::head(&self.bytes, &self.signatures)).map_err(failed())?;
        for blob in self.document.blobs() {
            let packed = self.payload.get(&blob.sha256).expect("each blob was kept under its hash");
            out.write_all(&tar::header(&blob.entry(), blob.compressed_size)).map_err(failed())?;
            out.write_all(packed).map_err(failed())?;
            let padding = tar::padded(blob.compressed_size) - blob.compressed_size;
            out.write_all(&vec![0; padding as usize]).map_err(failed())?;
        }
        out.write_all(&[0; tar::END as usize]).map_err(failed())?;
        out.flush().map_err(failed())
    }
}

/// Other plugins, as the manifest names them under `key`.
fn named(
    key: &str,
    plugins: &BTreeMap<String, VersionReq>,
) -> Result<BTreeMap<PluginName, VersionReq>, PackageError> {
    let mut named = BTreeMap::new();
    for (name, range) in plugins {
        let name: PluginName = name.parse().map_err(|why| PackageError::Input {
            what: "manifest.json".to_owned(),
            expected: format!("the names of plugins in `{key}`"),
            found: format!("{why}"),
        })?;
        named.insert(name, range.clone());
    }
    Ok(named)
}

/// Packs bytes and keeps them under their hash.
fn keep(
    payload: &mut BTreeMap<ContentHash, Vec<u8>>,
    path: &str,
    bytes: &[u8],
) -> Result<Blob, PackageError> {
    if bytes.len() as u64 > rules::MAX_FILE_BYTES {
        return Err(PackageError::Input {
            what: path.to_owned(),
            expected: format!("at most {} bytes", rules::MAX_FILE_BYTES),
            found: bytes.len().to_string(),
        });
    }
    let (blob, packed) = blob::pack(bytes).map_err(PackageError::io(format!("pack {path}")))?;
    payload.insert(blob.sha256, packed);
    Ok(blob)
}
