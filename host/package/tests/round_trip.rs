//! What was packed comes out again, and the same input gives the same bytes.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]

mod support;

use std::{
    cell::RefCell,
    collections::BTreeMap,
    fs,
    io::{self, Cursor, Read, Seek, SeekFrom},
    path::Path,
    rc::Rc,
};

use streamspace_package::*;
use support::*;

#[test]
fn what_was_packed_comes_out_again() {
    let vendor = Vendor::new();
    let mut package = open(&vendor.package()).unwrap().verify(&vendor.keyring()).unwrap();
    package.check(|_| {}).unwrap();
    assert_eq!(package.manifest().unwrap().name.as_str(), "example-clock");
    let document = package.document().clone();
    assert_eq!(document.name.as_str(), "example-clock");
    assert_eq!(document.version.to_string(), "1.2.3");
    let targets: Vec<_> =
        document.targets.iter().map(|target| (target.triple.as_str(), target.cpu)).collect();
    assert_eq!(targets, [(MAC, None), (LINUX, None), (LINUX, Some(CpuLevel::V3))]);
    document.check_library(&document.targets[1], &facts(LINUX)).unwrap();

    let folder = tempfile::tempdir().unwrap();
    package.unpack(&document.targets[1], |_| true, &mut Folder::new(folder.path())).unwrap();
    let read = |path: &str| fs::read(folder.path().join(path)).unwrap();
    assert_eq!(read("manifest.json"), manifest());
    assert_eq!(read("libexample_clock.so"), library_bytes("linux"));
    assert_eq!(read("ui/panel.js"), b"export default 1;\n");
    assert_eq!(read("migrations/sqlite/0001_first/up.sql"), b"CREATE TABLE t (a);\n");
    // Nothing is written over.
    let again = package.unpack(&document.targets[1], |_| true, &mut Folder::new(folder.path()));
    assert_eq!(again.unwrap_err().code(), "SSP-PKG-001");
}

#[test]
fn only_the_files_that_are_wanted_are_unpacked() {
    let vendor = Vendor::new();
    let mut package = open(&vendor.package()).unwrap().verify(&vendor.keyring()).unwrap();
    let target = package.document().targets[0].clone();
    let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    package.unpack(&target, |path| path.starts_with("ui/"), &mut files).unwrap();
    let paths: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(paths, ["libexample_clock.dylib", "manifest.json", "ui/panel.js"]);
    assert_eq!(package.read("README.md", 100).unwrap(), b"# Clock\n");
    assert_eq!(package.read("README.md", 7).unwrap_err().code(), "SSP-PKG-008");
    assert_eq!(package.read("LICENSE", 100).unwrap_err().code(), "SSP-PKG-015");
}

/// Remembers which bytes were read.
struct Watched {
    inner: Cursor<Vec<u8>>,
    read: Rc<RefCell<Vec<bool>>>,
}

impl Read for Watched {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let at = self.inner.position() as usize;
        let read = self.inner.read(buffer)?;
        self.read.borrow_mut()[at..at + read].fill(true);
        Ok(read)
    }
}

impl Seek for Watched {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.inner.seek(to)
    }
}

#[test]
fn a_blob_is_read_after_the_signature_was_verified_and_if_it_is_wanted() {
    let vendor = Vendor::new();
    let bytes = vendor.package();
    let payload: usize =
        entries(&bytes)[..2].iter().map(|entry| BLOCK + entry.content.len().next_multiple_of(BLOCK)).sum();
    let read = Rc::new(RefCell::new(vec![false; bytes.len()]));
    let seen = |range: std::ops::Range<usize>| read.borrow()[range].iter().any(|read| *read);

    let package =
        Unverified::open(Watched { inner: Cursor::new(bytes.clone()), read: Rc::clone(&read) }).unwrap();
    assert!(!seen(payload..bytes.len()), "only the head is read");
    let mut package = package.verify(&vendor.keyring()).unwrap();
    let end = bytes.len() - 2 * BLOCK;
    assert!(!seen(payload..end), "only the head and the end are read");
    let target = package.document().targets[0].clone();
    package.unpack(&target, |_| false, &mut BTreeMap::new()).unwrap();
    let other = package.document().targets[1].library.blob.entry();
    let mut at = 0;
    for entry in entries(&bytes) {
        let whole = BLOCK + entry.content.len().next_multiple_of(BLOCK);
        if entry.header.starts_with(other.as_bytes()) {
            assert!(!seen(at..at + whole), "another target's library is not read");
        }
        at += whole;
    }
    assert!(seen(payload..end));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let first = bytes(&sample().build().unwrap());
    assert_eq!(first, bytes(&sample().build().unwrap()));
    // On every machine. It changes with the format, and with the version of zstd: both are to be known.
    assert_eq!(
        ContentHash::of(&first).to_string(),
        "380060b40a3dfed5f5aac32d6b07838c0f955a918f2523b81d38f01ae2721696"
    );
}

#[test]
fn the_order_of_the_input_does_not_matter() {
    let files = [("a.txt", "first"), ("b/c.txt", "second"), ("b/d.txt", "third")];
    let with = |files: &mut dyn Iterator<Item = &(&str, &str)>| {
        let mut builder = sample();
        for (path, text) in files {
            builder.file(path, text.as_bytes()).unwrap();
        }
        bytes(&builder.build().unwrap())
    };
    assert_eq!(with(&mut files.iter()), with(&mut files.iter().rev()));
}

#[test]
fn a_tar_of_any_system_lists_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("example.sspkg");
    fs::write(&file, Vendor::new().package()).unwrap();
    let output = std::process::Command::new("tar").arg("-tf").arg(&file).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("package.json\npackage.minisig\npayload/"), "{text}");
}

#[test]
fn files_without_a_byte_and_larger_than_the_window_come_out_again() {
    let large: Vec<u8> = (0u32..5_000_000).flat_map(|number| (number / 7).to_le_bytes()).collect();
    let vendor = Vendor::new();
    let mut builder = sample();
    builder.file("empty.txt", b"").unwrap();
    builder.file("ui/large.wasm", &large).unwrap();
    let mut built = builder.build().unwrap();
    built.sign(&vendor.secret).unwrap();
    let files = read_all(&bytes(&built), &vendor.keyring()).unwrap();
    assert_eq!(files["empty.txt"], b"");
    assert!(files["ui/large.wasm"] == large);
}

#[test]
fn files_with_the_same_bytes_share_an_entry() {
    let mut builder = sample();
    builder.file("COPY.md", b"# Clock\n").unwrap();
    let same = entries(&bytes(&builder.build().unwrap())).len();
    assert_eq!(same, entries(&bytes(&sample().build().unwrap())).len());
}

#[test]
fn a_machine_gets_the_best_of_the_targets_that_fit() {
    let document = sample().build().unwrap().document().clone();
    let machine = |triple: &str, cpu, glibc: Option<&str>| Machine {
        triple: triple.parse().unwrap(),
        cpu,
        glibc: glibc.map(|text| text.parse().unwrap()),
    };
    let level = |machine: &Machine| document.target_for(machine).unwrap().cpu;
    assert_eq!(level(&machine(LINUX, Some(CpuLevel::V4), Some("2.36"))), Some(CpuLevel::V3));
    assert_eq!(level(&machine(LINUX, Some(CpuLevel::V2), Some("2.36"))), None);
    assert_eq!(level(&machine(MAC, None, None)), None);

    let old = document.target_for(&machine(LINUX, Some(CpuLevel::V4), Some("2.28"))).unwrap_err();
    assert_eq!(old.code(), "SSP-PKG-016");
    assert!(old.to_string().contains("needs glibc 2.31"), "{old}");
    let other = document.target_for(&machine("aarch64-unknown-linux-gnu", None, Some("2.36"))).unwrap_err();
    assert!(other.to_string().contains(MAC) && other.to_string().contains(LINUX), "{other}");
}

#[test]
fn a_library_that_says_something_else_is_named() {
    let document = sample().build().unwrap().document().clone();
    let mut other = facts(LINUX);
    other.rustc = "rustc 1.96.0".into();
    let why = document.check_library(&document.targets[1], &other).unwrap_err();
    assert_eq!(why.code(), "SSP-PKG-013");
    assert!(why.to_string().contains("rustc 1.96.0"), "{why}");
}

#[test]
fn what_cannot_be_in_a_package_is_not_built() {
    let refused = |change: &dyn Fn(&mut Builder)| {
        let mut builder = sample();
        change(&mut builder);
        builder.build().unwrap_err().code()
    };
    for path in [
        "../x",
        "/x",
        "a//b",
        "a/./b",
        "a\\b",
        "con",
        "ui/NUL.js",
        "x.so",
        "package.json",
        "MANIFEST.JSON",
        "README.md",
        "readme.md",
        "ui",
        ".x",
        "x.",
        "é",
    ] {
        assert_eq!(
            refused(&|builder| {
                builder.file(path, b"x").unwrap();
            }),
            "SSP-PKG-009",
            "{path}"
        );
    }
    let twice = |builder: &mut Builder| {
        let facts = facts(LINUX);
        let library =
            Library { file: "libexample_clock.so", bytes: b"x", facts: &facts, cpu: None, glibc_min: None };
        builder.library(&library).unwrap();
    };
    assert_eq!(refused(&twice), "SSP-PKG-009");
    assert_eq!(Builder::new(&manifest()).unwrap().build().unwrap_err().code(), "SSP-PKG-009");
    assert_eq!(Builder::new(b"{}").unwrap_err().code(), "SSP-PKG-014");
    let mut other = facts(LINUX);
    other.version = "9.9.9".into();
    let library = Library { file: "libx.so", bytes: b"x", facts: &other, cpu: None, glibc_min: None };
    assert_eq!(sample().library(&library).unwrap_err().code(), "SSP-PKG-041");
}

/// A package that was built and signed once. Every later version reads it.
#[test]
fn a_package_of_the_first_version_is_still_read() {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fuzz/seeds/package");
    let mut keyring = Keyring::new();
    keyring.trust(
        "RWRQPMZnYnOui3qKB7PlJwtQmbyF4ny1jmCNzvq5bFXaAfIMjp/M4eFC".parse().unwrap(),
        "the first vendor",
    );
    let files = read_all(&fs::read(seeds.join("signed.sspkg")).unwrap(), &keyring).unwrap();
    assert_eq!(files["manifest.json"], manifest());
    assert_eq!(files["libexample_clock.dylib"], b"code");
    let unsigned = fs::read(seeds.join("unsigned.sspkg")).unwrap();
    open(&unsigned).unwrap().accept_unsigned(&keyring).unwrap().check(|_| {}).unwrap();
}
