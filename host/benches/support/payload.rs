//! The data of the events.

use bytes::Bytes;

/// The payload of all benchmarks: 512 bytes of JSON.
pub(crate) fn payload() -> Bytes {
    let padding = "x".repeat(512 - r#"{"padding":""}"#.len());
    Bytes::from(format!(r#"{{"padding":"{padding}"}}"#))
}
