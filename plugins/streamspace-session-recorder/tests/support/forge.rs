//! Segments with any contents and good sums and hashes, which no fuzzer finds. Written after the description of the format, and not by
//! the writer.

use sha2::{Digest, Sha256};

/// What these bytes are taken for, as the first one chooses: a whole segment, records, a keyframe, what zstd has packed, or an index.
pub(crate) fn segment(first: u8, bytes: &[u8]) -> Vec<u8> {
    let flags = first >> 3 & 5;
    match first % 5 {
        0 => bytes.to_vec(),
        1 => with_block(1, flags, 0, bytes.len(), bytes),
        2 => with_block(2, 4, 0, bytes.len(), bytes),
        3 => match bytes.split_first_chunk() {
            // What is packed, and how much it says it is.
            Some((raw, frame)) => with_block(1, flags, 1, u16::from_le_bytes(*raw).into(), frame),
            None => Vec::new(),
        },
        _ => with_block(4, 0, 0, bytes.len(), bytes),
    }
}

/// A segment of one block, and the end if that is the last one.
fn with_block(kind: u8, flags: u8, codec: u8, raw: usize, payload: &[u8]) -> Vec<u8> {
    const DOCUMENT: &[u8] = br#"{"recording":"r","session":"s","started_at":0,"segment":0,"begins":0}"#;
    let mut segment = b"\x89SSREC\r\n\x01\0\0\0".to_vec();
    segment.extend((DOCUMENT.len() as u32).to_le_bytes());
    segment.extend(DOCUMENT);
    let before = Sha256::digest(&segment);
    segment.extend(before);
    segment.extend(crc32c::crc32c(&segment).to_le_bytes());

    let place = segment.len();
    let mut head = vec![kind, flags, codec, 0];
    head.extend((payload.len() as u32).to_le_bytes());
    head.extend((raw as u32).to_le_bytes());
    // Nothing goes on in it, and it is the first; it is at no time up to a late one.
    head.resize(32, 0);
    head.extend([0, 0, 0, 0, 1, 0, 0, 0]);
    head.resize(48, 0);
    let mut sha = Sha256::new();
    sha.update(before);
    sha.update(&head);
    sha.update(payload);
    head.extend(sha.finalize());
    head.extend(crc32c::crc32c(payload).to_le_bytes());
    head.extend(crc32c::crc32c(&head).to_le_bytes());
    segment.extend(head);
    segment.extend(payload);
    if kind == 4 {
        let end = segment.len();
        segment.extend((place as u64).to_le_bytes());
        segment.extend(1_u64.to_le_bytes());
        segment.extend(before);
        segment.extend(b"SSREC/\x1A\n");
        segment.extend(crc32c::crc32c(&segment[end..]).to_le_bytes());
    }
    segment
}
