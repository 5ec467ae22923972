//! Bytes as a segment of a recording, as what one of its blocks holds, and as a wrapped key: refused with words, or played. The first
//! byte chooses which.
#![no_main]

#[path = "../../../plugins/streamspace-session-recorder/tests/support/forge.rs"]
mod forge;

use std::{fs, path::Path, sync::LazyLock};

use libfuzzer_sys::fuzz_target;
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
    if first % 5 == 4 {
        if let Err(why) = WrappedKey::from_bytes(bytes) {
            refused(&why);
        }
    }
    let segment = forge::segment(*first, bytes);
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
