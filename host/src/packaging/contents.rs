//! What of a plugin's folder goes into its package, beside the manifest and the libraries.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use streamspace_plugin::manifest::Manifest;

use super::PackagingError;
use crate::store::{ASSETS, StoreError, asset_files, migration_files, read_bounded};

/// Files that are packed if they are there.
const DOCUMENTS: [&str; 4] = ["README.md", "CHANGELOG.md", "LICENSE", "config.example.json"];
/// A folder with pictures that the README shows.
const SCREENSHOTS: &str = "screenshots";
/// What pictures' names end in.
const PICTURES: [&str; 5] = ["png", "jpg", "jpeg", "webp", "svg"];
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
    files.extend(screenshots(folder)?);
    files.sort();
    files.dedup();
    Ok(files)
}

/// The pictures right below `screenshots/`, if there is such a folder.
fn screenshots(folder: &Path) -> Result<Vec<String>, PackagingError> {
    let pictures = folder.join(SCREENSHOTS);
    let unreadable = |source| StoreError::Io { what: "read", path: pictures.clone(), source };
    if !pictures.is_dir() {
        return Ok(Vec::new());
    }
    let mut found = Vec::new();
    for entry in fs::read_dir(&pictures).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        let name = path.file_name().and_then(|name| name.to_str()).filter(|name| !name.starts_with('.'));
        if let Some(name) = name.filter(|_| PICTURES.contains(&ending) && path.is_file()) {
            found.push(format!("{SCREENSHOTS}/{name}"));
        }
    }
    Ok(found)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_the_readme_are_packed_and_nothing_else_beside_them() {
        let folder = tempfile::tempdir().expect("a folder");
        let pictures = folder.path().join(SCREENSHOTS);
        fs::create_dir_all(pictures.join("deeper.png")).expect("a folder");
        for name in ["b.png", "a.webp", ".hidden.png", "source.xcf", "notes"] {
            fs::write(pictures.join(name), b"x").expect("a file");
        }
        let manifest = r#"{"name": "acme", "version": "1.0.0", "displayName": "Acme", "type": "extension"}"#;
        let manifest = Manifest::parse(manifest.as_bytes()).expect("a manifest");
        let files = packed_files(folder.path(), &manifest).expect("files");
        assert_eq!(files, ["screenshots/a.webp", "screenshots/b.png"]);
    }
}
