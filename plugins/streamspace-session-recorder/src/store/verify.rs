//! Whether a recording is what was written.

use std::{io::ErrorKind, path::Path};

use super::{
    DataKey, Error, Fault, Limits, Wrong, files,
    format::{BlockHead, Hash, Kind},
    index::Index,
    key::{self, read_key},
    open::{Found, Opener},
    parse::Parser,
    reader::Order,
    walk::Walk,
};
use crate::scene::Moment;

/// What was found in a recording.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Verified {
    /// Segments that are good.
    pub segments: u32,
    /// Blocks that are good.
    pub blocks: u64,
    /// Bytes of these segments, and of good blocks of the next one.
    pub bytes: u64,
    /// Up to when it is good.
    pub length: Moment,
    /// The hash over everything that is good.
    pub hash: Hash,
    /// Whether it was finished, and nothing is missing at its end.
    pub finished: bool,
    /// Whether another segment was to follow the last one that there is.
    pub goes_on: bool,
    /// Whether blocks were looked into. Without the key, those of an encrypted recording are held against sums and hashes alone.
    pub opened: bool,
    /// The first thing that is wrong.
    pub fault: Option<Fault>,
}

impl Verified {
    /// Whether nothing is wrong and nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.finished && self.fault.is_none()
    }
}

/// Goes through all of a recording, and stops at the first thing that is wrong. A recording that is being written, or was interrupted, may
/// end in the middle of a block; that is a fault of the kind `truncated` or `crc`, with `finished` being false.
///
/// That nobody wrote the whole recording anew, [`Verified::hash`] shows if the one of [`Finished`](super::Finished) was kept elsewhere; and if
/// it is encrypted, the key.
///
/// # Errors
///
/// [`Error::Io`]; [`Error::Unexpected`] if there is none. What is wrong with the recording is no error.
pub fn verify(folder: &Path, key: Option<&DataKey>, limits: &Limits) -> Result<Verified, Error> {
    let mut verified = Verified::default();
    match segments(folder, key, limits, &mut verified) {
        Ok(()) => {}
        Err(Error::Fault(fault)) => verified.fault = Some(fault),
        Err(error) => return Err(error),
    }
    Ok(verified)
}

fn segments(
    folder: &Path,
    key: Option<&DataKey>,
    limits: &Limits,
    verified: &mut Verified,
) -> Result<(), Error> {
    let paths = files::segments(folder, limits)?;
    let mut order = Order::default();
    let mut parser = Parser::default();
    for (number, path) in paths.iter().enumerate() {
        let (mut walk, head) = match Walk::open(path) {
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => {
                let wrong = Wrong::order(format!("segment {number}"), "none");
                let (path, at) = (path.clone(), verified.length);
                return Err(Fault { path, block: None, offset: 0, at, wrong }.into());
            }
            opened => opened?,
        };
        order.check(&head, number as u32).map_err(|wrong| walk.in_head(wrong))?;
        if head.begins != verified.length.0 {
            let expected = format!("a segment that begins at {} µs", verified.length.0);
            return Err(walk.in_head(Wrong::order(expected, format!("{} µs", head.begins))));
        }
        let key = key.filter(|_| head.is_encrypted());
        if number == 0 {
            verified.opened = key.is_some() || !head.is_encrypted();
            if head.is_encrypted() {
                whole_key(folder)?;
            }
        }
        let mut segment = Segment {
            opener: Opener::new(key.map(DataKey::cipher))?,
            parser: &mut parser,
            index: Index::default(),
            limits,
        };
        let before = verified.bytes;
        verified.hash = *walk.before();
        let finished = loop {
            verified.bytes = before + walk.at();
            let Some((head, sum)) = walk.peek()? else { break None };
            let last = segment.block(&mut walk, &head, sum)?;
            verified.blocks += 1;
            (verified.hash, verified.length) = (*walk.before(), Moment(walk.to()));
            if last.is_some() {
                break last;
            }
        };
        let is_last = number + 1 == paths.len();
        if finished.is_none() && !is_last {
            return Err(walk.wrong(Wrong::Truncated { missing: 1 }));
        }
        verified.finished = finished == Some(true);
        verified.goes_on = finished == Some(false) && is_last;
        verified.segments += 1;
        verified.bytes = before + walk.length();
        order.before(verified.hash);
    }
    Ok(())
}

/// A wrapped key may be kept elsewhere. One that is there must be whole.
fn whole_key(folder: &Path) -> Result<(), Error> {
    match read_key(folder) {
        Err(Error::Key { path, why }) => {
            let wrong = Wrong::content("the wrapped key", key::WHOLE, why);
            Err(Fault { path, block: None, offset: 0, at: Moment(0), wrong }.into())
        }
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(()),
        read => read.map(drop),
    }
}

struct Segment<'a> {
    opener: Opener,
    parser: &'a mut Parser,
    index: Index,
    limits: &'a Limits,
}

impl Segment<'_> {
    /// Holds a block against everything that is known of it, and passes it. At the last one: whether the recording ends with it.
    fn block(&mut self, walk: &mut Walk, head: &BlockHead, sum: u32) -> Result<Option<bool>, Error> {
        if head.kind == Kind::END {
            return self.end(walk, head, sum).map(Some);
        }
        walk.check(head, sum)?;
        if self.opener.can(head) && head.kind.is_known() {
            let before = *walk.before();
            self.opener
                .open(head, &before, &mut walk.payload)
                .and_then(|()| self.records(head))
                .map_err(|wrong| walk.wrong_in(head, wrong))?;
        }
        self.index.see(head, walk.at(), walk.before());
        walk.pass(head);
        Ok(None)
    }

    fn records(&mut self, head: &BlockHead) -> Result<(), Wrong> {
        let raw = &self.opener.raw;
        if head.kind == Kind::CUT {
            // What was begun before it is not there.
            self.parser.reset();
            return match raw.len() {
                48 => Ok(()),
                length => Err(Wrong::content("the account of what was cut off", "48 bytes", length)),
            };
        }
        self.parser.block(head.from, head.continued > 0)?;
        let (mut at, mut first) = (0, true);
        while let Some(whole) = self.parser.next(raw, &mut at, head.from, self.limits)? {
            if first && head.begins() && !whole.is_picture {
                return Err(Wrong::content(
                    "a block's first record",
                    "a picture where a reader begins",
                    head.kind.0,
                ));
            }
            if whole.at.0 > head.to || (head.kind == Kind::AGAIN && !whole.again) {
                return Err(Wrong::order(
                    "a record that is of its block",
                    format!("one at {} µs", whole.at.0),
                ));
            }
            first = false;
        }
        if self.parser.is_open() != head.is_open() {
            return Err(Wrong::order("the end of a record", "the end of the block"));
        }
        Ok(())
    }

    fn end(&mut self, walk: &mut Walk, head: &BlockHead, sum: u32) -> Result<bool, Error> {
        if self.parser.is_open() {
            return Err(walk.wrong_in(head, Wrong::order("the end of a record", "the end of the segment")));
        }
        if !self.opener.can(head) {
            walk.check(head, sum)?;
            walk.check_end(head)?;
            walk.pass(head);
            // Only the key tells whether another segment was to follow.
            return Ok(true);
        }
        let found = Found::finished(walk, &mut self.opener, head, sum)?;
        if found.index.entries() != self.index.entries() {
            let wrong =
                Wrong::content("the index of a segment", "the places where a reader can begin", "others");
            let (path, block) = (walk.path().into(), Some(head.number));
            return Err(Fault { path, block, offset: found.end, at: Moment(head.from), wrong }.into());
        }
        Ok(found.finished == Some(true))
    }
}
