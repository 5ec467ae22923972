//! Bytes as the section of a library that has its note.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_plugin::abi::facts_in;

fuzz_target!(|bytes: &[u8]| {
    for little_endian in [true, false] {
        if let Err(why) = facts_in(bytes, little_endian) {
            assert!(!why.to_string().is_empty(), "a refusal without words");
        }
    }
});
