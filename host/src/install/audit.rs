//! What installed libraries were built of, and which advisories are about that.
//!
//! `cargo auditable` leaves the list of crates in a library. It is what the vendor says: a library without one, or with a
//! wrong one, is possible, and the first is said.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use auditable_info::json_from_slice;
use semver::{Version, VersionReq};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{InstallError, Plugins};
use crate::store::read_bounded;

/// The largest library that is looked into, in bytes.
const MAX_LIBRARY_BYTES: u64 = 512 * 1024 * 1024;
/// The largest list that is unpacked, in bytes.
const MAX_LIST_BYTES: usize = 8 * 1024 * 1024;
/// The largest advisory that is read, in bytes.
const MAX_ADVISORY_BYTES: u64 = 256 * 1024;
/// How many advisories are read.
const MAX_ADVISORIES: usize = 100_000;
/// How deep they may lie.
const DEPTH: usize = 4;

/// What a plugin's library was built of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CratesView {
    /// The plugin.
    pub plugin: String,
    /// Its version.
    pub version: String,
    /// The crates, by name; `null` if the library does not say.
    pub crates: Option<Vec<CrateView>>,
    /// Why that is not known.
    pub reason: Option<String>,
}

/// A crate in a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct CrateView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it is from: `crates.io`, `git`, `local`, `registry`.
    pub source: String,
}

/// Advisories, by the crate that they are about.
#[derive(Debug, Default)]
pub struct Advisories {
    by_crate: BTreeMap<String, Vec<Advisory>>,
    count: usize,
}

/// An advisory in the form of RustSec: what is needed of it.
#[derive(Debug, Clone)]
struct Advisory {
    id: String,
    title: String,
    informational: Option<String>,
    patched: Vec<VersionReq>,
    unaffected: Vec<VersionReq>,
}

/// An advisory about a crate in an installed library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditFinding {
    /// The plugin.
    pub plugin: String,
    /// The crate and its version.
    pub krate: String,
    /// The advisory's id.
    pub advisory: String,
    /// Its title.
    pub title: String,
    /// `unmaintained`, `unsound`, `notice`; `null` if it is about a vulnerability.
    pub informational: Option<String>,
    /// The versions of the crate that are better.
    pub patched: Vec<String>,
}

/// Why advisories cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// A file or folder cannot be read.
    #[error("{} cannot be read: {reason}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A file is no advisory.
    #[error(
        "{} is no advisory: {reason}. Expected Markdown with a block of TOML first, as in RustSec's database",
        path.display()
    )]
    NoAdvisory {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// There is none.
    #[error("{} has no advisory: expected files RUSTSEC-….md in it, as in the folder `crates` of RustSec's database", path.display())]
    Empty {
        /// The folder.
        path: PathBuf,
    },
}

impl AuditError {
    /// The stable code.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreadable { .. } => "SSP-AUD-001",
            Self::NoAdvisory { .. } => "SSP-AUD-002",
            Self::Empty { .. } => "SSP-AUD-003",
        }
    }
}

impl Plugins {
    /// What the library of a plugin was built of.
    ///
    /// # Errors
    ///
    /// [`InstallError::NotInstalled`].
    pub fn crates(&self, name: &str) -> Result<CratesView, InstallError> {
        let plugin = self.installed(name)?;
        let (crates, reason) = match embedded(&plugin.library) {
            Ok(crates) => (Some(crates), None),
            Err(reason) => (None, Some(reason)),
        };
        let (plugin, version) = (plugin.record.name, plugin.record.version);
        Ok(CratesView { plugin, version, crates, reason })
    }
}

/// What `cargo auditable` writes; what is not needed is not looked at.
#[derive(Deserialize)]
struct List {
    packages: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: String,
    source: String,
    /// `build` for what only the build took; absent for what is in the library.
    kind: Option<String>,
}

/// The list in a library's file. The bytes are a stranger's.
fn embedded(library: &Path) -> Result<Vec<CrateView>, String> {
    let bytes = read_bounded(library, MAX_LIBRARY_BYTES).map_err(|why| why.to_string())?;
    let json = json_from_slice(&bytes, MAX_LIST_BYTES).map_err(|why| match why {
        auditable_info::Error::NoAuditData => {
            "the library has no list of its crates: its vendor did not build it with `cargo auditable`"
                .to_owned()
        }
        why => format!("the library's list of its crates cannot be read: {why}"),
    })?;
    let List { packages } = serde_json::from_str(&json)
        .map_err(|why| format!("the library's list of its crates is none: {why}"))?;
    let runtime = packages.into_iter().filter(|package| package.kind.as_deref() != Some("build"));
    let mut crates: Vec<CrateView> =
        runtime.map(|Package { name, version, source, .. }| CrateView { name, version, source }).collect();
    crates.sort_by(|one, other| (&one.name, &one.version).cmp(&(&other.name, &other.version)));
    Ok(crates)
}

impl Advisories {
    /// Reads an advisory, or all that are below a folder.
    ///
    /// # Errors
    ///
    /// [`AuditError`]: what cannot be read is not passed over.
    pub fn read(path: &Path) -> Result<Self, AuditError> {
        let mut advisories = Self::default();
        if path.is_dir() {
            // The whole database has more than crates.
            let crates = path.join("crates");
            advisories.folder(if crates.is_dir() { &crates } else { path }, DEPTH)?;
        } else {
            advisories.file(path)?;
        }
        if advisories.count == 0 {
            return Err(AuditError::Empty { path: path.to_owned() });
        }
        Ok(advisories)
    }

    /// How many were read, those that were withdrawn included.
    #[must_use]
    pub fn count(&self) -> usize {
        self.count
    }

    fn folder(&mut self, path: &Path, depth: usize) -> Result<(), AuditError> {
        let failed =
            |why: std::io::Error| AuditError::Unreadable { path: path.to_owned(), reason: why.to_string() };
        for entry in fs::read_dir(path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            let (kind, name) = (entry.file_type().map_err(failed)?, entry.file_name());
            let name = name.to_string_lossy();
            if kind.is_dir() && depth > 0 && !name.starts_with('.') {
                self.folder(&entry.path(), depth - 1)?;
            } else if kind.is_file() && name.starts_with("RUSTSEC-") && name.ends_with(".md") {
                if self.count >= MAX_ADVISORIES {
                    let reason = format!("it has more than {MAX_ADVISORIES} advisories");
                    return Err(AuditError::Unreadable { path: path.to_owned(), reason });
                }
                self.file(&entry.path())?;
            }
        }
        Ok(())
    }

    fn file(&mut self, path: &Path) -> Result<(), AuditError> {
        let bytes = read_bounded(path, MAX_ADVISORY_BYTES)
            .map_err(|why| AuditError::Unreadable { path: path.to_owned(), reason: why.to_string() })?;
        let text = String::from_utf8_lossy(&bytes);
        let read = parse(&text).map_err(|reason| AuditError::NoAdvisory { path: path.to_owned(), reason })?;
        self.count += 1;
        if let Some((krate, advisory)) = read {
            self.by_crate.entry(krate).or_default().push(advisory);
        }
        Ok(())
    }

    /// The advisories about what a plugin was built of.
    #[must_use]
    pub fn about(&self, view: &CratesView) -> Vec<AuditFinding> {
        let mut findings = Vec::new();
        // What is from elsewhere than crates.io may be another crate of the same name.
        let public = |krate: &&CrateView| krate.source == "crates.io";
        for krate in view.crates.iter().flatten().filter(public) {
            let Ok(version) = krate.version.parse::<Version>() else { continue };
            let about = self.by_crate.get(&krate.name).into_iter().flatten();
            for advisory in about.filter(|advisory| advisory.is_about(&version)) {
                findings.push(AuditFinding {
                    plugin: view.plugin.clone(),
                    krate: format!("{} {version}", krate.name),
                    advisory: advisory.id.clone(),
                    title: advisory.title.clone(),
                    informational: advisory.informational.clone(),
                    patched: advisory.patched.iter().map(ToString::to_string).collect(),
                });
            }
        }
        findings
    }
}

impl Advisory {
    fn is_about(&self, version: &Version) -> bool {
        let matches = |all: &[VersionReq]| all.iter().any(|range| range.matches(version));
        !matches(&self.patched) && !matches(&self.unaffected)
    }
}

/// Reads an advisory; `None` for one that was withdrawn.
fn parse(text: &str) -> Result<Option<(String, Advisory)>, String> {
    #[derive(Deserialize)]
    struct Document {
        advisory: Head,
        #[serde(default)]
        versions: Versions,
    }
    #[derive(Deserialize)]
    struct Head {
        id: String,
        package: String,
        informational: Option<String>,
        withdrawn: Option<toml::Value>,
        title: Option<String>,
    }
    #[derive(Default, Deserialize)]
    struct Versions {
        #[serde(default)]
        patched: Vec<VersionReq>,
        #[serde(default)]
        unaffected: Vec<VersionReq>,
    }
    let rest = text.trim_start().strip_prefix("```toml").ok_or("it does not begin with ```toml")?;
    let (front, body) = rest.split_once("\n```").ok_or("its block of TOML has no end")?;
    let Document { advisory, versions } = toml::from_str(front).map_err(|why| why.message().to_owned())?;
    if advisory.withdrawn.is_some() {
        return Ok(None);
    }
    let heading = body.lines().find_map(|line| line.strip_prefix("# "));
    let title = advisory.title.or_else(|| heading.map(str::to_owned)).unwrap_or_default();
    let title = title.chars().filter(|char| !char.is_control()).take(200).collect();
    let Versions { patched, unaffected } = versions;
    let Head { id, package, informational, .. } = Head { title: None, withdrawn: None, ..advisory };
    Ok(Some((package, Advisory { id, title, informational, patched, unaffected })))
}

#[cfg(test)]
mod tests {
    use streamspace_tests::zlib_stored;

    use super::*;

    const TEXT: &str = "```toml\n[advisory]\nid = \"RUSTSEC-2026-0001\"\npackage = \"frail\"\ndate = \"2026-01-01\"\nurl = \"https://x.test\"\n\n[versions]\npatched = [\">= 1.2.3\", \"^1.1.9\"]\nunaffected = [\"< 1.0.0\"]\n```\n\n# Frail breaks\n\nMore.\n";

    fn crates(all: &[(&str, &str, &str)]) -> CratesView {
        let view = |(name, version, source): &(&str, &str, &str)| CrateView {
            name: (*name).to_owned(),
            version: (*version).to_owned(),
            source: (*source).to_owned(),
        };
        let crates = Some(all.iter().map(view).collect());
        CratesView { plugin: "aa-chat".to_owned(), version: "1.0.0".to_owned(), crates, reason: None }
    }

    #[test]
    fn an_advisory_is_about_versions_that_are_neither_patched_nor_unaffected() {
        let folder = tempfile::tempdir().expect("a folder");
        let deep = folder.path().join("crates/frail");
        fs::create_dir_all(&deep).expect("a folder");
        fs::write(deep.join("RUSTSEC-2026-0001.md"), TEXT).expect("a file");
        fs::write(deep.join("notes.md"), "no advisory").expect("a file");
        let advisories = Advisories::read(folder.path()).expect("advisories");
        for (version, source, is_found) in [
            ("0.9.0", "crates.io", false),
            ("1.0.0", "crates.io", true),
            ("1.1.9", "crates.io", false),
            ("1.2.3", "crates.io", false),
            ("1.0.0", "git", false),
        ] {
            let found =
                advisories.about(&crates(&[("frail", version, source), ("other", "1.0.0", "crates.io")]));
            assert_eq!(found.len(), usize::from(is_found), "{version} {source}: {found:?}");
        }
        let found = advisories.about(&crates(&[("frail", "1.0.0", "crates.io")]));
        assert_eq!(
            (found[0].title.as_str(), found[0].advisory.as_str()),
            ("Frail breaks", "RUSTSEC-2026-0001")
        );
    }

    /// The least that is an ELF library with a section of this name.
    fn library(section: &str, content: &[u8]) -> Vec<u8> {
        let names = format!("\0{section}\0.shstrtab\0");
        let (header, content_at) = (64_u64, 64_u64);
        let names_at = content_at + content.len() as u64;
        let sections_at = names_at + names.len() as u64;
        let mut bytes = vec![0x7f, b'E', b'L', b'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        // A shared library for x86-64.
        bytes.extend([3, 0, 62, 0, 1, 0, 0, 0]);
        bytes.extend([0; 16]);
        bytes.extend(sections_at.to_le_bytes());
        bytes.extend([0; 4]);
        for half in [header as u16, 0, 0, 64, 3, 2] {
            bytes.extend(half.to_le_bytes());
        }
        bytes.extend(content);
        bytes.extend(names.as_bytes());
        let mut entry = |name: u32, kind: u32, at: u64, size: u64| {
            bytes.extend(name.to_le_bytes());
            bytes.extend(kind.to_le_bytes());
            for long in [0, 0, at, size, 0, 1, 0_u64] {
                bytes.extend(long.to_le_bytes());
            }
        };
        entry(0, 0, 0, 0);
        entry(1, 1, content_at, content.len() as u64);
        entry(section.len() as u32 + 2, 3, names_at, names.len() as u64);
        bytes
    }

    #[test]
    fn the_list_in_a_library_is_read() {
        let folder = tempfile::tempdir().expect("a folder");
        let found = |section: &str, content: &[u8]| {
            let path = folder.path().join("libfrail.so");
            fs::write(&path, library(section, content)).expect("a file");
            embedded(&path)
        };
        let list = br#"{"packages":[
            {"name":"serde","version":"1.0.0","source":"crates.io"},
            {"name":"cc","version":"1.1.0","source":"crates.io","kind":"build"},
            {"name":"aa-chat","version":"0.1.0","source":"local","root":true,"dependencies":[0]}
        ]}"#;
        let crates = found(".dep-v0", &zlib_stored(list)).expect("a list");
        let names: Vec<_> = crates.iter().map(|krate| format!("{} {}", krate.name, krate.version)).collect();
        assert_eq!(names, ["aa-chat 0.1.0", "serde 1.0.0"], "what only the build took is not in it");
        let why = found(".data", b"").expect_err("no list");
        assert!(why.contains("has no list of its crates"), "{why}");
        for damaged in [&b"x"[..], &zlib_stored(b"{}"), &zlib_stored(b"\xff")] {
            assert!(found(".dep-v0", damaged).is_err());
        }
    }

    #[test]
    fn one_that_was_withdrawn_is_about_nothing() {
        let text = TEXT.replace("date =", "withdrawn = \"2026-02-01\"\ndate =");
        assert!(parse(&text).expect("an advisory").is_none());
    }

    #[test]
    fn what_is_no_advisory_is_not_passed_over() {
        let folder = tempfile::tempdir().expect("a folder");
        assert!(matches!(Advisories::read(folder.path()), Err(AuditError::Empty { .. })));
        fs::write(folder.path().join("RUSTSEC-2026-0002.md"), "# Nothing").expect("a file");
        assert!(matches!(Advisories::read(folder.path()), Err(AuditError::NoAdvisory { .. })));
        assert!(matches!(Advisories::read(&folder.path().join("none")), Err(AuditError::Unreadable { .. })));
    }
}
