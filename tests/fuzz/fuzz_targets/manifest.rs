//! Bytes as a manifest: refused with words, or the same manifest again once it is written and read.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_plugin::manifest::Manifest;

fuzz_target!(|bytes: &[u8]| {
    match Manifest::parse(bytes) {
        Err(refusal) => assert!(!refusal.to_string().is_empty(), "a refusal without words"),
        Ok(manifest) => {
            for warning in manifest.warnings() {
                assert!(!warning.to_string().is_empty(), "a warning without words");
            }
            let written = serde_json::to_vec(&manifest).expect("a manifest is JSON");
            let again = Manifest::parse(&written).expect("what was written is a manifest");
            assert_eq!(manifest, again, "it changed on its way");
        }
    }
});
