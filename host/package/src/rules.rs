//! What `package.json` must keep beyond the types of its keys.

use std::collections::{BTreeMap, BTreeSet};

use streamspace_plugin::manifest::{self, Manifest};

use crate::{
    Blob, PackageError,
    document::{Abi, Document, MANIFEST_PATH, SBOM_PATH, Target},
    tar,
};

/// The largest file, in bytes: 512 MiB, as for libraries that are installed.
pub const MAX_FILE_BYTES: u64 = 512 * 1024 * 1024;
/// The most bytes of all files together, in 64 targets: 4 GiB.
pub const MAX_TOTAL_BYTES: u64 = 4 * 1024 * 1024 * 1024;
/// The most files beside libraries, manifest and the list of what it is made of.
pub const MAX_FILES: usize = 4000;
/// The most targets.
pub const MAX_TARGETS: usize = 64;
/// The longest path, in bytes.
pub const MAX_PATH: usize = 200;
/// The most segments of a path.
pub const MAX_DEPTH: usize = 8;

/// The most of dependencies, conflicts and permissions each.
const MAX_NAMED: usize = 256;
/// The most capabilities in one list.
const MAX_CAPABILITIES: usize = 100;
/// The most features of a processor.
const MAX_FEATURES: usize = 200;

/// What libraries end with. No other file ends so: a host takes what ends so for the library.
const LIBRARY_ENDS: [&str; 3] = [".so", ".dylib", ".dll"];
/// Names that are the package's own, or the store's.
const KEPT: [&str; 4] = [MANIFEST_PATH, SBOM_PATH, "package.json", "package.minisig"];

/// Checks a document that was read or is about to be written.
pub(crate) fn check(document: &Document) -> Result<(), PackageError> {
    text("display_name", Some(&document.display_name), 100)?;
    text("description", document.description.as_deref(), 200)?;
    text("author", document.author.as_deref(), 200)?;
    text("license", document.license.as_deref(), 200)?;
    text("homepage", document.homepage.as_deref(), 500)?;
    if let Some(homepage) = &document.homepage
        && !homepage.starts_with("https://")
        && !homepage.starts_with("http://")
    {
        return refuse("homepage", "expected an http or https address");
    }
    count("permissions", document.permissions.len(), 0, MAX_NAMED)?;
    count("dependencies", document.dependencies.len(), 0, MAX_NAMED)?;
    count("conflicts", document.conflicts.len(), 0, MAX_NAMED)?;
    let mut permissions = BTreeSet::new();
    for (at, permission) in document.permissions.iter().enumerate() {
        if !permissions.insert(permission) {
            return refuse(&format!("permissions[{at}]"), "expected each permission once");
        }
    }
    for (key, named) in [("dependencies", &document.dependencies), ("conflicts", &document.conflicts)] {
        if named.contains_key(&document.name) {
            return refuse(
                &format!("{key}.{}", document.name),
                "expected other plugins, found the plugin itself",
            );
        }
    }
    count("targets", document.targets.len(), 1, MAX_TARGETS)?;
    for (at, target) in document.targets.iter().enumerate() {
        of_target(&format!("targets[{at}]"), target)?;
    }
    for (at, pair) in document.targets.windows(2).enumerate() {
        if (&pair[0].triple, pair[0].cpu) >= (&pair[1].triple, pair[1].cpu) {
            let expected = "expected targets in the order of triple and cpu, each pair once";
            return refuse(&format!("targets[{}]", at + 1), expected);
        }
    }
    of_files(document)?;
    of_blobs(document)
}

fn of_target(at: &str, target: &Target) -> Result<(), PackageError> {
    if target.cpu.is_some() && !target.triple.is_x86_64() {
        return refuse(&format!("{at}.cpu"), "expected none, since the triple is not of x86_64");
    }
    if target.glibc_min.is_some() && !target.triple.is_glibc() {
        return refuse(&format!("{at}.glibc_min"), "expected none, since the triple is not of glibc");
    }
    if target.panic != "unwind" {
        return refuse(&format!("{at}.panic"), "expected `unwind`: a panic must not end the host");
    }
    text(&format!("{at}.rustc"), Some(&target.rustc), 200)?;
    count(&format!("{at}.cpu_features"), target.cpu_features.len(), 0, MAX_FEATURES)?;
    for (number, feature) in target.cpu_features.iter().enumerate() {
        text(&format!("{at}.cpu_features[{number}]"), Some(feature), 64)?;
    }
    let Abi { major: _, needs, uses, offers } = &target.abi;
    for (key, list) in [("needs", needs), ("uses", uses), ("offers", offers)] {
        let at = format!("{at}.abi.{key}");
        count(&at, list.len(), 0, MAX_CAPABILITIES)?;
        for (number, capability) in list.iter().enumerate() {
            let at = format!("{at}[{number}]");
            text(&format!("{at}.id"), Some(&capability.id), 100)?;
            text(&format!("{at}.since"), Some(&capability.since), 100)?;
            let digits = capability.layout.bytes().all(|byte| byte.is_ascii_hexdigit());
            if !digits || capability.layout.len() % 8 != 0 || capability.layout.len() > 8000 {
                let expected = "expected at most 1000 times eight hexadecimal digits";
                return refuse(&format!("{at}.layout"), expected);
            }
        }
    }
    let library = &target.library.path;
    let at = format!("{at}.library.path");
    path(&at, library)?;
    if library.contains('/') || !is_library(library) {
        return refuse(&at, "expected a name without a folder that ends with .so, .dylib or .dll");
    }
    Ok(())
}

fn of_files(document: &Document) -> Result<(), PackageError> {
    count("files", document.files.len(), 0, MAX_FILES)?;
    // Without case, since some file systems have none.
    let mut names = BTreeSet::new();
    let mut folders = BTreeSet::new();
    for (number, file) in document.files.iter().enumerate() {
        let at = format!("files[{number}].path");
        path(&at, &file.path)?;
        let lower = file.path.to_ascii_lowercase();
        if KEPT.contains(&lower.as_str()) {
            return refuse(&at, "expected another name: this one is kept for the package's own files");
        }
        if is_library(&lower) {
            return refuse(&at, "expected no library: libraries are in `targets`");
        }
        if number > 0 && document.files[number - 1].path >= file.path {
            return refuse(&at, "expected files in the order of their paths, each once");
        }
        folders.extend(lower.match_indices('/').map(|(end, _)| lower[..end].to_owned()));
        if !names.insert(lower) {
            return refuse(&at, "expected paths that differ by more than upper and lower case");
        }
    }
    match names.intersection(&folders).next() {
        Some(both) => refuse("files", &format!("expected {both:?} to be a file or a folder, found both")),
        None => Ok(()),
    }
}

fn of_blobs(document: &Document) -> Result<(), PackageError> {
    let of_targets = document.targets.iter().enumerate();
    let of_files = document.files.iter().enumerate();
    let all = [("manifest".to_owned(), &document.manifest)]
        .into_iter()
        .chain(of_targets.map(|(at, target)| (format!("targets[{at}].library.blob"), &target.library.blob)))
        .chain(of_files.map(|(at, file)| (format!("files[{at}].blob"), &file.blob)))
        .chain(document.sbom.iter().map(|blob| ("sbom".to_owned(), blob)));
    let mut known: BTreeMap<_, &Blob> = BTreeMap::new();
    let mut total: u64 = 0;
    for (at, blob) in all {
        if blob.size > MAX_FILE_BYTES {
            return refuse(&format!("{at}.size"), &format!("expected at most {MAX_FILE_BYTES}"));
        }
        // What zstd cannot press together grows by less than this.
        if blob.compressed_size == 0
            || blob.compressed_size > (blob.size + blob.size / 128 + 1024).min(tar::MAX_SIZE)
        {
            return refuse(&format!("{at}.compressed_size"), "expected a size that goes with `size`");
        }
        total += blob.size;
        if total > MAX_TOTAL_BYTES {
            return refuse(
                &format!("{at}.size"),
                &format!("expected at most {MAX_TOTAL_BYTES} bytes in all files"),
            );
        }
        if *known.entry(blob.sha256).or_insert(blob) != blob {
            return refuse(&at, "expected the same sizes and hashes wherever this sha256 stands");
        }
    }
    if document.manifest.size > manifest::MAX_BYTES as u64 {
        return refuse("manifest.size", &format!("expected at most {}", manifest::MAX_BYTES));
    }
    Ok(())
}

/// Checks that the author's manifest says what the document does.
pub(crate) fn agrees(document: &Document, manifest: &Manifest) -> Result<(), PackageError> {
    let differs = |field, expected: String, found: String| {
        Err(PackageError::Disagrees { file: MANIFEST_PATH.to_owned(), field, expected, found })
    };
    if manifest.name != document.name {
        return differs("the name", document.name.to_string(), manifest.name.to_string());
    }
    if manifest.version != document.version {
        return differs("the version", document.version.to_string(), manifest.version.to_string());
    }
    if manifest.display_name != document.display_name {
        return differs("the display name", document.display_name.clone(), manifest.display_name.clone());
    }
    let asked: BTreeSet<_> = manifest.permissions.iter().map(ToString::to_string).collect();
    let shown: BTreeSet<_> = document.permissions.iter().map(ToString::to_string).collect();
    let list = |set: &BTreeSet<String>| set.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if asked != shown {
        return differs("the permissions", list(&shown), list(&asked));
    }
    for (field, said, shown) in [
        ("the dependencies", &manifest.dependencies, &document.dependencies),
        ("the conflicts", &manifest.conflicts, &document.conflicts),
    ] {
        let said: BTreeSet<_> = said.iter().map(|(name, range)| format!("{name} {range}")).collect();
        let shown: BTreeSet<_> = shown.iter().map(|(name, range)| format!("{name} {range}")).collect();
        if said != shown {
            return differs(field, list(&shown), list(&said));
        }
    }
    Ok(())
}

/// Whether a path is one of a file in a package.
fn path(at: &str, path: &str) -> Result<(), PackageError> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let segment = |segment: &str| {
        (1..=100).contains(&segment.len())
            && segment.bytes().all(plain)
            && !segment.starts_with('.')
            && !segment.ends_with('.')
            && !is_device(segment)
    };
    if path.len() > MAX_PATH || path.split('/').count() > MAX_DEPTH || !path.split('/').all(segment) {
        let expected = "expected a relative path of at most 200 bytes and 8 segments, each of 1 to 100 letters, digits, \
                        `-`, `_` and `.`, which is not the first nor the last, and no name of a device";
        return refuse(at, &format!("{expected}, found {:?}", path.chars().take(80).collect::<String>()));
    }
    Ok(())
}

/// Whether it is a device on some systems, whatever its extension.
fn is_device(segment: &str) -> bool {
    let stem = segment.split('.').next().unwrap_or_default().to_ascii_lowercase();
    let numbered = |stem: &str| stem.len() == 4 && stem.as_bytes()[3].is_ascii_digit();
    matches!(stem.as_str(), "con" | "prn" | "aux" | "nul")
        || ((stem.starts_with("com") || stem.starts_with("lpt")) && numbered(&stem))
}

fn is_library(path: &str) -> bool {
    let lower = path.to_ascii_lowercase();
    LIBRARY_ENDS.iter().any(|end| lower.ends_with(end)) || lower.contains(".so.")
}

fn text(at: &str, text: Option<&str>, most: usize) -> Result<(), PackageError> {
    let Some(text) = text else { return Ok(()) };
    let fits = (1..=most).contains(&text.chars().count()) && !text.chars().any(char::is_control);
    if fits {
        Ok(())
    } else {
        refuse(at, &format!("expected 1 to {most} characters and no control characters"))
    }
}

fn count(at: &str, found: usize, least: usize, most: usize) -> Result<(), PackageError> {
    if (least..=most).contains(&found) {
        return Ok(());
    }
    refuse(at, &format!("expected {least} to {most}, found {found}"))
}

fn refuse(at: &str, problem: &str) -> Result<(), PackageError> {
    Err(PackageError::Document { path: at.to_owned(), problem: problem.to_owned() })
}
