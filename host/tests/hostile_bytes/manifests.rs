//! Manifests that were changed at random.

use streamspace_plugin::manifest::Manifest;

use crate::{
    mutation::{Seeds, survive},
    seeds,
};

const WORDS: [&str; 16] = [
    "{}",
    "[[[[",
    "null",
    "\"\"",
    "1e308",
    "0.1e-7",
    "-0.0",
    "18446744073709551616",
    "\\ud800",
    "\\u0000",
    "\"..\":",
    "\"name\":\"a\",",
    "\"x\":1,",
    "\"$serde_json::private::RawValue\":\"[1]\",",
    "\u{202e}",
    "\u{feff}",
];

#[test]
fn a_manifest_changed_at_random_is_refused_or_read_and_written_alike() {
    survive(Seeds { files: seeds::of("manifest"), words: &WORDS }, 6_000, |bytes| {
        match Manifest::parse(bytes) {
            Err(refusal) => assert!(!refusal.to_string().is_empty()),
            Ok(manifest) => {
                for warning in manifest.warnings() {
                    assert!(!warning.to_string().is_empty());
                }
                let written = serde_json::to_vec(&manifest).expect("JSON");
                assert_eq!(Manifest::parse(&written).as_ref(), Ok(&manifest));
            }
        }
    });
}

/// `serde_json` reads what is in such a key as JSON again, if its feature `raw_value` is on anywhere in the program.
#[test]
fn a_manifest_nests_no_deeper_than_its_text() {
    let mut nested = "1".to_owned();
    for _ in 0..12 {
        let text = format!("{}{nested}{}", "[".repeat(100), "]".repeat(100));
        nested = format!("{{\"$serde_json::private::RawValue\":{}}}", serde_json::Value::String(text));
    }
    let required = r#""name":"streamspace-a","version":"1.0.0","displayName":"A","type":"cli""#;
    let text = format!("{{{required},\"defaultConfig\":{nested}}}");
    let manifest = Manifest::parse(text.as_bytes()).expect("a manifest");
    assert_eq!(serde_json::to_string(&manifest).expect("JSON"), text);
}
