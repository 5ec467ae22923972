//! Files that say that something is in hand.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    path::PathBuf,
};

/// A file that is locked as long as something runs: other processes, and another version of this plugin, see that it does. The lock is
/// gone when the process is, however it ended.
pub(crate) struct Lock {
    path: PathBuf,
    _file: File,
}

impl Lock {
    /// None if somebody else has it.
    pub(crate) fn take(path: PathBuf) -> std::io::Result<Option<Self>> {
        loop {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            match file.try_lock() {
                // Whoever had it may have removed it in between: a lock that nobody else finds is none.
                Ok(()) if is_there(&file, &path)? => return Ok(Some(Self { path, _file: file })),
                Ok(()) => {}
                Err(TryLockError::WouldBlock) => return Ok(None),
                Err(TryLockError::Error(why)) => return Err(why),
            }
        }
    }
}

/// Whether a path is this file's.
fn is_there(file: &File, path: &std::path::Path) -> std::io::Result<bool> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt;
        let of = file.metadata()?;
        match fs::metadata(path) {
            Ok(found) => Ok((found.dev(), found.ino()) == (of.dev(), of.ino())),
            Err(why) if why.kind() == std::io::ErrorKind::NotFound => Ok(false),
            Err(why) => Err(why),
        }
    }
    #[cfg(not(unix))]
    {
        // A file that is open is not removed there.
        let _ = (file, path);
        Ok(true)
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that stays is swept up with other orphans.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_and_then_another() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let take = || Lock::take(path.clone()).expect("no fault");
        let first = take().expect("nobody has it");
        assert!(take().is_none());
        drop(first);
        assert!(!path.exists());
        assert!(take().is_some());
    }

    #[test]
    fn a_file_that_is_not_there_any_more_locks_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.lock");
        let old = File::create(&path).expect("a file");
        assert!(is_there(&old, &path).expect("no fault"));
        fs::remove_file(&path).expect("removed");
        assert!(!is_there(&old, &path).expect("no fault"));
        let _new = File::create(&path).expect("a file");
        assert!(!is_there(&old, &path).expect("no fault"));
    }
}
