//! Bytes as a package, as its document, as its signatures, and as one of its blobs: refused with words, or what the document says.
#![no_main]

use std::{collections::BTreeMap, io::Cursor};

use libfuzzer_sys::fuzz_target;
use serde_json::Value;
use streamspace_package::{ContentHash, Document, Keyring, PackageError, Unverified, parse_signatures};

fuzz_target!(|bytes: &[u8]| {
    refused(Document::parse(bytes).map(drop));
    refused(parse_signatures(bytes).map(drop));
    // With a signature they would not pass, so they are taken without.
    refused(unpack(bytes));
    // No fuzzer finds a hash: what holds a blob is made around it.
    refused(unpack(&with_manifest(bytes)));
});

fn refused(outcome: Result<(), PackageError>) {
    if let Err(why) = outcome {
        assert!(!why.to_string().is_empty(), "a refusal without words");
        assert!(why.code().starts_with("SSP-PKG-"), "a refusal without a code");
    }
}

fn unpack(bytes: &[u8]) -> Result<(), PackageError> {
    let mut package = Unverified::open(Cursor::new(bytes))?.accept_unsigned(&Keyring::new())?;
    for target in package.document().targets.clone() {
        let mut files: BTreeMap<String, Vec<u8>> = BTreeMap::new();
        package.unpack(&target, |_| true, &mut files)?;
        let sizes: BTreeMap<_, _> =
            package.document().unpacked(&target).map(|(path, blob)| (path, blob.size)).collect();
        for (path, file) in files {
            assert_eq!(sizes.get(path.as_str()), Some(&(file.len() as u64)), "{path}");
        }
    }
    package.check(|_| {})
}

/// The package of the seeds with other bytes where its manifest is packed, and a document that has their hash.
fn with_manifest(packed: &[u8]) -> Vec<u8> {
    const SEED: &[u8] = include_bytes!("../seeds/package/unsigned.sspkg");
    let mut document: Value =
        serde_json::from_slice(include_bytes!("../seeds/package/package.json")).expect("a seed");
    let manifest = &mut document["manifest"];
    let name = format!("payload/{}.zst", manifest["sha256"].as_str().expect("a seed"));
    manifest["compressed_sha256"] = ContentHash::of(packed).to_string().into();
    manifest["compressed_size"] = packed.len().into();
    manifest["size"] = (1 << 20).into();
    let document = serde_json::to_vec(&document).expect("it is JSON");

    let mut package = Vec::new();
    let mut rest = SEED;
    while rest[0] != 0 {
        let (header, behind) = rest.split_at(512);
        let size = std::str::from_utf8(&header[124..135]).expect("a seed");
        let size = usize::from_str_radix(size, 8).expect("a seed");
        let content = match () {
            () if header.starts_with(b"package.json\0") => &document,
            () if header.starts_with(name.as_bytes()) => packed,
            () => &behind[..size],
        };
        package.extend(sized(header, content.len()));
        package.extend(content);
        package.resize(package.len().next_multiple_of(512), 0);
        rest = &behind[size.next_multiple_of(512)..];
    }
    package.resize(package.len() + 1024, 0);
    package
}

/// A header with another size.
fn sized(header: &[u8], size: usize) -> Vec<u8> {
    let mut header = header.to_vec();
    header[124..135].copy_from_slice(format!("{size:011o}").as_bytes());
    header[148..156].fill(b' ');
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    header
}
