//! Packages of the built plugins, in other versions and spoilt where a test wants that, and vendors that sign them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde_json::Value;
use streamspace_package::{Builder, Built, KeyId, Library, PublicKey, SecretKey};

use crate::{Builds, note_in, replace};

/// Somebody who signs packages.
#[derive(Debug)]
pub struct Vendor {
    /// The key that signs.
    pub secret: SecretKey,
    /// The key that verifies.
    pub public: PublicKey,
}

impl Default for Vendor {
    fn default() -> Self {
        Self::new()
    }
}

impl Vendor {
    /// One with a new key.
    ///
    /// # Panics
    ///
    /// When there are no random numbers.
    #[must_use]
    pub fn new() -> Self {
        let new = SecretKey::generate(None).unwrap();
        Self { secret: SecretKey::from_file_text(&new.secret_file, None).unwrap(), public: new.public }
    }

    /// The id of the key.
    #[must_use]
    pub fn id(&self) -> String {
        self.public.id().to_string()
    }

    /// The key as text.
    #[must_use]
    pub fn key(&self) -> String {
        self.public.to_string()
    }
}

/// A package that is being made of a built plugin.
#[derive(Debug)]
pub struct Packing {
    folder: PathBuf,
    manifest: Value,
    library: Vec<u8>,
    /// What the package says of the library is what this one says.
    said: Vec<u8>,
    files: Vec<(String, Vec<u8>)>,
    signing_key: Option<KeyId>,
    next_key: Option<PublicKey>,
}

impl Packing {
    /// Of a built plugin, as it is.
    ///
    /// # Panics
    ///
    /// When a file of it cannot be read.
    #[must_use]
    pub fn of(builds: &Builds, plugin: &str) -> Self {
        let folder = builds.plugin(plugin).to_owned();
        let manifest: Value =
            serde_json::from_slice(&fs::read(folder.join("manifest.json")).unwrap()).unwrap();
        let library = fs::read(crate::library_in(&folder)).unwrap();
        let mut files = Vec::new();
        for part in ["README.md", "migrations", "ui"] {
            collect(&folder, Path::new(part), &mut files);
        }
        Self { folder, manifest, said: library.clone(), library, files, signing_key: None, next_key: None }
    }

    /// In another version, of as many letters.
    #[must_use]
    pub fn version(mut self, version: &str) -> Self {
        let before = self.manifest["version"].as_str().unwrap().to_owned();
        self.manifest["version"] = version.into();
        let said = |version: &str| format!("\"version\":\"{version}\"");
        if before != version {
            for library in [&mut self.library, &mut self.said] {
                replace(library, &said(&before), &said(version));
            }
        }
        self
    }

    /// With another manifest.
    #[must_use]
    pub fn manifest(mut self, change: impl FnOnce(&mut Value)) -> Self {
        change(&mut self.manifest);
        self
    }

    /// With another library, of which the package says what it would say of the one before.
    #[must_use]
    pub fn library(mut self, change: impl FnOnce(&mut Vec<u8>)) -> Self {
        change(&mut self.library);
        self
    }

    /// With another file.
    #[must_use]
    pub fn file(mut self, path: &str, content: &str) -> Self {
        self.files.push((path.to_owned(), content.as_bytes().to_vec()));
        self
    }

    /// As of this vendor.
    #[must_use]
    pub fn of_vendor(mut self, vendor: &Vendor) -> Self {
        self.signing_key = Some(vendor.public.id());
        self
    }

    /// With the announcement that later versions will be signed by this one.
    #[must_use]
    pub fn announcing(mut self, next: &Vendor) -> Self {
        self.next_key = Some(next.public.clone());
        self
    }

    /// Built, and not signed.
    ///
    /// # Panics
    ///
    /// When it cannot be built.
    #[must_use]
    pub fn build(self) -> Built {
        let mut builder = Builder::new(self.manifest.to_string().as_bytes()).unwrap();
        let file = crate::library_in(&self.folder);
        let facts = serde_json::from_slice(&self.said[note_in(&self.said)]).unwrap();
        let library = Library {
            file: file.file_name().unwrap().to_str().unwrap(),
            bytes: &self.library,
            facts: &facts,
            cpu: None,
            glibc_min: None,
        };
        builder.library(&library).unwrap();
        for (path, content) in &self.files {
            builder.file(path, content).unwrap();
        }
        if let Some(key) = self.signing_key {
            builder.signing_key(key);
        }
        if let Some(key) = self.next_key {
            builder.next_key(key);
        }
        builder.build().unwrap()
    }

    /// Built, signed by these, and written into a folder. Answers with the file.
    ///
    /// # Panics
    ///
    /// When it cannot be built or written.
    #[must_use]
    pub fn write(self, folder: &Path, vendors: &[&Vendor]) -> PathBuf {
        let mut built = self.build();
        for vendor in vendors {
            built.sign(&vendor.secret).unwrap();
        }
        let path = folder.join(built.file_name());
        built.write(fs::File::create(&path).unwrap()).unwrap();
        path
    }
}

fn collect(root: &Path, below: &Path, files: &mut Vec<(String, Vec<u8>)>) {
    let path = root.join(below);
    if path.is_file() {
        files.push((below.to_str().unwrap().to_owned(), fs::read(&path).unwrap()));
    }
    for entry in fs::read_dir(&path).into_iter().flatten() {
        collect(root, &below.join(entry.unwrap().file_name()), files);
    }
}
