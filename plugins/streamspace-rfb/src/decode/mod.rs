//! From rectangles to pixels.

mod cursor;
mod inflate;
mod plain;
mod source;
mod tight;
mod zrle;

pub use self::cursor::Cursor;
use self::{
    inflate::Inflater,
    plain::{Hextile, Raw, Rre},
    source::Converter,
    tight::Tight,
    zrle::Zrle,
};
use crate::{
    encoding::Encoding,
    error::Error,
    framebuffer::{BLACK, Framebuffer, Pixel},
    geometry::Screen,
    limits::Limits,
    message::{Colours, Rect, Screens},
    wire::{Reader, Stop},
};

/// What a rectangle was.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Applied {
    /// Pixels; the framebuffer's damage has their area.
    Pixels,
    /// The framebuffer's size, which it has now. It is black if it is another one.
    Size,
    /// The framebuffer's size and its screens, or the answer to a wish for others.
    Layout(Layout),
    /// What the pointer looks like.
    Cursor(Cursor),
    /// What the desktop is called; UTF-8 as a rule.
    Name(Vec<u8>),
    /// Lights of a keyboard: scroll 1, num 2, caps 4.
    Lights(u8),
    /// The end of the update, or what only says that the server has an extension.
    Nothing,
}

/// What a server says of its size and its screens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Who changed it: the server 0, this client 1, another one 2.
    pub reason: u16,
    /// Whether this client's wish was granted (0), or why not.
    pub status: u16,
    /// Of the framebuffer.
    pub width: u16,
    /// Of the framebuffer.
    pub height: u16,
    /// On it.
    pub screens: Vec<Screen>,
}

/// Decodes the rectangles of one connection, from its first one on: encodings have streams that go on from one to the next.
#[derive(Debug)]
pub struct Decoder {
    limits: Limits,
    colours: Vec<Pixel>,
    converter: Option<Converter>,
    zlib: Inflater,
    zrle: Inflater,
    tight: Tight,
    inflated: Vec<u8>,
}

impl Decoder {
    /// For a new connection.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            colours: Vec::new(),
            converter: None,
            zlib: Inflater::default(),
            zrle: Inflater::default(),
            tight: Tight::default(),
            inflated: Vec::new(),
        }
    }

    /// Takes entries of the colour map. They hold for what is decoded from now on.
    pub fn set_colours(&mut self, colours: &Colours<'_>) {
        let first = usize::from(colours.first);
        let end = first + colours.iter().count();
        if self.colours.len() < end {
            self.colours.resize(end.min(1 << 16), BLACK);
        }
        for (to, [red, green, blue]) in self.colours[first..].iter_mut().zip(colours.iter()) {
            let high = |colour: u16| (colour >> 8) as u8;
            *to = [high(red), high(green), high(blue), 255];
        }
        self.converter = None;
    }

    /// Gives back the memory of what was inflated last, which is as much as the largest rectangle has taken.
    pub fn shrink(&mut self) {
        self.inflated = Vec::new();
    }

    /// Draws a rectangle, or does what it says.
    ///
    /// # Errors
    ///
    /// [`Error::Rect`] with what is wrong with it. What was drawn before that was found stays drawn, and the streams are where
    /// they were left: the connection cannot be decoded any further.
    pub fn apply(&mut self, screen: &mut Framebuffer, rect: &Rect<'_>) -> Result<Applied, Error> {
        self.draw(screen, rect).map_err(|source| Error::Rect {
            area: rect.area,
            encoding: rect.encoding,
            source: Box::new(source),
        })
    }

    fn draw(&mut self, screen: &mut Framebuffer, rect: &Rect<'_>) -> Result<Applied, Error> {
        let Rect { area, encoding, payload: bytes, .. } = *rect;
        if encoding.has_pixels() {
            self.pixels(screen, rect)?;
            return Ok(Applied::Pixels);
        }
        Ok(match encoding {
            Encoding::DESKTOP_SIZE => {
                screen.resize(area.width, area.height, &self.limits)?;
                Applied::Size
            }
            Encoding::EXTENDED_DESKTOP_SIZE => {
                let screens = Screens::from_payload(bytes, &self.limits)?.iter().collect();
                let layout = Layout {
                    reason: area.x,
                    status: area.y,
                    width: area.width,
                    height: area.height,
                    screens,
                };
                // What was not granted has a size that means nothing.
                if (layout.reason, layout.status) == (1, 0) || layout.reason != 1 {
                    screen.resize(area.width, area.height, &self.limits)?;
                }
                Applied::Layout(layout)
            }
            Encoding::CURSOR => {
                self.check_cursor(rect)?;
                Applied::Cursor(Cursor::coloured(rect, self.converter(rect)?)?)
            }
            Encoding::X_CURSOR => {
                self.check_cursor(rect)?;
                Applied::Cursor(Cursor::of_two_colours(rect)?)
            }
            Encoding::CURSOR_WITH_ALPHA => {
                self.check_cursor(rect)?;
                Applied::Cursor(Cursor::with_alpha(rect)?)
            }
            Encoding::VMWARE_CURSOR => {
                self.check_cursor(rect)?;
                Applied::Cursor(Cursor::of_vmware(rect, self.converter(rect)?)?)
            }
            Encoding::VMWARE_LED => Applied::Lights(bytes.last().copied().unwrap_or_default()),
            Encoding::DESKTOP_NAME => Applied::Name(bytes.get(4..).unwrap_or_default().to_vec()),
            Encoding::QEMU_LED => Applied::Lights(bytes.first().copied().unwrap_or_default()),
            _ => Applied::Nothing,
        })
    }

    fn check_cursor(&self, rect: &Rect<'_>) -> Result<(), Error> {
        Error::check("the width of a cursor", rect.area.width, self.limits.cursor.into(), 0)?;
        Error::check("the height of a cursor", rect.area.height, self.limits.cursor.into(), 0)
    }

    /// For the rectangle's format, which seldom is another than the last one's.
    fn converter(&mut self, rect: &Rect<'_>) -> Result<&Converter, Error> {
        let current = self.converter.take().filter(|current| *current.format() == rect.format);
        let current = match current {
            Some(current) => current,
            None => {
                rect.format.check()?;
                Converter::new(rect.format, &self.colours)
            }
        };
        Ok(self.converter.insert(current))
    }

    fn pixels(&mut self, screen: &mut Framebuffer, rect: &Rect<'_>) -> Result<(), Error> {
        let Rect { area, encoding, format, payload: bytes, .. } = *rect;
        screen.check(area)?;
        self.converter(rect)?;
        let Self { converter: Some(converter), zlib, zrle, tight, inflated, .. } = self else {
            return Ok(());
        };
        screen.damaged(area);
        match encoding {
            Encoding::RAW => converter.whole(Raw { screen, area, bytes }),
            Encoding::COPY_RECT => {
                let mut reader = Reader::new(bytes);
                let mut from = || Ok((reader.u16()?, reader.u16()?));
                let from = from().map_err(|stop: Stop| stop.at_the_end("the source", bytes.len()))?;
                screen.copy(from, area)
            }
            Encoding::RRE => converter.whole(Rre { screen, area, bytes }),
            Encoding::HEXTILE => converter.whole(Hextile { screen, area, bytes }),
            Encoding::ZLIB => {
                let length = area.pixels() * format.bytes();
                let bytes = zlib.exactly("the pixels of zlib", behind_length(bytes)?, length, inflated)?;
                converter.whole(Raw { screen, area, bytes })
            }
            Encoding::TIGHT => tight.decode(screen, area, bytes, converter, inflated),
            Encoding::ZRLE => {
                // Besides the pixels, a tile has a kind and a palette, and each run has a length.
                let tiles = area.pieces(64, 64).count();
                let most =
                    area.pixels() * (format.zrle_bytes() + 1) + tiles * (1 + 127 * format.zrle_bytes());
                let length = zrle.inflate("the tiles of ZRLE", behind_length(bytes)?, most, inflated)?;
                converter.zrle(Zrle { screen, area, bytes: &inflated[..length] })
            }
            other => {
                let expected = "one that is decoded here";
                Err(Error::unexpected("the encoding of a rectangle", expected, other, 0))
            }
        }
    }
}

fn behind_length(bytes: &[u8]) -> Result<&[u8], Error> {
    let mut reader = Reader::new(bytes);
    let mut read = || {
        let length = reader.u32()?;
        reader.take(length as usize)
    };
    read().map_err(|stop| stop.at_the_end("a deflated length", bytes.len()))
}
