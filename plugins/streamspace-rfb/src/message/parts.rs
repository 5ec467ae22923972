//! What messages of both sides have in common.

use crate::{
    encoding::Encoding,
    error::Error,
    geometry::{Area, Screen},
    limits::Limits,
    wire::{Put, Reader, Stop},
};

/// A text that was cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CutText<'a> {
    /// In Latin-1, lines end with a line feed.
    Plain(&'a [u8]),
    /// Extended Clipboard: flags, and what they say.
    Extended {
        /// Formats in the lower 16 bits, the action in the upper 8.
        flags: u32,
        /// Depends on the action: sizes, or a zlib stream of its own.
        data: &'a [u8],
    },
}

impl<'a> CutText<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, Stop> {
        reader.take(3)?;
        let at = reader.at();
        let length = reader.i32()?;
        Error::check("a cut text", length.unsigned_abs(), limits.cut_text.into(), at)?;
        match usize::try_from(length) {
            Ok(length) => reader.take(length).map(Self::Plain),
            Err(_) if length > -4 => {
                let expected = "at least the 4 bytes of its flags";
                Err(Error::unexpected("an extended cut text", expected, length, at).into())
            }
            Err(_) => {
                let length = length.unsigned_abs() as usize;
                if reader.rest() < length {
                    return Err(Stop::Need(length - reader.rest()));
                }
                Ok(Self::Extended { flags: reader.u32()?, data: reader.take(length - 4)? })
            }
        }
    }

    /// What is longer than a length can say is cut.
    pub(super) fn write(&self, out: &mut Vec<u8>) {
        const MOST: usize = i32::MAX as usize - 4;
        out.padding(3);
        match self {
            Self::Plain(text) => out.text(&text[..text.len().min(MOST)]),
            Self::Extended { flags, data } => {
                let data = &data[..data.len().min(MOST)];
                // At most i32::MAX, so that its negative exists.
                let length = -(data.len() as i32 + 4);
                out.bytes(&length.to_be_bytes());
                out.u32(*flags);
                out.bytes(data);
            }
        }
    }
}

/// A fence: what came before it is done before what comes behind it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fence<'a> {
    /// `BEFORE`, `AFTER`, `SYNC`, `REQUEST`.
    pub flags: u32,
    /// What the other side is to send back, 64 bytes at most.
    pub payload: &'a [u8],
}

impl<'a> Fence<'a> {
    /// Everything before it is done first.
    pub const BEFORE: u32 = 1;
    /// Everything behind it is done later.
    pub const AFTER: u32 = 1 << 1;
    /// The next message takes effect at once with the answer.
    pub const SYNC: u32 = 1 << 2;
    /// This is a question, and not an answer.
    pub const REQUEST: u32 = 1 << 31;

    pub(super) fn read(reader: &mut Reader<'a>) -> Result<Self, Stop> {
        reader.take(3)?;
        let flags = reader.u32()?;
        let at = reader.at();
        let length = reader.u8()?;
        Error::check("the payload of a fence", length, 64, at)?;
        Ok(Self { flags, payload: reader.take(length.into())? })
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.padding(3);
        out.u32(self.flags);
        let payload = &self.payload[..self.payload.len().min(64)];
        out.u8(payload.len() as u8);
        out.bytes(payload);
    }
}

/// Encodings that a client takes, the best first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Encodings<'a>(&'a [[u8; 4]]);

impl<'a> Encodings<'a> {
    pub(super) fn read(reader: &mut Reader<'a>, limits: &Limits) -> Result<Self, Stop> {
        reader.take(1)?;
        let at = reader.at();
        let count = reader.u16()?;
        Error::check("a number of encodings", count, limits.encodings.into(), at)?;
        Ok(Self(reader.take(usize::from(count) * 4)?.as_chunks().0))
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Encoding> {
        self.0.iter().map(|bytes| Encoding(i32::from_be_bytes(*bytes)))
    }

    /// Whether it is among them.
    pub fn contains(&self, encoding: Encoding) -> bool {
        self.iter().any(|other| other == encoding)
    }

    /// From big-endian numbers, as `Encodings::to_bytes` makes them.
    pub const fn from_bytes(numbers: &'a [[u8; 4]]) -> Self {
        Self(numbers)
    }

    /// Encodings as they are written.
    pub fn to_bytes(encodings: &[Encoding]) -> Vec<[u8; 4]> {
        encodings.iter().map(|encoding| encoding.0.to_be_bytes()).collect()
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        out.padding(1);
        let count = u16::try_from(self.0.len()).unwrap_or(u16::MAX);
        out.u16(count);
        out.bytes(self.0[..count.into()].as_flattened());
    }
}

/// The screens of a desktop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Screens<'a>(&'a [[u8; 16]]);

impl<'a> Screens<'a> {
    /// A number, padding of so many bytes, and the screens.
    pub(super) fn read(reader: &mut Reader<'a>, padding: usize, limits: &Limits) -> Result<Self, Stop> {
        let at = reader.at();
        let count = reader.u8()?;
        Error::check("a number of screens", count, limits.screens.into(), at)?;
        reader.take(padding)?;
        Ok(Self(reader.take(usize::from(count) * 16)?.as_chunks().0))
    }

    /// From the payload of a rectangle in ExtendedDesktopSize.
    ///
    /// # Errors
    ///
    /// [`Error::Short`] if it ends early, [`Error::TooMuch`] if there are more than the limits allow.
    pub fn from_payload(payload: &'a [u8], limits: &Limits) -> Result<Self, Error> {
        let mut reader = Reader::new(payload);
        Self::read(&mut reader, 3, limits).map_err(|stop| stop.at_the_end("the screens", payload.len()))
    }

    /// How many there are.
    pub const fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is none.
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One after the other.
    pub fn iter(&self) -> impl Iterator<Item = Screen> {
        self.0.iter().map(|bytes| {
            let [i3, i2, i1, i0, x1, x0, y1, y0, w1, w0, h1, h0, f3, f2, f1, f0] = *bytes;
            let [x, y, width, height] = [[x1, x0], [y1, y0], [w1, w0], [h1, h0]].map(u16::from_be_bytes);
            Screen {
                id: u32::from_be_bytes([i3, i2, i1, i0]),
                area: Area { x, y, width, height },
                flags: u32::from_be_bytes([f3, f2, f1, f0]),
            }
        })
    }

    /// From screens as `Screens::to_bytes` makes them.
    pub const fn from_bytes(screens: &'a [[u8; 16]]) -> Self {
        Self(screens)
    }

    /// Screens as they are written.
    pub fn to_bytes(screens: &[Screen]) -> Vec<[u8; 16]> {
        let bytes = |screen: &Screen| {
            let mut bytes = [0; 16];
            let Area { x, y, width, height } = screen.area;
            bytes[..4].copy_from_slice(&screen.id.to_be_bytes());
            for (to, side) in bytes[4..12].as_chunks_mut().0.iter_mut().zip([x, y, width, height]) {
                *to = side.to_be_bytes();
            }
            bytes[12..].copy_from_slice(&screen.flags.to_be_bytes());
            bytes
        };
        screens.iter().map(bytes).collect()
    }

    /// What does not fit into the number is left out.
    pub(crate) fn write(&self, padding: usize, out: &mut Vec<u8>) {
        let count = u8::try_from(self.0.len()).unwrap_or(u8::MAX);
        out.u8(count);
        out.padding(padding);
        out.bytes(self.0[..count.into()].as_flattened());
    }
}

pub(super) fn area(reader: &mut Reader<'_>) -> Result<Area, Stop> {
    Ok(Area { x: reader.u16()?, y: reader.u16()?, width: reader.u16()?, height: reader.u16()? })
}

pub(crate) fn put_area(area: Area, out: &mut Vec<u8>) {
    for side in [area.x, area.y, area.width, area.height] {
        out.u16(side);
    }
}
