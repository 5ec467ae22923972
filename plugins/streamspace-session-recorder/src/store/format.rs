//! The bytes of a segment: its head, the heads of its blocks, and its end. All numbers have the least significant byte first.

use std::fmt;

use sha2::{Digest, Sha256};

use super::Wrong;

pub(super) const MAGIC: [u8; 8] = *b"\x89SSREC\r\n";
pub(super) const END_MAGIC: [u8; 8] = *b"SSREC/\x1A\n";
pub(super) const VERSION: u16 = 1;
/// Bytes before the document of a segment's head.
pub(super) const FRONT: usize = 16;
/// Bytes behind it: the hash and a sum.
pub(super) const BEHIND: usize = 36;
/// The longest document.
pub(super) const LONGEST_DOCUMENT: usize = 64 << 10;
/// Bytes of a block's head.
pub(super) const HEAD: usize = 88;
/// Of these, bytes that the hash covers.
const HASHED: usize = 48;
/// Bytes behind an encrypted payload.
pub(super) const TAG: usize = 16;
/// Bytes at the very end of a finished segment.
pub(super) const TRAILER: usize = 60;
/// Bytes that a block unpacks to at most.
pub(super) const LARGEST_BLOCK: usize = 4 << 20;
/// Bytes of a block's payload at most: what does not compress, zstd's frame around it, and a tag.
pub(super) const LARGEST_PAYLOAD: usize = LARGEST_BLOCK + (64 << 10);

/// A SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Hash(pub [u8; 32]);

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl Hash {
    /// From 64 hexadecimal digits in lower case.
    pub fn parse(text: &str) -> Option<Self> {
        let digit = |byte: u8| match byte {
            b'0'..=b'9' => Some(byte - b'0'),
            b'a'..=b'f' => Some(byte - b'a' + 10),
            _ => None,
        };
        let (pairs, []) = text.as_bytes().as_chunks::<2>() else { return None };
        let mut hash = [0; 32];
        if pairs.len() != hash.len() {
            return None;
        }
        for (to, [high, low]) in hash.iter_mut().zip(pairs) {
            *to = digit(*high)? << 4 | digit(*low)?;
        }
        Some(Self(hash))
    }

    pub(super) fn of(parts: &[&[u8]]) -> Self {
        let mut sha = Sha256::new();
        parts.iter().for_each(|part| sha.update(part));
        Self(sha.finalize().into())
    }
}

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kind(pub(super) u8);

impl Kind {
    /// Scenes.
    pub(super) const SCENES: Self = Self(1);
    /// What is on the screen, once more: a reader leaves it out unless it begins here.
    pub(super) const AGAIN: Self = Self(2);
    /// An account of what was cut off.
    pub(super) const CUT: Self = Self(3);
    /// The index, and the end.
    pub(super) const END: Self = Self(4);

    /// Whether a reader that does not know it may leave it out.
    pub(super) const fn may_be_left_out(self) -> bool {
        self.0 & 0x80 != 0
    }

    pub(super) const fn is_known(self) -> bool {
        matches!(self.0, 1..=4)
    }

    pub(super) const fn has_scenes(self) -> bool {
        matches!(self.0, 1..=2)
    }
}

/// The last record of the block goes on in the next one of scenes.
pub(super) const OPEN: u8 = 1;
/// The payload is encrypted.
pub(super) const SEALED: u8 = 2;
/// Its first record is a picture: a reader can begin here.
pub(super) const BEGINS: u8 = 4;

/// How a payload is packed.
pub(super) const PLAIN: u8 = 0;
pub(super) const ZSTD: u8 = 1;

/// The head of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BlockHead {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) codec: u8,
    /// Bytes of the payload, in the file.
    pub(super) stored: u32,
    /// Bytes that it unpacks to.
    pub(super) raw: u32,
    /// How many of these, at the beginning, belong to a record that began in a block before.
    pub(super) continued: u32,
    /// From 0 on in a segment.
    pub(super) number: u64,
    /// Microseconds since the recording's beginning: when the first record that begins in it was, or the one that goes on.
    pub(super) from: u64,
    /// When the last one was.
    pub(super) to: u64,
    /// With the number, the nonce.
    pub(super) nonce: u64,
    pub(super) hash: Hash,
}

impl BlockHead {
    pub(super) fn is_open(&self) -> bool {
        self.flags & OPEN != 0
    }

    pub(super) fn begins(&self) -> bool {
        self.flags & BEGINS != 0
    }

    pub(super) fn is_sealed(&self) -> bool {
        self.flags & SEALED != 0
    }

    /// What the hash covers.
    pub(super) fn hashed(&self) -> [u8; HASHED] {
        let mut bytes = [0; HASHED];
        bytes[..4].copy_from_slice(&[self.kind.0, self.flags, self.codec, 0]);
        bytes[4..8].copy_from_slice(&self.stored.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.raw.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.continued.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.number.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.from.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.to.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.nonce.to_le_bytes());
        bytes
    }

    /// What is authenticated beside the payload: the head, and by the hash everything before.
    pub(super) fn associated(&self, before: &Hash) -> [u8; HASHED + 32] {
        let mut bytes = [0; HASHED + 32];
        bytes[..HASHED].copy_from_slice(&self.hashed());
        bytes[HASHED..].copy_from_slice(&before.0);
        bytes
    }

    /// A number is never used twice with the same prefix: whoever writes into a segment takes a prefix of its own.
    pub(super) fn nonce(&self) -> [u8; 12] {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.nonce.to_le_bytes());
        // Writers end a segment long before.
        bytes[8..].copy_from_slice(&(self.number as u32).to_le_bytes());
        bytes
    }

    pub(super) fn chained(&self, before: &Hash, payload: &[u8]) -> Hash {
        Hash::of(&[&before.0, &self.hashed(), payload])
    }

    pub(super) fn to_bytes(self, payload: &[u8]) -> [u8; HEAD] {
        let mut bytes = [0; HEAD];
        bytes[..HASHED].copy_from_slice(&self.hashed());
        bytes[HASHED..HASHED + 32].copy_from_slice(&self.hash.0);
        bytes[80..84].copy_from_slice(&crc32c::crc32c(payload).to_le_bytes());
        let sum = crc32c::crc32c(&bytes[..84]);
        bytes[84..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The head, and the sum of its payload.
    pub(super) fn read(bytes: &[u8; HEAD]) -> Result<(Self, u32), Wrong> {
        let written = le32(bytes, 84);
        let found = crc32c::crc32c(&bytes[..84]);
        if written != found {
            return Err(Wrong::Crc { written, found });
        }
        let mut hash = Hash::default();
        hash.0.copy_from_slice(&bytes[HASHED..HASHED + 32]);
        let head = Self {
            kind: Kind(bytes[0]),
            flags: bytes[1],
            codec: bytes[2],
            stored: le32(bytes, 4),
            raw: le32(bytes, 8),
            continued: le32(bytes, 12),
            number: le64(bytes, 16),
            from: le64(bytes, 24),
            to: le64(bytes, 32),
            nonce: le64(bytes, 40),
            hash,
        };
        head.check(bytes[3])?;
        Ok((head, le32(bytes, 80)))
    }

    fn check(&self, zero: u8) -> Result<(), Wrong> {
        if !self.kind.is_known() && !self.kind.may_be_left_out() {
            let expected = "a kind that is known, or that may be left out";
            return Err(Wrong::content("the kind of a block", expected, self.kind.0));
        }
        if self.flags & !(OPEN | SEALED | BEGINS) != 0 || zero != 0 {
            return Err(Wrong::content("the flags of a block", "known ones", self.flags));
        }
        if !matches!(self.codec, PLAIN | ZSTD) {
            return Err(Wrong::content("the codec of a block", "0 or 1", self.codec));
        }
        if self.stored as usize > LARGEST_PAYLOAD || (self.is_sealed() && (self.stored as usize) < TAG) {
            let expected = format!("at most {LARGEST_PAYLOAD}, and a tag if it is encrypted");
            return Err(Wrong::content("the bytes of a payload", expected, self.stored));
        }
        if self.raw as usize > LARGEST_BLOCK || self.continued > self.raw {
            let expected = format!("at most {LARGEST_BLOCK}, with what goes on inside");
            return Err(Wrong::content("the bytes of a block", expected, self.raw));
        }
        if self.begins() && (self.continued > 0 || !self.kind.has_scenes()) {
            return Err(Wrong::content("the flags of a block", "a beginning where one can be", self.flags));
        }
        if self.from > self.to {
            return Err(Wrong::content("the times of a block", "one after the other", self.to));
        }
        Ok(())
    }
}

/// The end of a finished segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Trailer {
    /// Where the last block begins.
    pub(super) end: u64,
    /// How many blocks there are.
    pub(super) blocks: u64,
    /// The hash of the block before the last one.
    pub(super) before: Hash,
}

impl Trailer {
    pub(super) fn to_bytes(self) -> [u8; TRAILER] {
        let mut bytes = [0; TRAILER];
        bytes[..8].copy_from_slice(&self.end.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.blocks.to_le_bytes());
        bytes[16..48].copy_from_slice(&self.before.0);
        bytes[48..56].copy_from_slice(&END_MAGIC);
        let sum = crc32c::crc32c(&bytes[..56]);
        bytes[56..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// None if these bytes are no end.
    pub(super) fn read(bytes: &[u8; TRAILER]) -> Option<Self> {
        let is_one = bytes[48..56] == END_MAGIC && le32(bytes, 56) == crc32c::crc32c(&bytes[..56]);
        let mut before = Hash::default();
        before.0.copy_from_slice(&bytes[16..48]);
        is_one.then(|| Self { end: le64(bytes, 0), blocks: le64(bytes, 8), before })
    }
}

pub(super) fn le32(bytes: &[u8], at: usize) -> u32 {
    bytes[at..].first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

pub(super) fn le64(bytes: &[u8], at: usize) -> u64 {
    bytes[at..].first_chunk().map_or(0, |bytes| u64::from_le_bytes(*bytes))
}
