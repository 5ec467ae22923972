//! Going through a segment, block by block.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    path::{Path, PathBuf},
};

use super::{
    Error, Fault, Wrong, files,
    format::{BlockHead, FRONT, HEAD, Hash, TRAILER, Trailer},
    head::Head,
    index::Entry,
};
use crate::scene::Moment;

/// Goes through a segment.
#[derive(Debug)]
pub(super) struct Walk {
    path: PathBuf,
    file: File,
    /// Bytes of the file, as it was opened.
    length: u64,
    /// Where the next block begins.
    at: u64,
    number: u64,
    /// The hash of the block before.
    before: Hash,
    to: u64,
    encrypted: bool,
    /// The payload that was read last.
    pub(super) payload: Vec<u8>,
}

impl Walk {
    pub(super) fn open(path: &Path) -> Result<(Self, Head), Error> {
        let file = File::open(path).map_err(files::failed("opening", path))?;
        let length = file.metadata().map_err(files::failed("reading", path))?.len();
        let mut walk = Self {
            path: path.into(),
            file,
            length,
            at: 0,
            number: 0,
            before: Hash::default(),
            to: 0,
            encrypted: false,
            payload: Vec::new(),
        };
        let mut front = [0; FRONT];
        walk.read(0, &mut front)?;
        let rest = Head::rest(&front).map_err(|wrong| walk.in_head(wrong))?;
        let mut bytes = vec![0; FRONT + rest];
        walk.read(0, &mut bytes)?;
        let (head, hash) = Head::read(&bytes).map_err(|wrong| walk.in_head(wrong))?;
        (walk.at, walk.before, walk.to) = (bytes.len() as u64, hash, head.begins);
        walk.encrypted = head.is_encrypted();
        Ok((walk, head))
    }

    /// What is wrong with the segment's head.
    pub(super) fn in_head(&self, wrong: Wrong) -> Error {
        Fault { path: self.path.clone(), block: None, offset: 0, at: Moment(self.to), wrong }.into()
    }

    /// What is wrong with the next block.
    pub(super) fn wrong(&self, wrong: Wrong) -> Error {
        let (path, block) = (self.path.clone(), Some(self.number));
        Fault { path, block, offset: self.at, at: Moment(self.to), wrong }.into()
    }

    /// What is wrong with it, if its head is known.
    pub(super) fn wrong_in(&self, head: &BlockHead, wrong: Wrong) -> Error {
        let (path, block) = (self.path.clone(), Some(self.number));
        Fault { path, block, offset: self.at, at: Moment(head.from), wrong }.into()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    pub(super) fn at(&self) -> u64 {
        self.at
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }

    pub(super) fn before(&self) -> &Hash {
        &self.before
    }

    /// When what was gone through ended.
    pub(super) fn to(&self) -> u64 {
        self.to
    }

    fn read(&mut self, at: u64, bytes: &mut [u8]) -> Result<(), Error> {
        let rest = self.length.saturating_sub(at);
        if rest < bytes.len() as u64 {
            let wrong = Wrong::Truncated { missing: bytes.len() as u64 - rest };
            return Err(if self.number == 0 && self.at == 0 {
                self.in_head(wrong)
            } else {
                self.wrong(wrong)
            });
        }
        match self.file.seek(SeekFrom::Start(at)).and_then(|_| self.file.read_exact(bytes)) {
            Ok(()) => Ok(()),
            // It got shorter since it was opened.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                Err(self.wrong(Wrong::Truncated { missing: 1 }))
            }
            Err(error) => Err(files::failed("reading", &self.path)(error)),
        }
    }

    /// The head of the next block and the sum of its payload; none at the end of the file.
    pub(super) fn peek(&mut self) -> Result<Option<(BlockHead, u32)>, Error> {
        if self.at == self.length {
            return Ok(None);
        }
        let mut bytes = [0; HEAD];
        self.read(self.at, &mut bytes)?;
        let (head, sum) = BlockHead::read(&bytes).map_err(|wrong| self.wrong(wrong))?;
        if head.number != self.number {
            let wrong = Wrong::order(format!("block {}", self.number), format!("block {}", head.number));
            return Err(self.wrong(wrong));
        }
        if head.from < self.to {
            let wrong = Wrong::order(format!("{} µs at least", self.to), format!("{} µs", head.from));
            return Err(self.wrong(wrong));
        }
        if head.is_sealed() != self.encrypted {
            let expected = if self.encrypted { "an encrypted one" } else { "one that is not encrypted" };
            return Err(self.wrong_in(&head, Wrong::content("a block", expected, "another")));
        }
        let rest = self.length - self.at - HEAD as u64;
        if u64::from(head.stored) > rest {
            let wrong = Wrong::Truncated { missing: u64::from(head.stored) - rest };
            return Err(self.wrong_in(&head, wrong));
        }
        Ok(Some((head, sum)))
    }

    /// Reads the payload of the block whose head was peeked, and holds it against sum and hash.
    pub(super) fn check(&mut self, head: &BlockHead, sum: u32) -> Result<(), Error> {
        // Within the limit of a block, and of the file.
        let mut payload = std::mem::take(&mut self.payload);
        payload.resize(head.stored as usize, 0);
        let read = self.read(self.at + HEAD as u64, &mut payload);
        self.payload = payload;
        read?;
        let found = crc32c::crc32c(&self.payload);
        if found != sum {
            return Err(self.wrong_in(head, Wrong::Crc { written: sum, found }));
        }
        if head.chained(&self.before, &self.payload) != head.hash {
            return Err(self.wrong_in(head, Wrong::Chain));
        }
        Ok(())
    }

    /// Goes to the block behind the one whose head was peeked.
    pub(super) fn pass(&mut self, head: &BlockHead) {
        self.at += HEAD as u64 + u64::from(head.stored);
        self.number += 1;
        self.before = head.hash;
        self.to = head.to;
    }

    /// Goes to a place of the index.
    pub(super) fn go(&mut self, entry: &Entry) {
        (self.at, self.number, self.before, self.to) = (entry.offset, entry.number, entry.before, entry.at);
    }

    /// The end of the file, if it is that of a finished segment.
    pub(super) fn trailer(&mut self) -> Result<Option<Trailer>, Error> {
        let Some(at) = self.length.checked_sub(TRAILER as u64).filter(|at| *at >= self.at) else {
            return Ok(None);
        };
        let mut bytes = [0; TRAILER];
        self.read(at, &mut bytes)?;
        Ok(Trailer::read(&bytes))
    }

    /// Goes to the last block, where the trailer says it is.
    pub(super) fn go_to_end(&mut self, trailer: &Trailer) {
        self.at = trailer.end.min(self.length);
        (self.number, self.before) = (trailer.blocks.saturating_sub(1), trailer.before);
    }

    /// Whether behind the last block, whose head was peeked, there is the end and nothing else. The block is not passed yet.
    pub(super) fn check_end(&mut self, head: &BlockHead) -> Result<(), Error> {
        let behind = self.at + HEAD as u64 + u64::from(head.stored);
        let mut bytes = [0; TRAILER];
        self.read(behind, &mut bytes)?;
        let expected = Trailer { end: self.at, blocks: self.number + 1, before: self.before };
        if Trailer::read(&bytes) != Some(expected) {
            let wrong = Wrong::content("the end of a segment", "what the last block says", "something else");
            return Err(self.wrong_in(head, wrong));
        }
        match self.length - behind - TRAILER as u64 {
            0 => Ok(()),
            more => {
                Err(self.wrong_in(head, Wrong::order("the end of the file", format!("{more} more bytes"))))
            }
        }
    }

    /// The bytes from here to the end of the file, in pieces.
    pub(super) fn rest(&mut self, mut each: impl FnMut(&[u8]) -> Result<(), Error>) -> Result<(), Error> {
        let mut at = self.at;
        let mut piece = vec![0; 64 << 10];
        while at < self.length {
            let count = piece.len().min((self.length - at) as usize);
            self.read(at, &mut piece[..count])?;
            each(&piece[..count])?;
            at += count as u64;
        }
        Ok(())
    }
}
