//! What is read of a library in each format, and what is said of one that is damaged or for somebody else.

use streamspace_host::loader::{Contents, DYNAMIC_LIBRARY, Format, Glibc, Inspection, inspect_bytes};

use crate::library::{self, Elf, Section, Segment};

#[track_caller]
fn read(bytes: &[u8]) -> Inspection {
    inspect_bytes(bytes).expect("it is of a format that is known")
}

#[track_caller]
fn contents(bytes: &[u8]) -> Contents {
    read(bytes).contents.expect("it is whole")
}

#[track_caller]
fn damage(bytes: &[u8]) -> String {
    read(bytes).contents.expect_err("it is damaged")
}

#[track_caller]
fn is_the_plugin(contents: &Contents) {
    assert_eq!(contents.kind, DYNAMIC_LIBRARY);
    let facts = contents.facts.as_ref().expect("facts");
    assert_eq!((&*facts.name, &*facts.version, facts.abi), ("streamspace-seed", "1.2.3", 1));
    assert_eq!((facts.needs.len(), facts.uses.len(), facts.offers.len()), (1, 0, 1));
}

#[test]
fn the_note_of_an_elf_library_is_read() {
    let inspection = read(&Elf::plugin().bytes());
    assert_eq!(inspection.format, Format::Elf);
    assert_eq!((&*inspection.system, &*inspection.architecture), ("linux", "x86_64"));
    is_the_plugin(&inspection.contents.expect("it is whole"));
}

#[test]
fn the_note_of_a_mach_o_library_is_read() {
    for big in [false, true] {
        let inspection = read(&library::macho(big, &[("__streamspace", &library::plugin_note(big))]));
        assert_eq!(inspection.format, Format::MachO);
        assert_eq!((&*inspection.system, &*inspection.architecture), ("macos", "x86_64"));
        is_the_plugin(&inspection.contents.expect("it is whole"));
    }
}

#[test]
fn the_note_of_a_pe_library_is_read() {
    let inspection = read(&library::pe(&[(".sspnote", &library::plugin_note(false))]));
    assert_eq!(inspection.format, Format::Pe);
    assert_eq!((&*inspection.system, &*inspection.architecture), ("windows", "x86_64"));
    is_the_plugin(&inspection.contents.expect("it is whole"));
}

#[test]
fn a_library_without_a_note_is_no_plugin() {
    for bytes in [Elf::empty().bytes(), library::macho(false, &[("__text", b"")]), library::pe(&[])] {
        let why = contents(&bytes).facts.expect_err("no note");
        assert!(why.starts_with("a library without the section `"), "{why}");
    }
}

#[test]
fn a_note_that_is_no_note_of_ours_is_told() {
    let noted = |bytes: &[u8]| contents(&library::pe(&[(".sspnote", bytes)])).facts.expect_err("no facts");
    for (bytes, words) in [
        (library::note(false, b"GNU\0", 1, b"{}"), "not one that this host knows"),
        (library::note(false, b"StreamSpace\0", 2, b"{}"), "not one that this host knows"),
        (library::note(true, b"StreamSpace\0", 1, b"{}"), "cut off or too large"),
        (library::note(false, b"StreamSpace\0", 1, b"\xff"), "not UTF-8"),
        (library::note(false, b"StreamSpace\0", 1, b"{}"), "missing field"),
        (b"\0".to_vec(), "cut off or too large"),
    ] {
        let why = noted(&bytes);
        assert!(why.contains(words), "`{words}` is not in: {why}");
    }
}

/// What a note says is shown on terminals.
#[test]
fn a_note_with_control_characters_is_refused() {
    for place in ["streamspace-seed", "1.2.3", "rustc 1.95.0", "avx2", "log/1", "11111111"] {
        let facts = library::FACTS.replace(place, "\\u001b[2J");
        let note = library::note(false, b"StreamSpace\0", 1, facts.as_bytes());
        let why = contents(&library::pe(&[(".sspnote", &note)])).facts.expect_err("refused");
        assert_eq!(why, "a note with control characters in it", "{place}");
    }
}

#[test]
fn the_newest_glibc_that_a_symbol_needs_is_found() {
    assert_eq!(contents(&Elf::plugin().bytes()).glibc, Some(Glibc(2, 34)));
    let none = Elf::empty().needing(b"\0libm.so\0LIBM_9.9\0GLIBC_x\0GLIBC_2\0", &[9, 18, 26]);
    assert_eq!(contents(&none.bytes()).glibc, None);
    assert_eq!(contents(&Elf::empty().bytes()).glibc, None);
}

#[test]
fn a_need_whose_name_is_nowhere_is_damage() {
    let why = damage(&Elf::empty().needing(b"\0libc.so.6\0", &[4000]).bytes());
    assert!(why.starts_with("the versions that it needs are damaged: "), "{why}");
}

#[test]
fn the_word_size_and_the_byte_order_are_told_where_they_are_unusual() {
    for (big, wide, machine, architecture) in [
        (false, true, library::EM_X86_64, "x86_64"),
        (false, false, library::EM_X86_64, "x86_64 with words of 32 bits"),
        (false, false, library::EM_386, "x86"),
        (true, true, library::EM_PPC64, "powerpc64, big-endian"),
        (false, true, 0x1234, "ELF's machine number 4660"),
    ] {
        let mut elf = Elf { big, wide, machine, ..Elf::empty() }.noted();
        elf = elf.needing(b"\0libc.so.6\0GLIBC_2.28\0", &[11]);
        let inspection = read(&elf.bytes());
        assert_eq!(inspection.architecture, architecture);
        let contents = inspection.contents.expect("it is whole");
        is_the_plugin(&contents);
        assert_eq!(contents.glibc, Some(Glibc(2, 28)), "{architecture}");
    }
}

#[test]
fn the_system_is_the_one_that_the_file_says() {
    for (number, system) in
        [(0, "linux"), (3, "linux"), (9, "freebsd"), (2, "netbsd"), (12, "openbsd"), (6, "solaris")]
    {
        assert_eq!(read(&Elf { system: number, ..Elf::plugin() }.bytes()).system, system);
    }
    assert_eq!(read(&Elf { system: 77, ..Elf::plugin() }.bytes()).system, "the system of ELF's number 77");
}

#[test]
fn programs_and_object_files_are_no_libraries() {
    for (kind, name) in [(library::ET_EXEC, "program"), (library::ET_REL, "object file")] {
        let contents = contents(&Elf { kind, ..Elf::plugin() }.bytes());
        assert_eq!(contents.kind, name);
        assert!(contents.facts.is_err());
    }
    assert_eq!(contents(&Elf { kind: 99, ..Elf::plugin() }.bytes()).kind, "ELF file of type 99");
}

#[test]
fn a_library_without_dynamic_information_is_damaged() {
    let why = damage(&Elf { segments: Vec::new(), ..Elf::plugin() }.bytes());
    assert_eq!(why, "a dynamic library without dynamic information");
}

#[test]
fn a_section_or_a_segment_beyond_the_file_is_damage() {
    for place in [(0, 1 << 40), (1 << 40, 1), (u64::MAX, u64::MAX), (u64::MAX - 1, 1)] {
        let mut elf = Elf::plugin();
        let section = Section { name: "x", kind: 1, claims: Some(place), ..Section::default() };
        elf.sections.push(section);
        let why = damage(&elf.bytes());
        assert!(
            why.starts_with(&format!("a section is at byte {}, {} bytes long", place.0, place.1)),
            "{why}"
        );

        let mut elf = Elf::plugin();
        elf.segments.push(Segment { kind: library::PT_LOAD, offset: place.0, size: place.1 });
        let why = damage(&elf.bytes());
        assert!(
            why.starts_with(&format!("a segment is at byte {}, {} bytes long", place.0, place.1)),
            "{why}"
        );
    }
}

#[test]
fn a_segment_beyond_a_mach_o_or_pe_file_is_damage() {
    for mut bytes in [
        library::macho(false, &[("__streamspace", &library::plugin_note(false))]),
        library::pe(&[(".sspnote", &library::plugin_note(false))]),
    ] {
        bytes.truncate(bytes.len() - 8);
        let why = damage(&bytes);
        assert!(why.starts_with("a segment is at byte "), "{why}");
    }
}

/// What a download that broke off leaves: no length of it is taken for a plugin.
#[test]
fn a_library_that_is_cut_off_anywhere_is_refused() {
    for whole in [
        Elf::plugin().bytes(),
        library::macho(false, &[("__streamspace", &library::plugin_note(false))]),
        library::pe(&[(".sspnote", &library::plugin_note(false))]),
    ] {
        for length in 0..whole.len() {
            let cut = whole.get(..length).expect("shorter");
            let taken = inspect_bytes(cut)
                .is_ok_and(|inspection| inspection.contents.is_ok_and(|contents| contents.facts.is_ok()));
            assert!(!taken, "{length} of {} bytes", whole.len());
        }
    }
}
