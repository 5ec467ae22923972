//! What of a plugin's folder goes into its package, beside the manifest and the libraries.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use streamspace_plugin::manifest::Manifest;

use super::PackagingError;
use crate::store::{ASSETS, asset_files, migration_files, read_bounded};

/// Files that are packed if they are there.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", "config.example.json"];
/// The largest of them, in bytes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// The paths of the files, in order, with `/` between folders.
///
/// # Errors
///
/// [`PackagingError::Files`] for migrations and assets that the host would refuse.
pub fn packed_files(folder: &Path, manifest: &Manifest) -> Result<Vec<String>, PackagingError> {
    let icon = manifest.icon.as_deref().filter(|icon| !icon.contains("://"));
    let documents = DOCUMENTS.into_iter().chain(icon).map(str::to_owned);
    let mut files: Vec<String> = documents.filter(|file| folder.join(file).is_file()).collect();
    let slashed = |path: PathBuf| {
        let parts = path.components().map(|part| part.as_os_str().to_string_lossy().into_owned());
        parts.collect::<Vec<_>>().join("/")
    };
    files.extend(migration_files(folder)?.into_iter().map(slashed));
    files.extend(asset_files(folder)?.into_iter().map(|file| format!("{ASSETS}/{file}")));
    files.sort();
    files.dedup();
    Ok(files)
}

/// The files with their bytes.
///
/// # Errors
///
/// As [`packed_files`], and for a file that cannot be read or has more than 8 MiB.
pub fn packed(folder: &Path, manifest: &Manifest) -> Result<BTreeMap<String, Vec<u8>>, PackagingError> {
    let files = packed_files(folder, manifest)?.into_iter().map(|file| {
        let bytes = read_bounded(&folder.join(&file), MAX_BYTES)?;
        Ok((file, bytes))
    });
    files.collect()
}
