//! From a package to a version's files.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
};

use streamspace_package::{Sink, Target, Verified};
use streamspace_plugin::manifest::Manifest;

use super::{
    Imported, Provenance, Store, StoreError, assets::asset_files, error::failed, migrations::migration_files,
};

/// What was signed, and by whom, beside the files: for whoever asks later.
pub(crate) const DOCUMENT: &str = "package.json";
const SIGNATURES: &str = "package.minisig";

impl Store {
    /// Unpacks what a package has for `target` into the store. The plugin is not installed before this is
    /// [written down](Self::commit).
    ///
    /// # Errors
    ///
    /// [`StoreError`] says which file, expected and found.
    pub fn unpack<S: Read + Seek>(
        &self,
        package: &mut Verified<S>,
        target: &Target,
        manifest: &Manifest,
        provenance: Provenance,
    ) -> Result<Imported, StoreError> {
        self.put(manifest, provenance, |library, staging| {
            if target.library.path != library {
                return Err(StoreError::File {
                    path: PathBuf::from(&target.library.path),
                    expected: format!("the library {library}, as the manifest names it"),
                    found: "another name in the package".to_owned(),
                });
            }
            let mut sink = ReadOnly(staging);
            package.unpack(target, |_| true, &mut sink).map_err(Box::new)?;
            let beside = [
                (DOCUMENT, package.document_bytes().to_vec()),
                (SIGNATURES, package.signature_text().into_bytes()),
            ];
            for (name, bytes) in beside {
                let mut write = || {
                    let mut file = sink.create(name, bytes.len() as u64)?;
                    file.write_all(&bytes)?;
                    sink.close(name, file)
                };
                write().map_err(failed("write", &staging.join(name)))?;
            }
            // What a folder would be refused for, a package is refused for.
            migration_files(staging)?;
            asset_files(staging)?;
            Ok(())
        })
    }
}

/// Files below a folder, which cannot be written to once they are there.
struct ReadOnly<'a>(&'a Path);

impl Sink for ReadOnly<'_> {
    type File = File;

    fn create(&mut self, path: &str, _: u64) -> io::Result<File> {
        let path = self.0.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn close(&mut self, _: &str, mut file: File) -> io::Result<()> {
        file.flush()?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)
    }
}
