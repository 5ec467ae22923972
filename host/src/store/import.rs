//! Files of a version on their way into the store, and out of it.
//!
//! ```text
//! filled beside its place ──▶ on the disk ──▶ moved into its place ──▶ on the disk     only then a row may name it
//! ```

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde_json::Map;
use streamspace_plugin::manifest::Manifest;

use super::{
    Generation, Provenance, Record, Store, StoreError,
    assets::{ASSETS, MAX_ASSET_BYTES, asset_files},
    data_dir::{make_private_dir, sync},
    error::failed,
    files::{self, FileHashes},
    migrations::{MAX_MIGRATION_BYTES, migration_files},
    regular::{copy, is_file_name, sync_folder, within},
};
use crate::clock;

/// The largest library that is installed, in bytes.
const MAX_LIBRARY_BYTES: u64 = 512 * 1024 * 1024;
/// What the names of folders begin with that are being filled.
pub(super) const STAGING: &str = ".staging-";
/// The largest other file that is installed, in bytes.
const MAX_FILE_BYTES: u64 = 8 * 1024 * 1024;

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

impl Store {
    /// Copies the files of a plugin's folder into the store. The plugin is not installed before this is
    /// [written down](Self::commit).
    ///
    /// # Errors
    ///
    /// [`StoreError`] says which file, expected and found.
    pub fn import(&self, folder: &Path, manifest: &Manifest) -> Result<Imported, StoreError> {
        self.put(manifest, Provenance::FOLDER, |library, staging| copy_in(folder, manifest, library, staging))
    }

    /// Puts the files of a version into the store: `fill` puts them into a folder that is empty.
    pub(super) fn put(
        &self,
        manifest: &Manifest,
        provenance: Provenance,
        fill: impl FnOnce(&str, &Path) -> Result<(), StoreError>,
    ) -> Result<Imported, StoreError> {
        let library = library_name(manifest)?;
        let home = self.root.join(manifest.name.as_str());
        make_private_dir(&home).map_err(failed("make the folder", &home))?;
        let put = || -> Result<_, StoreError> {
            let staging = tempfile::Builder::new()
                .prefix(STAGING)
                .tempdir_in(&home)
                .map_err(failed("make a folder in", &home))?;
            fill(&library, staging.path())?;
            let files = files::hashes(staging.path())?;
            let content = files::content(&files);
            self.place(staging, &manifest.name, &content, &files)?;
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
            replaced: None,
            installed_us: now,
        };
        Ok(Imported { record, generation, manifest: manifest.clone(), library: path })
    }

    /// Moves a folder that was filled to its place, and waits until it is there also after a power cut.
    fn place(
        &self,
        staging: tempfile::TempDir,
        plugin: &str,
        content: &str,
        files: &FileHashes,
    ) -> Result<(), StoreError> {
        let home = self.root.join(plugin);
        let target = home.join(content);
        if target.exists() {
            match files::check(plugin, &target, files) {
                // It may be loaded: it is left as it is.
                Ok(()) => {}
                Err(why @ StoreError::Changed { .. }) => {
                    self.discard(plugin, content)?;
                    // Something names it: what is there was installed once, and is not what it was.
                    if target.exists() {
                        return Err(why);
                    }
                }
                Err(why) => return Err(why),
            }
        }
        if !target.exists() {
            sync(staging.path()).map_err(failed("write", staging.path()))?;
            fs::rename(staging.path(), &target).map_err(failed("move into place", &target))?;
            // It is not there any more to be removed.
            let _ = staging.keep();
        }
        sync_folder(&home)?;
        sync_folder(&self.root)
    }

    /// Removes a version's files, unless something names them.
    pub(super) fn discard(&self, plugin: &str, content: &str) -> Result<(), StoreError> {
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
        sync_folder(if home.exists() { &home } else { &self.root })
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
            Err(why) if why.kind() == io::ErrorKind::NotFound => {}
            result => result.map_err(failed("remove", &home))?,
        }
        // Before the journal forgets that they were to go.
        sync_folder(&self.root)
    }
}

/// Copies those of a folder's files that make a plugin into an empty folder.
fn copy_in(folder: &Path, manifest: &Manifest, library: &str, staging: &Path) -> Result<(), StoreError> {
    let copy_file = |file: &Path, limit: u64| {
        let target = staging.join(file);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed("make the folder", parent))?;
        }
        copy(&folder.join(file), &target, limit)
    };
    copy(&within(folder, "manifest.json")?, &staging.join("manifest.json"), MAX_FILE_BYTES)?;
    copy(&within(folder, library)?, &staging.join(library), MAX_LIBRARY_BYTES)?;
    for file in migration_files(folder)? {
        copy_file(&file, MAX_MIGRATION_BYTES)?;
    }
    for file in asset_files(folder)? {
        copy_file(&Path::new(ASSETS).join(file), MAX_ASSET_BYTES)?;
    }
    let icon = manifest.icon.as_deref().filter(|icon| is_file_name(icon));
    for extra in ["README.md"].into_iter().chain(icon) {
        let path = within(folder, extra)?;
        // One of them may be the other, or the manifest.
        if path.is_file() && !staging.join(extra).exists() {
            copy(&path, &staging.join(extra), MAX_FILE_BYTES)?;
        }
    }
    Ok(())
}

/// The file name of a plugin's library on this operating system.
pub(super) fn library_name(manifest: &Manifest) -> Result<String, StoreError> {
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
