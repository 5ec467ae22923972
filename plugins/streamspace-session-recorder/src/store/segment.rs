//! A segment that is being written.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    mem,
    path::{Path, PathBuf},
};

use aes_gcm::{Aes256Gcm, aead::AeadInOut};
use zstd::{bulk::Compressor, zstd_safe};

use super::{
    Error, Fault,
    files::{self, segment_path},
    format::{BlockHead, HEAD, Hash, Kind, PLAIN, SEALED, TAG, TRAILER, Trailer, ZSTD},
    head::Head,
    index::{self, Index},
};
use crate::scene::Moment;

/// Bytes that are gathered before they are written.
const WRITTEN_AT_ONCE: usize = 1 << 20;
/// What zstd takes at level 1 for itself, at most, measured for blocks of 4 MiB.
const COMPRESSOR: usize = 2 << 20;
/// Blocks of a segment at most: the number must stay within a nonce.
const MOST_BLOCKS: u64 = 1 << 31;

/// A segment that is being written.
pub(super) struct Segment {
    path: PathBuf,
    file: File,
    /// Bytes that were written.
    written: u64,
    /// Bytes that are durable.
    synced: u64,
    /// Bytes that are to be written next, at its beginning.
    buffer: Vec<u8>,
    filled: usize,
    number: u64,
    hash: Hash,
    to: u64,
    nonce: u64,
    cipher: Option<Aes256Gcm>,
    compressor: Compressor<'static>,
    index: Index,
}

impl std::fmt::Debug for Segment {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Segment")
            .field("path", &self.path)
            .field("number", &self.number)
            .finish_non_exhaustive()
    }
}

/// Where an existing segment goes on.
pub(super) struct Existing {
    pub(super) path: PathBuf,
    pub(super) length: u64,
    pub(super) number: u64,
    pub(super) hash: Hash,
    pub(super) to: u64,
    pub(super) index: Index,
}

/// What a segment needs that goes from one to the next.
pub(super) struct Tools {
    buffer: Vec<u8>,
    compressor: Compressor<'static>,
    pub(super) cipher: Option<Aes256Gcm>,
}

impl Tools {
    pub(super) fn new(block: usize, level: i32, cipher: Option<Aes256Gcm>) -> Result<Self, Error> {
        let compressor = Compressor::new(level).map_err(files::failed("preparing", Path::new("zstd")))?;
        let room = WRITTEN_AT_ONCE + HEAD + zstd_safe::compress_bound(block) + TAG;
        Ok(Self { buffer: vec![0; room], compressor, cipher })
    }
}

impl Segment {
    /// A new one. It is there with its whole head, or not at all.
    pub(super) fn create(folder: &Path, head: &Head, tools: Tools) -> Result<Self, Error> {
        let path = segment_path(folder, head.segment);
        let (bytes, hash) = head.to_bytes().map_err(|wrong| Fault {
            path: path.clone(),
            block: None,
            offset: 0,
            at: Moment(head.begins),
            wrong,
        })?;
        let new = path.with_extension("new");
        let mut file = File::create(&new).map_err(files::failed("creating", &new))?;
        file.write_all(&bytes).map_err(files::failed("writing", &new))?;
        file.sync_all().map_err(files::failed("syncing", &new))?;
        if path.exists() {
            return Err(Error::Unexpected {
                what: "a new segment",
                expected: "that there is none of its number",
                found: path.display().to_string(),
            });
        }
        fs::rename(&new, &path).map_err(files::failed("renaming", &new))?;
        files::sync_folder(folder)?;
        let length = bytes.len() as u64;
        let to = head.begins;
        Self::over(file, Existing { path, length, number: 0, hash, to, index: Index::default() }, tools)
    }

    /// One that exists. What is behind its last good block is cut off.
    pub(super) fn open(existing: Existing, tools: Tools) -> Result<Self, Error> {
        let path = &existing.path;
        let file = OpenOptions::new().append(true).open(path).map_err(files::failed("opening", path))?;
        file.set_len(existing.length).map_err(files::failed("cutting", path))?;
        Self::over(file, existing, tools)
    }

    fn over(file: File, existing: Existing, tools: Tools) -> Result<Self, Error> {
        let mut nonce = [0; 8];
        if tools.cipher.is_some() {
            getrandom::fill(&mut nonce).map_err(Error::Random)?;
        }
        Ok(Self {
            path: existing.path,
            file,
            written: existing.length,
            synced: existing.length,
            buffer: tools.buffer,
            filled: 0,
            number: existing.number,
            hash: existing.hash,
            to: existing.to,
            nonce: u64::from_le_bytes(nonce),
            cipher: tools.cipher,
            compressor: tools.compressor,
            index: existing.index,
        })
    }

    /// Bytes that it has, with those that are not written yet.
    pub(super) fn bytes(&self) -> u64 {
        self.written + self.filled as u64
    }

    /// Bytes that may be lost.
    pub(super) fn unsynced(&self) -> u64 {
        self.bytes() - self.synced
    }

    /// Whether it can have no more blocks.
    pub(super) fn is_full(&self) -> bool {
        self.number >= MOST_BLOCKS || self.index.entries().len() >= index::MOST
    }

    pub(super) fn memory(&self) -> usize {
        self.buffer.capacity() + self.index.memory() + COMPRESSOR
    }

    /// Adds a block.
    pub(super) fn seal(
        &mut self,
        kind: Kind,
        flags: u8,
        raw: &[u8],
        continued: usize,
        from: u64,
        to: u64,
    ) -> Result<(), Error> {
        let room = HEAD + zstd_safe::compress_bound(raw.len()).max(raw.len()) + TAG;
        if self.filled + room > self.buffer.len() {
            self.write()?;
        }
        if room > self.buffer.len() {
            // The index of a very long segment.
            self.buffer.resize(room, 0);
        }
        let payload = &mut self.buffer[self.filled + HEAD..];
        let (mut codec, mut stored) = (PLAIN, raw.len());
        match self.compressor.compress_to_buffer(raw, &mut payload[..]) {
            Ok(length) if length < raw.len() => (codec, stored) = (ZSTD, length),
            // What does not get smaller is kept as it is.
            _ => payload[..raw.len()].copy_from_slice(raw),
        }
        let sealed = self.cipher.is_some();
        let mut head = BlockHead {
            kind,
            flags: flags | if sealed { SEALED } else { 0 },
            codec,
            stored: (stored + if sealed { TAG } else { 0 }) as u32,
            raw: raw.len() as u32,
            continued: continued as u32,
            number: self.number,
            from,
            to,
            nonce: self.nonce,
            hash: Hash::default(),
        };
        if let Some(cipher) = &self.cipher {
            let associated = head.associated(&self.hash);
            let (text, tag) = payload.split_at_mut(stored);
            let made = cipher
                .encrypt_inout_detached(&head.nonce().into(), &associated, text.into())
                .map_err(|_| unsealed(raw.len()))?;
            tag[..TAG].copy_from_slice(&made);
        }
        let payload = &payload[..head.stored as usize];
        head.hash = head.chained(&self.hash, payload);
        let bytes = head.to_bytes(payload);
        self.index.see(&head, self.bytes(), &self.hash);
        let end = self.filled + HEAD + head.stored as usize;
        self.buffer[self.filled..][..HEAD].copy_from_slice(&bytes);
        self.filled = end;
        self.hash = head.hash;
        self.number += 1;
        self.to = to;
        if self.filled >= WRITTEN_AT_ONCE { self.write() } else { Ok(()) }
    }

    /// Hands what was gathered to the system.
    pub(super) fn write(&mut self) -> Result<(), Error> {
        if self.filled > 0 {
            self.file.write_all(&self.buffer[..self.filled]).map_err(files::failed("writing", &self.path))?;
            self.written += self.filled as u64;
            self.filled = 0;
        }
        Ok(())
    }

    /// Everything that was added is durable then.
    pub(super) fn sync(&mut self) -> Result<(), Error> {
        self.write()?;
        if self.synced < self.written {
            self.file.sync_data().map_err(files::failed("syncing", &self.path))?;
            self.synced = self.written;
        }
        Ok(())
    }

    /// Adds the index and the end. Answers the final hash and how many bytes the segment has.
    pub(super) fn end(&mut self, at: u64, last: bool) -> Result<(Hash, u64), Error> {
        let index = self.index.to_bytes(last);
        let (end, before) = (self.bytes(), self.hash);
        let at = at.max(self.to);
        self.seal(Kind::END, 0, &index, 0, at, at)?;
        let trailer = Trailer { end, blocks: self.number, before }.to_bytes();
        self.write()?;
        self.buffer[..TRAILER].copy_from_slice(&trailer);
        self.filled = TRAILER;
        self.sync()?;
        Ok((self.hash, self.written))
    }

    /// Ends it, and becomes the next one, whose head says what came before.
    pub(super) fn roll_over(&mut self, folder: &Path, head: &mut Head) -> Result<u64, Error> {
        let (hash, bytes) = self.end(head.begins, false)?;
        head.previous = Some(hash.to_string());
        *self = Self::create(folder, head, self.tools())?;
        Ok(bytes)
    }

    /// What the next segment needs. This one can do no more.
    pub(super) fn tools(&mut self) -> Tools {
        Tools {
            buffer: mem::take(&mut self.buffer),
            compressor: mem::take(&mut self.compressor),
            cipher: self.cipher.take(),
        }
    }
}

/// The cipher takes 64 GiB at once.
fn unsealed(length: usize) -> Error {
    let (what, expected) = ("a block to encrypt", "at most 4 MiB");
    Error::Unexpected { what, expected, found: length.to_string() }
}
