//! Bytes as a package: refused with words, or unpacked to what its document names. With a signature they would not pass;
//! so they are taken unsigned, and so that blobs are reached, the checksums of headers are corrected first.
#![no_main]

use std::{collections::BTreeMap, io::Cursor};

use libfuzzer_sys::fuzz_target;
use streamspace_package::{Document, Keyring, PackageError, Unverified, parse_signatures};

fuzz_target!(|bytes: &[u8]| {
    refused(Document::parse(bytes).map(drop));
    refused(parse_signatures(bytes).map(drop));
    refused(unpack(bytes));
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
