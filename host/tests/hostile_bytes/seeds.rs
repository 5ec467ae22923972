//! The files that the fuzzer and the mutations begin with, in `tests/fuzz/seeds/`.

use std::{fs, path::PathBuf};

use crate::library::{self, Elf};

fn folder(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../tests/fuzz/seeds").join(target)
}

/// The seeds of a target, in the order of their names.
pub(crate) fn of(target: &str) -> Vec<(String, Vec<u8>)> {
    let mut seeds: Vec<(String, Vec<u8>)> = fs::read_dir(folder(target))
        .expect("the seeds")
        .map(|entry| {
            let entry = entry.expect("an entry");
            (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a seed"))
        })
        .collect();
    assert!(!seeds.is_empty(), "no seeds for {target}");
    seeds.sort();
    seeds
}

/// `SEEDS=overwrite cargo test -p streamspace-host --test hostile_bytes seeds` writes them anew.
#[test]
fn the_seeds_are_the_libraries_that_are_put_together_here() {
    let mut small = Elf { big: true, wide: false, machine: library::EM_PPC64, ..Elf::empty() }.noted();
    small = small.needing(b"\0libc.so.6\0GLIBC_2.28\0", &[11]);
    let note = library::plugin_note(false);
    let libraries = [
        ("elf64.so", Elf::plugin().bytes()),
        ("elf32-big-endian.so", small.bytes()),
        ("library.dylib", library::macho(false, &[("__text", b"\xc3"), ("__streamspace", &note)])),
        ("library.dll", library::pe(&[(".text", b"\xc3"), (".sspnote", &note)])),
        ("section", note.clone()),
    ];
    for (name, bytes) in &libraries {
        assert!(bytes.len() < 2048, "{name} has {} bytes", bytes.len());
        if std::env::var("SEEDS").is_ok_and(|seeds| seeds == "overwrite") {
            fs::write(folder("note").join(name), bytes).expect("writable");
        }
    }
    let mut expected: Vec<(String, Vec<u8>)> =
        libraries.into_iter().map(|(name, bytes)| (name.to_owned(), bytes)).collect();
    expected.sort();
    assert!(of("note") == expected, "the seeds are others; SEEDS=overwrite writes them anew");
}
