//! Pictures of the pointer.

use super::source::{Converter, Source, Work};
use crate::{
    error::Error,
    framebuffer::{BLACK, Pixel},
    message::Rect,
    wire::{Reader, Stop},
};

/// A picture of the pointer.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Which column of it points.
    pub x: u16,
    /// Which row of it points.
    pub y: u16,
    /// In pixels; 0 if the pointer is not to be seen.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// Row by row: red, green, blue, and how opaque it is. The colours are not multiplied by that.
    pub pixels: Vec<Pixel>,
}

impl Cursor {
    fn new(rect: &Rect<'_>, pixels: Vec<Pixel>) -> Self {
        let area = rect.area;
        Self { x: area.x, y: area.y, width: area.width, height: area.height, pixels }
    }

    /// [`Encoding::CURSOR`](crate::Encoding::CURSOR).
    pub(super) fn coloured(rect: &Rect<'_>, converter: &Converter) -> Result<Self, Error> {
        let length = rect.area.pixels() * rect.format.bytes();
        read(rect, |reader| {
            let mut pixels = converter.whole(Pixels(reader.take(length)?));
            let shown = mask(rect, reader)?;
            pixels.iter_mut().zip(shown).filter(|(_, shown)| !shown).for_each(|(pixel, _)| *pixel = [0; 4]);
            Ok(Self::new(rect, pixels))
        })
    }

    /// [`Encoding::X_CURSOR`](crate::Encoding::X_CURSOR).
    pub(super) fn of_two_colours(rect: &Rect<'_>) -> Result<Self, Error> {
        if rect.area.is_empty() {
            return Ok(Self::new(rect, Vec::new()));
        }
        read(rect, |reader| {
            let [first, second] = [reader.array()?, reader.array()?].map(|[r, g, b]| [r, g, b, 255]);
            let (bits, shown) = (mask(rect, reader)?, mask(rect, reader)?);
            let pixel = |(first_colour, shown)| match (shown, first_colour) {
                (false, _) => [0; 4],
                (true, true) => first,
                (true, false) => second,
            };
            Ok(Self::new(rect, bits.zip(shown).map(pixel).collect()))
        })
    }

    /// [`Encoding::CURSOR_WITH_ALPHA`](crate::Encoding::CURSOR_WITH_ALPHA): always red, green, blue and opacity, a byte each.
    pub(super) fn with_alpha(rect: &Rect<'_>) -> Result<Self, Error> {
        read(rect, |reader| {
            let inner = reader.i32()?;
            if inner != 0 {
                return Err(Error::unexpected("the encoding of a cursor", "Raw (0)", inner, 0).into());
            }
            let (pixels, _): (&[Pixel], _) = reader.take(rect.area.pixels() * 4)?.as_chunks();
            // The colours come multiplied by the opacity.
            let divided = |&[red, green, blue, alpha]: &Pixel| {
                let part = |colour: u8| match alpha {
                    0 => 0,
                    alpha => (u16::from(colour) * 255 / u16::from(alpha)).min(255) as u8,
                };
                [part(red), part(green), part(blue), alpha]
            };
            Ok(Self::new(rect, pixels.iter().map(divided).collect()))
        })
    }

    /// [`Encoding::VMWARE_CURSOR`](crate::Encoding::VMWARE_CURSOR).
    pub(super) fn of_vmware(rect: &Rect<'_>, converter: &Converter) -> Result<Self, Error> {
        read(rect, |reader| {
            let [kind, _] = reader.array()?;
            if kind == 1 {
                let (pixels, _): (&[Pixel], _) = reader.take(rect.area.pixels() * 4)?.as_chunks();
                return Ok(Self::new(rect, pixels.to_vec()));
            }
            let bytes = rect.format.bytes();
            let kept = reader.take(rect.area.pixels() * bytes)?;
            let flipped = reader.take(rect.area.pixels() * bytes)?;
            let mut pixels = converter.whole(Pixels(flipped));
            let masks = kept.chunks_exact(bytes).zip(flipped.chunks_exact(bytes));
            for (pixel, (kept, flipped)) in pixels.iter_mut().zip(masks) {
                let is = |bytes: &[u8], value| bytes.iter().all(|byte| *byte == value);
                match (is(kept, 0), is(flipped, 0)) {
                    (true, _) => {}
                    (false, true) => *pixel = [0; 4],
                    // What inverts the screen cannot be said here. Black is seen on most.
                    (false, false) => *pixel = BLACK,
                }
            }
            Ok(Self::new(rect, pixels))
        })
    }
}

struct Pixels<'a>(&'a [u8]);

impl Work for Pixels<'_> {
    type Out = Vec<Pixel>;
    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let (pixels, _) = self.0.as_chunks();
        pixels.iter().map(|pixel| source.pixel(*pixel)).collect()
    }
}

fn read<'a>(
    rect: &Rect<'a>,
    cursor: impl FnOnce(&mut Reader<'a>) -> Result<Cursor, Stop>,
) -> Result<Cursor, Error> {
    cursor(&mut Reader::new(rect.payload))
        .map_err(|stop| stop.at_the_end("the picture of a cursor", rect.payload.len()))
}

/// A bit a pixel, the first in the highest one; rows begin with a byte.
fn mask<'a>(rect: &Rect<'_>, reader: &mut Reader<'a>) -> Result<impl Iterator<Item = bool> + use<'a>, Stop> {
    let width = usize::from(rect.area.width);
    let stride = width.div_ceil(8);
    let bytes = reader.take(stride * usize::from(rect.area.height))?;
    let row = move |row: &'a [u8]| (0..width).map(move |x| row[x / 8] >> (7 - x % 8) & 1 != 0);
    Ok(bytes.chunks_exact(stride.max(1)).flat_map(row))
}
