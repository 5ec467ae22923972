//! Hextile: RFC 6143, 7.7.4.

use super::{pack::Packer, palette::Palette};
use crate::framebuffer::Pixel;

/// Background and foreground that the client has from the tile before.
#[derive(Debug, Default)]
pub(super) struct Before {
    background: Option<Pixel>,
    foreground: Option<Pixel>,
}

/// Appends a tile of 16x16 pixels or less.
pub(super) fn tile(
    pixels: &[Pixel],
    width: usize,
    packer: &Packer,
    palette: &mut Palette,
    before: &mut Before,
    out: &mut Vec<u8>,
) {
    let start = out.len();
    let raw = 1 + pixels.len() * packer.size();
    palette.fill([pixels].into_iter(), 256);
    let colours = palette.colours();
    let background = most_frequent(pixels, palette);
    out.push(0);
    let mut flags = 0;
    if before.background != Some(background) {
        flags |= 2;
        packer.put(background, out);
    }
    let foreground = match *colours {
        [one, two] => Some(if one == background { two } else { one }),
        _ => None,
    };
    if let Some(foreground) = foreground.filter(|foreground| before.foreground != Some(*foreground)) {
        flags |= 4;
        packer.put(foreground, out);
    }
    let mut count = 0_usize;
    if colours.len() > 1 {
        flags |= if foreground.is_some() { 8 } else { 8 | 16 };
        let place = out.len();
        out.push(0);
        let mut drawn = [false; 256];
        for at in 0..pixels.len() {
            if drawn[at] || pixels[at] == background {
                continue;
            }
            let (right, down) = grow(pixels, &mut drawn, width, at);
            if foreground.is_none() {
                packer.put(pixels[at], out);
            }
            // All four are below 16.
            out.push(((at % width) << 4 | (at / width)) as u8);
            out.push(((right - 1) << 4 | (down - 1)) as u8);
            count += 1;
            if out.len() - start >= raw {
                break;
            }
        }
        out[place] = count.min(255) as u8;
    }
    if count > 255 || out.len() - start >= raw {
        out.truncate(start);
        out.push(1);
        packer.row(pixels, out);
        *before = Before::default();
        return;
    }
    out[start] = flags;
    before.background = Some(background);
    // After coloured subrectangles a client need not know the foreground any more.
    before.foreground = if flags & 16 != 0 { None } else { foreground.or(before.foreground) };
}

/// The largest rectangle of one colour from here to the right, and then down. Marks it.
fn grow(pixels: &[Pixel], drawn: &mut [bool; 256], width: usize, at: usize) -> (usize, usize) {
    let same = |i: usize, drawn: &[bool; 256]| pixels[i] == pixels[at] && !drawn[i];
    let right = (at..(at / width + 1) * width).take_while(|i| same(*i, drawn)).count();
    let rows = (at..pixels.len()).step_by(width);
    let down = rows.take_while(|row| (*row..row + right).all(|i| same(i, drawn))).count();
    for row in (at..).step_by(width).take(down) {
        drawn[row..row + right].fill(true);
    }
    (right, down)
}

fn most_frequent(pixels: &[Pixel], palette: &Palette) -> Pixel {
    let mut counts = [0_u16; 256];
    pixels.iter().for_each(|pixel| counts[usize::from(palette.index(*pixel))] += 1);
    let colours = palette.colours().iter().zip(counts);
    colours.max_by_key(|(_, count)| *count).map_or(pixels[0], |(colour, _)| *colour)
}
