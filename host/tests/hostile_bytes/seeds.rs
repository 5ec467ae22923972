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
    let seeds = [
        ("library", "elf64.so", Elf::plugin().bytes()),
        ("library", "elf32-big-endian.so", small.bytes()),
        ("library", "library.dylib", library::macho(false, &[("__text", b"\xc3"), ("__streamspace", &note)])),
        ("library", "library.dll", library::pe(&[(".text", b"\xc3"), (".sspnote", &note)])),
        ("note", "section", note.clone()),
    ];
    for (target, name, bytes) in &seeds {
        assert!(bytes.len() < 2048, "{name} has {} bytes", bytes.len());
        if std::env::var("SEEDS").is_ok_and(|seeds| seeds == "overwrite") {
            fs::write(folder(target).join(name), bytes).expect("writable");
        }
    }
    for target in ["library", "note"] {
        let mut expected: Vec<(String, Vec<u8>)> = seeds
            .iter()
            .filter(|(of, ..)| *of == target)
            .map(|(_, name, bytes)| ((*name).to_owned(), bytes.clone()))
            .collect();
        expected.sort();
        assert!(of(target) == expected, "the seeds of {target} are others; SEEDS=overwrite writes them anew");
    }
}
