//! From pixels to rectangles.

mod deflate;
mod hextile;
mod pack;
mod palette;
mod tight;
mod zrle;

use self::{deflate::Deflater, pack::Packer, palette::Palette, tight::Tight};
use crate::{
    encoding::Encoding,
    error::Error,
    framebuffer::{Framebuffer, Pixel},
    geometry::Area,
    message::put_area,
    pixel::PixelFormat,
    wire::Put,
};

/// Encodes updates of one connection, from its first one on: encodings have streams that go on from one to the next.
#[derive(Debug)]
pub struct Encoder {
    format: PixelFormat,
    zrle: Deflater,
    tight: Tight,
    palette: Palette,
    tile: Vec<Pixel>,
    data: Vec<u8>,
}

impl Encoder {
    /// How well streams are deflated, 0 to 9, unless it is said.
    pub const LEVEL: u8 = 2;

    /// For a client that takes pixels in this format.
    ///
    /// # Errors
    ///
    /// [`Error::Unexpected`] if it is none that can be, or one with a colour map.
    pub fn new(format: PixelFormat) -> Result<Self, Error> {
        Self::with_level(format, Self::LEVEL)
    }

    /// The same, deflating as well as said: 0 not at all, 9 best.
    ///
    /// # Errors
    ///
    /// Those of [`Encoder::new`].
    pub fn with_level(format: PixelFormat, level: u8) -> Result<Self, Error> {
        check(&format)?;
        let level = level.min(9);
        Ok(Self {
            format,
            zrle: Deflater::new(level),
            tight: Tight::new(level),
            palette: Palette::new(),
            tile: Vec::new(),
            data: Vec::new(),
        })
    }

    /// Another format, as the client has asked for it. Streams go on.
    ///
    /// # Errors
    ///
    /// Those of [`Encoder::new`].
    pub fn set_format(&mut self, format: PixelFormat) -> Result<(), Error> {
        check(&format)?;
        self.format = format;
        Ok(())
    }

    /// Whether an encoding can be written.
    pub const fn can(encoding: Encoding) -> bool {
        matches!(encoding, Encoding::RAW | Encoding::HEXTILE | Encoding::ZRLE | Encoding::TIGHT)
    }

    /// Appends an update with these areas of the framebuffer. What is outside of it is left out.
    ///
    /// # Errors
    ///
    /// [`Error::Rect`] if the encoding cannot be written, or if there would be more rectangles than an update can have.
    /// Nothing is appended then.
    pub fn update(
        &mut self,
        screen: &Framebuffer,
        areas: &[Area],
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let start = out.len();
        out.bytes(&[0, 0, 0, 0]);
        match self.rects(screen, areas, encoding, out) {
            Ok(count) => {
                out[start + 2..start + 4].copy_from_slice(&count.to_be_bytes());
                Ok(())
            }
            Err(error) => {
                out.truncate(start);
                Err(error)
            }
        }
    }

    fn rects(
        &mut self,
        screen: &Framebuffer,
        areas: &[Area],
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<u16, Error> {
        let mut count = 0_u64;
        for area in areas.iter().filter_map(|area| area.intersection(&screen.area())) {
            let (width, height) = match encoding {
                Encoding::TIGHT => {
                    let width = area.width.min(tight::WIDTH);
                    (width, tight::PIXELS / width)
                }
                _ => (area.width, area.height),
            };
            for area in area.pieces(width, height) {
                put_area(area, out);
                out.u32(encoding.0.cast_unsigned());
                count += 1;
                // 65,535 would mean that the number is not known.
                Error::check("a number of rectangles", count, 65_534, 0)
                    .and_then(|()| self.rect(screen, area, encoding, out))
                    .map_err(|source| Error::Rect { area, encoding, source: Box::new(source) })?;
            }
        }
        Ok(count as u16)
    }

    fn rect(
        &mut self,
        screen: &Framebuffer,
        area: Area,
        encoding: Encoding,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let Self { format, zrle, tight, palette, tile, data } = self;
        match encoding {
            Encoding::RAW => {
                let packer = Packer::whole(format);
                out.reserve(area.pixels() * packer.size());
                screen.rows(area).for_each(|row| packer.row(row, out));
                Ok(())
            }
            Encoding::HEXTILE => {
                let packer = Packer::whole(format);
                let mut before = hextile::Before::default();
                for part in area.pieces(16, 16) {
                    gather(screen, part, tile);
                    hextile::tile(tile, part.width.into(), &packer, palette, &mut before, out);
                }
                Ok(())
            }
            Encoding::ZRLE => {
                let packer = Packer::zrle(format);
                data.clear();
                for part in area.pieces(64, 64) {
                    gather(screen, part, tile);
                    zrle::tile(tile, part.width.into(), &packer, palette, data);
                }
                let length = out.len();
                out.u32(0);
                zrle.deflate(data, out)?;
                // An area has fewer than 2^32 pixels, and limits keep it far below.
                let deflated = u32::try_from(out.len() - length - 4).unwrap_or(u32::MAX);
                out[length..length + 4].copy_from_slice(&deflated.to_be_bytes());
                Ok(())
            }
            Encoding::TIGHT => tight.rect(screen, area, &Packer::tight(format), palette, out),
            other => {
                let expected = "Raw, Hextile, ZRLE or Tight";
                Err(Error::unexpected("the encoding to write", expected, other, 0))
            }
        }
    }
}

fn check(format: &PixelFormat) -> Result<(), Error> {
    format.check()?;
    match format.true_colour {
        true => Ok(()),
        false => Err(Error::unexpected("the pixel format to write", "intensities", "a colour map", 3)),
    }
}

fn gather(screen: &Framebuffer, area: Area, tile: &mut Vec<Pixel>) {
    tile.clear();
    screen.rows(area).for_each(|row| tile.extend_from_slice(row));
}
