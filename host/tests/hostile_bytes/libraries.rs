//! Libraries, and notes in them, that were changed at random.

use std::{fs, path::Path};

use streamspace_host::loader::{HostFacts, inspect, inspect_bytes};
use streamspace_plugin::abi::{NoteError, facts_in};

use crate::{
    mutation::{Seeds, survive},
    seeds,
};

/// Where systems have the compiler's runtime library. Without it there is one seed less.
const REAL: [&str; 4] = [
    "/lib/x86_64-linux-gnu/libgcc_s.so.1",
    "/lib/aarch64-linux-gnu/libgcc_s.so.1",
    "/lib64/libgcc_s.so.1",
    "/usr/lib/libgcc_s.so.1",
];

/// A refusal has words, not too many, and none that a terminal takes for commands.
#[track_caller]
fn worded(words: &str) {
    assert!(!words.is_empty() && words.len() < 4096, "{} bytes: {words:.200}", words.len());
    assert!(!words.contains(char::is_control), "{words:?}");
}

/// Reads, judges, and reads again from a file.
fn check(bytes: &[u8], host: &HostFacts, file: &Path) {
    let inspection = inspect_bytes(bytes);
    match &inspection {
        Err(found) => worded(found),
        Ok(inspection) => {
            if let Err(refusal) = host.judge(file, inspection, None) {
                worded(&refusal.to_string());
            }
        }
    }
    if bytes.is_empty() {
        return;
    }
    fs::write(file, bytes).expect("writable");
    match (inspect(file), inspection) {
        (Ok(read), Ok(inspection)) => assert_eq!(format!("{read:?}"), format!("{inspection:?}")),
        (Err(refusal), Err(found)) => assert_eq!(*refusal.found, *found),
        (read, inspection) => panic!("{read:?} from the file, {inspection:?} from memory"),
    }
}

fn survive_each(files: Vec<(String, Vec<u8>)>, count: u64) {
    let folder = tempfile::tempdir().expect("a folder");
    let host = HostFacts::this(&[]);
    let words = &["GLIBC_2.34\0", "StreamSpace\0", ".note.streamspace\0", "\\u001b[2J", "\x7fELF"];
    survive(Seeds { files, words }, count, move |bytes| {
        check(bytes, &host, &folder.path().join("library"));
    });
}

#[test]
fn a_small_library_changed_at_random_is_read_or_refused() {
    survive_each([seeds::of("library"), seeds::of("note")].concat(), 14_000);
}

#[test]
fn a_real_library_changed_at_random_is_read_or_refused() {
    let mut files = Vec::new();
    if let Some(real) = REAL.iter().find_map(|path| fs::read(path).ok()) {
        files.push(("libgcc_s.so.1".to_owned(), real));
    }
    let mut program = fs::read(std::env::current_exe().expect("this program")).expect("readable");
    program.truncate(64 * 1024);
    files.push(("this program".to_owned(), program));
    survive_each(files, 3_000);
}

#[test]
fn a_section_changed_at_random_is_a_note_or_refused() {
    let files = seeds::of("note");
    survive(Seeds { files, words: &["StreamSpace\0", "GNU\0"] }, 6_000, |bytes| {
        for little_endian in [true, false] {
            match facts_in(bytes, little_endian) {
                Ok(facts) => assert!(facts.len() <= bytes.len()),
                Err(why @ (NoteError::Size | NoteError::Unknown | NoteError::NotText)) => {
                    worded(&why.to_string());
                }
            }
        }
    });
}
