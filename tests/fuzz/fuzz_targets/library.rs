//! Bytes as a library's file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use streamspace_host::loader::inspect_bytes;

fuzz_target!(|bytes: &[u8]| {
    if let Err(found) = inspect_bytes(bytes) {
        assert!(!found.is_empty(), "a refusal without words");
    }
});
