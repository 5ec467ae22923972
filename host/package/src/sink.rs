//! Where the files of a package go.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// Takes the files of a package.
///
/// What was written is not known to be right before [`Verified::unpack`](crate::Verified::unpack) answers: if it fails, all
/// of it is to be thrown away.
pub trait Sink {
    /// A file that is being written.
    type File: Write;

    /// Begins a file of `size` bytes at a path of the package: relative, with `/`, and harmless on every system.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn create(&mut self, path: &str, size: u64) -> io::Result<Self::File>;

    /// Ends a file: all of it was written and its hash is the one that was signed.
    ///
    /// # Errors
    ///
    /// What the system says.
    fn close(&mut self, path: &str, file: Self::File) -> io::Result<()>;
}

/// Files in memory.
impl Sink for BTreeMap<String, Vec<u8>> {
    type File = Vec<u8>;

    fn create(&mut self, _: &str, _: u64) -> io::Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn close(&mut self, path: &str, file: Vec<u8>) -> io::Result<()> {
        self.insert(path.to_owned(), file);
        Ok(())
    }
}

/// Files in a folder, which is there, and which nobody else may write to.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
}

impl Folder {
    /// Files go below `root`. A file that is there already is not written to: it is an error.
    #[must_use]
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// The folder.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.root
    }
}

impl Sink for Folder {
    type File = File;

    fn create(&mut self, path: &str, _: u64) -> io::Result<File> {
        let path = self.root.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        OpenOptions::new().write(true).create_new(true).open(path)
    }

    fn close(&mut self, _: &str, mut file: File) -> io::Result<()> {
        file.flush()?;
        file.sync_all()
    }
}
