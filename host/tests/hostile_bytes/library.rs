//! Small libraries, put together by hand: as much of a format as the host reads, and nothing that could run.

/// What a plugin says of itself.
pub(crate) const FACTS: &str = concat!(
    r#"{"name":"streamspace-seed","version":"1.2.3","sdk":"0.1.0","abi":1,"rustc":"rustc 1.95.0","#,
    r#""panic":"unwind","target":"x86_64-unknown-linux-gnu","cpu":["avx2"],"#,
    r#""needs":[{"id":"log/1","since":"0.1.0","layout":"00000000"}],"uses":[],"#,
    r#""offers":[{"id":"lifecycle/1","since":"0.1.0","layout":"11111111"}]}"#,
);

pub(crate) const EM_386: u16 = 3;
pub(crate) const EM_PPC64: u16 = 21;
pub(crate) const EM_X86_64: u16 = 62;
pub(crate) const ET_REL: u16 = 1;
pub(crate) const ET_EXEC: u16 = 2;
pub(crate) const ET_DYN: u16 = 3;
pub(crate) const PT_LOAD: u32 = 1;
pub(crate) const PT_DYNAMIC: u32 = 2;
pub(crate) const SHT_STRTAB: u32 = 3;
pub(crate) const SHT_NOTE: u32 = 7;
pub(crate) const SHT_GNU_VERNEED: u32 = 0x6fff_fffe;

/// Bytes of numbers, in one byte order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Bytes {
    pub(crate) big: bool,
    /// Whether an address has 64 bits.
    pub(crate) wide: bool,
    pub(crate) bytes: Vec<u8>,
}

impl Bytes {
    pub(crate) fn new(big: bool, wide: bool) -> Self {
        Self { big, wide, bytes: Vec::new() }
    }

    pub(crate) fn u16(&mut self, number: u16) -> &mut Self {
        self.raw(&if self.big { number.to_be_bytes() } else { number.to_le_bytes() })
    }

    pub(crate) fn u32(&mut self, number: u32) -> &mut Self {
        self.raw(&if self.big { number.to_be_bytes() } else { number.to_le_bytes() })
    }

    pub(crate) fn u64(&mut self, number: u64) -> &mut Self {
        self.raw(&if self.big { number.to_be_bytes() } else { number.to_le_bytes() })
    }

    /// A number as wide as an address. One that does not fit is cut off.
    pub(crate) fn word(&mut self, number: u64) -> &mut Self {
        if self.wide { self.u64(number) } else { self.u32(number as u32) }
    }

    pub(crate) fn raw(&mut self, bytes: &[u8]) -> &mut Self {
        self.bytes.extend(bytes);
        self
    }

    /// A text in `length` bytes, with zeros behind it.
    pub(crate) fn name(&mut self, name: &str, length: usize) -> &mut Self {
        let end = self.bytes.len() + length;
        self.raw(name.as_bytes());
        self.bytes.resize(end, 0);
        self
    }

    pub(crate) fn align(&mut self, to: usize) -> &mut Self {
        self.bytes.resize(self.bytes.len().next_multiple_of(to), 0);
        self
    }

    pub(crate) fn length(&self) -> u64 {
        self.bytes.len() as u64
    }
}

/// A note.
pub(crate) fn note(big: bool, owner: &[u8], note_type: u32, description: &[u8]) -> Vec<u8> {
    let mut bytes = Bytes::new(big, true);
    bytes.u32(owner.len() as u32).u32(description.len() as u32).u32(note_type);
    bytes.raw(owner).align(4).raw(description).align(4);
    bytes.bytes
}

/// The note of a plugin.
pub(crate) fn plugin_note(big: bool) -> Vec<u8> {
    note(big, b"StreamSpace\0", 1, FACTS.as_bytes())
}

/// The versions that are needed of the library at `file` in the string table: each is a place in that table.
pub(crate) fn version_needs(big: bool, file: u32, versions: &[u32]) -> Vec<u8> {
    let mut bytes = Bytes::new(big, true);
    bytes.u16(1).u16(versions.len() as u16).u32(file).u32(16).u32(0);
    for (at, version) in versions.iter().enumerate() {
        let next = if at + 1 == versions.len() { 0 } else { 16 };
        bytes.u32(0).u16(0).u16(at as u16 + 2).u32(*version).u32(next);
    }
    bytes.bytes
}

/// A segment of an ELF file: its type and where it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Segment {
    pub(crate) kind: u32,
    pub(crate) offset: u64,
    pub(crate) size: u64,
}

/// A section of an ELF file.
#[derive(Debug, Clone, Default)]
pub(crate) struct Section {
    pub(crate) name: &'static str,
    pub(crate) kind: u32,
    pub(crate) link: u32,
    pub(crate) bytes: Vec<u8>,
    /// Where it says that it is, if that is another place.
    pub(crate) claims: Option<(u64, u64)>,
    /// Where it says that its name is, if that is another place.
    pub(crate) named: Option<u32>,
}

/// An ELF file.
#[derive(Debug, Clone)]
pub(crate) struct Elf {
    pub(crate) big: bool,
    pub(crate) wide: bool,
    pub(crate) system: u8,
    pub(crate) kind: u16,
    pub(crate) machine: u16,
    pub(crate) segments: Vec<Segment>,
    /// Without the first one, which is nothing, and the last one, which has the names.
    pub(crate) sections: Vec<Section>,
    /// The names of the sections, if they are others.
    pub(crate) names: Option<Vec<u8>>,
}

impl Elf {
    /// A library for x86-64 Linux without any section.
    pub(crate) fn empty() -> Self {
        Self {
            big: false,
            wide: true,
            system: 0,
            kind: ET_DYN,
            machine: EM_X86_64,
            segments: vec![Segment { kind: PT_DYNAMIC, offset: 0, size: 0 }],
            sections: Vec::new(),
            names: None,
        }
    }

    /// A plugin for x86-64 Linux, which needs glibc 2.34.
    pub(crate) fn plugin() -> Self {
        Self::empty()
            .noted()
            .needing(b"\0libc.so.6\0GLIBC_2.2.5\0GLIBC_2.34\0GLIBC_ABI_DT_RELR\0", &[11, 23, 34])
    }

    pub(crate) fn noted(mut self) -> Self {
        let bytes = plugin_note(self.big);
        self.sections.push(Section {
            name: ".note.streamspace",
            kind: SHT_NOTE,
            bytes,
            ..Section::default()
        });
        self
    }

    /// Needs versions, each a place in `strings`.
    pub(crate) fn needing(mut self, strings: &[u8], versions: &[u32]) -> Self {
        let bytes = version_needs(self.big, 1, versions);
        self.sections.push(Section {
            name: ".dynstr",
            kind: SHT_STRTAB,
            bytes: strings.to_vec(),
            ..Section::default()
        });
        let link = self.sections.len() as u32;
        self.sections.push(Section {
            name: ".gnu.version_r",
            kind: SHT_GNU_VERNEED,
            link,
            bytes,
            ..Section::default()
        });
        self
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let (header, segment, entry) = if self.wide { (64, 56, 64) } else { (52, 32, 40) };
        let mut names = vec![0];
        let mut contents = Bytes::new(self.big, self.wide);
        contents.bytes.resize(header + segment * self.segments.len(), 0);
        let mut table = Bytes::new(self.big, self.wide);
        table.bytes.resize(entry, 0);
        let own = [Section { name: ".shstrtab", kind: SHT_STRTAB, ..Section::default() }];
        for section in self.sections.iter().chain(&own) {
            let name = section.named.unwrap_or(names.len() as u32);
            if section.named.is_none() {
                names.extend(section.name.as_bytes());
                names.push(0);
            }
            let bytes = match &self.names {
                _ if section.name != ".shstrtab" => &section.bytes,
                Some(others) => others,
                None => &names,
            };
            let offset = contents.align(4).length();
            contents.raw(bytes);
            let (offset, size) = section.claims.unwrap_or((offset, bytes.len() as u64));
            table.u32(name).u32(section.kind).word(0).word(0).word(offset).word(size);
            table.u32(section.link).u32(0).word(4).word(0);
        }
        let sections = contents.align(8).length();
        contents.raw(&table.bytes);

        let mut head = Bytes::new(self.big, self.wide);
        let (class, order) = (if self.wide { 2 } else { 1 }, if self.big { 2 } else { 1 });
        head.raw(b"\x7fELF").raw(&[class, order, 1, self.system, 0, 0, 0, 0, 0, 0, 0, 0]);
        head.u16(self.kind).u16(self.machine).u32(1).word(0).word(header as u64).word(sections).u32(0);
        head.u16(header as u16).u16(segment as u16).u16(self.segments.len() as u16);
        head.u16(entry as u16).u16(self.sections.len() as u16 + 2).u16(self.sections.len() as u16 + 1);
        for segment in &self.segments {
            head.u32(segment.kind);
            if self.wide {
                head.u32(4).u64(segment.offset).u64(0).u64(0).u64(segment.size).u64(segment.size).u64(8);
            } else {
                head.word(segment.offset).word(0).word(0).word(segment.size).word(segment.size).u32(4).u32(4);
            }
        }
        contents.bytes.splice(..head.bytes.len(), head.bytes.iter().copied());
        contents.bytes
    }
}

/// A Mach-O library of 64 bits with one segment of these sections.
pub(crate) fn macho(big: bool, sections: &[(&str, &[u8])]) -> Vec<u8> {
    let commands = 72 + 80 * sections.len();
    let mut offset = 32 + commands;
    let size: usize = offset + sections.iter().map(|(_, bytes)| bytes.len()).sum::<usize>();
    let mut file = Bytes::new(big, true);
    // The processors: x86-64.
    file.u32(0xfeed_facf).u32(0x0100_0007).u32(3).u32(6).u32(1).u32(commands as u32).u32(0).u32(0);
    file.u32(0x19).u32(commands as u32).name("__TEXT", 16);
    file.u64(0).u64(size as u64).u64(0).u64(size as u64).u32(5).u32(5).u32(sections.len() as u32).u32(0);
    for (name, bytes) in sections {
        file.name(name, 16).name("__TEXT", 16).u64(offset as u64).u64(bytes.len() as u64);
        file.u32(offset as u32).u32(2).u32(0).u32(0).u32(0).u32(0).u32(0).u32(0);
        offset += bytes.len();
    }
    for (_, bytes) in sections {
        file.raw(bytes);
    }
    file.bytes
}

/// A PE library for x86-64 with these sections.
pub(crate) fn pe(sections: &[(&str, &[u8])]) -> Vec<u8> {
    let mut file = Bytes::new(false, true);
    file.name("MZ", 60).u32(64).raw(b"PE\0\0");
    file.u16(0x8664).u16(sections.len() as u16).u32(0).u32(0).u32(0).u16(112).u16(0x2022);
    // The optional header, whose last number counts its directories.
    file.u16(0x20b).name("", 110);
    let mut offset = file.bytes.len() + 40 * sections.len();
    for (name, bytes) in sections {
        file.name(name, 8).u32(bytes.len() as u32).u32(offset as u32).u32(bytes.len() as u32);
        file.u32(offset as u32).u32(0).u32(0).u32(0).u32(0x4000_0040);
        offset += bytes.len();
    }
    for (_, bytes) in sections {
        file.raw(bytes);
    }
    file.bytes
}
