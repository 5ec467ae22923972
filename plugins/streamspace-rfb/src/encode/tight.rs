//! Tight, without loss: fills, palettes and plain pixels.

use super::{deflate::Deflater, pack::Packer, palette::Palette};
use crate::{error::Error, framebuffer::Framebuffer, geometry::Area};

/// The widest rectangle that clients must take.
pub(super) const WIDTH: u16 = 2048;
/// Pixels of a rectangle at most: its deflated bytes must have a length of 22 bits, and small ones have fewer colours.
pub(super) const PIXELS: u16 = 1 << 15;

/// Streams of Tight, a kind of data each.
#[derive(Debug)]
pub(super) struct Tight {
    streams: [Deflater; 3],
    data: Vec<u8>,
    deflated: Vec<u8>,
}

impl Tight {
    pub(super) fn new(level: u8) -> Self {
        Self {
            streams: [Deflater::new(level), Deflater::new(level), Deflater::new(level)],
            data: Vec::new(),
            deflated: Vec::new(),
        }
    }

    /// Appends what stands behind the head of a rectangle.
    pub(super) fn rect(
        &mut self,
        screen: &Framebuffer,
        area: Area,
        packer: &Packer,
        palette: &mut Palette,
        out: &mut Vec<u8>,
    ) -> Result<(), Error> {
        // A palette of many colours for few pixels is longer than the pixels.
        let most = (area.pixels() / 4).clamp(2, 256);
        let few = palette.fill(screen.rows(area), most);
        self.data.clear();
        let stream = match palette.colours() {
            [colour] if few => {
                out.push(0x80);
                packer.put(*colour, out);
                return Ok(());
            }
            [_, _] if few => {
                for row in screen.rows(area) {
                    for eight in row.chunks(8) {
                        let bits = eight.iter().fold(0, |bits, pixel| bits << 1 | palette.index(*pixel));
                        self.data.push(bits << (8 - eight.len()));
                    }
                }
                1
            }
            _ if few => {
                for row in screen.rows(area) {
                    self.data.extend(row.iter().map(|pixel| palette.index(*pixel)));
                }
                2
            }
            _ => {
                screen.rows(area).for_each(|row| packer.row(row, &mut self.data));
                0
            }
        };
        match stream {
            0 => out.push(0),
            _ => {
                // A filter follows: a palette.
                out.extend([0x40 | (stream as u8) << 4, 1, (palette.colours().len() - 1) as u8]);
                packer.row(palette.colours(), out);
            }
        }
        if self.data.len() < 12 {
            out.extend_from_slice(&self.data);
            return Ok(());
        }
        self.deflated.clear();
        self.streams[stream].deflate(&self.data, &mut self.deflated)?;
        put_compact(self.deflated.len(), out);
        out.extend_from_slice(&self.deflated);
        Ok(())
    }
}

fn put_compact(length: usize, out: &mut Vec<u8>) {
    match length {
        ..0x80 => out.push(length as u8),
        0x80..0x4000 => out.extend([length as u8 | 0x80, (length >> 7) as u8]),
        _ => out.extend([length as u8 | 0x80, (length >> 7) as u8 | 0x80, (length >> 14) as u8]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_as_in_the_specification() {
        for (length, bytes) in [
            (127, &[0x7F][..]),
            (128, &[0x80, 0x01]),
            (10_000, &[0x90, 0x4E]),
            (16_384, &[0x80, 0x80, 0x01]),
            (4_194_303, &[0xFF, 0xFF, 0xFF]),
        ] {
            let mut out = Vec::new();
            put_compact(length, &mut out);
            assert_eq!(out, bytes, "{length}");
        }
    }
}
