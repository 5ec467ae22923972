//! Which versions of the plugins are kept, whether their files are as they were, and what is left of what was broken off.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use super::{
    Generation, Installed, Operation, Provenance, Record, Store, StoreError,
    error::failed,
    files,
    generations::Generations,
    import::STAGING,
    operations::Operations,
    regular::{is_file_name, sync_folder},
};

/// What was found below `plugins/` that nothing names.
#[derive(Debug, Default)]
pub struct Swept {
    /// Folders that were removed.
    pub removed: Vec<PathBuf>,
    /// Folders of plugins that the database does not know at all. They stay: the database may be another one than theirs.
    pub unknown: Vec<PathBuf>,
    /// Plugins of which something could not be removed, and why.
    pub failed: Vec<(String, StoreError)>,
}

impl Store {
    /// The versions of a plugin whose files are kept, the newest first. Empty for one that an older host installed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn generations(&self, plugin: &str) -> Result<Vec<Generation>, StoreError> {
        Ok(Generations(self.database()).of(plugin)?)
    }

    /// The generation of a record. One that an older host installed becomes one, as its files are now.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn generation_of(&self, record: &Record) -> Result<Generation, StoreError> {
        let all = self.generations(&record.name)?;
        if let Some(found) = all.into_iter().find(|generation| generation.content == record.content) {
            return Ok(found);
        }
        let generation = Generation {
            plugin: record.name.clone(),
            content: record.content.clone(),
            version: record.version.clone(),
            library: record.library.clone(),
            provenance: Provenance::FOLDER,
            files: files::hashes(&self.root.join(&record.name).join(&record.content))?,
            replaced: None,
            installed_us: record.installed_us,
        };
        Generations(self.database()).save(&generation)?;
        Ok(generation)
    }

    /// Sees that the files of a version are as they were installed.
    ///
    /// # Errors
    ///
    /// [`StoreError::Changed`] names the file.
    pub fn check(&self, generation: &Generation) -> Result<(), StoreError> {
        let folder = self.root.join(&generation.plugin).join(&generation.content);
        files::check(&generation.plugin, &folder, &generation.files)
    }

    /// A generation as if it were the installed version: `record` with what is the generation's.
    ///
    /// # Errors
    ///
    /// [`StoreError`] when its files cannot be read.
    pub fn as_installed(&self, record: &Record, generation: &Generation) -> Result<Installed, StoreError> {
        if !is_file_name(&generation.content) || !is_file_name(&generation.library) {
            let reason = "the names of a generation are no file names".to_owned();
            return Err(StoreError::Damaged { plugin: record.name.clone(), reason });
        }
        let mut plugin = self.read(Record {
            version: generation.version.clone(),
            content: generation.content.clone(),
            library: generation.library.clone(),
            ..record.clone()
        })?;
        plugin.record.permissions = plugin.manifest.permissions.iter().map(ToString::to_string).collect();
        Ok(plugin)
    }

    /// Forgets a generation. Its files are swept.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn forget_generation(&self, plugin: &str, content: &str) -> Result<(), StoreError> {
        Ok(Generations(self.database()).remove(plugin, content)?)
    }

    /// Forgets generations of a plugin beyond the `current` one and `keep` others, and removes their files.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn prune(&self, plugin: &str, current: &str, keep: usize) -> Result<(), StoreError> {
        let others = self.generations(plugin)?;
        let others = others.iter().filter(|generation| generation.content != current);
        for generation in others.skip(keep) {
            // Files that nothing names are swept; a name without files would be offered.
            Generations(self.database()).remove(plugin, &generation.content)?;
            self.discard(plugin, &generation.content)?;
        }
        Ok(())
    }

    /// The version that a plugin stays at.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn pin(&self, plugin: &str) -> Result<Option<String>, StoreError> {
        Ok(Generations(self.database()).pin(plugin)?)
    }

    /// Has a plugin stay at a version, or not any more.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn set_pin(&self, plugin: &str, version: Option<&str>) -> Result<(), StoreError> {
        Ok(Generations(self.database()).set_pin(plugin, version)?)
    }

    /// Writes down how far something has come.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn note(&self, operation: &Operation) -> Result<(), StoreError> {
        Ok(Operations(self.database()).note(operation)?)
    }

    /// Something is done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn done(&self, plugin: &str) -> Result<(), StoreError> {
        Ok(Operations(self.database()).done(plugin)?)
    }

    /// What was begun with a plugin and is not done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn begun_with(&self, plugin: &str) -> Result<Option<Operation>, StoreError> {
        Ok(Operations(self.database()).begun_with(plugin)?)
    }

    /// What was begun and is not done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn begun(&self) -> Result<Vec<Operation>, StoreError> {
        Ok(Operations(self.database()).begun()?)
    }

    /// Removes what is below `plugins/` and named by nothing, of the plugins that the database knows. What is named by `begun`
    /// is left. Nothing may be on its way into the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`]. What cannot be removed is no error: it stands in what is answered.
    pub fn sweep(&self, begun: &[Operation]) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let installed: BTreeSet<String> = self.names()?.into_iter().collect();
        for home in entries(&self.root)? {
            let name = home.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_installed = installed.contains(name);
            let mut named = self.named(name)?;
            let begun = begun.iter().filter(|operation| operation.plugin == name);
            named.extend(begun.filter_map(|operation| operation.to.clone()));
            if let Err(why) = sweep_home(&home, is_installed, &named, &mut swept) {
                swept.failed.push((name.to_owned(), why));
            }
            if !is_installed {
                // It stays if something is in it.
                let _ = fs::remove_dir(&home);
            }
        }
        sync_folder(&self.root)?;
        Ok(swept)
    }

    /// Removes what nothing names of one plugin, whether it is installed or not. Nothing of it may be on its way into the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`] names what cannot be removed.
    pub fn sweep_plugin(&self, plugin: &str) -> Result<(), StoreError> {
        let home = self.root.join(plugin);
        if !is_file_name(plugin) || !home.exists() {
            return Ok(());
        }
        sweep_home(&home, true, &self.named(plugin)?, &mut Swept::default())?;
        // It stays if something is in it.
        let _ = fs::remove_dir(&home);
        sync_folder(&self.root)
    }

    /// The folders of a plugin that the database names.
    fn named(&self, plugin: &str) -> Result<BTreeSet<String>, StoreError> {
        let generations = self.generations(plugin)?.into_iter().map(|generation| generation.content);
        Ok(generations.chain(self.content(plugin)?).collect())
    }
}

/// Removes what nothing names of one plugin, if the plugin is known. Goes on behind what cannot be removed, and answers with
/// the first of that.
fn sweep_home(
    home: &Path,
    is_known: bool,
    named: &BTreeSet<String>,
    swept: &mut Swept,
) -> Result<(), StoreError> {
    let mut result = Ok(());
    for folder in entries(home)? {
        let content = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if content.starts_with(STAGING) || (is_known && !named.contains(content)) {
            match fs::remove_dir_all(&folder).map_err(failed("remove", &folder)) {
                Ok(()) => swept.removed.push(folder),
                Err(why) => result = result.and(Err(why)),
            }
        } else if !is_known {
            swept.unknown.push(folder);
        }
    }
    sync_folder(home)?;
    result
}

/// The folders in a folder.
fn entries(folder: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    let listing = match fs::read_dir(folder) {
        Err(why) if why.kind() == io::ErrorKind::NotFound => return Ok(found),
        listing => listing.map_err(failed("read", folder))?,
    };
    for entry in listing {
        let entry = entry.map_err(failed("read", folder))?;
        if entry.file_type().map_err(failed("read", folder))?.is_dir() {
            found.push(entry.path());
        }
    }
    found.sort();
    Ok(found)
}
