//! ZRLE: RFC 6143, 7.7.6.

use super::{pack::Packer, palette::Palette};
use crate::framebuffer::Pixel;

/// Appends a tile, as it is before it is deflated, in the form that takes fewest bytes.
pub(super) fn tile(
    pixels: &[Pixel],
    width: usize,
    packer: &Packer,
    palette: &mut Palette,
    out: &mut Vec<u8>,
) {
    let size = packer.size();
    let few = palette.fill([pixels].into_iter(), 127);
    let colours = palette.colours().len();
    if few && colours == 1 {
        out.push(1);
        packer.put(pixels[0], out);
        return;
    }
    let mut runs = Runs::default();
    pixels.chunk_by(|a, b| a == b).for_each(|run| runs.add(run.len()));
    let plain = runs.count * size + runs.length_bytes;
    let raw = pixels.len() * size;
    let with_palette = few.then(|| colours * size + runs.count + runs.length_bytes_of_long);
    let bits = match colours {
        ..=2 => 1,
        3..=4 => 2,
        _ => 4,
    };
    let stride = (width * bits).div_ceil(8);
    let packed = (few && colours <= 16).then(|| colours * size + stride * (pixels.len() / width));

    let least = [Some(plain), with_palette, packed, Some(raw)].into_iter().flatten().min();
    if packed == least {
        out.push(colours as u8);
        packer.row(palette.colours(), out);
        for row in pixels.chunks_exact(width) {
            for indices in row.chunks(8 / bits) {
                let packed = indices.iter().fold(0, |packed, pixel| packed << bits | palette.index(*pixel));
                out.push(packed << (8 - bits * indices.len()));
            }
        }
    } else if with_palette == least {
        out.push(128 + colours as u8);
        packer.row(palette.colours(), out);
        for run in pixels.chunk_by(|a, b| a == b) {
            match run.len() {
                1 => out.push(palette.index(run[0])),
                length => {
                    out.push(palette.index(run[0]) | 128);
                    put_length(length, out);
                }
            }
        }
    } else if Some(plain) == least {
        out.push(128);
        for run in pixels.chunk_by(|a, b| a == b) {
            packer.put(run[0], out);
            put_length(run.len(), out);
        }
    } else {
        out.push(0);
        packer.row(pixels, out);
    }
}

/// What runs would take.
#[derive(Default)]
struct Runs {
    count: usize,
    length_bytes: usize,
    /// Of those of more than one pixel.
    length_bytes_of_long: usize,
}

impl Runs {
    fn add(&mut self, length: usize) {
        let bytes = (length - 1) / 255 + 1;
        self.count += 1;
        self.length_bytes += bytes;
        if length > 1 {
            self.length_bytes_of_long += bytes;
        }
    }
}

fn put_length(length: usize, out: &mut Vec<u8>) {
    let mut left = length - 1;
    while left >= 255 {
        out.push(255);
        left -= 255;
    }
    out.push(left as u8);
}
