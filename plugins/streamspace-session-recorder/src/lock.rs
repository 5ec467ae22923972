//! What says to other processes, and to another version of this plugin, that somebody is at a recording.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io,
    path::PathBuf,
};

/// A file that is locked as long as a recording runs. The lock is gone when the process is, however it ended.
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// None if somebody else has it.
    pub(crate) fn take(path: PathBuf) -> io::Result<Option<Self>> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
        match file.try_lock() {
            Ok(()) => Ok(Some(Self { path, _file: file })),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(why),
        }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is swept up with other orphans.
        let _ = fs::remove_file(&self.path);
    }
}
