//! ZRLE: RFC 6143, 7.7.6.

use super::source::{Source, Work};
use crate::{
    error::Error,
    framebuffer::{BLACK, Framebuffer, Pixel},
    geometry::Area,
    wire::{Reader, Stop},
};

const SIDE: u16 = 64;

pub(super) struct Zrle<'a> {
    pub(super) screen: &'a mut Framebuffer,
    pub(super) area: Area,
    /// Inflated.
    pub(super) bytes: &'a [u8],
}

impl Work for Zrle<'_> {
    type Out = Result<(), Error>;

    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let Self { screen, area, bytes } = self;
        let mut reader = Reader::new(bytes);
        let mut pixels = [BLACK; SIDE as usize * SIDE as usize];
        for tile in area.pieces(SIDE, SIDE) {
            draw(screen, tile, &mut reader, source, &mut pixels)
                .map_err(|stop| stop.at_the_end("the tiles", bytes.len()))?;
        }
        Ok(())
    }
}

fn draw<const N: usize>(
    screen: &mut Framebuffer,
    tile: Area,
    reader: &mut Reader<'_>,
    source: &impl Source<N>,
    pixels: &mut [Pixel],
) -> Result<(), Stop> {
    let width = usize::from(tile.width);
    let pixels = &mut pixels[..tile.pixels()];
    let at = reader.at();
    match reader.u8()? {
        0 => {
            let bytes = reader.take(tile.pixels() * N)?;
            let rows = bytes.chunks_exact(width * N);
            screen.rows_mut(tile).zip(rows).for_each(|(to, from)| source.row(from, to));
            return Ok(());
        }
        1 => {
            let pixel = source.pixel(reader.array()?);
            screen.paint(tile, pixel);
            return Ok(());
        }
        size @ 2..=16 => {
            let palette = palette(reader, size, source)?;
            let bits = match size {
                2 => 1,
                3..=4 => 2,
                _ => 4,
            };
            let stride = (width * bits).div_ceil(8);
            let bytes = reader.take(stride * usize::from(tile.height))?;
            for (to, from) in screen.rows_mut(tile).zip(bytes.chunks_exact(stride)) {
                unpack(to, from, bits, &palette);
            }
            return Ok(());
        }
        128 => {
            let mut done = 0;
            while done < pixels.len() {
                let pixel = source.pixel(reader.array()?);
                done += run(&mut pixels[done..], reader, pixel)?;
            }
        }
        size @ 130.. => {
            let palette = palette(reader, size - 128, source)?;
            let mut done = 0;
            while done < pixels.len() {
                let index = reader.u8()?;
                let pixel = palette[usize::from(index & 0x7F)];
                if index & 0x80 != 0 {
                    done += run(&mut pixels[done..], reader, pixel)?;
                } else {
                    pixels[done] = pixel;
                    done += 1;
                }
            }
        }
        other => {
            let expected = "0 to 16, 128 or 130 to 255";
            return Err(Error::unexpected("the kind of a tile", expected, other, at).into());
        }
    }
    screen.rows_mut(tile).zip(pixels.chunks_exact(width)).for_each(|(to, from)| to.copy_from_slice(from));
    Ok(())
}

/// What is not given is black, so that no index is outside.
fn palette<const N: usize>(
    reader: &mut Reader<'_>,
    size: u8,
    source: &impl Source<N>,
) -> Result<[Pixel; 128], Stop> {
    let mut palette = [BLACK; 128];
    let bytes = reader.take(usize::from(size) * N)?;
    source.row(bytes, &mut palette);
    Ok(palette)
}

/// Indices of 1, 2 or 4 bits, the first in the highest ones.
fn unpack(to: &mut [Pixel], from: &[u8], bits: usize, palette: &[Pixel; 128]) {
    let mask = (1_u8 << bits) - 1;
    for (pixels, byte) in to.chunks_mut(8 / bits).zip(from) {
        let mut shift = 8;
        for pixel in pixels {
            shift -= bits;
            *pixel = palette[usize::from(byte >> shift & mask)];
        }
    }
}

/// One pixel more than its bytes add up to, of which the last is not 255. Answers how many.
#[inline]
fn run(left: &mut [Pixel], reader: &mut Reader<'_>, pixel: Pixel) -> Result<usize, Stop> {
    let at = reader.at();
    let mut length = 1;
    loop {
        let byte = reader.u8()?;
        length += usize::from(byte);
        Error::check("the length of a run", length, left.len() as u64, at)?;
        if byte != 255 {
            break;
        }
    }
    left[..length].fill(pixel);
    Ok(length)
}
