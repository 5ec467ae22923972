//! Reading a recording.

use std::path::{Path, PathBuf};

use super::{
    DataKey, Error, Head, Limits, Wrong, files,
    format::{Hash, Kind},
    index::Entry,
    open::{Found, Opener},
    parse::{Parser, Whole},
    walk::Walk,
};
use crate::scene::{Moment, Scene, Source};

/// Reads a recording, also one that is still being written: up to what was there when it was opened.
///
/// What it reads is held against sums, hashes, and, with a key, against the cipher's tags.
#[derive(Debug)]
pub struct Reader {
    limits: Limits,
    segments: Vec<Part>,
    head: Head,
    /// The segment that is read, and where.
    part: usize,
    walk: Walk,
    opener: Opener,
    parser: Parser,
    /// Where in the block the next record begins, and the block's time.
    at: usize,
    from: u64,
    /// Whether what is said again was not said to whoever reads.
    landed: bool,
    finished: bool,
    bytes: u64,
}

#[derive(Debug)]
struct Part {
    path: PathBuf,
    /// Where reading ends.
    end: u64,
    to: u64,
    entries: Vec<Entry>,
}

/// The head of a segment.
///
/// # Errors
///
/// [`Error::Io`]; [`Error::Fault`] if it is none.
pub fn read_head(path: &Path) -> Result<Head, Error> {
    Walk::open(path).map(|(_, head)| head)
}

impl Reader {
    /// Opens a recording.
    ///
    /// # Errors
    ///
    /// [`Error::Locked`] if it is encrypted and there is no key; [`Error::Fault`] if a segment does not belong to the others, or if what is
    /// needed for reading is damaged; [`Error::Io`]; [`Error::Unexpected`] if there is none.
    pub fn open(folder: &Path, key: Option<&DataKey>, limits: Limits) -> Result<Self, Error> {
        let paths = files::segments(folder, &limits)?;
        let mut order = Order::default();
        let mut opener = None;
        let mut segments = Vec::with_capacity(paths.len());
        let (mut finished, mut bytes) = (false, 0);
        let mut beginning = None;
        for (number, path) in paths.iter().enumerate() {
            let (mut walk, head) = Walk::open(path)?;
            order.check(&head, number as u32).map_err(|wrong| walk.in_head(wrong))?;
            if opener.is_none() {
                let key = key.filter(|_| head.is_encrypted());
                if head.is_encrypted() && key.is_none() {
                    return Err(Error::Locked { recording: head.recording, file: super::key::FILE });
                }
                opener = Some(Opener::new(key.map(DataKey::cipher))?);
            }
            let Some(opener) = &mut opener else { continue };
            let found = Found::look(&mut walk, opener)?;
            let is_last = number + 1 == paths.len();
            if found.finished.is_none() && !is_last {
                return Err(found
                    .torn
                    .map_or_else(|| walk.wrong(Wrong::Truncated { missing: 1 }), Into::into));
            }
            finished = found.finished == Some(true);
            bytes += walk.length();
            order.before(found.hash);
            let (end, to, entries) = (found.end, found.to, found.index.entries().to_vec());
            segments.push(Part { path: path.clone(), end, to, entries });
            if beginning.is_none() {
                beginning = Some(Walk::open(path)?);
            }
        }
        // There is at least one, or there would be an error before.
        let none = || Error::Unexpected { what: "a recording", expected: "a segment", found: "none".into() };
        let ((walk, head), opener) = beginning.zip(opener).ok_or_else(none)?;
        let parser = Parser::default();
        Ok(Self {
            limits,
            segments,
            head,
            part: 0,
            walk,
            opener,
            parser,
            at: 0,
            from: 0,
            landed: false,
            finished,
            bytes,
        }
        .cleared())
    }

    /// The head of the first segment.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// Whether the recording was finished, and nothing is missing at its end.
    pub fn is_finished(&self) -> bool {
        self.finished
    }

    /// Bytes of all segments.
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// When there are pictures to begin with.
    pub fn keyframes(&self) -> impl Iterator<Item = Moment> {
        self.segments.iter().flat_map(|part| &part.entries).map(|entry| Moment(entry.at))
    }

    fn cleared(mut self) -> Self {
        self.clear();
        self
    }

    fn clear(&mut self) {
        self.opener.raw.clear();
        (self.at, self.from) = (0, 0);
        self.parser.reset();
    }

    /// Goes to the beginning of a segment.
    fn enter(&mut self, part: usize) -> Result<(), Error> {
        self.clear();
        if let Some(segment) = self.segments.get(part) {
            (self.walk, _) = Walk::open(&segment.path)?;
        }
        self.part = part;
        Ok(())
    }

    /// The next record that is to be given.
    fn record(&mut self) -> Result<Option<Whole>, Error> {
        loop {
            let next = self.parser.next(&self.opener.raw, &mut self.at, self.from, &self.limits);
            match next.map_err(|wrong| self.walk.wrong(wrong))? {
                Some(whole) if whole.again && !self.landed => {}
                Some(whole) => {
                    self.landed &= whole.again || whole.is_picture;
                    return Ok(Some(whole));
                }
                None if self.block()? => {}
                None => return Ok(None),
            }
        }
    }

    /// Goes to the next block with records; false at the end.
    fn block(&mut self) -> Result<bool, Error> {
        while let Some(segment) = self.segments.get(self.part) {
            let head = match self.walk.at() < segment.end {
                true => self.walk.peek()?,
                false => None,
            };
            let Some((head, sum)) = head else {
                // What a crash has left without its end is not there.
                self.enter(self.part + 1)?;
                continue;
            };
            if !head.kind.has_scenes() || (head.kind == Kind::AGAIN && !self.landed) {
                self.walk.pass(&head);
                continue;
            }
            self.walk.check(&head, sum)?;
            let before = *self.walk.before();
            self.opener
                .open(&head, &before, &mut self.walk.payload)
                .and_then(|()| self.parser.block(head.from, head.continued > 0))
                .map_err(|wrong| self.walk.wrong_in(&head, wrong))?;
            self.walk.pass(&head);
            (self.at, self.from) = (0, head.from);
            return Ok(true);
        }
        Ok(false)
    }
}

/// Whether segments belong together.
#[derive(Debug, Default)]
pub(super) struct Order {
    recording: Option<(String, bool)>,
    previous: Option<Hash>,
}

impl Order {
    pub(super) fn check(&mut self, head: &Head, number: u32) -> Result<(), Wrong> {
        if head.segment != number {
            return Err(Wrong::order(format!("segment {number}"), format!("segment {}", head.segment)));
        }
        let own = (head.recording.clone(), head.is_encrypted());
        match &self.recording {
            Some(first) if *first != own => {
                return Err(Wrong::order(format!("recording {}", first.0), format!("recording {}", own.0)));
            }
            Some(_) => {}
            None => self.recording = Some(own),
        }
        let said = match &head.previous {
            None => None,
            Some(text) => Some(Hash::parse(text).ok_or_else(|| Wrong::content("a hash", "64 digits", text))?),
        };
        if said == self.previous { Ok(()) } else { Err(Wrong::Chain) }
    }

    /// The final hash of the segment that was gone through.
    pub(super) fn before(&mut self, hash: Hash) {
        self.previous = Some(hash);
    }
}

impl Source for Reader {
    type Error = Error;

    fn length(&self) -> Moment {
        Moment(self.segments.iter().map(|segment| segment.to).max().unwrap_or_default())
    }

    fn seek(&mut self, to: Moment) -> Result<(), Error> {
        let last = |part: &Part| part.entries.partition_point(|entry| entry.at <= to.0).checked_sub(1);
        let place = self.segments.iter().enumerate().rev().find_map(|(i, part)| Some((i, last(part)?)));
        let Some((part, entry)) = place else {
            self.landed = false;
            return self.enter(0);
        };
        if part == self.part {
            self.clear()
        } else {
            self.enter(part)?
        }
        self.walk.go(&self.segments[part].entries[entry]);
        self.landed = true;
        Ok(())
    }

    /// # Errors
    ///
    /// [`Error::Fault`] where it is damaged: nothing behind it is given, until a seek goes there. [`Error::Io`].
    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Error> {
        let Some(whole) = self.record()? else { return Ok(None) };
        Ok(self.parser.scene().map(|scene| (whole.at, scene)))
    }
}
