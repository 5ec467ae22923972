//! A plugin's folder that a test may spoil.

use std::{
    env, fs,
    path::{Path, PathBuf},
};

/// A copy of a plugin's folder.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    library: PathBuf,
}

impl Folder {
    pub(crate) fn copy(plugin: &Path, path: PathBuf) -> Self {
        copy_all(plugin, &path);
        let files = fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path());
        let is_library = |file: &PathBuf| file.to_str().unwrap().ends_with(env::consts::DLL_SUFFIX);
        let library = files.into_iter().find(is_library).unwrap();
        Self { path, library }
    }

    /// Where it is, as the command line takes it.
    ///
    /// # Panics
    ///
    /// When it is no text.
    #[must_use]
    pub fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// Where its library is, or is to be.
    #[must_use]
    pub fn library(&self) -> &Path {
        &self.library
    }

    /// Its library's bytes.
    ///
    /// # Panics
    ///
    /// When there are none.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        fs::read(&self.library).unwrap()
    }

    /// Changes its library. The file is another one then: the old one may be loaded.
    ///
    /// # Panics
    ///
    /// When it cannot be written.
    pub fn change(&self, change: impl FnOnce(&mut Vec<u8>)) {
        let mut bytes = self.bytes();
        change(&mut bytes);
        fs::remove_file(&self.library).unwrap();
        fs::write(&self.library, bytes).unwrap();
    }
}

/// Copies a folder, with those in it.
fn copy_all(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy_all(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Replaces a text wherever it is in a library, by one that is as long.
///
/// # Panics
///
/// When it is not there, or the other one is longer or shorter.
pub fn replace(library: &mut [u8], text: &str, by: &str) {
    assert_eq!(text.len(), by.len());
    let places: Vec<usize> = library
        .windows(text.len())
        .enumerate()
        .filter(|(_, at)| *at == text.as_bytes())
        .map(|(at, _)| at)
        .collect();
    assert!(!places.is_empty(), "`{text}` is not in the library");
    for at in places {
        library[at..at + by.len()].copy_from_slice(by.as_bytes());
    }
}
