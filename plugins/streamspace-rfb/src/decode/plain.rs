//! Encodings without a stream: Raw, RRE, Hextile.

use super::source::{Source, Work};
use crate::{
    error::Error,
    framebuffer::{BLACK, Framebuffer, Pixel},
    geometry::Area,
    wire::{Reader, Stop},
};

pub(super) struct Raw<'a> {
    pub(super) screen: &'a mut Framebuffer,
    pub(super) area: Area,
    pub(super) bytes: &'a [u8],
}

impl Work for Raw<'_> {
    type Out = Result<(), Error>;

    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let Self { screen, area, bytes } = self;
        let expected = area.pixels() * N;
        if bytes.len() < expected {
            let (missing, at) = ((expected - bytes.len()) as u64, bytes.len() as u64);
            return Err(Error::Short { what: "the pixels", missing, at });
        }
        if area.width > 0 {
            let rows = bytes.chunks_exact(usize::from(area.width) * N);
            screen.rows_mut(area).zip(rows).for_each(|(to, from)| source.row(from, to));
        }
        Ok(())
    }
}

/// How often the pixels of an area are painted by its subrectangles at most. An encoder paints each once; the format lets it paint all of
/// them with each one, which would be hours of work in a message of some MiB.
const TIMES_PAINTED: u64 = 16;
/// What may be painted of a small area all the same.
const MOST_PAINTED: u64 = 1 << 20;

/// RFC 6143, 7.7.3.
pub(super) struct Rre<'a> {
    pub(super) screen: &'a mut Framebuffer,
    pub(super) area: Area,
    pub(super) bytes: &'a [u8],
}

impl Work for Rre<'_> {
    type Out = Result<(), Error>;

    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let mut reader = Reader::new(self.bytes);
        rre(self.screen, self.area, &mut reader, source)
            .map_err(|stop| stop.at_the_end("the subrectangles", self.bytes.len()))
    }
}

fn rre<const N: usize>(
    screen: &mut Framebuffer,
    area: Area,
    reader: &mut Reader<'_>,
    source: &impl Source<N>,
) -> Result<(), Stop> {
    let count = reader.u32()?;
    Error::check("a number of subrectangles", count, area.pixels() as u64, 0)?;
    let background = source.pixel(reader.array()?);
    screen.paint(area, background);
    let (most, mut painted) = (MOST_PAINTED.max(area.pixels() as u64 * TIMES_PAINTED), 0);
    for _ in 0..count {
        let pixel = source.pixel(reader.array()?);
        let at = reader.at();
        let (x, y, width, height) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
        let part = inside(area, Area::new(x, y, width, height), at)?;
        painted += part.pixels() as u64;
        Error::check("the pixels of all subrectangles", painted, most, at)?;
        screen.paint(part, pixel);
    }
    Ok(())
}

/// What is at a place of an area, at its place on the screen.
fn inside(area: Area, part: Area, at: usize) -> Result<Area, Error> {
    Error::check("the right of a subrectangle", part.right(), area.width.into(), at)?;
    Error::check("the bottom of a subrectangle", part.bottom(), area.height.into(), at)?;
    // The area was found to be inside of the screen, and this to be inside of the area.
    Ok(Area { x: area.x.saturating_add(part.x), y: area.y.saturating_add(part.y), ..part })
}

/// RFC 6143, 7.7.4.
pub(super) struct Hextile<'a> {
    pub(super) screen: &'a mut Framebuffer,
    pub(super) area: Area,
    pub(super) bytes: &'a [u8],
}

impl Work for Hextile<'_> {
    type Out = Result<(), Error>;

    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let mut reader = Reader::new(self.bytes);
        let mut colours = [BLACK; 2];
        for tile in self.area.pieces(16, 16) {
            hextile(self.screen, tile, &mut reader, source, &mut colours)
                .map_err(|stop| stop.at_the_end("the tiles", self.bytes.len()))?;
        }
        Ok(())
    }
}

/// `colours` are the background and the foreground of the tile before, which this one has too if it does not say otherwise.
fn hextile<const N: usize>(
    screen: &mut Framebuffer,
    tile: Area,
    reader: &mut Reader<'_>,
    source: &impl Source<N>,
    [background, foreground]: &mut [Pixel; 2],
) -> Result<(), Stop> {
    let flags = reader.u8()?;
    if flags & 1 != 0 {
        let bytes = reader.take(tile.pixels() * N)?;
        let rows = bytes.chunks_exact(usize::from(tile.width) * N);
        screen.rows_mut(tile).zip(rows).for_each(|(to, from)| source.row(from, to));
        return Ok(());
    }
    if flags & 2 != 0 {
        *background = source.pixel(reader.array()?);
    }
    if flags & 4 != 0 {
        *foreground = source.pixel(reader.array()?);
    }
    screen.paint(tile, *background);
    if flags & 8 == 0 {
        return Ok(());
    }
    for _ in 0..reader.u8()? {
        let pixel = if flags & 16 != 0 { source.pixel(reader.array()?) } else { *foreground };
        let at = reader.at();
        let [place, size] = reader.array()?;
        let part = Area {
            x: (place >> 4).into(),
            y: (place & 15).into(),
            width: u16::from(size >> 4) + 1,
            height: u16::from(size & 15) + 1,
        };
        let part = inside(tile, part, at)?;
        screen.paint(part, pixel);
    }
    Ok(())
}
