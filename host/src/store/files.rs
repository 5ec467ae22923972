//! The files of a version: whether they are those that were put there.

use std::{
    collections::BTreeMap,
    fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{StoreError, error::failed, regular::open_regular};
use crate::hex::hex;

/// The SHA-256 of each file, by its path in the folder with `/` between the segments.
pub(super) type FileHashes = BTreeMap<String, String>;

/// The largest file that is read, in bytes: what a library may have.
const MAX_BYTES: u64 = 512 * 1024 * 1024;
/// The most files of one version.
const MAX_FILES: usize = 10_000;

/// Sees that the files in a folder are these, each as it was, and no other.
///
/// # Errors
///
/// [`StoreError::Changed`] names the first that is not; [`StoreError::Io`] when one cannot be read.
pub(super) fn check(plugin: &str, folder: &Path, files: &FileHashes) -> Result<(), StoreError> {
    let changed = |path: PathBuf, expected: String, found: String| StoreError::Changed {
        plugin: plugin.to_owned(),
        path,
        expected,
        found,
    };
    for (name, expected) in files {
        let path = folder.join(name);
        let found = match fs::symlink_metadata(&path) {
            Ok(metadata) if metadata.is_file() => format!("SHA-256 {}", hash(&path)?),
            Ok(_) => "something that is no file".to_owned(),
            Err(why) if why.kind() == io::ErrorKind::NotFound => "no file".to_owned(),
            Err(why) => return Err(failed("read", &path)(why)),
        };
        let expected = format!("SHA-256 {expected}");
        if found != expected {
            return Err(changed(path, expected, found));
        }
    }
    let surplus = list(folder)?.into_iter().find(|name| !files.contains_key(name));
    match surplus {
        Some(name) => Err(changed(folder.join(name), "no file".to_owned(), "one".to_owned())),
        None => Ok(()),
    }
}

/// The hashes of the files in a folder, as they are now.
pub(super) fn hashes(folder: &Path) -> Result<FileHashes, StoreError> {
    list(folder)?.into_iter().map(|name| Ok((name.clone(), hash(&folder.join(name))?))).collect()
}

/// What a version is named after: the SHA-256 over the paths and the hashes of its files.
pub(super) fn content(files: &FileHashes) -> String {
    let mut content = Sha256::new();
    for (path, hash) in files {
        for part in [path, hash] {
            content.update(part.as_bytes());
            content.update([0]);
        }
    }
    hex(&content.finalize())
}

/// The SHA-256 of a regular file, in hexadecimal.
fn hash(path: &Path) -> Result<String, StoreError> {
    let mut file = open_regular(path, MAX_BYTES)?.take(MAX_BYTES);
    let mut hash = Sha256::new();
    io::copy(&mut file, &mut HashWriter(&mut hash)).map_err(failed("read", path))?;
    Ok(hex(&hash.finalize()))
}

/// What is written is hashed.
struct HashWriter<'a>(&'a mut Sha256);

impl io::Write for HashWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Everything in a folder that is no folder, by its path in it with `/` between the segments.
fn list(folder: &Path) -> Result<Vec<String>, StoreError> {
    let mut found = Vec::new();
    let mut folders = vec![String::new()];
    while let Some(below) = folders.pop() {
        let path = folder.join(&below);
        for entry in fs::read_dir(&path).map_err(failed("read", &path))? {
            let entry = entry.map_err(failed("read", &path))?;
            let name = entry.file_name();
            let name = name.to_string_lossy();
            let name = if below.is_empty() { name.into_owned() } else { format!("{below}/{name}") };
            if entry.file_type().map_err(failed("read", &path))?.is_dir() {
                folders.push(name);
            } else {
                found.push(name);
            }
            if found.len() + folders.len() > MAX_FILES {
                return Err(StoreError::File {
                    path: folder.to_owned(),
                    expected: format!("at most {MAX_FILES} files and folders"),
                    found: "more".to_owned(),
                });
            }
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a folder");
        fs::create_dir(folder.path().join("ui")).expect("a folder");
        for name in ["manifest.json", "ui/a.js"] {
            fs::write(folder.path().join(name), name).expect("a file");
        }
        folder
    }

    /// The file that is named, and what was found there.
    fn refused(folder: &Path, files: &FileHashes) -> (String, String) {
        match check("it", folder, files) {
            Err(StoreError::Changed { path, found, .. }) => {
                let name = path.strip_prefix(folder).expect("below the folder");
                (name.to_string_lossy().into_owned(), found)
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_was_not_changed_passes() {
        let folder = folder();
        let files = hashes(folder.path()).expect("readable");
        assert_eq!(files.keys().collect::<Vec<_>>(), ["manifest.json", "ui/a.js"]);
        check("it", folder.path(), &files).expect("they are those");
    }

    #[test]
    fn a_file_that_was_changed_removed_or_added_is_named() {
        let folder = folder();
        let files = hashes(folder.path()).expect("readable");
        let path = folder.path().join("ui/a.js");
        fs::write(&path, "other").expect("a file");
        let (name, found) = refused(folder.path(), &files);
        assert_eq!(name, "ui/a.js");
        assert!(found.starts_with("SHA-256 "), "{found}");
        fs::remove_file(&path).expect("removed");
        assert_eq!(refused(folder.path(), &files), ("ui/a.js".to_owned(), "no file".to_owned()));
        fs::write(&path, "ui/a.js").expect("a file");
        fs::write(folder.path().join("ui/b.js"), "").expect("a file");
        assert_eq!(refused(folder.path(), &files), ("ui/b.js".to_owned(), "one".to_owned()));
    }

    #[cfg(unix)]
    #[test]
    fn a_link_to_the_same_bytes_is_no_file() {
        let folder = folder();
        let files = hashes(folder.path()).expect("readable");
        let (path, aside) = (folder.path().join("manifest.json"), folder.path().with_extension("aside"));
        fs::rename(&path, &aside).expect("moved");
        std::os::unix::fs::symlink(&aside, &path).expect("a link");
        assert_eq!(refused(folder.path(), &files).1, "something that is no file");
        fs::remove_file(aside).expect("removed");
    }
}
