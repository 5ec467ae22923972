//! Bytes as a library's file, and as the section with its note.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_host::loader::inspect_bytes;
use streamspace_plugin::abi::facts_in;

fuzz_target!(|bytes: &[u8]| {
    if let Err(found) = inspect_bytes(bytes) {
        assert!(!found.is_empty(), "a refusal without words");
    }
    for little_endian in [true, false] {
        if let Err(why) = facts_in(bytes, little_endian) {
            assert!(!why.to_string().is_empty(), "a refusal without words");
        }
    }
});
