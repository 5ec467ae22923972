//! Scenes as records, and records gathered into blocks.
//!
//! A record is its kind, how long after the one before it happened, and its parts. The first part has what is of a fixed form, the
//! others pixels, bytes or text. No part goes beyond the end of a block; a record does.

use streamspace_rfb::Pixel;

use super::{
    Error,
    format::{BEGINS, Kind, OPEN},
    pixels,
    segment::Segment,
};
use crate::scene::{Scene, Side};

pub(super) const PICTURE: u8 = 1;
pub(super) const PATCH: u8 = 2;
pub(super) const CURSOR: u8 = 3;
pub(super) const NO_CURSOR: u8 = 4;
pub(super) const POINTER: u8 = 5;
pub(super) const KEY: u8 = 6;
pub(super) const CLIPBOARD: u8 = 7;
pub(super) const BELL: u8 = 8;
pub(super) const WIRE: u8 = 9;
pub(super) const GAP: u8 = 10;
pub(super) const PAUSED: u8 = 11;
pub(super) const MARKER: u8 = 12;
/// Beside a kind: what it says was said before.
pub(super) const AGAIN: u8 = 0x40;
/// Beside a kind: a reader that does not know it may leave it out.
pub(super) const MAY_BE_LEFT_OUT: u8 = 0x80;

/// Pixels of a chunk: few enough to stay in the processor's cache.
pub(super) const CHUNK: usize = 16 << 10;
/// A part that would be shorter goes into the next block.
const SHORTEST: usize = 4 << 10;
/// Bytes of a record's kind, time, and first part's length.
const BEFORE: usize = 1 + 10 + 5;

/// What stands behind the first part.
#[derive(Debug, Clone, Copy)]
enum Body<'a> {
    None,
    Bytes(&'a [u8]),
    Pixels(&'a [Pixel]),
}

impl Body<'_> {
    fn is_empty(&self) -> bool {
        match self {
            Self::None => true,
            Self::Bytes(bytes) => bytes.is_empty(),
            Self::Pixels(pixels) => pixels.is_empty(),
        }
    }
}

/// The block that is being gathered. Its memory is used again for the next one.
#[derive(Debug)]
pub(super) struct Gathered {
    raw: Vec<u8>,
    most: usize,
    kind: Kind,
    begins: bool,
    continued: usize,
    from: u64,
    to: u64,
}

impl Gathered {
    pub(super) fn new(most: usize) -> Self {
        let raw = Vec::with_capacity(most);
        Self { raw, most, kind: Kind::SCENES, begins: false, continued: 0, from: 0, to: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.raw.is_empty()
    }

    /// When the first record in it was.
    pub(super) fn from(&self) -> u64 {
        self.from
    }

    pub(super) fn memory(&self) -> usize {
        self.raw.capacity()
    }

    /// Ends the block, if anything is in it.
    pub(super) fn seal(&mut self, segment: &mut Segment) -> Result<(), Error> {
        self.close(0, segment)?;
        self.kind = Kind::SCENES;
        Ok(())
    }

    /// The same; the next one begins with a picture.
    pub(super) fn begin(&mut self, kind: Kind, segment: &mut Segment) -> Result<(), Error> {
        self.close(0, segment)?;
        (self.kind, self.begins) = (kind, true);
        Ok(())
    }

    fn close(&mut self, flags: u8, segment: &mut Segment) -> Result<(), Error> {
        if !self.raw.is_empty() {
            let flags = flags | if self.begins { BEGINS } else { 0 };
            segment.seal(self.kind, flags, &self.raw, self.continued, self.from, self.to)?;
            self.raw.clear();
            (self.continued, self.begins) = (0, false);
        }
        Ok(())
    }

    /// Adds a scene; `again` is [`AGAIN`] or 0. Answers how many bytes it came to before they are compressed.
    pub(super) fn put(
        &mut self,
        at: u64,
        scene: &Scene<'_>,
        again: u8,
        segment: &mut Segment,
    ) -> Result<u64, Error> {
        let side = |side| u8::from(side == Side::Viewer);
        let mut head = First::default();
        let mut marker = &[][..];
        let (kind, body) = match *scene {
            Scene::Picture { width, height, pixels } => {
                head.words(&[width, height]);
                (PICTURE, Body::Pixels(pixels))
            }
            Scene::Patch { area, pixels } => {
                head.words(&[area.x, area.y, area.width, area.height]);
                (PATCH, Body::Pixels(pixels))
            }
            Scene::Cursor(Some(cursor)) => {
                head.words(&[cursor.x, cursor.y, cursor.width, cursor.height]);
                (CURSOR, Body::Bytes(cursor.pixels.as_flattened()))
            }
            Scene::Cursor(None) => (NO_CURSOR, Body::None),
            Scene::Pointer { x, y, buttons } => {
                head.words(&[x, y, buttons]);
                (POINTER, Body::None)
            }
            Scene::Key { down, keysym } => {
                head.bytes(&[u8::from(down) | u8::from(keysym.is_some()) << 1]);
                head.bytes(&keysym.unwrap_or_default().to_le_bytes());
                (KEY, Body::None)
            }
            Scene::Clipboard { from, length, text } => {
                head.bytes(&[side(from) | u8::from(text.is_some()) << 1]);
                head.bytes(&length.to_le_bytes());
                (CLIPBOARD, text.map_or(Body::None, |text| Body::Bytes(text.as_bytes())))
            }
            Scene::Bell => (BELL, Body::None),
            Scene::Wire { from, bytes } => {
                head.bytes(&[side(from)]);
                (WIRE, Body::Bytes(bytes))
            }
            Scene::Gap(text) => (GAP, Body::Bytes(text.as_bytes())),
            Scene::Paused => (PAUSED, Body::None),
            Scene::Marker { kind, text } => {
                marker = kind.as_bytes();
                (MARKER, Body::Bytes(text.as_bytes()))
            }
        };
        let first = if marker.is_empty() { head.as_slice() } else { marker };
        self.record(at, kind | again, first, body, segment)
    }

    fn record(
        &mut self,
        at: u64,
        kind: u8,
        first: &[u8],
        mut body: Body<'_>,
        segment: &mut Segment,
    ) -> Result<u64, Error> {
        if self.raw.len() + BEFORE + first.len() > self.most {
            self.close(0, segment)?;
        }
        // A block in which no record begins has the time of the one that goes on.
        if self.raw.len() == self.continued {
            (self.from, self.to) = (at, at);
        }
        let (mut before, mut count, mut goes_on) = (self.raw.len(), 0, false);
        self.raw.push(kind);
        varint(at - self.to, &mut self.raw);
        self.to = at;
        varint((first.len() as u64) << 1 | u64::from(!body.is_empty()), &mut self.raw);
        self.raw.extend_from_slice(first);
        while !body.is_empty() {
            let room = self.most - self.raw.len();
            if room < SHORTEST {
                count += self.raw.len() - before;
                self.close(OPEN, segment)?;
                (self.from, self.to, before, goes_on) = (at, at, 0, true);
                continue;
            }
            match &mut body {
                Body::None => {}
                Body::Bytes(bytes) => {
                    let (part, rest) = bytes.split_at(bytes.len().min(room - 5));
                    varint((part.len() as u64) << 1 | u64::from(!rest.is_empty()), &mut self.raw);
                    self.raw.extend_from_slice(part);
                    *bytes = rest;
                }
                Body::Pixels(pixels) => {
                    let fit = (room - 6) / 3;
                    let (part, rest) = pixels.split_at(pixels.len().min(fit).min(CHUNK));
                    varint(
                        (pixels::bytes(part.len()) as u64) << 1 | u64::from(!rest.is_empty()),
                        &mut self.raw,
                    );
                    pixels::pack(part, &mut self.raw);
                    *pixels = rest;
                }
            }
            if goes_on {
                self.continued = self.raw.len();
            }
        }
        Ok((count + self.raw.len() - before) as u64)
    }
}

/// The first part of a record, without memory of its own.
#[derive(Default)]
struct First {
    bytes: [u8; 8],
    length: usize,
}

impl First {
    fn bytes(&mut self, bytes: &[u8]) {
        self.bytes[self.length..][..bytes.len()].copy_from_slice(bytes);
        self.length += bytes.len();
    }

    fn words(&mut self, words: &[u16]) {
        words.iter().for_each(|word| self.bytes(&word.to_le_bytes()));
    }

    fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

/// Seven bits a byte, the lowest first; the highest bit says that more follow.
pub(super) fn varint(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}
