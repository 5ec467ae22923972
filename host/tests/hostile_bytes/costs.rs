//! Files that claim much: reading them ends soon, since what is read of a file is bounded, whatever it says.

use std::{fmt::Debug, fs};

use streamspace_host::loader::{inspect, inspect_bytes};
use streamspace_plugin::{
    abi::{NoteError, facts_in},
    manifest::Manifest,
};

use crate::{
    library::{self, Bytes, Elf, Section},
    mutation::in_time,
};

/// What is said of a library, in the end. From memory and from a file it is the same.
#[track_caller]
fn ends_with(bytes: Vec<u8>, words: &str) {
    fn told(inspection: impl Debug) -> String {
        format!("{inspection:?}")
    }
    let [memory, file] = in_time(move || {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("library");
        fs::write(&path, &bytes).expect("writable");
        [told(inspect_bytes(&bytes).expect("a format")), told(inspect(&path).expect("a format"))]
    });
    assert!(memory.contains(words), "`{words}` is not in: {memory}");
    assert_eq!(memory, file);
}

/// A library with `count` sections, of which each has its name at a place of its own, or all at the same.
fn sections(count: u32, name: impl Fn(u32) -> u32, names: &[u8]) -> Elf {
    let mut elf = Elf::empty();
    elf.sections = (1..count)
        .map(|at| Section { kind: 8, named: Some(name(at)), claims: Some((0, 0)), ..Section::default() })
        .collect();
    elf.names = Some(names.to_vec());
    elf
}

const NO_NOTE: &str = "a library without the section";

#[test]
fn very_many_sections_that_share_one_long_name_are_read() {
    let mut name = vec![b'a'; 4000];
    name.push(0);
    ends_with(sections(60_000, |_| 0, &name).bytes(), NO_NOTE);
}

#[test]
fn very_many_sections_with_long_names_that_overlap_are_read() {
    let mut names = vec![b'a'; 40_000];
    for end in (3999..40_000).step_by(4000) {
        names[end] = 0;
    }
    ends_with(sections(30_000, |at| at, &names).bytes(), NO_NOTE);
}

#[test]
fn names_without_an_end_are_not_looked_for_through_the_whole_file() {
    let mut bytes = sections(30_000, |at| at, &vec![b'a'; 16 << 20]).bytes();
    bytes.extend(vec![b'a'; 1024]);
    ends_with(bytes, NO_NOTE);
}

#[test]
fn a_count_of_sections_that_is_in_the_first_of_them_is_believed_as_far_as_the_budget_goes() {
    for (count, words) in
        [(60_001, NO_NOTE), (70_000, "Invalid ELF section header"), (u32::MAX, "Invalid ELF")]
    {
        let mut bytes = sections(60_000, |_| 0, b"\0").bytes();
        let first = usize::try_from(u64::from_le_bytes(bytes[40..48].try_into().expect("8"))).expect("small");
        bytes[60..62].copy_from_slice(&[0, 0]);
        bytes[first + 32..first + 40].copy_from_slice(&u64::from(count).to_le_bytes());
        bytes.resize(16 << 20, 0);
        ends_with(bytes, words);
    }
}

#[test]
fn a_count_of_segments_that_is_in_the_first_section_is_believed_as_far_as_the_budget_goes() {
    for (count, words) in
        [(70_000, "a dynamic library without"), (80_000, "Invalid ELF"), (u32::MAX, "Invalid ELF")]
    {
        let mut bytes = Elf { segments: Vec::new(), ..Elf::plugin() }.bytes();
        let first = usize::try_from(u64::from_le_bytes(bytes[40..48].try_into().expect("8"))).expect("small");
        bytes[56..58].copy_from_slice(&[0xff, 0xff]);
        bytes[first + 44..first + 48].copy_from_slice(&u32::to_le_bytes(count));
        let segments = bytes.len() as u64;
        bytes[32..40].copy_from_slice(&segments.to_le_bytes());
        bytes.resize(16 << 20, 0);
        ends_with(bytes, words);
    }
}

/// Each entry is both a library and a version, and says that 65,535 more follow.
#[test]
fn needs_that_overlap_are_counted() {
    let mut needs = Bytes::new(false, true);
    for _ in 0..20_000 {
        needs.u16(1).u16(u16::MAX).u32(0).u32(0).u32(16);
    }
    let mut elf = Elf::empty().needing(b"\0", &[]);
    elf.sections[1].bytes = needs.bytes;
    ends_with(elf.bytes(), "it needs more than 4096 versions of libraries");
}

#[test]
fn very_many_load_commands_of_a_mach_o_file_are_read() {
    for (command, words) in [
        // One that means nothing, a segment without sections, and a symbol table of one symbol at a place of its own.
        (&[0x99_u32, 8][..], NO_NOTE),
        (&[0x19, 72, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0], NO_NOTE),
        (&[2, 24, 0, 1, 0, 0], "Invalid Mach-O symbol table"),
    ] {
        let size = 4 * command.len() as u32;
        let count = (3 << 20) / size;
        let mut file = Bytes::new(false, true);
        file.u32(0xfeed_facf).u32(0x0100_0007).u32(3).u32(6).u32(count).u32(count * size).u32(0).u32(0);
        for at in 0..count {
            for (part, number) in command.iter().enumerate() {
                file.u32(if (command[0], part) == (2, 2) { 32 + at } else { *number });
            }
        }
        ends_with(file.bytes, words);
    }
}

#[test]
fn very_many_sections_of_a_pe_file_with_long_names_are_read() {
    let count = 65_000_u32;
    let mut file = library::pe(&[]);
    let names = file.len() as u32 + 40 * count;
    file[70..72].copy_from_slice(&(count as u16).to_le_bytes());
    file[76..80].copy_from_slice(&names.to_le_bytes());
    for at in 0..count {
        let mut section = Bytes::new(false, true);
        section.name(&format!("/{}", 4 + at % 4000), 8).name("", 32);
        file.extend(section.bytes);
    }
    file.extend(8000_u32.to_le_bytes());
    file.extend([b'a'; 7995]);
    file.push(0);
    ends_with(file, NO_NOTE);
}

#[test]
fn very_many_notes_and_facts_that_nest_deeply_are_read() {
    let section = vec![0; 12 * 10_000];
    assert_eq!(in_time(move || facts_in(&section, true).map(str::to_owned)), Err(NoteError::Unknown));
    let deep = format!("{{\"x\":{}", "[".repeat(60_000));
    let note = library::note(false, b"StreamSpace\0", 1, deep.as_bytes());
    ends_with(library::pe(&[(".sspnote", &note)]), "a note that is not what it should be");
}

/// Many of what is told: what is beyond the list is not put into words.
#[test]
fn a_manifest_with_very_many_faults_or_oddities_is_read() {
    let required = r#""name":"streamspace-a","version":"1.0.0","displayName":"A","type":"cli""#;
    let many = |one: &dyn Fn(usize) -> String| {
        let each: Vec<String> = (0..14_000).map(one).collect();
        each.join(",")
    };
    let keys = many(&|at| format!("\"{at:064}\":0"));
    let permissions = many(&|at| format!("\"p{at:063}\""));
    let faults = many(&|at| format!("\"P{at:063}\""));
    for (rest, read) in [
        (keys, true),
        (format!("\"permissions\":[{permissions}]"), true),
        (format!("\"permissions\":[{faults}]"), false),
    ] {
        let text = format!("{{{required},{rest}}}");
        let told = in_time(move || match Manifest::parse(text.as_bytes()) {
            Ok(manifest) => (true, manifest.warnings().len()),
            Err(refusal) => (false, refusal.findings().len()),
        });
        assert_eq!(told, (read, 101));
    }
}
