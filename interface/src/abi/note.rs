//! The note: what a library says about itself in its file, to be read before any of its code runs.
//!
//! It is an ELF note (`readelf -n` shows it), and the same bytes in the other formats: three numbers of 32 bits (size of
//! the name, size of the description, type), the name `StreamSpace` with a final zero, and the description, which is the
//! JSON of [`Facts`](crate::Facts). [`Root::facts`](super::Root::facts) is that same description.

use crate::facts;

use super::Export;

/// The section of an ELF file that holds the note.
pub const ELF_NOTE_SECTION: &str = ".note.streamspace";
/// The section of a Mach-O file's `__TEXT` segment that holds the note.
pub const MACHO_NOTE_SECTION: &str = "__streamspace";
/// The section of a PE file that holds the note.
pub const PE_NOTE_SECTION: &str = ".sspnote";

/// The largest note, in bytes.
pub const MAX_NOTE_BYTES: usize = 64 * 1024;

const OWNER: [u8; 12] = *b"StreamSpace\0";
/// The note's type. Another one would have another description.
const FACTS_TYPE: u32 = 1;

/// The note of a library whose facts have `N` bytes.
#[repr(C, align(4))]
#[derive(Debug)]
pub struct Note<const N: usize> {
    owner_size: u32,
    facts_size: u32,
    note_type: u32,
    owner: [u8; 12],
    facts: [u8; N],
}

/// The size of the facts of `E`, in bytes.
#[must_use]
pub const fn note_size<E: Export>() -> usize {
    let size = facts::write::<E>(&mut []);
    assert!(size <= MAX_NOTE_BYTES, "the facts of this plugin do not fit into its note");
    size
}

impl<const N: usize> Note<N> {
    /// The note for the plugin `E`, with `N` as [`note_size`] says it.
    #[must_use]
    pub const fn new<E: Export>() -> Self {
        let mut bytes = [0; N];
        assert!(facts::write::<E>(&mut bytes) == N);
        Self {
            owner_size: OWNER.len() as u32,
            facts_size: N as u32,
            note_type: FACTS_TYPE,
            owner: OWNER,
            facts: bytes,
        }
    }

    /// The facts, JSON.
    #[must_use]
    pub fn facts(&'static self) -> &'static str {
        // They were written from texts.
        std::str::from_utf8(&self.facts).unwrap_or_default()
    }
}

/// Why a section holds no note.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// The section ends within a note, or is larger than a note may be.
    #[error("its note is cut off or too large")]
    Size,
    /// The notes in the section are somebody else's, or of a type that this host does not know.
    #[error("its note is not one that this host knows")]
    Unknown,
    /// The description is not text.
    #[error("its note is not UTF-8")]
    NotText,
}

/// Finds the facts in the bytes of a note section: untrusted, as they are in a file.
///
/// # Errors
///
/// [`NoteError`] when there are none.
pub fn facts_in(section: &[u8], little_endian: bool) -> Result<&str, NoteError> {
    if section.len() > 2 * MAX_NOTE_BYTES {
        return Err(NoteError::Size);
    }
    let mut rest = section;
    while !rest.is_empty() {
        let (head, body) = rest.split_first_chunk::<12>().ok_or(NoteError::Size)?;
        let number = |at: usize| -> Result<usize, NoteError> {
            let bytes = head.get(at..at + 4).and_then(|bytes| <[u8; 4]>::try_from(bytes).ok());
            let bytes = bytes.ok_or(NoteError::Size)?;
            let number = if little_endian { u32::from_le_bytes(bytes) } else { u32::from_be_bytes(bytes) };
            usize::try_from(number).map_err(|_| NoteError::Size)
        };
        let (owner_size, size, note_type) = (number(0)?, number(4)?, number(8)?);
        if owner_size > MAX_NOTE_BYTES || size > MAX_NOTE_BYTES {
            return Err(NoteError::Size);
        }
        let owner = body.get(..owner_size).ok_or(NoteError::Size)?;
        let body = body.get(owner_size.next_multiple_of(4)..).ok_or(NoteError::Size)?;
        let description = body.get(..size).ok_or(NoteError::Size)?;
        if owner == OWNER && note_type == FACTS_TYPE as usize {
            return std::str::from_utf8(description).map_err(|_| NoteError::NotText);
        }
        // The last one's padding may be missing.
        rest = body.get(size.next_multiple_of(4)..).unwrap_or_default();
    }
    Err(NoteError::Unknown)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn note(owner: &[u8], note_type: u32, facts: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for number in [owner.len() as u32, facts.len() as u32, note_type] {
            bytes.extend(number.to_le_bytes());
        }
        for part in [owner, facts] {
            bytes.extend(part);
            bytes.resize(bytes.len().next_multiple_of(4), 0);
        }
        bytes
    }

    #[test]
    fn the_facts_are_found_after_somebody_elses_note() {
        let mut section = note(b"GNU\0", 3, &[1, 2, 3, 4, 5]);
        section.extend(note(&OWNER, FACTS_TYPE, b"{\"a\":1}"));
        assert_eq!(facts_in(&section, true), Ok("{\"a\":1}"));
    }

    #[test]
    fn a_note_of_another_owner_or_type_is_none_of_ours() {
        assert_eq!(facts_in(&note(b"GNU\0", FACTS_TYPE, b"{}"), true), Err(NoteError::Unknown));
        assert_eq!(facts_in(&note(&OWNER, 2, b"{}"), true), Err(NoteError::Unknown));
        assert_eq!(facts_in(&[], true), Err(NoteError::Unknown));
    }

    #[test]
    fn a_note_that_is_cut_off_anywhere_is_refused() {
        let whole = note(&OWNER, FACTS_TYPE, b"{\"a\":12}");
        for length in 1..whole.len() {
            let cut = whole.get(..length).expect("shorter");
            assert_eq!(facts_in(cut, true), Err(NoteError::Size), "{length}");
        }
    }

    #[test]
    fn the_other_byte_order_and_bytes_that_are_no_text_are_refused() {
        let whole = note(&OWNER, FACTS_TYPE, b"{}");
        assert_eq!(facts_in(&whole, false), Err(NoteError::Size));
        assert_eq!(facts_in(&note(&OWNER, FACTS_TYPE, &[0xff, 0xfe]), true), Err(NoteError::NotText));
    }
}
