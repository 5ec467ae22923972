//! From a package to a version's files.

use std::{
    cell::Cell,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, Write},
    path::{Path, PathBuf},
    rc::Rc,
};

use streamspace_package::{Sink, Target, Verified};
use streamspace_plugin::manifest::Manifest;

use super::{
    Imported, Provenance, Store, StoreError, assets::asset_files, error::failed, migrations::migration_files,
};
use crate::progress::Progress;

/// What was signed, and by whom, beside the files: for whoever asks later.
pub(crate) const DOCUMENT: &str = "package.json";
const SIGNATURES: &str = "package.minisig";

impl Store {
    /// Unpacks what a package has for `target` into the store, and tells how far that is. The plugin is not installed before
    /// this is [written down](Self::commit).
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
        progress: &dyn Progress,
    ) -> Result<Imported, StoreError> {
        self.put(manifest, provenance, |library, staging| {
            if target.library.path != library {
                return Err(StoreError::File {
                    path: PathBuf::from(&target.library.path),
                    expected: format!("the library {library}, as the manifest names it"),
                    found: "another name in the package".to_owned(),
                });
            }
            let mut sink = ReadOnly { folder: staging, progress, done: Rc::default() };
            let document = package.document();
            let bytes = document.unpacked(target).map(|(_, blob)| blob.size).sum();
            progress.begin(&format!("Unpacking {} {}", document.name, document.version), bytes);
            let unpacked = package.unpack(target, |_| true, &mut sink);
            progress.end();
            unpacked.map_err(Box::new)?;
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
struct ReadOnly<'a> {
    folder: &'a Path,
    progress: &'a dyn Progress,
    /// The bytes of all files that are written.
    done: Rc<Cell<u64>>,
}

/// A file, and how far all of them are.
struct Counted<'a> {
    file: File,
    progress: &'a dyn Progress,
    done: Rc<Cell<u64>>,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = self.file.write(bytes)?;
        self.done.set(self.done.get() + count as u64);
        self.progress.at(self.done.get());
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl<'a> Sink for ReadOnly<'a> {
    type File = Counted<'a>;

    fn create(&mut self, path: &str, _: u64) -> io::Result<Counted<'a>> {
        let path = self.folder.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = OpenOptions::new().write(true).create_new(true).open(path)?;
        Ok(Counted { file, progress: self.progress, done: Rc::clone(&self.done) })
    }

    fn close(&mut self, _: &str, Counted { mut file, .. }: Counted<'a>) -> io::Result<()> {
        file.flush()?;
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        file.set_permissions(permissions)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;

    #[derive(Debug, Default)]
    struct Told(Mutex<Vec<u64>>);

    impl Progress for Told {
        fn begin(&self, _: &str, _: u64) {}

        fn at(&self, bytes: u64) {
            self.0.lock().expect("nobody panics with it").push(bytes);
        }

        fn end(&self) {}
    }

    #[test]
    fn what_is_told_counts_all_files() {
        let (folder, told) = (tempfile::tempdir().expect("a folder"), Told::default());
        let mut sink = ReadOnly { folder: folder.path(), progress: &told, done: Rc::default() };
        for (path, bytes) in [("a", &b"12345"[..]), ("below/b", b"678"), ("empty", b"")] {
            let mut file = sink.create(path, bytes.len() as u64).expect("a file");
            file.write_all(bytes).expect("written");
            sink.close(path, file).expect("closed");
            let at = folder.path().join(path);
            assert_eq!(fs::read(&at).expect("a file"), bytes);
            assert!(fs::metadata(at).expect("a file").permissions().readonly());
        }
        assert_eq!(*told.0.lock().expect("nobody panics with it"), [5, 8]);
    }
}
