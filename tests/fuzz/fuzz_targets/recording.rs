//! Bytes as a segment of a recording, as what one of its blocks holds, and as a wrapped key: refused with words, or played. The first
//! byte chooses which.
#![no_main]

use std::{fs, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
use sha2::{Digest, Sha256};
use streamspace_session_recorder::{
    scene::{Moment, Scene, Source},
    store::{Error, Limits, Reader, WrappedKey, segment_path, verify},
};
use tempfile::TempDir;

/// In memory where there is such a place: a disk would be most of the time.
static FOLDER: LazyLock<TempDir> = LazyLock::new(|| {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { TempDir::new_in(memory) } else { TempDir::new() }.expect("a folder")
});

fuzz_target!(|bytes: &[u8]| {
    let Some((first, bytes)) = bytes.split_first() else { return };
    let segment = match first % 5 {
        0 => bytes.to_vec(),
        1 => with_block(1, first >> 3 & 5, 0, bytes.len(), bytes),
        2 => with_block(2, 4, 0, bytes.len(), bytes),
        3 => match bytes.split_first_chunk() {
            // What is packed, and how much it says it is.
            Some((raw, frame)) => with_block(1, first >> 3 & 5, 1, u16::from_le_bytes(*raw).into(), frame),
            None => return,
        },
        _ => {
            if let Err(why) = WrappedKey::from_bytes(bytes) {
                refused(&why);
            }
            with_block(4, 0, 0, bytes.len(), bytes)
        }
    };
    fs::write(segment_path(FOLDER.path(), 0), segment).expect("memory");

    let limits = Limits { side: 512, pixels: 1 << 15, cursor: 64, bytes: 1 << 20, segments: 2 };
    match verify(FOLDER.path(), None, &limits) {
        Ok(verified) => {
            if let Some(fault) = verified.fault {
                assert!(!fault.to_string().is_empty() && !fault.wrong.name().is_empty());
            }
        }
        Err(why) => refused(&why),
    }
    match Reader::open(FOLDER.path(), None, limits) {
        Ok(mut reader) => {
            play(&mut reader, &limits);
            let to = Moment(reader.length().0 / 2);
            match reader.seek(to) {
                Ok(()) => play(&mut reader, &limits),
                Err(why) => refused(&why),
            }
        }
        Err(why) => refused(&why),
    }
});

fn refused(why: &Error) {
    assert!(!why.to_string().is_empty(), "a refusal without words");
}

fn play(reader: &mut Reader, limits: &Limits) {
    let mut before = Moment(0);
    loop {
        match reader.next() {
            Ok(None) => return,
            Ok(Some((at, scene))) => {
                assert!(before <= at, "time goes back");
                before = at;
                if let Scene::Picture { pixels, .. } | Scene::Patch { pixels, .. } = scene {
                    assert!(pixels.len() <= limits.pixels as usize, "more pixels than the limit");
                }
            }
            Err(why) => return refused(&why),
        }
    }
}

/// A segment of one block with these contents. No fuzzer finds a hash: sums and hashes are made around them.
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
