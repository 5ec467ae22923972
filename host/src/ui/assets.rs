//! The files below a plugin's `ui/` folder that browsers are given.

use std::{
    collections::BTreeMap,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::UiError;
use crate::store::{self, asset_files, content_type};

/// A plugin's assets: what there was when it was loaded. Nothing else is ever opened.
#[derive(Debug, Default)]
pub struct Assets {
    /// The folder that they are in, which is named after its content.
    folder: PathBuf,
    /// By the path below `ui/`, with `/` between its segments.
    files: BTreeMap<String, &'static str>,
}

/// A file to be sent.
#[derive(Debug)]
pub struct Asset {
    /// The file.
    pub file: File,
    /// Where it is.
    pub path: PathBuf,
    /// Its media type.
    pub content_type: &'static str,
}

impl Assets {
    /// Those of an installed plugin, whose files are in `folder`.
    pub(crate) fn of(folder: &Path) -> Result<Self, UiError> {
        let files = asset_files(folder).map_err(UiError::Assets)?.into_iter().filter_map(|file| {
            let content_type = content_type(&file)?;
            Some((file, content_type))
        });
        Ok(Self { folder: folder.to_owned(), files: files.collect() })
    }

    /// What names the content: it is in the addresses, so that what is at one never changes.
    fn hash(&self) -> &str {
        self.folder.file_name().and_then(|name| name.to_str()).unwrap_or_default()
    }

    /// The path that one is served at, if it is there.
    pub(super) fn path_of(&self, plugin: &str, file: &str) -> Option<String> {
        let hash = self.hash();
        self.files.contains_key(file).then(|| format!("/api/plugins/ui/assets/{plugin}/{hash}/{file}"))
    }

    /// Opens one by its path below `ui/`. Blocks.
    ///
    /// # Errors
    ///
    /// The operating system's, or `NotFound`.
    pub fn open(&self, hash: &str, file: &str) -> io::Result<Asset> {
        let known = self.files.get(file).filter(|_| hash == self.hash());
        let content_type = *known.ok_or(io::ErrorKind::NotFound)?;
        let path = self.folder.join(store::ASSETS).join(file);
        let file = store::open_without_waiting(&path)?;
        if !file.metadata()?.is_file() {
            return Err(io::ErrorKind::NotFound.into());
        }
        Ok(Asset { file, path, content_type })
    }
}
