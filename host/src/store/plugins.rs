//! The installed plugins: their files, and their records in the database.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use streamspace_plugin::manifest::Manifest;

use super::{
    DataDir, Database, Generation, Operation, Record, SecretKeys, StoreError,
    data_dir::make_private_dir,
    error::failed,
    generations,
    import::library_name,
    operations,
    records::Records,
    regular::{is_file_name, read_bounded, within},
};

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
    ///
    /// # Errors
    ///
    /// [`StoreError::Database`].
    pub fn content(&self, name: &str) -> Result<Option<String>, StoreError> {
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
}
