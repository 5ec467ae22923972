//! The installed plugins: their files, and their records in the database.

use std::{
    fs::{self, File},
    io::{self, Read, Write},
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use serde_json::Map;
use sha2::{Digest, Sha256};
use streamspace_plugin::manifest::{Manifest, ManifestError};

use super::{
    DataDir, Database, DatabaseError, Generation, Operation, Provenance, Record, SecretError, SecretKeys,
    assets::{ASSETS, MAX_ASSET_BYTES, asset_files},
    data_dir::{make_private_dir, sync},
    files, generations,
    migrations::{MAX_MIGRATION_BYTES, migration_files},
    operations,
    records::{RecordError, Records},
};
use crate::{clock, hex::hex};

/// The largest library that is installed, in bytes.
const MAX_LIBRARY_BYTES: u64 = 512 * 1024 * 1024;
/// What the names of folders begin with that are being filled.
pub(super) const STAGING: &str = ".staging-";
/// The largest other file that is installed, in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

/// Why the store did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A file cannot be used.
    #[error("cannot {what} {}: {source}", path.display())]
    Io {
        /// What was tried.
        what: &'static str,
        /// On what.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The manifest is not one.
    #[error("{}: {source}", path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        source: ManifestError,
    },
    /// The library is not where it should be.
    #[error(
        "the plugin's library is missing: expected {}. Build it, or name it in the manifest's `entrypoints.library`",
        path.display()
    )]
    NoLibrary {
        /// Where it was looked for.
        path: PathBuf,
    },
    /// A file is not acceptable.
    #[error("{} is not acceptable: expected {expected}, found {found}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What was expected.
        expected: String,
        /// What was found.
        found: String,
    },
    /// What the database knows of it cannot be had.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// The database cannot be used.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The keys for secrets cannot be had.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// A package cannot be unpacked.
    #[error(transparent)]
    Package(#[from] Box<streamspace_package::PackageError>),
    /// A file is not as it was installed.
    #[error(
        "a file of the plugin `{plugin}` is not as it was installed: {}: expected {expected}, found {found}. Nothing of it \
         is loaded. Find out who changed it; then uninstall the plugin and install it again, or go back to a version that \
         is kept with `streamspace plugin rollback {plugin}`",
        path.display()
    )]
    Changed {
        /// The plugin.
        plugin: String,
        /// The file.
        path: PathBuf,
        /// What was installed.
        expected: String,
        /// What is there.
        found: String,
    },
    /// A record leads elsewhere.
    #[error(
        "the record of the plugin `{plugin}` is damaged: {reason}. Restore a backup, or uninstall the plugin"
    )]
    Damaged {
        /// The plugin.
        plugin: String,
        /// What is wrong.
        reason: String,
    },
}

impl StoreError {
    /// Whether the plugin is there and only cannot be read: it can be uninstalled.
    #[must_use]
    pub fn is_damage(&self) -> bool {
        match self {
            Self::Damaged { .. }
            | Self::Changed { .. }
            | Self::Manifest { .. }
            | Self::Io { .. }
            | Self::NoLibrary { .. } => true,
            Self::Record(why) => !matches!(why, RecordError::Database(_)),
            Self::File { .. } | Self::Package(_) | Self::Database(_) | Self::Secret(_) => false,
        }
    }
}

/// An installed plugin: its record and what its files say.
#[derive(Debug, Clone)]
pub struct Installed {
    /// The record.
    pub record: Record,
    /// The manifest.
    pub manifest: Manifest,
    /// The library's path.
    pub library: PathBuf,
}

/// A version whose files are in the store, and that is not installed yet.
#[derive(Debug)]
pub struct Imported {
    /// Its record, as of a plugin that was not there before.
    pub record: Record,
    /// Its files, and who answers for them.
    pub generation: Generation,
    /// Its manifest.
    pub manifest: Manifest,
    /// The library's path.
    pub library: PathBuf,
}

/// One plugin of a list.
#[derive(Debug)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// What is known of it, or why nothing is.
    pub plugin: Result<Installed, StoreError>,
}

/// The installed plugins of one data folder.
#[derive(Debug)]
pub struct Store {
    pub(super) root: PathBuf,
    records: Records,
}

impl Store {
    /// The store of a data folder and its database.
    ///
    /// # Errors
    ///
    /// [`StoreError::Io`] when its folder cannot be made, [`StoreError::Secret`] without a key for secrets.
    pub fn open(data: &DataDir, database: Arc<Database>) -> Result<Self, StoreError> {
        let root = data.path().join("plugins");
        make_private_dir(&root).map_err(failed("make the folder", &root))?;
        Ok(Self { root, records: Records::new(database, SecretKeys::open(data.path())?) })
    }

    /// The store of a data folder and a copy of its database, to look into it: nothing is made in the folder.
    ///
    /// # Errors
    ///
    /// [`StoreError::Secret`] for a key for secrets that cannot be used.
    pub fn look_into(data: &DataDir, copy: Arc<Database>) -> Result<Self, StoreError> {
        let keys = SecretKeys::find(data.path())?.unwrap_or_else(SecretKeys::none);
        Ok(Self { root: data.path().join("plugins"), records: Records::new(copy, keys) })
    }

    /// The database that it is in.
    #[must_use]
    pub fn database(&self) -> &Arc<Database> {
        self.records.database()
    }

    /// Reads the manifest of a plugin's folder.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not there or not one.
    pub fn read_manifest(folder: &Path) -> Result<Manifest, StoreError> {
        let path = within(folder, "manifest.json")?;
        let text = read_bounded(&path, streamspace_plugin::manifest::MAX_BYTES as u64)?;
        Manifest::parse(&text).map_err(|source| StoreError::Manifest { path, source })
    }

    /// The library in a plugin's folder.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is not there, or a link that leads out of the folder.
    pub fn library_in(folder: &Path, manifest: &Manifest) -> Result<PathBuf, StoreError> {
        let library = within(folder, &library_name(manifest)?)?;
        if library.exists() { Ok(library) } else { Err(StoreError::NoLibrary { path: library }) }
    }

    /// Copies the files of a plugin's folder into the store. The plugin is not installed before this is
    /// [written down](Self::commit).
    ///
    /// # Errors
    ///
    /// [`StoreError`] says which file, expected and found.
    pub fn import(&self, folder: &Path, manifest: &Manifest) -> Result<Imported, StoreError> {
        self.put(manifest, Provenance::FOLDER, |library, staging| copy_in(folder, manifest, library, staging))
    }

    /// Puts the files of a version into the store: `fill` puts them into a folder that is empty, and answers with the
    /// name that their content gives it.
    pub(super) fn put(
        &self,
        manifest: &Manifest,
        provenance: Provenance,
        fill: impl FnOnce(&str, &Path) -> Result<String, StoreError>,
    ) -> Result<Imported, StoreError> {
        let library = library_name(manifest)?;
        let home = self.root.join(manifest.name.as_str());
        make_private_dir(&home).map_err(failed("make the folder", &home))?;
        let put = || -> Result<_, StoreError> {
            let staging = tempfile::Builder::new()
                .prefix(STAGING)
                .tempdir_in(&home)
                .map_err(failed("make a folder in", &home))?;
            let content = fill(&library, staging.path())?;
            let files = files::hashes(staging.path())?;
            place(staging, &home, &content)?;
            Ok((content, files))
        };
        let (content, files) = put().inspect_err(|_| {
            // It stays if another version is in it.
            let _ = fs::remove_dir(&home);
        })?;
        let now = clock::unix_time_us();
        let record = Record {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            content: content.clone(),
            library: library.clone(),
            enabled: true,
            quarantine: None,
            config: Map::new(),
            permissions: manifest.permissions.iter().map(ToString::to_string).collect(),
            installed_us: now,
        };
        let path = home.join(&content).join(&library);
        let generation = Generation {
            plugin: record.name.clone(),
            content,
            version: record.version.clone(),
            library,
            provenance,
            files,
            installed_us: now,
        };
        Ok(Imported { record, generation, manifest: manifest.clone(), library: path })
    }

    /// Removes a version's files, unless something names them: those that were put there and are not to be installed, or
    /// are not kept any more.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when they cannot be removed.
    pub fn discard(&self, plugin: &str, content: &str) -> Result<(), StoreError> {
        if !is_file_name(plugin) || !is_file_name(content) {
            return Ok(());
        }
        let is_kept = self.generations(plugin)?.iter().any(|generation| generation.content == content);
        if is_kept || self.content(plugin)?.as_deref() == Some(content) {
            return Ok(());
        }
        let home = self.root.join(plugin);
        let files = home.join(content);
        match fs::remove_dir_all(&files) {
            // Somebody else installed, and was refused, the same.
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(failed("remove", &files))?,
        }
        // It stays if another version is in it.
        let _ = fs::remove_dir(&home);
        Ok(())
    }

    /// Writes a record down that was changed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Record`].
    pub fn save(&self, record: &Record) -> Result<(), StoreError> {
        Ok(self.records.save(record)?)
    }

    /// Writes down which version is installed, and how far `operation` has come with that: both or neither. With the first
    /// record, the plugin is installed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Record`].
    pub fn commit(
        &self,
        record: &Record,
        generation: Option<&Generation>,
        operation: &Operation,
    ) -> Result<(), StoreError> {
        Ok(self.records.save_and(record, |connection| {
            if let Some(generation) = generation {
                generations::save(connection, generation)?;
            }
            operations::note(connection, operation)
        })?)
    }

    /// What a plugin was granted, and when, microseconds since 1970-01-01 UTC.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn grants(&self, name: &str) -> Result<Vec<(String, u64)>, StoreError> {
        Ok(self.records.grants(name)?)
    }

    /// Keeps a plugin from being started until it is enabled again.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn quarantine(&self, name: &str, reason: &str) -> Result<(), StoreError> {
        Ok(self.records.quarantine(name, reason)?)
    }

    /// Seals all secrets with a new key, and forgets the old one. Answers how many were sealed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Record`]; both keys are kept then, and it can be repeated.
    pub fn rotate_key(&self) -> Result<usize, StoreError> {
        Ok(self.records.rotate_key()?)
    }

    /// The installed plugins, by name. What is damaged is an error of its own and hides no other.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let plugins = self.records.names()?.into_iter().filter_map(|name| {
            // One that was removed meanwhile is not in the list.
            let plugin = self.get(&name).transpose()?;
            Some(Listed { name, plugin })
        });
        Ok(plugins.collect())
    }

    /// An installed plugin; `None` if there is none of this name.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when it is damaged, or the database cannot be used.
    pub fn get(&self, name: &str) -> Result<Option<Installed>, StoreError> {
        // A name from outside becomes a path here.
        if !is_file_name(name) {
            return Ok(None);
        }
        let Some(record) = self.records.get(name)? else { return Ok(None) };
        if record.name != name || !is_file_name(&record.content) || !is_file_name(&record.library) {
            let reason = "its names are not those of its folder".to_owned();
            return Err(StoreError::Damaged { plugin: name.to_owned(), reason });
        }
        self.read(record).map(Some)
    }

    /// The folder of a version's files.
    #[must_use]
    pub fn folder(&self, plugin: &str, content: &str) -> PathBuf {
        self.root.join(plugin).join(content)
    }

    /// The record of an installed plugin, whatever its files are.
    ///
    /// # Errors
    ///
    /// [`StoreError::Record`].
    pub fn record(&self, name: &str) -> Result<Option<Record>, StoreError> {
        Ok(self.records.get(name)?)
    }

    /// The names of the installed plugins, in order.
    pub(super) fn names(&self) -> Result<Vec<String>, StoreError> {
        Ok(self.records.names()?)
    }

    /// The folder of a plugin's files, whether they can be read or not.
    pub(super) fn content(&self, name: &str) -> Result<Option<String>, StoreError> {
        Ok(self.records.content(name)?)
    }

    /// What the files of a record say.
    pub(super) fn read(&self, record: Record) -> Result<Installed, StoreError> {
        let folder = self.root.join(&record.name).join(&record.content);
        let manifest = Self::read_manifest(&folder)?;
        let library = folder.join(&record.library);
        Ok(Installed { record, manifest, library })
    }

    /// Removes a plugin's record, and writes down how far `operation` has come with that: both or neither.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn forget(&self, operation: &Operation) -> Result<(), StoreError> {
        Ok(self
            .records
            .remove_and(&operation.plugin, |connection| operations::note(connection, operation))?)
    }

    /// Removes the files of a plugin that was forgotten. A library that is loaded stays mapped.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when something cannot be removed.
    pub fn remove_files(&self, name: &str) -> Result<(), StoreError> {
        if !is_file_name(name) {
            return Ok(());
        }
        let home = self.root.join(name);
        match fs::remove_dir_all(&home) {
            Err(why) if why.kind() == io::ErrorKind::NotFound => Ok(()),
            result => result.map_err(failed("remove", &home)),
        }
    }
}

/// Moves a folder that was filled to its place below `home`.
fn place(staging: tempfile::TempDir, home: &Path, content: &str) -> Result<(), StoreError> {
    let target = home.join(content);
    // A folder of this name holds these very bytes, and may be loaded: it is left as it is.
    if target.exists() {
        return Ok(());
    }
    sync(staging.path()).map_err(failed("write", staging.path()))?;
    fs::rename(staging.path(), &target).map_err(failed("move into place", &target))?;
    // It is not there any more to be removed.
    let _ = staging.keep();
    sync_folder(home)
}

/// Copies a plugin's files into an empty folder, and answers with the hash of those that make the plugin what it is.
fn copy_in(folder: &Path, manifest: &Manifest, library: &str, staging: &Path) -> Result<String, StoreError> {
    let mut hash = Sha256::new();
    copy(&within(folder, "manifest.json")?, &staging.join("manifest.json"), MAX_FILE_BYTES, &mut hash)?;
    copy(&within(folder, library)?, &staging.join(library), MAX_LIBRARY_BYTES, &mut hash)?;
    for file in migration_files(folder)? {
        // Its name says when it is run.
        copy_named(folder, staging, &file, MAX_MIGRATION_BYTES, &mut hash)?;
    }
    for file in asset_files(folder)? {
        // Its name says where it is found.
        copy_named(folder, staging, &Path::new(ASSETS).join(file), MAX_ASSET_BYTES, &mut hash)?;
    }
    let icon = manifest.icon.as_deref().filter(|icon| is_file_name(icon));
    for extra in ["README.md"].into_iter().chain(icon) {
        let path = within(folder, extra)?;
        if path.is_file() {
            copy(&path, &staging.join(extra), MAX_FILE_BYTES, &mut hash)?;
        }
    }
    Ok(hex(&hash.finalize()))
}

/// Copies a file by its path in the plugin's folder, which is a part of the hash.
fn copy_named(
    folder: &Path,
    staging: &Path,
    file: &Path,
    limit: u64,
    hash: &mut Sha256,
) -> Result<(), StoreError> {
    let target = staging.join(file);
    if let Some(parent) = target.parent() {
        fs::create_dir_all(parent).map_err(failed("make the folder", parent))?;
    }
    hash.update(file.to_string_lossy().as_bytes());
    hash.update([0]);
    copy(&folder.join(file), &target, limit, hash)
}

/// The file name of a plugin's library on this operating system.
fn library_name(manifest: &Manifest) -> Result<String, StoreError> {
    let stem = match &manifest.entrypoints.library {
        Some(name) if !is_file_name(name) => {
            return Err(StoreError::File {
                path: PathBuf::from(name),
                expected: "a file name in `entrypoints.library`".to_owned(),
                found: "a path".to_owned(),
            });
        }
        Some(name) if name.ends_with(std::env::consts::DLL_SUFFIX) => return Ok(name.clone()),
        Some(stem) => stem.clone(),
        None => manifest.name.replace('-', "_"),
    };
    Ok(format!("{}{stem}{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX))
}

/// Whether `name` is the name of one file and no way to another folder.
pub(super) fn is_file_name(name: &str) -> bool {
    let mut components = Path::new(name).components();
    matches!((components.next(), components.next()), (Some(Component::Normal(only)), None) if only == name)
        && !name.contains(['\\', '\0'])
}

/// Reads a regular file of at most `limit` bytes.
pub(crate) fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let file = open_regular(path, limit)?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).map_err(failed("read", path))?;
    if content.len() as u64 > limit {
        return Err(too_large(path, limit, "more"));
    }
    Ok(content)
}

/// Copies a regular file of at most `limit` bytes to a new, read-only one, and hashes it on the way.
fn copy(from: &Path, to: &Path, limit: u64, hash: &mut Sha256) -> Result<(), StoreError> {
    let mut source = open_regular(from, limit)?.take(limit + 1);
    let mut target = File::create_new(to).map_err(failed("write", to))?;
    let mut buffer = vec![0; 64 * 1024];
    let mut copied = 0;
    loop {
        let count = source.read(&mut buffer).map_err(failed("read", from))?;
        let Some(part) = buffer.get(..count).filter(|part| !part.is_empty()) else { break };
        copied += count as u64;
        if copied > limit {
            return Err(too_large(from, limit, "more"));
        }
        hash.update(part);
        target.write_all(part).map_err(failed("write", to))?;
    }
    target.sync_all().map_err(failed("write", to))?;
    let mut permissions = target.metadata().map_err(failed("read", to))?.permissions();
    permissions.set_readonly(true);
    target.set_permissions(permissions).map_err(failed("protect", to))
}

/// A file in a folder. One that is a link stays in it too: nobody's files are to get into the store by a name in it.
pub(super) fn within(folder: &Path, name: &str) -> Result<PathBuf, StoreError> {
    let path = folder.join(name);
    match fs::symlink_metadata(&path) {
        Ok(metadata) if metadata.is_symlink() => {}
        // What is not there is found out where it is read.
        _ => return Ok(path),
    }
    let folder = folder.canonicalize().map_err(failed("read", folder))?;
    let target = path.canonicalize().map_err(failed("follow the link", &path))?;
    if target.starts_with(&folder) {
        return Ok(path);
    }
    Err(StoreError::File {
        path,
        expected: "a file in the folder".to_owned(),
        found: format!("a link to {}", target.display()),
    })
}

pub(crate) fn open_regular(path: &Path, limit: u64) -> Result<File, StoreError> {
    let check = |metadata: fs::Metadata| {
        if !metadata.is_file() {
            return Err(StoreError::File {
                path: path.to_owned(),
                expected: "a regular file".to_owned(),
                found: "something else".to_owned(),
            });
        }
        if metadata.len() > limit {
            return Err(too_large(path, limit, &metadata.len().to_string()));
        }
        Ok(())
    };
    // Before opening, since opening some devices does something; and after, for what was put there in between.
    check(fs::metadata(path).map_err(failed("read", path))?)?;
    let file = open_without_waiting(path).map_err(failed("read", path))?;
    check(file.metadata().map_err(failed("read", path))?)?;
    Ok(file)
}

/// Opens a file for reading, and waits for nothing: not for the writer of a FIFO.
pub(crate) fn open_without_waiting(path: &Path) -> io::Result<File> {
    let mut options = File::options();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.custom_flags(rustix::fs::OFlags::NONBLOCK.bits() as i32);
    }
    options.open(path)
}

fn too_large(path: &Path, limit: u64, found: &str) -> StoreError {
    StoreError::File {
        path: path.to_owned(),
        expected: format!("at most {limit} bytes"),
        found: found.to_owned(),
    }
}

fn sync_folder(path: &Path) -> Result<(), StoreError> {
    File::open(path).and_then(|folder| folder.sync_all()).map_err(failed("write", path))
}

pub(super) fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_leads_elsewhere_is_no_file_name() {
        for name in ["a", "a.so", "lib-a_1.so"] {
            assert!(is_file_name(name), "{name}");
        }
        for name in ["", ".", "..", "a/b", "/a", "a/", "./a", "a\\b", "a\0"] {
            assert!(!is_file_name(name), "{name}");
        }
    }
}
