//! Which versions of the plugins are kept, whether their files are as they were, and what is left of what was broken off.

use std::{collections::BTreeSet, fs, io, path::PathBuf};

use super::{
    Generation, Installed, Operation, Provenance, Record, Store, StoreError, files,
    generations::Generations,
    operations::Operations,
    plugins::{STAGING, failed, is_file_name},
};

/// What was found below `plugins/` that nothing names.
#[derive(Debug, Default)]
pub struct Swept {
    /// Folders that were removed.
    pub removed: Vec<PathBuf>,
    /// Folders of plugins that the database does not know at all. They stay: the database may be another one than theirs.
    pub unknown: Vec<PathBuf>,
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

    /// Forgets generations of a plugin beyond the current one and `keep` others, and removes their files.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn prune(&self, record: &Record, keep: usize) -> Result<(), StoreError> {
        let others = self.generations(&record.name)?;
        let others = others.iter().filter(|generation| generation.content != record.content);
        for generation in others.skip(keep) {
            // Files that nothing names are swept; a name without files would be offered.
            Generations(self.database()).remove(&record.name, &generation.content)?;
            self.discard(&record.name, &generation.content)?;
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

    /// What was begun and is not done.
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn begun(&self) -> Result<Vec<Operation>, StoreError> {
        Ok(Operations(self.database()).begun()?)
    }

    /// Removes what is below `plugins/` and named by nothing, of the plugins that the database knows and of those in `also`.
    /// What is named by `begun`, and is of another plugin, is left. Nothing may be on its way into the store.
    ///
    /// # Errors
    ///
    /// [`StoreError`].
    pub fn sweep(&self, also: &[String], begun: &[Operation]) -> Result<Swept, StoreError> {
        let mut swept = Swept::default();
        let known: BTreeSet<String> = self.names()?.into_iter().collect();
        for home in entries(&self.root)? {
            let name = home.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            let is_installed = known.contains(name);
            let is_known = is_installed || also.iter().any(|plugin| plugin == name);
            let mut named: BTreeSet<String> =
                self.generations(name)?.into_iter().map(|generation| generation.content).collect();
            if is_installed {
                named.extend(self.content(name)?);
            }
            if !also.iter().any(|plugin| plugin == name) {
                let of = begun.iter().filter(|operation| operation.plugin == name);
                named.extend(of.filter_map(|operation| operation.to.clone()));
            }
            for folder in entries(&home)? {
                let content = folder.file_name().and_then(|name| name.to_str()).unwrap_or_default();
                if content.starts_with(STAGING) || (is_known && !named.contains(content)) {
                    fs::remove_dir_all(&folder).map_err(failed("remove", &folder))?;
                    swept.removed.push(folder);
                } else if !is_known {
                    swept.unknown.push(folder);
                }
            }
            if !is_installed {
                // It stays if something is in it.
                let _ = fs::remove_dir(&home);
            }
        }
        Ok(swept)
    }
}

/// The folders in a folder.
fn entries(folder: &std::path::Path) -> Result<Vec<PathBuf>, StoreError> {
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
