//! Packages that came over the network and wait for consent: `DATA_DIR/incoming`.

use std::{
    fs, io,
    path::{Path, PathBuf},
    time::SystemTime,
};

use super::{StoreError, data_dir::make_private_dir, error::failed, regular::is_file_name};

/// The most that wait at a time; the oldest goes for another.
const MOST: usize = 8;

/// The folder of packages that wait.
#[derive(Debug, Clone)]
pub struct Incoming(PathBuf);

impl Incoming {
    /// That of a data folder. Touches nothing yet.
    #[must_use]
    pub fn new(data_dir: &Path) -> Self {
        Self(data_dir.join("incoming"))
    }

    /// A file for a package that is coming. It goes when it is dropped.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn begin(&self) -> Result<tempfile::NamedTempFile, StoreError> {
        make_private_dir(&self.0).map_err(failed("make the folder", &self.0))?;
        tempfile::NamedTempFile::new_in(&self.0).map_err(failed("make a file in", &self.0))
    }

    /// Keeps a package that has come whole, by the SHA-256 of the file.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn keep(&self, file: tempfile::NamedTempFile, hash: &str) -> Result<(), StoreError> {
        let path = self.0.join(hash);
        file.as_file().sync_all().map_err(failed("write", &path))?;
        file.persist(&path).map_err(|why| failed("write", &path)(why.error))?;
        let mut waiting = self.waiting()?;
        waiting.sort();
        while waiting.len() > MOST {
            let (_, oldest) = waiting.remove(0);
            remove(&oldest)?;
        }
        Ok(())
    }

    /// The file of a package that waits.
    #[must_use]
    pub fn find(&self, hash: &str) -> Option<PathBuf> {
        let path = self.0.join(hash);
        (is_file_name(hash) && hash.len() == 64 && path.is_file()).then_some(path)
    }

    /// Forgets a package.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn remove(&self, hash: &str) -> Result<(), StoreError> {
        self.find(hash).map_or(Ok(()), |path| remove(&path))
    }

    /// Forgets all.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`].
    pub fn clear(&self) -> Result<(), StoreError> {
        match fs::remove_dir_all(&self.0) {
            Err(why) if why.kind() != io::ErrorKind::NotFound => Err(failed("remove", &self.0)(why)),
            _ => Ok(()),
        }
    }

    fn waiting(&self) -> Result<Vec<(SystemTime, PathBuf)>, StoreError> {
        let mut found = Vec::new();
        for entry in fs::read_dir(&self.0).map_err(failed("read", &self.0))? {
            let entry = entry.map_err(failed("read", &self.0))?;
            if entry.file_name().len() == 64 {
                let time = entry.metadata().and_then(|metadata| metadata.modified());
                found.push((time.unwrap_or(SystemTime::UNIX_EPOCH), entry.path()));
            }
        }
        Ok(found)
    }
}

fn remove(path: &Path) -> Result<(), StoreError> {
    match fs::remove_file(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(why)),
        _ => Ok(()),
    }
}
