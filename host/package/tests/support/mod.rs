//! A vendor, packages, and archives that no builder would make.

#![expect(clippy::unwrap_used, reason = "a test stops at the first surprise")]
#![allow(dead_code, unreachable_pub, reason = "each suite uses a part of it")]
#![allow(clippy::allow_attributes, reason = "which part differs")]

use std::{collections::BTreeMap, io::Cursor};

use serde_json::{Value, json};
use streamspace_package::*;
use streamspace_plugin::{CapabilityFacts, Facts};

pub const BLOCK: usize = 512;

/// Who signs.
pub struct Vendor {
    pub secret: SecretKey,
    pub public: PublicKey,
}

impl Vendor {
    pub fn new() -> Self {
        let key = SecretKey::generate(None).unwrap();
        Self { secret: SecretKey::from_file_text(&key.secret_file, None).unwrap(), public: key.public }
    }

    /// A keyring that trusts this vendor alone.
    pub fn keyring(&self) -> Keyring {
        let mut keyring = Keyring::new();
        keyring.trust(self.public.clone(), "Example Ltd.");
        keyring
    }

    pub fn sign(&self, document: &[u8]) -> String {
        self.secret.sign(document, "of a test").unwrap().as_str().to_owned()
    }

    /// The sample, signed.
    pub fn package(&self) -> Vec<u8> {
        let mut built = sample().build().unwrap();
        built.sign(&self.secret).unwrap();
        bytes(&built)
    }
}

pub fn manifest() -> Vec<u8> {
    serde_json::to_vec_pretty(&json!({
        "name": "example-clock",
        "version": "1.2.3",
        "displayName": "Clock",
        "description": "Says what time it is.",
        "type": "extension",
        "license": "MIT",
        "permissions": ["storage", "network:time.example.com"],
        "dependencies": {"example-base": ">=1.0, <2.0"},
    }))
    .unwrap()
}

pub fn facts(target: &str) -> Facts {
    let capability = CapabilityFacts { id: "log/1".into(), since: "0.1.0".into(), layout: "0123abcd".into() };
    Facts {
        name: "example-clock".into(),
        version: "1.2.3".into(),
        sdk: "0.1.0".into(),
        abi: 1,
        rustc: "rustc 1.95.0 (59807616e 2026-04-14)".into(),
        panic: "unwind".into(),
        target: target.to_owned().into(),
        cpu: Vec::new(),
        needs: vec![capability],
        uses: Vec::new(),
        offers: Vec::new(),
    }
}

pub const LINUX: &str = "x86_64-unknown-linux-gnu";
pub const MAC: &str = "aarch64-apple-darwin";

pub fn library_bytes(which: &str) -> Vec<u8> {
    which.bytes().cycle().take(3000).collect()
}

/// A signed package with one target and no other file.
pub fn small(vendor: &Vendor) -> Vec<u8> {
    let mut builder = Builder::new(&manifest()).unwrap();
    let facts = facts(MAC);
    let library =
        Library { file: "libexample_clock.dylib", bytes: b"code", facts: &facts, cpu: None, glibc_min: None };
    builder.library(&library).unwrap();
    let mut built = builder.build().unwrap();
    built.sign(&vendor.secret).unwrap();
    bytes(&built)
}

/// A builder with three targets and some files.
pub fn sample() -> Builder {
    let mut builder = Builder::new(&manifest()).unwrap();
    let (linux, mac) = (facts(LINUX), facts(MAC));
    let mut fast = facts(LINUX);
    fast.cpu = vec!["avx2".into()];
    for (file, bytes, facts, cpu, glibc) in [
        ("libexample_clock.so", "linux", &linux, None, Some("2.31")),
        ("libexample_clock.so", "fast", &fast, Some(CpuLevel::V3), Some("2.31")),
        ("libexample_clock.dylib", "mac", &mac, None, None),
    ] {
        let glibc_min = glibc.map(|text: &str| text.parse().unwrap());
        builder.library(&Library { file, bytes: &library_bytes(bytes), facts, cpu, glibc_min }).unwrap();
    }
    builder.file("README.md", b"# Clock\n").unwrap();
    builder.file("ui/panel.js", b"export default 1;\n").unwrap();
    builder.file("migrations/sqlite/0001_first/up.sql", b"CREATE TABLE t (a);\n").unwrap();
    builder
}

pub fn bytes(built: &Built) -> Vec<u8> {
    let mut bytes = Vec::new();
    built.write(&mut bytes).unwrap();
    bytes
}

pub fn open(bytes: &[u8]) -> Result<Unverified<Cursor<Vec<u8>>>, PackageError> {
    Unverified::open(Cursor::new(bytes.to_vec()))
}

/// Opens, verifies and reads all of a package.
pub fn read_all(bytes: &[u8], keyring: &Keyring) -> Result<BTreeMap<String, Vec<u8>>, PackageError> {
    let mut package = open(bytes)?.verify(keyring)?;
    package.check(|_| {})?;
    let mut files = BTreeMap::new();
    for target in package.document().targets.clone() {
        package.unpack(&target, |_| true, &mut files)?;
    }
    Ok(files)
}

/// The code that a package is refused with.
pub fn refusal(bytes: &[u8], keyring: &Keyring) -> &'static str {
    refused(bytes, keyring).code()
}

pub fn refused(bytes: &[u8], keyring: &Keyring) -> PackageError {
    let why = read_all(bytes, keyring).expect_err("it is refused");
    assert!(!why.to_string().is_empty() && why.to_string().len() < 4000, "{why}");
    assert!(!why.to_string().contains(char::is_control), "{why:?}");
    why
}

/// One entry of an archive.
#[derive(Clone)]
pub struct Entry {
    pub header: [u8; BLOCK],
    pub content: Vec<u8>,
}

impl Entry {
    /// A header as GNU tar writes it with `--format=ustar`, made here apart from what is tested.
    pub fn new(name: &[u8], content: Vec<u8>) -> Self {
        let mut header = [0; BLOCK];
        header[..name.len()].copy_from_slice(name);
        header[100..108].copy_from_slice(b"0000644\0");
        header[108..116].copy_from_slice(b"0000000\0");
        header[116..124].copy_from_slice(b"0000000\0");
        header[124..136].copy_from_slice(format!("{:011o}\0", content.len()).as_bytes());
        header[136..148].copy_from_slice(b"00000000000\0");
        header[156] = b'0';
        header[257..265].copy_from_slice(b"ustar\x0000");
        header[329..337].copy_from_slice(b"0000000\0");
        header[337..345].copy_from_slice(b"0000000\0");
        Self { header, content }.summed()
    }

    /// Changes the header and corrects its checksum.
    pub fn with(mut self, at: usize, bytes: &[u8]) -> Self {
        self.header[at..at + bytes.len()].copy_from_slice(bytes);
        self.summed()
    }

    fn summed(mut self) -> Self {
        self.header[148..156].fill(b' ');
        let sum: u32 = self.header.iter().map(|byte| u32::from(*byte)).sum();
        self.header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
        self
    }
}

/// The entries of a package that is right.
pub fn entries(package: &[u8]) -> Vec<Entry> {
    let mut rest = package;
    let mut entries = Vec::new();
    while rest[0] != 0 {
        let size = usize::from_str_radix(std::str::from_utf8(&rest[124..135]).unwrap(), 8).unwrap();
        let whole = BLOCK + size.div_ceil(BLOCK) * BLOCK;
        let header = rest[..BLOCK].try_into().unwrap();
        entries.push(Entry { header, content: rest[BLOCK..BLOCK + size].to_vec() });
        rest = &rest[whole..];
    }
    entries
}

pub fn archive(entries: &[Entry]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for Entry { header, content } in entries {
        bytes.extend(header);
        bytes.extend(content);
        bytes.resize(bytes.len().next_multiple_of(BLOCK), 0);
    }
    bytes.resize(bytes.len() + 2 * BLOCK, 0);
    bytes
}

/// A package with this document, signed by `vendor`, and these entries behind it.
pub fn with_document(vendor: &Vendor, document: &[u8], blobs: &[Entry]) -> Vec<u8> {
    let mut all = vec![
        Entry::new(b"package.json", document.to_vec()),
        Entry::new(b"package.minisig", vendor.sign(document).into_bytes()),
    ];
    all.extend(blobs.iter().cloned());
    archive(&all)
}

/// The sample with its document changed, and signed after that.
pub fn changed(vendor: &Vendor, change: impl FnOnce(&mut Value)) -> Vec<u8> {
    let entries = entries(&vendor.package());
    let mut document: Value = serde_json::from_slice(&entries[0].content).unwrap();
    change(&mut document);
    with_document(vendor, &serde_json::to_vec(&document).unwrap(), &entries[2..])
}
