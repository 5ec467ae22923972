//! Building a catalogue, for those who host one: reads the packages in a folder, writes the index and its signature.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use serde::Serialize;
use sha2::{Digest, Sha256};
use streamspace_package::{
    ContentHash, EXTENSION, KeyId, Keyring, PublicKey, SecretKey, Unverified, Verified,
};

use super::{
    CatalogError,
    index::{
        CatalogueName, INDEX, Index, Listing, MAX_INDEX_BYTES, Moment, PackageFile, PackagePath, Release,
        ReleaseTarget, Revoked, SCHEMA, SIGNATURE,
    },
};
use crate::{
    clock,
    store::{open_without_waiting, read_bounded},
};

/// How deep packages may lie below the folder.
const DEPTH: usize = 4;
/// The longest part of a CHANGELOG.md that goes into the index, in bytes.
const MAX_CHANGELOG: usize = 16 * 1024;
/// The largest CHANGELOG.md and icon that are read, in bytes.
const MAX_SMALL: u64 = 1024 * 1024;

/// What is to be built.
#[derive(Debug, Default)]
pub struct BuildOrder {
    /// The catalogue's folder.
    pub folder: PathBuf,
    /// Its name; needed for the first index only.
    pub name: Option<String>,
    /// For how many days the index is to be believed.
    pub days: u32,
    /// A key that later indexes may be signed with.
    pub next_key: Option<PublicKey>,
    /// Whether the next key of the index before is not named any more.
    pub forget_next_key: bool,
    /// Keys that are revoked from now on, with the reason.
    pub revoke_keys: Vec<(KeyId, String)>,
    /// Packages that are revoked from now on, with the reason.
    pub revoke_packages: Vec<(ContentHash, String)>,
    /// Versions that are withdrawn from now on: `NAME@VERSION`, with the reason.
    pub yank: Vec<(String, String)>,
}

/// What was built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BuildReport {
    /// The catalogue's name.
    pub name: String,
    /// The version of its index.
    pub version: u64,
    /// Until when it is to be believed, RFC 3339.
    pub expires_at: String,
    /// How many plugins it has.
    pub plugins: usize,
    /// How many packages it has.
    pub packages: usize,
    /// The ids of the keys that it is signed with.
    pub signed_by: Vec<String>,
}

/// Builds the index of the packages that are in a folder, one version above the one that is there, and signs it.
///
/// # Errors
///
/// [`CatalogError`]; the index that is there stays then.
pub fn build(order: &BuildOrder, keys: &[SecretKey]) -> Result<BuildReport, CatalogError> {
    let folder = &order.folder;
    let wrong = |problem: String| CatalogError::Build { path: folder.clone(), problem };
    let before = before(folder)?;
    let name = match (&order.name, &before) {
        (Some(name), Some(before)) if *name != before.name.to_string() => {
            return Err(wrong(format!(
                "it is the catalogue {}, and hosts refuse an index of another name: leave `--name {name}` out, or use an \
                 empty folder for another catalogue",
                before.name
            )));
        }
        (Some(name), _) => name.parse::<CatalogueName>().map_err(|why| wrong(format!("`--name`: {why}")))?,
        (None, Some(before)) => before.name.clone(),
        (None, None) => {
            return Err(wrong("this is its first index: give the catalogue a name with `--name`".to_owned()));
        }
    };
    let now = clock::unix_time_us();
    let mut files = Vec::new();
    packages(folder, DEPTH, &mut files).map_err(failed("read", folder))?;
    files.sort();
    let mut seen: BTreeMap<(String, String), PathBuf> = BTreeMap::new();
    let mut listings: BTreeMap<String, (semver::Version, Listing)> = BTreeMap::new();
    for file in &files {
        let described = describe(folder, file, Moment::at_us(now))?;
        let key = (described.listing.name.to_string(), described.release.version.to_string());
        if let Some(other) = seen.insert(key.clone(), file.clone()) {
            return Err(CatalogError::Build {
                path: file.clone(),
                problem: format!(
                    "it is {} {}, and so is {}: remove one of them, or raise the version",
                    key.0,
                    key.1,
                    other.display()
                ),
            });
        }
        described.put_into(&mut listings);
    }
    let mut plugins: Vec<Listing> = listings.into_values().map(|(_, listing)| listing).collect();
    if let Some(before) = &before {
        keep(before, &mut plugins).map_err(wrong)?;
    }
    for (what, reason) in &order.yank {
        yank(&mut plugins, what, reason).map_err(wrong)?;
    }
    let mut revoked = before.as_ref().map(|before| before.revoked.clone()).unwrap_or_default();
    revoke(&mut revoked, order);
    let earlier_next = before.as_ref().and_then(|before| before.next_key.clone());
    let index = Index {
        schema: SCHEMA,
        name,
        version: before.as_ref().map_or(0, |before| before.version) + 1,
        issued_at: Moment::at_us(now),
        expires: Moment::at_us(now + u64::from(order.days) * 24 * 3600 * 1_000_000),
        next_key: order.next_key.clone().or(earlier_next.filter(|_| !order.forget_next_key)),
        revoked,
        plugins,
    };
    index.check().map_err(|why| wrong(why.to_string()))?;
    let bytes = index.to_bytes();
    if bytes.len() as u64 > MAX_INDEX_BYTES {
        return Err(wrong(format!(
            "the index has {} bytes, and hosts read at most {MAX_INDEX_BYTES}",
            bytes.len()
        )));
    }
    let (signatures, signed_by) = sign(&index, &bytes, keys).map_err(wrong)?;
    write(folder, INDEX, &bytes)?;
    write(folder, SIGNATURE, signatures.as_bytes())?;
    Ok(BuildReport {
        name: index.name.to_string(),
        version: index.version,
        expires_at: index.expires.to_string(),
        plugins: index.plugins.len(),
        packages: files.len(),
        signed_by,
    })
}

fn before(folder: &Path) -> Result<Option<Index>, CatalogError> {
    let path = folder.join(INDEX);
    if !path.exists() {
        return Ok(None);
    }
    let wrong = |problem: String| CatalogError::Build { path: path.clone(), problem };
    let bytes = read_bounded(&path, MAX_INDEX_BYTES).map_err(|why| wrong(why.to_string()))?;
    let index = Index::parse(&bytes).map_err(|why| {
        wrong(format!("{why}. Its version is needed, since hosts refuse a lower one: restore it"))
    })?;
    Ok(Some(index))
}

/// The packages below a folder. What begins with a dot, and links, are left out.
fn packages(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if kind.is_dir() && depth > 0 {
            packages(&path, depth - 1, files)?;
        } else if kind.is_file() && path.extension().is_some_and(|found| found == EXTENSION) {
            files.push(path);
        }
    }
    Ok(())
}

/// What a package says of itself.
struct Described {
    listing: Listing,
    release: Release,
}

/// Reads a package. Who has signed it is not looked at: that is for the hosts that take it.
fn describe(folder: &Path, file: &Path, now: Moment) -> Result<Described, CatalogError> {
    let failed_on = |source| CatalogError::Package { path: file.to_owned(), source: Box::new(source) };
    let wrong = |problem: &str| CatalogError::Build { path: file.to_owned(), problem: problem.to_owned() };
    let relative = file.strip_prefix(folder).unwrap_or(file);
    let path: Vec<_> = relative.iter().map(|part| part.to_string_lossy()).collect();
    let path: PackagePath = path.join("/").parse().map_err(|why: &str| wrong(why))?;
    let mut source = open_without_waiting(file).map_err(failed("read", file))?;
    let (sha256, size) = hashed(&mut source).map_err(failed("read", file))?;
    let sha256 = sha256.parse().map_err(|_| wrong("its hash is none"))?;
    let opened = Unverified::open(source).map_err(failed_on)?;
    if opened.signatures().is_empty() {
        return Err(wrong("it is not signed, and no host would take it: `streamspace package sign`"));
    }
    let package = opened.hash();
    let mut opened = opened.accept_unsigned(&Keyring::new()).map_err(failed_on)?;
    // A damaged file would be refused by every host that downloads it.
    opened.check(|_| {}).map_err(failed_on)?;
    let manifest = opened.manifest().map_err(failed_on)?;
    let document = opened.document().clone();
    let changelog = changelog(&mut opened, &document.version.to_string());
    let icon = icon(folder, &mut opened, document.name.as_str(), manifest.icon.as_deref())?;
    let release = Release {
        version: document.version.clone(),
        package: Some(PackageFile { path, sha256, size, package }),
        targets: document
            .targets
            .iter()
            .map(|target| ReleaseTarget {
                triple: target.triple.clone(),
                cpu: target.cpu,
                glibc_min: target.glibc_min,
            })
            .collect(),
        dependencies: document.dependencies.clone(),
        conflicts: document.conflicts.clone(),
        permissions: document.permissions.iter().map(ToString::to_string).collect(),
        released_at: now,
        changelog,
        yanked: None,
    };
    let mut tags = manifest.tags.clone();
    tags.extend(manifest.keywords.iter().filter(|word| !manifest.tags.contains(word)).cloned());
    let listing = Listing {
        name: document.name.clone(),
        display_name: document.display_name.clone(),
        description: document.description.clone().unwrap_or_default(),
        author: document.author.clone(),
        license: document.license.clone(),
        homepage: document.homepage.clone(),
        category: manifest.category.clone().unwrap_or_default(),
        tags,
        kind: manifest.plugin_type.to_string(),
        icon,
        versions: Vec::new(),
    };
    Ok(Described { listing, release })
}

impl Described {
    /// What is shown of a plugin is what its newest version says.
    fn put_into(self, listings: &mut BTreeMap<String, (semver::Version, Listing)>) {
        let version = self.release.version.clone();
        let (newest, listing) = listings
            .entry(self.listing.name.to_string())
            .or_insert_with(|| (version.clone(), self.listing.clone()));
        if version > *newest {
            let versions = std::mem::take(&mut listing.versions);
            *listing = Listing { versions, ..self.listing };
            *newest = version;
        }
        listing.versions.push(self.release);
        listing.versions.sort_by(|one, other| other.version.cmp(&one.version));
    }
}

/// What a package's CHANGELOG.md says of its version; nothing if it has none.
fn changelog(package: &mut Verified<File>, version: &str) -> String {
    let Ok(bytes) = package.read("CHANGELOG.md", MAX_SMALL) else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    let mut section = section(&text, version);
    section.retain(|char| !char.is_control() || char == '\n' || char == '\t');
    let mut end = section.len().min(MAX_CHANGELOG);
    while !section.is_char_boundary(end) {
        end -= 1;
    }
    section.truncate(end);
    section
}

/// The text below the heading that names a version, up to the next heading of that kind.
fn section(text: &str, version: &str) -> String {
    let names = |line: &str| {
        let heading = line.strip_prefix("## ").unwrap_or_default();
        let first = heading.split_whitespace().next().unwrap_or_default();
        first.trim_matches(['[', ']', 'v']).trim_end_matches(']') == version
    };
    let lines = text.lines().skip_while(|line| !names(line)).skip(1);
    let lines: Vec<&str> = lines.take_while(|line| !line.starts_with("## ")).collect();
    lines.join("\n").trim().to_owned()
}

/// Writes a package's icon, the file that its manifest names, into the catalogue's folder.
fn icon(
    folder: &Path,
    package: &mut Verified<File>,
    name: &str,
    named: Option<&str>,
) -> Result<Option<PackagePath>, CatalogError> {
    let ending = named.and_then(|file| file.rsplit_once('.')).map(|(_, ending)| ending.to_lowercase());
    let (Some(file), Some(ending @ ("svg" | "png"))) = (named, ending.as_deref()) else { return Ok(None) };
    let Ok(bytes) = package.read(file, MAX_SMALL) else { return Ok(None) };
    let icons = folder.join("icons");
    fs::create_dir_all(&icons).map_err(failed("make", &icons))?;
    write(&icons, &format!("{name}.{ending}"), &bytes)?;
    Ok(format!("icons/{name}.{ending}").parse().ok())
}

/// What is known of versions since an earlier index: when they came out, that they were withdrawn, and what is in them. A
/// version is what hosts have installed and locked by its hash: it does not become another one.
fn keep(before: &Index, plugins: &mut [Listing]) -> Result<(), String> {
    for listing in plugins {
        let known = before.plugins.iter().find(|known| known.name == listing.name);
        for release in &mut listing.versions {
            let earlier = known
                .and_then(|known| known.versions.iter().find(|earlier| earlier.version == release.version));
            let Some(earlier) = earlier else { continue };
            if let (Some(was), Some(is)) = (&earlier.package, &release.package)
                && was.package != is.package
            {
                return Err(format!(
                    "{} is another {} {} than the one that was published: expected the package {}, found {}. Put that one \
                     back, and raise the version for what is new",
                    is.path.as_str(),
                    listing.name,
                    release.version,
                    was.package,
                    is.package
                ));
            }
            release.released_at = earlier.released_at;
            release.yanked.clone_from(&earlier.yanked);
        }
    }
    Ok(())
}

fn yank(plugins: &mut [Listing], what: &str, reason: &str) -> Result<(), String> {
    let (name, version) =
        what.split_once('@').ok_or_else(|| format!("expected NAME@VERSION to withdraw, found {what:?}"))?;
    let release = plugins.iter_mut().find(|listing| listing.name.as_str() == name).and_then(|listing| {
        listing.versions.iter_mut().find(|release| release.version.to_string() == version)
    });
    let release = release.ok_or_else(|| format!("there is no {name} {version} to withdraw"))?;
    release.yanked = Some(reason.to_owned());
    Ok(())
}

fn revoke(revoked: &mut Revoked, order: &BuildOrder) {
    revoked.keys.extend(order.revoke_keys.iter().cloned());
    revoked.packages.extend(order.revoke_packages.iter().cloned());
}

fn sign(index: &Index, bytes: &[u8], keys: &[SecretKey]) -> Result<(String, Vec<String>), String> {
    let comment = format!("file:index.json\tcatalog:{}\tversion:{}", index.name, index.version);
    let (mut text, mut ids) = (String::new(), Vec::new());
    for key in keys {
        let signature = key.sign(bytes, &comment).map_err(|why| why.to_string())?;
        if index.revoked.keys.contains_key(&signature.key_id()) {
            return Err(format!(
                "the key {} is revoked by this index: sign with another one",
                signature.key_id()
            ));
        }
        ids.push(signature.key_id().to_string());
        text.push_str(signature.as_str());
    }
    if ids.is_empty() {
        return Err("no key was given to sign it with: `--key FILE`".to_owned());
    }
    Ok((text, ids))
}

/// Writes a file that everybody may read, whole or not at all: a web server's user is another one.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> Result<(), CatalogError> {
    let path = folder.join(name);
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(fs::Permissions::from_mode(0o644));
    }
    let written = builder.prefix(".new-").tempfile_in(folder).and_then(|mut file| {
        io::Write::write_all(&mut file, bytes)?;
        file.as_file().sync_all()?;
        file.persist(&path).map_err(|why| why.error)
    });
    written.map(drop).map_err(failed("write", &path))
}

fn hashed(file: &mut File) -> io::Result<(String, u64)> {
    let (mut hasher, mut buffer, mut size) = (Sha256::new(), vec![0; 256 * 1024], 0);
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok((crate::hex::hex(&hasher.finalize()), size)),
            count => {
                hasher.update(&buffer[..count]);
                size += count as u64;
            }
        }
    }
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> CatalogError {
    let path = path.to_owned();
    move |source| CatalogError::Io { what, path, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_catalogue_keeps_its_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let key = SecretKey::generate(None).expect("a key");
        let build_as = |name: Option<&str>| {
            let order = BuildOrder {
                folder: folder.path().to_owned(),
                name: name.map(str::to_owned),
                days: 1,
                ..BuildOrder::default()
            };
            let key = SecretKey::from_file_text(&key.secret_file, None).expect("a key");
            build(&order, &[key])
        };
        assert!(build_as(None).is_err(), "it has none yet");
        build_as(Some("first")).expect("its first index");
        assert_eq!(build_as(Some("first")).expect("the same name").version, 2);
        let why = build_as(Some("second")).expect_err("another name").to_string();
        assert!(why.contains("it is the catalogue first"), "{why}");
        assert_eq!(build_as(None).expect("without a name").version, 3, "the index stayed as it was");
    }

    #[test]
    fn a_version_has_its_section_of_the_changelog() {
        let text = "# Changelog\n\n## Unreleased\n\nx\n\n## [1.2.0] - 2026-01-01\n\n- New.\n\n### Fixed\n\n- Old.\n\n## 1.1.0\n\n- Older.\n";
        assert_eq!(section(text, "1.2.0"), "- New.\n\n### Fixed\n\n- Old.");
        assert_eq!(section(text, "1.1.0"), "- Older.");
        assert_eq!(section(text, "1.0.0"), "");
    }
}
