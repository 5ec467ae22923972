//! The data folder, and who owns it.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::hex::hex;

/// The folders and files that a restored backup replaces.
const REPLACED: [&str; 5] =
    ["streamspace.db", "streamspace.db-wal", "streamspace.db-shm", "plugins", "plugin-data"];
/// What the name of a folder ends with that has what is to take their place: as long as they are moved out of the way, and as
/// long as it is moved into their place.
const INCOMING: &str = ".incoming";
const READY: &str = ".ready";

/// What the names of files begin with that are being written.
const HALF_WRITTEN: &str = ".writing-";

/// Why the data folder is not usable.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// A file or folder in it cannot be used.
    #[error("cannot {what} {}: {source}. Check who owns the data folder (`data_dir`)", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// Another host runs on it.
    #[error("another host runs on the data folder {}: stop it first, or choose another `data_dir`", path.display())]
    InUse {
        /// The folder.
        path: PathBuf,
    },
    /// A file in it does not hold what it should.
    #[error("{} is damaged: {reason}. Delete it; a running host writes it anew", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

/// Where a running host is to be reached.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Server {
    /// Address and port.
    pub address: std::net::SocketAddr,
    /// Its process id.
    pub pid: u32,
}

/// The data folder.
#[derive(Debug, Clone)]
pub struct DataDir(PathBuf);

/// Held while a host, or a command that changes something, owns the folder.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "kept for its drop, which releases the lock")] File);

impl DataDir {
    /// Makes the folder if it is not there, readable by its owner alone.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when it cannot be made.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        make_private_dir(path).map_err(failed("make the folder", path))?;
        Ok(Self(path.to_owned()))
    }

    /// One that is there, to look into it: nothing is made.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when there is none, or it cannot be read.
    pub fn existing(path: &Path) -> Result<Self, DataDirError> {
        fs::read_dir(path).map_err(failed("read the folder", path))?;
        Ok(Self(path.to_owned()))
    }

    /// Whether a restore was broken off in it: what is there is not what whoever [takes it](Self::try_lock) will find.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when it cannot be read.
    pub fn is_half_restored(&self) -> Result<bool, DataDirError> {
        let names = fs::read_dir(&self.0).and_then(|entries| {
            entries
                .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
                .collect::<io::Result<Vec<_>>>()
        });
        let names = names.map_err(failed("read the folder", &self.0))?;
        Ok(names.iter().any(|name| name.ends_with(INCOMING) || name.ends_with(READY)))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Takes the folder for this process, until the lock is dropped. `None` if another process has it. A restore that was
    /// broken off is brought to its end.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when the lock file cannot be used.
    pub fn try_lock(&self) -> Result<Option<Lock>, DataDirError> {
        let path = self.0.join("streamspace.lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(failed("open", &path))?;
        match file.try_lock() {
            Ok(()) => {
                self.finish_replacing().map_err(failed("bring a restore to its end in", &self.0))?;
                remove_half_written(&self.0).map_err(failed("remove what was half written in", &self.0))?;
                Ok(Some(Lock(file)))
            }
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(why)) => Err(failed("lock", &path)(why)),
        }
    }

    /// Replaces what is kept in the folder by what is in `from`, a folder in it. What was there goes to the folder `before` in
    /// it. Once it has begun, it is brought to its end, if need be when the folder is taken the next time.
    pub(crate) fn replace(&self, from: &Path, before: &str) -> io::Result<()> {
        sync(from)?;
        fs::rename(from, self.0.join(format!("{before}{INCOMING}")))?;
        self.finish_replacing()
    }

    fn finish_replacing(&self) -> io::Result<()> {
        for entry in fs::read_dir(&self.0)? {
            let entry = entry?;
            let (path, name) = (entry.path(), entry.file_name());
            let Some(name) = name.to_str() else { continue };
            if let Some(before) = name.strip_suffix(INCOMING) {
                // Nothing of it is in place yet: all that is there is what was there before.
                File::open(&self.0)?.sync_all()?;
                move_all(&self.0, &self.0.join(before))?;
                let ready = self.0.join(format!("{before}{READY}"));
                fs::rename(&path, &ready)?;
                self.move_in(&ready)?;
            } else if name.ends_with(READY) {
                self.move_in(&path)?;
            }
        }
        Ok(())
    }

    fn move_in(&self, ready: &Path) -> io::Result<()> {
        File::open(&self.0)?.sync_all()?;
        move_all(ready, &self.0)?;
        File::open(&self.0)?.sync_all()?;
        fs::remove_dir_all(ready)
    }

    /// The administrator's token: 64 hexadecimal digits, made at the first start.
    ///
    /// # Errors
    ///
    /// [`DataDirError`] when it cannot be read or made.
    pub fn admin_token(&self) -> Result<String, DataDirError> {
        let path = self.0.join("admin.token");
        match fs::read_to_string(&path) {
            Ok(token) if token.trim().len() == 64 => return Ok(token.trim().to_owned()),
            Ok(_) => {
                return Err(DataDirError::Damaged {
                    path,
                    reason: "expected 64 hexadecimal digits".to_owned(),
                });
            }
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            Err(why) => return Err(failed("read", &path)(why)),
        }
        let mut random = [0_u8; 32];
        getrandom::fill(&mut random)
            .map_err(|why| failed("make random bytes for", &path)(io::Error::other(why.to_string())))?;
        let token = hex(&random);
        write_private(&path, token.as_bytes()).map_err(failed("write", &path))?;
        Ok(token)
    }

    /// The token of a host that runs or ran here.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when it cannot be read.
    pub fn read_admin_token(&self) -> Result<String, DataDirError> {
        let path = self.0.join("admin.token");
        fs::read_to_string(&path).map(|token| token.trim().to_owned()).map_err(failed("read", &path))
    }

    /// Writes down where this host listens.
    ///
    /// # Errors
    ///
    /// [`DataDirError::Io`] when it cannot be written.
    pub fn write_server(&self, server: &Server) -> Result<(), DataDirError> {
        let path = self.0.join("server.json");
        let text = serde_json::to_vec(server).unwrap_or_default();
        write_private(&path, &text).map_err(failed("write", &path))
    }

    /// Where the host that runs here listens, if it has written it down.
    ///
    /// # Errors
    ///
    /// [`DataDirError`] when it is there and cannot be read.
    pub fn read_server(&self) -> Result<Option<Server>, DataDirError> {
        let path = self.0.join("server.json");
        match fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text)
                .map(Some)
                .map_err(|why| DataDirError::Damaged { path, reason: why.to_string() }),
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(why) => Err(failed("read", &path)(why)),
        }
    }

    /// Forgets where this host listened.
    pub fn remove_server(&self) {
        // A file that stays behind is told from a running host by the lock.
        let _ = fs::remove_file(self.0.join("server.json"));
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> DataDirError {
    let path = path.to_owned();
    move |source| DataDirError::Io { what, path, source }
}

/// Makes a folder and its parents; the folder itself is its owner's alone.
pub(crate) fn make_private_dir(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    match builder.create(path) {
        Err(why) if why.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    }
}

/// Moves what a backup replaces from one folder to another.
fn move_all(from: &Path, to: &Path) -> io::Result<()> {
    for name in REPLACED {
        let path = from.join(name);
        if path.try_exists()? {
            make_private_dir(to)?;
            fs::rename(path, to.join(name))?;
        }
    }
    Ok(())
}

/// Waits until a folder, and all that is in it, is on the disk.
pub(super) fn sync(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            sync(&entry?.path())?;
        }
    }
    File::open(path)?.sync_all()
}

/// Makes a temporary folder in `parent` that is its owner's alone, whatever is put into it with whichever mode.
pub(crate) fn make_temporary_dir(parent: &Path, prefix: &str) -> io::Result<tempfile::TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix(prefix);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o700));
    }
    builder.tempdir_in(parent)
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new("."));
    // Temporary files are made with mode 0600.
    let mut file = tempfile::Builder::new().prefix(HALF_WRITTEN).tempfile_in(parent)?;
    file.write_all(content)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|why| why.error)?;
    // The rename itself survives a power cut once the folder is written.
    File::open(parent)?.sync_all()
}

/// Removes what a kill has left of [`write_private`] in a folder. It may hold a secret.
pub(crate) fn remove_half_written(folder: &Path) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let is_file = entry.file_type()?.is_file();
        if is_file && entry.file_name().to_str().is_some_and(|name| name.starts_with(HALF_WRITTEN)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn put(folder: &Path, names: &[&str], content: &str) {
        fs::create_dir_all(folder).expect("a folder");
        for name in names {
            fs::write(folder.join(name), content).expect("written");
        }
    }

    fn found(folder: &Path) -> Vec<(String, String)> {
        let read = |name: &&str| Some(((*name).to_owned(), fs::read_to_string(folder.join(name)).ok()?));
        REPLACED.iter().filter_map(read).collect()
    }

    fn all(names: &[&str], content: &str) -> Vec<(String, String)> {
        names.iter().map(|name| ((*name).to_owned(), content.to_owned())).collect()
    }

    #[test]
    fn a_restore_that_was_broken_off_is_brought_to_its_end() {
        let old = ["streamspace.db", "streamspace.db-wal", "plugins"];
        let new = ["streamspace.db", "plugins", "plugin-data"];
        // What is out of the way, and what is in place, when it is broken off.
        for (out, placed) in [(0, 0), (1, 0), (2, 0), (3, 0), (3, 1), (3, 2), (3, 3)] {
            let folder = tempfile::tempdir().expect("a folder");
            let data = DataDir::open(folder.path()).expect("a data folder");
            let before = folder.path().join("before-restore-x");
            let is_ready = placed > 0;
            let incoming =
                folder.path().join(format!("before-restore-x{}", if is_ready { READY } else { INCOMING }));
            put(folder.path(), &old[out..], "old");
            put(&before, &old[..out], "old");
            put(folder.path(), &new[..placed], "new");
            put(&incoming, &new[placed..], "new");
            put(&incoming, &["postgres.dump"], "loaded already");
            let _lock = data.try_lock().expect("it is brought to its end").expect("it is free");
            assert_eq!(found(folder.path()), all(&new, "new"), "{out} {placed}");
            assert_eq!(found(&before), all(&old, "old"), "{out} {placed}");
            assert!(!incoming.exists(), "{out} {placed}");
        }
    }

    #[test]
    fn what_was_half_written_goes_when_the_folder_is_taken() {
        let folder = tempfile::tempdir().expect("a folder");
        let data = DataDir::open(folder.path()).expect("a data folder");
        let name = format!("{HALF_WRITTEN}x");
        put(folder.path(), &[&name, "admin.token"], "a secret");
        let _lock = data.try_lock().expect("it is free").expect("it is free");
        assert!(!folder.path().join(name).exists());
        assert!(folder.path().join("admin.token").exists());
    }

    #[test]
    fn a_temporary_folder_is_its_owners_alone() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = make_temporary_dir(parent.path(), ".x-").expect("a folder");
        let mode = fs::metadata(folder.path()).expect("the folder").permissions().mode() & 0o777;
        assert_eq!(mode, 0o700);
    }
}
