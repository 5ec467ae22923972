//! What has come of a package: a file beside which stands how to tell whether the server's is still the same one.

use std::{
    fs::{self, File, OpenOptions},
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use sha2::{Digest, Sha256};

use super::{
    fetch::{FetchError, failed},
    index::PackageFile,
};
use crate::{
    hex::hex,
    progress::Progress,
    store::{open_without_waiting, read_bounded, write_private},
};

/// How much is read of a file at a time, in bytes.
const CHUNK: usize = 256 * 1024;
/// The longest validator, in bytes.
pub(super) const MAX_VALIDATOR: usize = 256;

/// What has come of a package.
pub(super) struct Part<'a> {
    pub(super) wanted: &'a PackageFile,
    path: PathBuf,
    validator: PathBuf,
    file: File,
}

impl<'a> Part<'a> {
    /// Opens it for this process alone.
    pub(super) fn open(folder: &Path, wanted: &'a PackageFile) -> Result<Self, FetchError> {
        let path = folder.join(format!("{}.part", wanted.sha256));
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).read(true).write(true);
        #[cfg(unix)]
        {
            use std::os::unix::fs::OpenOptionsExt;
            options.mode(0o600);
        }
        let file = options.open(&path).map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(fs::TryLockError::WouldBlock) => return Err(FetchError::Busy { path }),
            Err(fs::TryLockError::Error(why)) => return Err(failed("lock", &path)(why)),
        }
        let validator = folder.join(format!("{}.validator", wanted.sha256));
        let part = Self { wanted, path, validator, file };
        if part.have()? > wanted.size {
            part.empty()?;
        }
        Ok(part)
    }

    pub(super) fn have(&self) -> Result<u64, FetchError> {
        Ok(self.file.metadata().map_err(failed("read", &self.path))?.len())
    }

    pub(super) fn empty(&self) -> Result<(), FetchError> {
        self.file.set_len(0).map_err(failed("write", &self.path))
    }

    pub(super) fn append(&mut self, bytes: &[u8]) -> Result<(), FetchError> {
        let written = self.file.seek(SeekFrom::End(0)).and_then(|_| self.file.write_all(bytes));
        written.map_err(failed("write", &self.path))
    }

    pub(super) fn validator(&self) -> Option<String> {
        let bytes = read_bounded(&self.validator, MAX_VALIDATOR as u64).ok()?;
        String::from_utf8(bytes).ok()
    }

    pub(super) fn note_validator(&self, validator: Option<&str>) -> Result<(), FetchError> {
        match validator {
            Some(validator) => {
                write_private(&self.validator, validator.as_bytes()).map_err(failed("write", &self.validator))
            }
            None => {
                let _ = fs::remove_file(&self.validator);
                Ok(())
            }
        }
    }

    /// Copies a file of this machine.
    pub(super) fn copy(&mut self, from: &Path, progress: &dyn Progress) -> Result<(), FetchError> {
        let mut source = open_without_waiting(from).map_err(failed("read", from))?;
        let found = source.metadata().map_err(failed("read", from))?;
        if !found.is_file() || found.len() != self.wanted.size {
            let expected = self.wanted.size;
            return Err(FetchError::Size { from: from.display().to_string(), expected, found: found.len() });
        }
        self.empty()?;
        let mut buffer = vec![0; CHUNK];
        let mut have = 0;
        loop {
            let count = source.read(&mut buffer).map_err(failed("read", from))?;
            have += count as u64;
            if count == 0 || have > self.wanted.size {
                return Ok(());
            }
            self.append(&buffer[..count])?;
            progress.at(have);
        }
    }

    pub(super) fn hash(&mut self, progress: &dyn Progress) -> Result<String, FetchError> {
        hash(&mut self.file, &self.path, self.wanted.size, progress)
    }

    /// Makes it the whole file.
    pub(super) fn finish(self, whole: &Path) -> Result<(), FetchError> {
        self.file.sync_all().map_err(failed("write", &self.path))?;
        fs::rename(&self.path, whole).map_err(failed("write", whole))?;
        let _ = fs::remove_file(&self.validator);
        Ok(())
    }

    pub(super) fn remove(&self) {
        // What stays behind is gone on with, or found to be wrong.
        let _ = fs::remove_file(&self.path);
        let _ = fs::remove_file(&self.validator);
    }
}

pub(super) fn hash(
    file: &mut File,
    path: &Path,
    size: u64,
    progress: &dyn Progress,
) -> Result<String, FetchError> {
    file.seek(SeekFrom::Start(0)).map_err(failed("read", path))?;
    progress.begin("Verifying", size);
    let (mut hasher, mut buffer, mut done) = (Sha256::new(), vec![0; CHUNK], 0);
    let result = loop {
        match file.read(&mut buffer) {
            Ok(0) => break Ok(hex(&hasher.finalize())),
            Ok(count) => {
                hasher.update(&buffer[..count]);
                done += count as u64;
                progress.at(done);
            }
            Err(why) => break Err(failed("read", path)(why)),
        }
    };
    progress.end();
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_validator_that_this_host_has_not_written_is_not_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let hash = "0".repeat(64);
        let wanted: PackageFile = serde_json::from_value(serde_json::json!({
            "path": "a.sspkg", "sha256": hash, "size": 10, "package": hash,
        }))
        .expect("a package");
        let part = Part::open(folder.path(), &wanted).expect("a part");
        assert_eq!(part.validator(), None);
        part.note_validator(Some("\"1\"")).expect("it is written");
        assert_eq!(part.validator().as_deref(), Some("\"1\""));
        fs::write(&part.validator, vec![b'x'; MAX_VALIDATOR + 1]).expect("it is written");
        assert_eq!(part.validator(), None);
    }
}
