//! Lists of the platform's plugins as catalogues: `catalog.yaml`, `catalog.json`, or a folder with a manifest for each plugin.
//!
//! These plugins have no native code: they are listed, and not installed.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use semver::Version;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use streamspace_plugin::manifest::{Manifest, PluginName};

use super::{
    CatalogError,
    index::{CatalogueName, Index, Listing, Moment, Release, Revoked, SCHEMA},
};
use crate::{clock, hex::hex, store::read_bounded};

/// The largest list that is read, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;
/// How many manifests of a folder are read.
const MAX_MANIFESTS: usize = 2000;

pub(super) struct Imported {
    pub(super) index: Index,
    pub(super) digest: String,
}

/// `catalog.yaml`. What is not needed is not looked at.
#[derive(Deserialize)]
struct PlatformCatalog {
    metadata: Option<Metadata>,
    spec: Spec,
}

#[derive(Deserialize)]
struct Metadata {
    name: Option<String>,
}

#[derive(Deserialize)]
struct Spec {
    #[serde(default)]
    plugins: Vec<PlatformPlugin>,
}

/// A plugin, in either of the two lists.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PlatformPlugin {
    name: String,
    version: String,
    #[serde(default)]
    display_name: String,
    #[serde(default)]
    description: String,
    #[serde(default)]
    category: String,
    #[serde(default, rename = "type")]
    kind: String,
    author: Option<String>,
    #[serde(default)]
    permissions: Vec<String>,
    #[serde(default)]
    tags: Vec<String>,
}

/// Reads a list.
pub(super) fn read(from: &Path, name: Option<&str>) -> Result<Imported, CatalogError> {
    let wrong = |problem: String| CatalogError::Import { path: from.to_owned(), problem };
    let mut hasher = Sha256::new();
    let (own_name, plugins) = if from.is_dir() {
        (None, manifests(from, &mut hasher)?)
    } else {
        let bytes = bounded(from)?;
        hasher.update(&bytes);
        let text = String::from_utf8(bytes).map_err(|_| wrong("expected UTF-8".to_owned()))?;
        list(&text).map_err(wrong)?
    };
    let name = name.map(str::to_owned).or(own_name).unwrap_or_else(|| "imported".to_owned());
    let name: CatalogueName =
        name.parse().map_err(|why| wrong(format!("its name {name:?}: {why}. Give it one with `--name`")))?;
    let mut listings: BTreeMap<PluginName, Listing> = BTreeMap::new();
    let now = Moment::at_us(clock::unix_time_us());
    for plugin in plugins {
        add(&mut listings, plugin, now).map_err(wrong)?;
    }
    let index = Index {
        schema: SCHEMA,
        name,
        version: 0,
        issued_at: now,
        expires: now,
        next_key: None,
        revoked: Revoked::default(),
        plugins: listings.into_values().collect(),
    };
    index.check().map_err(|why| wrong(why.to_string()))?;
    Ok(Imported { index, digest: hex(&hasher.finalize()) })
}

/// A list in YAML, of which JSON is a part.
fn list(text: &str) -> Result<(Option<String>, Vec<PlatformPlugin>), String> {
    if text.trim_start().starts_with('[') {
        return serde_json::from_str(text).map(|plugins| (None, plugins)).map_err(|why| why.to_string());
    }
    let read: PlatformCatalog = serde_saphyr::from_str(text).map_err(|why| why.to_string())?;
    Ok((read.metadata.and_then(|metadata| metadata.name), read.spec.plugins))
}

fn manifests(folder: &Path, hasher: &mut Sha256) -> Result<Vec<PlatformPlugin>, CatalogError> {
    let wrong = |path: &Path, problem: String| CatalogError::Import { path: path.to_owned(), problem };
    let entries = fs::read_dir(folder).map_err(|why| wrong(folder, why.to_string()))?;
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|why| wrong(folder, why.to_string()))?;
        let file = entry.path().join("manifest.json");
        if file.is_file() {
            files.push(file);
        }
        if files.len() > MAX_MANIFESTS {
            return Err(wrong(folder, format!("it has more than {MAX_MANIFESTS} plugins")));
        }
    }
    if files.is_empty() {
        return Err(wrong(folder, "expected folders with a manifest.json, found none".to_owned()));
    }
    files.sort();
    let mut plugins = Vec::new();
    for file in files {
        let bytes = bounded(&file)?;
        hasher.update(&bytes);
        let manifest = Manifest::parse(&bytes).map_err(|why| wrong(&file, why.to_string()))?;
        plugins.push(PlatformPlugin {
            name: manifest.name.to_string(),
            version: manifest.version.to_string(),
            display_name: manifest.display_name.clone(),
            description: manifest.description.clone().unwrap_or_default(),
            category: manifest.category.clone().unwrap_or_default(),
            kind: manifest.plugin_type.to_string(),
            author: manifest.author.clone(),
            permissions: manifest.permissions.iter().map(ToString::to_string).collect(),
            tags: manifest.tags.iter().chain(&manifest.keywords).cloned().collect(),
        });
    }
    Ok(plugins)
}

/// A plugin that is there twice has two versions; a version that is there twice is taken once.
fn add(
    listings: &mut BTreeMap<PluginName, Listing>,
    plugin: PlatformPlugin,
    now: Moment,
) -> Result<(), String> {
    let name: PluginName = plugin.name.parse().map_err(|why| format!("{why}"))?;
    let version: Version = plugin
        .version
        .parse()
        .map_err(|_| format!("{name}: expected a version such as 1.2.3, found {:?}", plugin.version))?;
    let release = Release {
        version,
        package: None,
        targets: Vec::new(),
        dependencies: BTreeMap::new(),
        conflicts: BTreeMap::new(),
        permissions: plugin.permissions,
        released_at: now,
        changelog: String::new(),
        yanked: None,
    };
    let display_name = if plugin.display_name.is_empty() { name.to_string() } else { plugin.display_name };
    let listing = listings.entry(name.clone()).or_insert_with(|| Listing {
        name,
        display_name,
        description: plugin.description,
        author: plugin.author,
        license: None,
        homepage: None,
        category: plugin.category,
        tags: plugin.tags,
        kind: if plugin.kind.is_empty() { "extension".to_owned() } else { plugin.kind },
        icon: None,
        versions: Vec::new(),
    });
    if !listing.versions.iter().any(|known| known.version == release.version) {
        listing.versions.push(release);
    }
    Ok(())
}

fn bounded(path: &Path) -> Result<Vec<u8>, CatalogError> {
    read_bounded(path, MAX_BYTES)
        .map_err(|why| CatalogError::Import { path: path.to_owned(), problem: why.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(name: &str, text: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join(name);
        fs::write(&path, text).expect("a file");
        (folder, path)
    }

    const YAML: &str = "
apiVersion: stream.space/v1alpha1
kind: PluginCatalog
metadata:
  name: streamspace-official-plugins
  version: \"1.0.0\"
spec:
  categories: [{name: official, plugins: 2}]
  plugins:
    - name: streamspace-slack
      category: official
      displayName: Slack Integration
      type: webhook
      version: \"1.0.0\"
      permissions: [network]
      tags: [notifications, slack]
      downloads: 0
      rating: 0.0
    - name: streamspace-slack
      version: \"1.0.0\"
  stats: {totalPlugins: 2}
";

    #[test]
    fn the_platforms_list_is_read() {
        let (_folder, path) = file("catalog.yaml", YAML);
        let index = read(&path, None).expect("a list").index;
        assert_eq!(index.name.as_str(), "streamspace-official-plugins");
        assert_eq!(index.plugins.len(), 1);
        let listing = &index.plugins[0];
        assert_eq!(listing.display_name, "Slack Integration");
        assert_eq!(listing.versions.len(), 1, "what is there twice is taken once");
        assert!(listing.versions[0].package.is_none());
    }

    #[test]
    fn its_other_list_is_read_under_a_name_that_is_given() {
        let (_folder, path) =
            file("catalog.json", r#"[{"name": "aa-bb", "version": "1.0.0", "iconUrl": "x"}]"#);
        let index = read(&path, Some("theirs")).expect("a list").index;
        assert_eq!((index.name.as_str(), index.plugins.len()), ("theirs", 1));
    }

    #[test]
    fn what_is_no_list_is_refused() {
        for text in [
            "",
            "a: [",
            "spec: 1",
            "[{\"name\": \"../x\", \"version\": \"1.0.0\"}]",
            "[{\"name\": \"aa\", \"version\": \"one\"}]",
        ] {
            let (_folder, path) = file("catalog.yaml", text);
            assert!(matches!(read(&path, Some("theirs")), Err(CatalogError::Import { .. })), "{text:?}");
        }
        // Ever more of the same, from few bytes.
        let mut bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n".to_owned();
        for (last, next) in "abcdefgh".chars().zip("bcdefghi".chars()) {
            bomb.push_str(&format!("{next}: &{next} [{}]\n", vec![format!("*{last}"); 9].join(",")));
        }
        bomb.push_str("spec: {plugins: *i}\n");
        let (_folder, path) = file("catalog.yaml", &bomb);
        assert!(read(&path, Some("theirs")).is_err());
    }
}
