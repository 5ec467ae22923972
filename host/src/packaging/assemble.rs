//! From a folder and its libraries to a package.

use std::{
    collections::BTreeSet,
    fs, io,
    path::{Path, PathBuf},
};

use streamspace_package::{
    Builder, Built, CpuLevel, KeyId, Library, MAX_FILE_BYTES, PackageError, PublicKey, Triple,
};
use streamspace_plugin::manifest::{MAX_BYTES, Manifest};

use super::{LibraryFacts, PackagingError, bill_of_materials, packed, sbom};
use crate::store::read_bounded;

/// A plugin's folder with what is to be packed of it.
#[derive(Debug)]
pub struct Source {
    folder: PathBuf,
    bytes: Vec<u8>,
    manifest: Manifest,
}

/// A library that was built.
#[derive(Debug, Clone)]
pub struct Prebuilt {
    /// The file.
    pub path: PathBuf,
    /// What it was said to be built for. What it was built for is in its note.
    pub triple: Option<String>,
}

/// What is not in the folder.
#[derive(Debug, Default)]
pub struct Choices {
    /// The level of x86-64 that the libraries take, if it is above what they say.
    pub cpu: Option<CpuLevel>,
    /// A bill of materials that was made elsewhere.
    pub sbom: Option<Vec<u8>>,
    /// The key that it will be signed with.
    pub signing_key: Option<KeyId>,
    /// The key that later versions will be signed with.
    pub next_key: Option<PublicKey>,
}

/// What became of it.
#[derive(Debug)]
pub struct Assembled {
    /// The package, not signed.
    pub package: Built,
    /// Libraries that do not say which processor they take, so that the lowest level was written down: their triples.
    pub assumed: Vec<String>,
    /// How many crates the bill of materials was made from; `None` if it was given, or nothing was known.
    pub crates: Option<usize>,
}

impl Source {
    /// Reads the manifest of a folder.
    ///
    /// # Errors
    ///
    /// [`PackagingError::Files`] for one that cannot be read, [`PackagingError::Package`] for one that is refused.
    pub fn read(folder: &Path) -> Result<Self, PackagingError> {
        let path = folder.join("manifest.json");
        let bytes = read_bounded(&path, MAX_BYTES as u64)?;
        let manifest =
            Manifest::parse(&bytes).map_err(|why| PackagingError::Package { path, source: why.into() })?;
        Ok(Self { folder: folder.to_owned(), bytes, manifest })
    }

    /// The manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Puts everything together.
    ///
    /// # Errors
    ///
    /// [`PackagingError`] names the file.
    pub fn assemble(&self, libraries: &[Prebuilt], choices: Choices) -> Result<Assembled, PackagingError> {
        let at = |source: PackageError| PackagingError::Package { path: self.folder.clone(), source };
        let mut builder = Builder::new(&self.bytes).map_err(at)?;
        let mut seen = BTreeSet::new();
        let mut assumed = Vec::new();
        let mut lists = Vec::new();
        for library in libraries {
            let file = library.path.display().to_string();
            let bytes = read_bounded(&library.path, MAX_FILE_BYTES)?;
            let known = LibraryFacts::read(&file, &bytes)?;
            known.check(&file, &self.manifest)?;
            let triple = known.facts.target.clone().into_owned();
            if let Some(expected) = library.triple.clone().filter(|expected| *expected != triple) {
                return Err(PackagingError::Target { file, expected, found: triple });
            }
            let cpu = level(&file, known.cpu, choices.cpu)?;
            if !seen.insert((triple.clone(), cpu)) {
                return Err(PackagingError::TwiceTarget { file, triple });
            }
            if choices.cpu.is_none() && known.cpu == Some(CpuLevel::V1) {
                assumed.push(triple.clone());
            }
            let name = library_name(&self.manifest, &triple);
            let packed = Library {
                file: &name,
                bytes: &bytes,
                facts: &known.facts,
                cpu,
                glibc_min: known
                    .glibc
                    .filter(|_| triple.parse().is_ok_and(|triple: Triple| triple.is_glibc())),
            };
            builder
                .library(&packed)
                .map_err(|source| PackagingError::Package { path: library.path.clone(), source })?;
            lists.extend(known.dependencies);
        }
        for (path, bytes) in packed(&self.folder, &self.manifest)? {
            builder
                .file(&path, &bytes)
                .map_err(|source| PackagingError::Package { path: self.folder.join(&path), source })?;
        }
        let mut crates = None;
        match choices.sbom {
            Some(given) => {
                bill_of_materials(&given)?;
                builder.sbom(&given).map_err(at)?;
            }
            // A list of some of the libraries would be taken for all of it.
            None if !lists.is_empty() && lists.len() == libraries.len() => {
                let made = sbom(self.manifest.name.as_str(), &self.manifest.version.to_string(), &lists);
                crates = Some(bill_of_materials(&made)?.components);
                builder.sbom(&made).map_err(at)?;
            }
            None => {}
        }
        if let Some(key) = choices.signing_key {
            builder.signing_key(key);
        }
        if let Some(key) = choices.next_key {
            builder.next_key(key);
        }
        Ok(Assembled { package: builder.build().map_err(at)?, assumed, crates })
    }
}

/// The level that is written down: what was declared, if the library takes no more.
fn level(
    file: &str,
    told: Option<CpuLevel>,
    declared: Option<CpuLevel>,
) -> Result<Option<CpuLevel>, PackagingError> {
    match (told, declared) {
        (Some(told), Some(declared)) if declared < told => Err(PackagingError::Cpu {
            file: file.to_owned(),
            declared: declared.to_string(),
            found: told.to_string(),
        }),
        (Some(_), Some(declared)) => Ok(Some(declared)),
        (told, _) => Ok(told),
    }
}

/// What the library of a target is called, as a host of that target looks for it.
fn library_name(manifest: &Manifest, triple: &str) -> String {
    let (prefix, suffix) = match triple {
        _ if triple.contains("windows") => ("", ".dll"),
        _ if triple.contains("apple") => ("lib", ".dylib"),
        _ => ("lib", ".so"),
    };
    match &manifest.entrypoints.library {
        Some(name) if name.ends_with(suffix) => name.clone(),
        Some(stem) => format!("{prefix}{stem}{suffix}"),
        None => format!("{prefix}{}{suffix}", manifest.name.as_str().replace('-', "_")),
    }
}

/// Writes a file as a whole: nobody sees half of it, and what was there stays if it fails.
///
/// # Errors
///
/// [`PackagingError::Io`], and what `write` says.
pub fn write_whole(
    path: &Path,
    write: impl FnOnce(&mut dyn io::Write) -> Result<(), PackageError>,
) -> Result<(), PackagingError> {
    let failed = |source: io::Error| PackagingError::Io { what: "write", path: path.to_owned(), source };
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(folder).map_err(failed)?;
    let mut fresh = tempfile::Builder::new();
    // A package is for everybody; temporary files are for their owner alone unless told otherwise.
    #[cfg(unix)]
    let fresh = {
        use std::os::unix::fs::PermissionsExt;
        fresh.permissions(fs::Permissions::from_mode(0o644))
    };
    let mut file = fresh.prefix(".package-").tempfile_in(folder).map_err(failed)?;
    let mut buffered = io::BufWriter::new(file.as_file_mut());
    write(&mut buffered).map_err(|source| PackagingError::Package { path: path.to_owned(), source })?;
    io::Write::flush(&mut buffered).map_err(failed)?;
    drop(buffered);
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map(drop).map_err(|why| failed(why.error))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_library_is_called_as_hosts_of_its_target_look_for_it() {
        let manifest = |library: serde_json::Value| {
            let text = json!({
                "name": "a-plugin", "version": "1.0.0", "displayName": "A", "type": "extension",
                "entrypoints": { "library": library },
            });
            Manifest::parse(text.to_string().as_bytes()).expect("a manifest")
        };
        let unnamed = manifest(serde_json::Value::Null);
        assert_eq!(library_name(&unnamed, "x86_64-unknown-linux-gnu"), "liba_plugin.so");
        assert_eq!(library_name(&unnamed, "aarch64-apple-darwin"), "liba_plugin.dylib");
        assert_eq!(library_name(&unnamed, "x86_64-pc-windows-msvc"), "a_plugin.dll");
        assert_eq!(library_name(&manifest(json!("other")), "x86_64-unknown-linux-musl"), "libother.so");
        assert_eq!(library_name(&manifest(json!("other.so")), "x86_64-unknown-linux-gnu"), "other.so");
        assert_eq!(library_name(&unnamed, streamspace_package::Triple::this().as_str()), {
            let (prefix, suffix) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
            format!("{prefix}a_plugin{suffix}")
        });
    }

    #[test]
    fn a_level_may_be_declared_above_what_a_library_says_and_not_below() {
        use CpuLevel::{V1, V2, V3};
        let level = |told, declared| level("x.so", told, declared).ok();
        assert_eq!(level(Some(V1), None), Some(Some(V1)));
        assert_eq!(level(Some(V2), Some(V3)), Some(Some(V3)));
        assert_eq!(level(Some(V3), Some(V2)), None);
        assert_eq!(level(None, Some(V3)), Some(None), "another processor has no level");
    }

    #[test]
    fn a_file_that_could_not_be_written_leaves_the_old_one() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("new/a.sspkg");
        let first = |out: &mut dyn io::Write| {
            out.write_all(b"first").expect("it is written");
            Ok(())
        };
        write_whole(&path, first).expect("it is written");
        let fails = |_: &mut dyn io::Write| Err(PackageError::NoSignature);
        write_whole(&path, fails).expect_err("it fails");
        assert_eq!(fs::read(&path).expect("the first"), b"first");
        assert_eq!(
            fs::read_dir(folder.path().join("new")).expect("a folder").count(),
            1,
            "nothing is left over"
        );
    }
}
