//! Tight: the community's specification, "Tight Encoding".

use zune_jpeg::{
    JpegDecoder,
    zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions},
};

use super::{
    inflate::Inflater,
    plain::Raw,
    source::{Channel, Converter, Source, Work},
};
use crate::{
    error::Error,
    framebuffer::{BLACK, Framebuffer, Pixel},
    geometry::Area,
    message::compact,
    wire::{Reader, Stop},
};

/// Streams of Tight, and memory for what they inflate to.
#[derive(Debug, Default)]
pub(super) struct Tight {
    streams: [Inflater; 4],
}

impl Tight {
    pub(super) fn decode(
        &mut self,
        screen: &mut Framebuffer,
        area: Area,
        bytes: &[u8],
        converter: &Converter,
        inflated: &mut Vec<u8>,
    ) -> Result<(), Error> {
        let mut reader = Reader::new(bytes);
        self.draw(screen, area, &mut reader, converter, inflated)
            .map_err(|stop| stop.at_the_end("the data of Tight", bytes.len()))
    }

    fn draw(
        &mut self,
        screen: &mut Framebuffer,
        area: Area,
        reader: &mut Reader<'_>,
        converter: &Converter,
        inflated: &mut Vec<u8>,
    ) -> Result<(), Stop> {
        let control = reader.u8()?;
        for (i, stream) in self.streams.iter_mut().enumerate() {
            if control >> i & 1 != 0 {
                stream.reset();
            }
        }
        let format = *converter.format();
        let size = format.tight_bytes();
        match control >> 4 {
            8 => {
                let bytes = reader.take(size)?;
                let pixel = colours(converter, bytes)[0];
                screen.paint(area, pixel);
                return Ok(());
            }
            9 => {
                let length = compact(reader)?;
                return Ok(jpeg(screen, area, reader.take(length)?)?);
            }
            0..8 => {}
            other => {
                let expected = "basic, fill or JPEG (0 to 9)";
                return Err(Error::unexpected("the control of Tight", expected, other, 0).into());
            }
        }
        let at = reader.at();
        let filter = if control & 0x40 != 0 { reader.u8()? } else { 0 };
        let mut palette = [BLACK; 256];
        let mut colours_of_palette = 0;
        let length = match filter {
            0 | 2 => area.pixels() * size,
            1 => {
                colours_of_palette = usize::from(reader.u8()?) + 1;
                palette = colours(converter, reader.take(colours_of_palette * size)?);
                let width = usize::from(area.width);
                let row = if colours_of_palette <= 2 { width.div_ceil(8) } else { width };
                row * usize::from(area.height)
            }
            other => {
                let expected = "copy, palette or gradient (0 to 2)";
                return Err(Error::unexpected("the filter of Tight", expected, other, at).into());
            }
        };
        let data = if length < 12 {
            reader.take(length)?
        } else {
            let deflated = compact(reader)?;
            let stream = &mut self.streams[usize::from(control >> 4 & 3)];
            stream.exactly("the pixels of Tight", reader.take(deflated)?, length, inflated)?
        };
        match filter {
            0 => Ok(converter.tight(Raw { screen, area, bytes: data })?),
            1 => {
                indexed(screen, area, data, colours_of_palette, &palette);
                Ok(())
            }
            _ => Ok(gradient(screen, area, data, converter)?),
        }
    }
}

struct Colours<'a>(&'a [u8]);

impl Work for Colours<'_> {
    type Out = [Pixel; 256];
    fn run<const N: usize>(self, source: &impl Source<N>) -> Self::Out {
        let mut palette = [BLACK; 256];
        source.row(self.0, &mut palette);
        palette
    }
}

fn colours(converter: &Converter, bytes: &[u8]) -> [Pixel; 256] {
    converter.tight(Colours(bytes))
}

/// A bit a pixel for two colours, else a byte.
fn indexed(screen: &mut Framebuffer, area: Area, data: &[u8], count: usize, palette: &[Pixel; 256]) {
    let width = usize::from(area.width);
    if width == 0 {
        return;
    }
    if count > 2 {
        for (to, from) in screen.rows_mut(area).zip(data.chunks_exact(width)) {
            to.iter_mut().zip(from).for_each(|(to, index)| *to = palette[usize::from(*index)]);
        }
        return;
    }
    for (to, from) in screen.rows_mut(area).zip(data.chunks_exact(width.div_ceil(8))) {
        for (pixels, byte) in to.chunks_mut(8).zip(from) {
            for (bit, pixel) in (0..8).rev().zip(pixels) {
                *pixel = palette[usize::from(byte >> bit & 1)];
            }
        }
    }
}

/// A pixel is what its neighbours above, to the left and between them let expect, and what it differs from that.
fn gradient(screen: &mut Framebuffer, area: Area, data: &[u8], converter: &Converter) -> Result<(), Error> {
    let format = *converter.format();
    if !format.true_colour || format.bits == 8 {
        let found = format!("{format:?}");
        return Err(Error::unexpected("a gradient of Tight", "intensities of 16 or 32 bits", found, 0));
    }
    let size = format.tight_bytes();
    let channels = converter.channels();
    let rgb = format.tight_rgb();
    let width = usize::from(area.width);
    if width == 0 {
        return Ok(());
    }
    let parts = |bytes: &[u8]| match *bytes {
        [red, green, blue] if rgb => [red, green, blue].map(u16::from),
        [a, b] => values(channels.colours(), channels.number([a, b])),
        [a, b, c, d] => values(channels.colours(), channels.number([a, b, c, d])),
        _ => [0; 3],
    };
    let mut above = vec![[0_u16; 3]; width];
    for (to, from) in screen.rows_mut(area).zip(data.chunks_exact(width * size)) {
        let (mut left, mut corner) = ([0; 3], [0; 3]);
        for ((to, from), above) in to.iter_mut().zip(from.chunks_exact(size)).zip(&mut above) {
            let found = parts(from);
            let mut value = [0; 3];
            for i in 0..3 {
                let max = if rgb { 255 } else { channels.colours()[i].max() };
                let expected = i32::from(above[i]) + i32::from(left[i]) - i32::from(corner[i]);
                let expected = expected.clamp(0, max.into()) as u16;
                value[i] = expected.wrapping_add(found[i]) & max;
            }
            corner = std::mem::replace(above, value);
            left = value;
            let scaled = |i: usize| channels.colours()[i].scale(value[i]);
            *to = [scaled(0), scaled(1), scaled(2), 255];
        }
    }
    Ok(())
}

fn values(colours: &[Channel; 3], number: u32) -> [u16; 3] {
    colours.map(|colour| colour.value(number))
}

fn jpeg(screen: &mut Framebuffer, area: Area, bytes: &[u8]) -> Result<(), Error> {
    let refused = |why: String| Error::Jpeg { width: area.width, height: area.height, why };
    let (width, height) = (usize::from(area.width), usize::from(area.height));
    let options = DecoderOptions::default()
        .jpeg_set_out_colorspace(ColorSpace::RGBA)
        .set_max_width(width)
        .set_max_height(height);
    let mut decoder = JpegDecoder::new_with_options(ZCursor::new(bytes), options);
    decoder.decode_headers().map_err(|error| refused(error.to_string()))?;
    // Before anything is allocated for it.
    match decoder.dimensions() {
        Some(found) if found == (width, height) => {}
        Some((width, height)) => return Err(refused(format!("{width}x{height}"))),
        None => return Err(refused("no size".to_owned())),
    }
    let pixels = decoder.decode().map_err(|error| refused(error.to_string()))?;
    let (pixels, _): (&[Pixel], _) = pixels.as_chunks();
    if pixels.len() < area.pixels() {
        return Err(refused(format!("{} pixels", pixels.len())));
    }
    if width > 0 {
        for (to, from) in screen.rows_mut(area).zip(pixels.chunks_exact(width)) {
            to.copy_from_slice(from);
        }
    }
    Ok(())
}
