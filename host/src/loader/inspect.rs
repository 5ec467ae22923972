//! What a library's file says, read from its bytes. Nothing of it is loaded or run.

use std::{cell::Cell, fmt, path::Path};

use object::{
    Endianness, FileKind, Object, ObjectKind, ObjectSection, ObjectSegment, ReadRef,
    elf::{self, FileHeader32, FileHeader64},
    endian::Endian,
    read::elf::{FileHeader, ProgramHeader, SectionHeader, SectionTable},
};
use serde::Serialize;
use streamspace_plugin::{
    Facts,
    abi::{ELF_NOTE_SECTION, MACHO_NOTE_SECTION, PE_NOTE_SECTION, facts_in},
};

use super::{
    Refusal, Rule,
    file::{self, Bounded, Source},
};

/// The most versions of libraries that a file may need.
const MAX_VERSIONS: usize = 4096;

/// The format of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Linux and most other Unixes.
    Elf,
    /// macOS.
    MachO,
    /// Windows.
    Pe,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Elf => "ELF",
            Self::MachO => "Mach-O",
            Self::Pe => "PE",
        })
    }
}

/// A version of glibc: major, minor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Glibc(pub u32, pub u32);

impl Glibc {
    /// Reads `2.34`, with or without a third number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(3, '.');
        Some(Self(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
    }
}

impl fmt::Display for Glibc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

impl Serialize for Glibc {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a file says. What comes first in it is known also of a file that is cut off.
#[derive(Debug, Clone, Serialize)]
pub struct Inspection {
    /// Its format.
    pub format: Format,
    /// The operating system that it is for: `linux`, `macos`, `windows`, or what the file says.
    pub system: String,
    /// The processors that it is for: `x86_64`, `aarch64`, or what the file says.
    pub architecture: String,
    /// The rest, or how it is damaged.
    pub contents: Result<Contents, String>,
}

/// What is in a file that is whole.
#[derive(Debug, Clone, Serialize)]
pub struct Contents {
    /// What kind of file it is; a `dynamic library` is what is wanted.
    pub kind: String,
    /// The newest version of glibc that it needs something of.
    pub glibc: Option<Glibc>,
    /// What the plugin says of itself, or why it does not.
    pub facts: Result<Facts, String>,
}

/// What [`Contents::kind`] is for a dynamic library.
pub const DYNAMIC_LIBRARY: &str = "dynamic library";

/// Reads what the file at `path` says. Reads a bounded part of it, waits for nothing and runs nothing.
///
/// # Errors
///
/// [`Refusal`] by [`Rule::Readable`] or [`Rule::Library`]: there is nothing to be said about it.
pub fn inspect(path: &Path) -> Result<Inspection, Refusal> {
    let file = file::open(path)?;
    read(&Source::new(&file), path)
}

pub(super) fn read(source: &Source<'_>, path: &Path) -> Result<Inspection, Refusal> {
    inspect_data(source.bytes())
        .map_err(|found| Refusal::new(Rule::Library, path, "an ELF, Mach-O or PE file", found))
}

/// As [`inspect`], for bytes that are in memory.
///
/// # Errors
///
/// A text that says what it is instead of a library.
pub fn inspect_bytes(bytes: &[u8]) -> Result<Inspection, String> {
    inspect_data(Bounded::new(bytes, &Cell::new(0)))
}

fn inspect_data<'a, R: ReadRef<'a>>(data: R) -> Result<Inspection, String> {
    let size = data.len().map_err(|()| "a file whose size is not known".to_owned())?;
    let head = data.read_bytes_at(0, size.min(64)).map_err(|()| "a file that cannot be read".to_owned())?;
    let format = match head {
        [0x7f, b'E', b'L', b'F', ..] => Format::Elf,
        [0xcf | 0xce, 0xfa, 0xed, 0xfe, ..] | [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] => Format::MachO,
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, ..] => {
            return Err("a file for several architectures; `lipo -thin` takes one of them out".to_owned());
        }
        [b'M', b'Z', ..] => Format::Pe,
        _ => {
            let begin: Vec<String> = head.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            return Err(format!("a file of {size} bytes that begins with {}", begin.join(" ")));
        }
    };
    let kind = FileKind::parse(data);
    Ok(match (format, kind) {
        (Format::Elf, Ok(FileKind::Elf64)) => elf::<FileHeader64<Endianness>, R>(data),
        (Format::Elf, Ok(FileKind::Elf32)) => elf::<FileHeader32<Endianness>, R>(data),
        (Format::MachO, Ok(_)) => other(data, format, "macos", MACHO_NOTE_SECTION),
        (Format::Pe, Ok(_)) => other(data, format, "windows", PE_NOTE_SECTION),
        (_, Err(why)) => unknown(format, format!("a file of {size} bytes whose header is damaged: {why}")),
        (_, Ok(_)) => unknown(format, "a header of another format".to_owned()),
    })
}

fn unknown(format: Format, damage: String) -> Inspection {
    let system = match format {
        Format::Elf => "linux",
        Format::MachO => "macos",
        Format::Pe => "windows",
    };
    Inspection {
        format,
        system: system.to_owned(),
        architecture: "unknown".to_owned(),
        contents: Err(damage),
    }
}

fn elf<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(data: R) -> Inspection {
    let header = match H::parse(data) {
        Ok(header) => header,
        Err(why) => return unknown(Format::Elf, why.to_string()),
    };
    let endian = match header.endian() {
        Ok(endian) => endian,
        Err(why) => return unknown(Format::Elf, why.to_string()),
    };
    Inspection {
        format: Format::Elf,
        system: elf_system(header.e_ident().os_abi),
        architecture: elf_architecture(header.e_machine(endian), header.is_class_64(), endian),
        contents: elf_contents(header, endian, data),
    }
}

fn elf_system(abi: elf::OsAbi) -> String {
    match abi {
        elf::ELFOSABI_SYSV | elf::ELFOSABI_GNU => "linux".to_owned(),
        elf::ELFOSABI_FREEBSD => "freebsd".to_owned(),
        elf::ELFOSABI_NETBSD => "netbsd".to_owned(),
        elf::ELFOSABI_OPENBSD => "openbsd".to_owned(),
        elf::ELFOSABI_SOLARIS => "solaris".to_owned(),
        other => format!("the system of ELF's number {}", other.0),
    }
}

/// Named as Rust names them; with the word size and the byte order where they are not those that Rust means.
fn elf_architecture(machine: elf::Machine, is_64: bool, endian: Endianness) -> String {
    let (name, bits) = match machine {
        elf::EM_X86_64 => ("x86_64".to_owned(), 64),
        elf::EM_AARCH64 => ("aarch64".to_owned(), 64),
        elf::EM_386 => ("x86".to_owned(), 32),
        elf::EM_ARM => ("arm".to_owned(), 32),
        elf::EM_RISCV => (if is_64 { "riscv64" } else { "riscv32" }.to_owned(), if is_64 { 64 } else { 32 }),
        elf::EM_LOONGARCH => ("loongarch64".to_owned(), 64),
        elf::EM_PPC64 => ("powerpc64".to_owned(), 64),
        elf::EM_S390 => ("s390x".to_owned(), 64),
        other => (format!("ELF's machine number {}", other.0), if is_64 { 64 } else { 32 }),
    };
    let big = endian.is_big_endian() && !matches!(machine, elf::EM_S390);
    match (is_64 == (bits == 64), big) {
        (true, false) => name,
        (true, true) => format!("{name}, big-endian"),
        (false, _) => format!("{name} with words of {} bits", if is_64 { 64 } else { 32 }),
    }
}

fn elf_contents<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(
    header: &H,
    endian: Endianness,
    data: R,
) -> Result<Contents, String> {
    let size = data.len().map_err(|()| "a file whose size is not known".to_owned())?;
    let within = |what: &str, offset: u64, length: u64| match offset.checked_add(length) {
        Some(end) if end <= size => Ok(()),
        _ => Err(format!("{what} at byte {offset}, {length} bytes long, in a file of {size} bytes")),
    };
    let damaged = |why: object::read::Error| format!("a file of {size} bytes: {why}");

    let kind = match header.e_type(endian) {
        elf::ET_DYN => DYNAMIC_LIBRARY.to_owned(),
        elf::ET_REL => "object file".to_owned(),
        elf::ET_EXEC => "program".to_owned(),
        elf::ET_CORE => "core dump".to_owned(),
        other => format!("ELF file of type {}", other.0),
    };
    if kind != DYNAMIC_LIBRARY {
        return Ok(Contents { kind, glibc: None, facts: Err("it is not looked for".to_owned()) });
    }
    let table = |count: u16, entry: u16| u64::from(count) * u64::from(entry);
    let segments = table(header.e_phnum(endian), header.e_phentsize(endian));
    within("its program headers are", header.e_phoff(endian).into(), segments)?;
    let sections = table(header.e_shnum(endian), header.e_shentsize(endian));
    within("its section headers are", header.e_shoff(endian).into(), sections)?;
    let segments = header.program_headers(endian, data).map_err(damaged)?;
    if !segments.iter().any(|segment| segment.p_type(endian) == elf::PT_DYNAMIC) {
        return Err("a dynamic library without dynamic information".to_owned());
    }
    for segment in segments {
        let (offset, length) = segment.file_range(endian);
        // One without bytes in the file may say that they are anywhere.
        if length > 0 {
            within("a segment is", offset, length)?;
        }
    }
    let sections = header.sections(endian, data).map_err(damaged)?;
    for section in sections.iter() {
        if let Some((offset, length)) = section.file_range(endian) {
            within("a section is", offset, length)?;
        }
    }
    let facts = match sections.section_by_name(endian, ELF_NOTE_SECTION.as_bytes()) {
        Some((_, section)) => {
            let bytes = section.data(endian, data).map_err(damaged)?;
            facts_of(bytes, endian.is_little_endian())
        }
        None => Err(no_note(ELF_NOTE_SECTION)),
    };
    Ok(Contents { kind, glibc: glibc(&sections, endian, data)?, facts })
}

/// The newest version of glibc that a symbol is bound to.
fn glibc<'a, H: FileHeader<Endian = Endianness>, R: ReadRef<'a>>(
    sections: &SectionTable<'a, H, R>,
    endian: Endianness,
    data: R,
) -> Result<Option<Glibc>, String> {
    let damaged = |why: object::read::Error| format!("the versions that it needs are damaged: {why}");
    let Some((needs, strings)) = sections.gnu_verneed(endian, data).map_err(damaged)? else {
        return Ok(None);
    };
    let strings = sections.strings(endian, data, strings).map_err(damaged)?;
    let mut newest = None;
    let mut seen = 0;
    for need in needs {
        let (_, versions) = need.map_err(damaged)?;
        seen += 1;
        for version in versions {
            seen += 1;
            // Entries may overlap, so that a small file has very many.
            if seen > MAX_VERSIONS {
                return Err(format!("it needs more than {MAX_VERSIONS} versions of libraries"));
            }
            let name = version.map_err(damaged)?.name(endian, strings).map_err(damaged)?;
            let number = std::str::from_utf8(name).ok().and_then(|name| name.strip_prefix("GLIBC_"));
            // Others, as `GLIBC_ABI_DT_RELR`, are no numbers.
            newest = newest.max(number.and_then(Glibc::parse));
        }
    }
    Ok(newest)
}

fn other<'a, R: ReadRef<'a>>(data: R, format: Format, system: &str, section: &str) -> Inspection {
    let size = data.len().unwrap_or_default();
    let file = match object::File::parse(data) {
        Ok(file) => file,
        Err(why) => return unknown(format, format!("a file of {size} bytes: {why}")),
    };
    let architecture = match file.architecture() {
        object::Architecture::X86_64 => "x86_64".to_owned(),
        object::Architecture::Aarch64 => "aarch64".to_owned(),
        object::Architecture::I386 => "x86".to_owned(),
        other => format!("{other:?}").to_lowercase(),
    };
    let cut = file
        .segments()
        .map(|segment| segment.file_range())
        .find(|(offset, length)| offset.checked_add(*length).is_none_or(|end| end > size));
    let contents = match cut {
        Some((offset, length)) => {
            Err(format!("a segment is at byte {offset}, {length} bytes long, in a file of {size} bytes"))
        }
        None => Ok(Contents {
            kind: match file.kind() {
                ObjectKind::Dynamic => DYNAMIC_LIBRARY.to_owned(),
                ObjectKind::Executable => "program".to_owned(),
                ObjectKind::Relocatable => "object file".to_owned(),
                other => format!("{other:?} file").to_lowercase(),
            },
            glibc: None,
            facts: match file.section_by_name(section).map(|section| section.data()) {
                Some(Ok(bytes)) => facts_of(bytes, file.is_little_endian()),
                Some(Err(why)) => Err(format!("the section `{section}` cannot be read: {why}")),
                None => Err(no_note(section)),
            },
        }),
    };
    Inspection { format, system: system.to_owned(), architecture, contents }
}

fn no_note(section: &str) -> String {
    format!("a library without the section `{section}`")
}

fn facts_of(section: &[u8], little_endian: bool) -> Result<Facts, String> {
    let text = facts_in(section, little_endian).map_err(|why| format!("a library of which {why}"))?;
    let facts: Facts =
        serde_json::from_str(text).map_err(|why| format!("a note that is not what it should be: {why}"))?;
    // They go to logs and terminals, and `export!` writes none.
    if texts(&facts).any(|text| text.contains(char::is_control)) {
        return Err("a note with control characters in it".to_owned());
    }
    Ok(facts)
}

fn texts(facts: &Facts) -> impl Iterator<Item = &str> {
    let own = [&facts.name, &facts.version, &facts.sdk, &facts.rustc, &facts.panic, &facts.target];
    let capabilities = facts.needs.iter().chain(&facts.uses).chain(&facts.offers);
    let theirs = capabilities.flat_map(|capability| [&capability.id, &capability.since, &capability.layout]);
    own.into_iter().chain(&facts.cpu).chain(theirs).map(AsRef::as_ref)
}
