//! Opening blocks, and what a segment is found to be.

use aes_gcm::{Aes256Gcm, aead::AeadInOut};
use zstd::bulk::Decompressor;

use super::{
    Error, Fault, Wrong, files,
    format::{BlockHead, Hash, Kind, TAG, ZSTD},
    index::Index,
    walk::Walk,
};

/// Decrypts and decompresses.
pub(super) struct Opener {
    cipher: Option<Aes256Gcm>,
    decompressor: Decompressor<'static>,
    /// What the block that was opened last unpacked to.
    pub(super) raw: Vec<u8>,
}

impl std::fmt::Debug for Opener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Opener({} bytes)", self.raw.len())
    }
}

impl Opener {
    pub(super) fn new(cipher: Option<Aes256Gcm>) -> Result<Self, Error> {
        let decompressor =
            Decompressor::new().map_err(files::failed("preparing", std::path::Path::new("zstd")))?;
        Ok(Self { cipher, decompressor, raw: Vec::new() })
    }

    /// Whether it can open blocks like this one.
    pub(super) fn can(&self, head: &BlockHead) -> bool {
        self.cipher.is_some() || !head.is_sealed()
    }

    /// Opens a payload that was held against its sum and hash. It is decrypted where it is.
    pub(super) fn open(&mut self, head: &BlockHead, before: &Hash, payload: &mut [u8]) -> Result<(), Wrong> {
        self.raw.clear();
        let mut text = payload;
        if head.is_sealed() {
            let cipher = self.cipher.as_ref().ok_or(Wrong::Cipher)?;
            let (body, tag) = text.split_at_mut(text.len().saturating_sub(TAG));
            let tag: &[u8; TAG] = (&*tag).try_into().map_err(|_| Wrong::Cipher)?;
            let associated = head.associated(before);
            cipher
                .decrypt_inout_detached(&head.nonce().into(), &associated, (&mut *body).into(), tag.into())
                .map_err(|_| Wrong::Cipher)?;
            text = body;
        }
        let wrong = |found: String| {
            Wrong::content("the payload of a block", format!("{} bytes when it is unpacked", head.raw), found)
        };
        let raw = head.raw as usize;
        if head.codec == ZSTD {
            // Within the limit of a block. It never grows beyond what is reserved here.
            self.raw.reserve_exact(raw);
            let room = self.raw.capacity();
            let unpacked = self.decompressor.decompress_to_buffer(text, &mut self.raw);
            let length = unpacked.map_err(|error| wrong(error.to_string()))?;
            debug_assert!(self.raw.len() == length && self.raw.capacity() == room);
        } else {
            self.raw.extend_from_slice(&text[..text.len().min(raw + 1)]);
        }
        match self.raw.len() {
            length if length == raw => Ok(()),
            length => Err(wrong(length.to_string())),
        }
    }
}

/// Bytes at the end of a segment that is not finished, which may be anything after a crash.
pub(super) const UNCERTAIN: u64 = 16 << 20;

/// What a segment is found to be.
#[derive(Debug)]
pub(super) struct Found {
    /// Where what can be read ends: the last block of a finished one, or behind the last whole block.
    pub(super) end: u64,
    pub(super) blocks: u64,
    /// The hash of the last block.
    pub(super) hash: Hash,
    pub(super) to: u64,
    pub(super) index: Index,
    /// Whether it is finished, and the recording with it.
    pub(super) finished: Option<bool>,
    /// What is behind the end, if the segment is not finished.
    pub(super) torn: Option<Fault>,
}

impl Found {
    /// By its index; without one, by its blocks' heads, and by the payloads of those that a crash may have torn.
    pub(super) fn look(walk: &mut Walk, opener: &mut Opener) -> Result<Self, Error> {
        match walk.trailer()? {
            Some(trailer) => {
                walk.go_to_end(&trailer);
                let Some((head, sum)) = walk.peek()? else {
                    return Err(walk.wrong(Wrong::order("the last block", "the end of the file")));
                };
                Self::finished(walk, opener, &head, sum)
            }
            None => Self::scan(walk),
        }
    }

    /// The walk is at the last block, whose head was peeked. It is passed.
    pub(super) fn finished(
        walk: &mut Walk,
        opener: &mut Opener,
        head: &BlockHead,
        sum: u32,
    ) -> Result<Self, Error> {
        if head.kind != Kind::END {
            let wrong = Wrong::order("the last block", format!("one of kind {}", head.kind.0));
            return Err(walk.wrong_in(head, wrong));
        }
        walk.check(head, sum)?;
        walk.check_end(head)?;
        let (end, before) = (walk.at(), *walk.before());
        let mut payload = std::mem::take(&mut walk.payload);
        let opened = opener.open(head, &before, &mut payload).and_then(|()| Index::read(&opener.raw));
        walk.payload = payload;
        let (index, last) = opened.map_err(|wrong| walk.wrong_in(head, wrong))?;
        if index.entries().iter().any(|entry| entry.offset >= end || entry.number >= head.number) {
            let wrong = Wrong::content("the index of a segment", "places before it", "others");
            return Err(walk.wrong_in(head, wrong));
        }
        walk.pass(head);
        let (blocks, hash, to) = (walk.number(), head.hash, head.to);
        Ok(Self { end, blocks, hash, to, index, finished: Some(last), torn: None })
    }

    fn scan(walk: &mut Walk) -> Result<Self, Error> {
        let mut index = Index::default();
        let torn = loop {
            match Self::step(walk, &mut index) {
                Ok(true) => {}
                Ok(false) => break None,
                // Only at its end a crash leaves anything but whole blocks.
                Err(Error::Fault(fault)) if fault.offset.saturating_add(UNCERTAIN) >= walk.length() => {
                    break Some(fault);
                }
                Err(error) => return Err(error),
            }
        };
        let (end, blocks, hash, to) = (walk.at(), walk.number(), *walk.before(), walk.to());
        Ok(Self { end, blocks, hash, to, index, finished: None, torn })
    }

    fn step(walk: &mut Walk, index: &mut Index) -> Result<bool, Error> {
        let Some((head, sum)) = walk.peek()? else { return Ok(false) };
        if walk.at().saturating_add(UNCERTAIN) >= walk.length() {
            walk.check(&head, sum)?;
        }
        if head.kind == Kind::END {
            // Its end is torn, or something stands behind it, which no crash does.
            walk.check_end(&head)?;
        }
        index.see(&head, walk.at(), walk.before());
        walk.pass(&head);
        Ok(true)
    }
}
