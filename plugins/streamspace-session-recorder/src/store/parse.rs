//! Records as scenes.

use streamspace_rfb::{Area, Cursor, Pixel};

use super::{
    Limits, Wrong,
    canvas::LONGEST_KIND,
    pixels,
    record::{
        AGAIN, BELL, CLIPBOARD, CURSOR, GAP, KEY, MARKER, MAY_BE_LEFT_OUT, NO_CURSOR, PATCH, PAUSED, PICTURE,
        POINTER, WIRE,
    },
};
use crate::scene::{Moment, Scene, Side};

/// Makes scenes of records, which come block by block. Its memory is used again for the next one.
#[derive(Debug, Default)]
pub(super) struct Parser {
    /// When the record was that was begun last.
    now: u64,
    /// Whether one was begun whose end is in another block.
    open: bool,
    kind: u8,
    first: Vec<u8>,
    /// How many bytes or pixels there can still be.
    left: usize,
    pixels: Vec<Pixel>,
    bytes: Vec<u8>,
    cursor: Cursor,
    /// The size of the picture that came last.
    size: (u16, u16),
}

/// A whole record, of which [`Parser::scene`] tells the scene.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Whole {
    pub(super) at: Moment,
    /// Whether it says what was said before.
    pub(super) again: bool,
    pub(super) is_picture: bool,
}

/// Reads from a block.
struct Bytes<'a> {
    raw: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    fn byte(&mut self) -> Result<u8, Wrong> {
        let byte = self.raw.get(self.at).copied();
        self.at += 1;
        byte.ok_or_else(|| Wrong::content("a record", "its end", "the end of the block"))
    }

    fn varint(&mut self) -> Result<u64, Wrong> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(Wrong::content("a number", "at most nine bytes", "more"))
    }

    /// A part, and whether another one follows.
    fn part(&mut self) -> Result<(&'a [u8], bool), Wrong> {
        let header = self.varint()?;
        let length = usize::try_from(header >> 1).unwrap_or(usize::MAX);
        let rest = self.raw.get(self.at..).unwrap_or_default();
        let part = rest
            .get(..length)
            .ok_or_else(|| Wrong::content("a part", format!("{length} bytes in its block"), rest.len()))?;
        self.at += length;
        Ok((part, header & 1 != 0))
    }
}

impl Parser {
    /// Begins a block. What is open goes on in it, or is forgotten if nothing does.
    pub(super) fn block(&mut self, from: u64, continued: bool) -> Result<(), Wrong> {
        if continued != self.open {
            let what = |goes_on| if goes_on { "a record that goes on" } else { "a record that begins" };
            return Err(Wrong::order(what(self.open), what(continued)));
        }
        if !continued {
            self.now = from;
        }
        Ok(())
    }

    /// Whether one was begun whose end was not seen.
    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Forgets what was begun.
    pub(super) fn reset(&mut self) {
        self.open = false;
    }

    /// The times of records that begin behind one that goes on are counted from the block's.
    fn now_is(&mut self, from: u64) {
        self.now = self.now.max(from);
    }

    /// The next whole record from `at` on, which is moved; none at the end of the block.
    pub(super) fn next(
        &mut self,
        raw: &[u8],
        at: &mut usize,
        from: u64,
        limits: &Limits,
    ) -> Result<Option<Whole>, Wrong> {
        let mut bytes = Bytes { raw, at: *at };
        loop {
            *at = bytes.at;
            if bytes.at >= raw.len() {
                return Ok(None);
            }
            let more = if self.open {
                let (part, more) = bytes.part()?;
                self.part(part)?;
                more
            } else {
                self.now_is(from);
                self.kind = bytes.byte()?;
                self.now = self.now.saturating_add(bytes.varint()?);
                let (part, more) = bytes.part()?;
                self.begin(part, limits)?;
                more
            };
            self.open = more;
            if !more {
                *at = bytes.at;
                if !self.is_known() {
                    continue;
                }
                self.end()?;
                let kind = self.kind & !AGAIN;
                let (at, again) = (Moment(self.now), self.kind & AGAIN != 0);
                return Ok(Some(Whole { at, again, is_picture: kind == PICTURE }));
            }
        }
    }

    fn is_known(&self) -> bool {
        self.kind & MAY_BE_LEFT_OUT == 0
    }

    fn words<const N: usize>(&self) -> Result<[u16; N], Wrong> {
        let (words, rest) = self.first.as_chunks::<2>();
        match (<[_; N]>::try_from(words), rest) {
            (Ok(words), []) => Ok(words.map(u16::from_le_bytes)),
            _ => Err(Wrong::content(
                "the first part of a record",
                format!("{} bytes", 2 * N),
                self.first.len(),
            )),
        }
    }

    /// A byte and a number.
    fn flagged(&self) -> Result<(u8, u32), Wrong> {
        match *self.first {
            [flags @ 0..4, a, b, c, d] => Ok((flags, u32::from_le_bytes([a, b, c, d]))),
            _ => Err(Wrong::content("the first part of a record", "flags and 4 bytes", self.first.len())),
        }
    }

    fn begin(&mut self, first: &[u8], limits: &Limits) -> Result<(), Wrong> {
        if first.len() > LONGEST_KIND {
            return Err(Wrong::content("the first part of a record", LONGEST_KIND, first.len()));
        }
        self.first.clear();
        self.first.extend_from_slice(first);
        self.pixels.clear();
        self.bytes.clear();
        let bytes = limits.bytes as usize;
        self.left = match self.kind & !AGAIN {
            _ if !self.is_known() => 0,
            PICTURE => {
                let [width, height] = self.words()?;
                self.size = (width, height);
                let pixels = Area::new(0, 0, width, height).pixels();
                if width > limits.side || height > limits.side || pixels > limits.pixels as usize {
                    let found = format!("{width}x{height}");
                    return Err(Wrong::content("a picture", "one within the limits", found));
                }
                pixels
            }
            PATCH => {
                let [x, y, width, height] = self.words()?;
                let area = Area::new(x, y, width, height);
                if !Area::new(0, 0, self.size.0, self.size.1).contains(&area) {
                    return Err(Wrong::content("a patch", "one inside of the picture", area));
                }
                area.pixels()
            }
            CURSOR => {
                let [_, _, width, height] = self.words()?;
                if width > limits.cursor || height > limits.cursor {
                    let found = format!("{width}x{height}");
                    return Err(Wrong::content("a cursor", "one within the limits", found));
                }
                Area::new(0, 0, width, height).pixels() * size_of::<Pixel>()
            }
            POINTER => self.words::<3>().map(|_| 0)?,
            KEY => self.flagged().map(|_| 0)?,
            CLIPBOARD => {
                let (flags, _) = self.flagged()?;
                if flags & 2 == 0 { 0 } else { bytes }
            }
            WIRE => match *self.first {
                [0 | 1] => bytes,
                _ => return Err(Wrong::content("the first part of a record", "0 or 1", self.first.len())),
            },
            NO_CURSOR | BELL | PAUSED if self.first.is_empty() => 0,
            GAP if self.first.is_empty() => bytes,
            MARKER => bytes,
            kind => return Err(Wrong::content("the kind of a record", "a known one", kind)),
        };
        Ok(())
    }

    fn part(&mut self, part: &[u8]) -> Result<(), Wrong> {
        let taken = match self.kind & !AGAIN {
            _ if !self.is_known() => 0,
            PICTURE | PATCH => {
                let before = self.pixels.len();
                if before == 0 {
                    // Within the limits. A part that says there are pixels must have them before more are expected.
                    self.pixels.reserve(self.left.min(16 * part.len()));
                }
                pixels::unpack(part, self.left, &mut self.pixels)?;
                self.pixels.len() - before
            }
            _ if part.len() > self.left => {
                return Err(Wrong::content("a part", format!("at most {} bytes", self.left), part.len()));
            }
            _ => {
                self.bytes.extend_from_slice(part);
                part.len()
            }
        };
        self.left -= taken;
        Ok(())
    }

    fn end(&mut self) -> Result<(), Wrong> {
        match self.kind & !AGAIN {
            PICTURE | PATCH | CURSOR if self.left > 0 => {
                return Err(Wrong::content(
                    "pixels",
                    "as many as the area has",
                    format!("{} fewer", self.left),
                ));
            }
            CURSOR => {
                let [x, y, width, height] = self.words()?;
                let pixels = &mut self.cursor.pixels;
                pixels.clear();
                pixels.extend_from_slice(self.bytes.as_chunks().0);
                (self.cursor.x, self.cursor.y) = (x, y);
                (self.cursor.width, self.cursor.height) = (width, height);
            }
            kind @ (CLIPBOARD | GAP | MARKER) => {
                // Of these, the first part of a marker alone is text.
                let first = if kind == MARKER { &self.first[..] } else { &[] };
                let texts = str::from_utf8(&self.bytes).and(str::from_utf8(first));
                texts.map_err(|bad| Wrong::content("a text", "UTF-8", bad))?;
            }
            _ => {}
        }
        Ok(())
    }

    /// The scene of the record that [`Parser::next`] has found. None if it found none.
    pub(super) fn scene(&self) -> Option<Scene<'_>> {
        let text = |bytes| str::from_utf8(bytes).unwrap_or_default();
        let side = |viewer| if viewer { Side::Viewer } else { Side::Desktop };
        let (pixels, bytes) = (&self.pixels, &self.bytes);
        Some(match self.kind & !AGAIN {
            PICTURE => {
                let [width, height] = self.words().ok()?;
                Scene::Picture { width, height, pixels }
            }
            PATCH => {
                let [x, y, width, height] = self.words().ok()?;
                Scene::Patch { area: Area::new(x, y, width, height), pixels }
            }
            CURSOR => Scene::Cursor(Some(&self.cursor)),
            NO_CURSOR => Scene::Cursor(None),
            POINTER => {
                let [x, y, buttons] = self.words().ok()?;
                Scene::Pointer { x, y, buttons }
            }
            KEY => {
                let (flags, keysym) = self.flagged().ok()?;
                Scene::Key { down: flags & 1 != 0, keysym: (flags & 2 != 0).then_some(keysym) }
            }
            CLIPBOARD => {
                let (flags, length) = self.flagged().ok()?;
                let text = (flags & 2 != 0).then(|| text(bytes));
                Scene::Clipboard { from: side(flags & 1 != 0), length, text }
            }
            BELL => Scene::Bell,
            WIRE => Scene::Wire { from: side(self.first == [1]), bytes },
            GAP => Scene::Gap(text(bytes)),
            PAUSED => Scene::Paused,
            MARKER => Scene::Marker { kind: text(&self.first), text: text(bytes) },
            _ => return None,
        })
    }
}
