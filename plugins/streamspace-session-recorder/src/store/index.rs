//! Where a reader can begin.

use super::{
    Wrong,
    format::{BlockHead, Hash, le32, le64},
};

/// A place where a reader can begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    /// What was on the screen then, in microseconds since the recording's beginning.
    pub(super) at: u64,
    /// Where the block begins.
    pub(super) offset: u64,
    /// Its number.
    pub(super) number: u64,
    /// The hash of the block before it.
    pub(super) before: Hash,
}

/// Bytes of an entry, and of what stands before all of them.
const ENTRY: usize = 56;
const FRONT: usize = 8;
/// After so many, a segment ends.
pub(super) const MOST: usize = 50_000;

/// The places of one segment. Writer and scanner make it of the same heads, so that both have the same.
#[derive(Debug, Default)]
pub(super) struct Index {
    entries: Vec<Entry>,
    /// A keyframe whose end was not seen yet.
    begun: Option<Entry>,
}

impl Index {
    pub(super) fn entries(&self) -> &[Entry] {
        &self.entries
    }

    pub(super) fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
    }

    /// Takes the next block into account.
    pub(super) fn see(&mut self, head: &BlockHead, offset: u64, before: &Hash) {
        if !head.kind.has_scenes() {
            return;
        }
        if head.begins() {
            let entry = Entry { at: head.from, offset, number: head.number, before: *before };
            self.begun = Some(entry);
        }
        // It is whole where a record ends. One that begins behind it and goes on hides that until the next block.
        if head.continued < head.raw && !head.begins() || !head.is_open() {
            self.entries.extend(self.begun.take());
        }
    }

    /// What the last block of a segment unpacks to.
    pub(super) fn to_bytes(&self, last: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(FRONT + ENTRY * self.entries.len());
        bytes.extend([last.into(), 0, 0, 0]);
        bytes.extend((self.entries.len() as u32).to_le_bytes());
        for Entry { at, offset, number, before } in &self.entries {
            [at, offset, number].iter().for_each(|number| bytes.extend(number.to_le_bytes()));
            bytes.extend(before.0);
        }
        bytes
    }

    /// The index, and whether the recording ends with the segment.
    pub(super) fn read(bytes: &[u8]) -> Result<(Self, bool), Wrong> {
        let wrong = |expected: &str| Wrong::content("the index of a segment", expected, bytes.len());
        let (front, rest) = bytes.split_first_chunk::<FRONT>().ok_or_else(|| wrong("8 bytes at least"))?;
        if front[0] > 1 || front[1..4] != [0; 3] {
            return Err(wrong("a known beginning"));
        }
        let (chunks, []) = rest.as_chunks::<ENTRY>() else { return Err(wrong("whole entries")) };
        if chunks.len() != le32(front, 4) as usize {
            return Err(wrong("as many entries as it says"));
        }
        let entry = |bytes: &[u8; ENTRY]| {
            let mut before = Hash::default();
            before.0.copy_from_slice(&bytes[24..]);
            Entry { at: le64(bytes, 0), offset: le64(bytes, 8), number: le64(bytes, 16), before }
        };
        let entries: Vec<_> = chunks.iter().map(entry).collect();
        let follows = |pair: &[Entry]| pair[0].at <= pair[1].at && pair[0].offset < pair[1].offset;
        if !entries.windows(2).all(follows) {
            return Err(wrong("entries in their order"));
        }
        Ok((Self { entries, begun: None }, front[0] == 1))
    }
}
