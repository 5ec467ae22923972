//! How pixels are laid out for the compressor.
//!
//! A large chunk is three planes: all greens, then how far the reds are from them, then the blues. Where the screen is grey, which most
//! text is, two of the planes are zeros: at level 1 of zstd a desktop comes to half the size of what red, green and blue beside
//! each other do, in less time. In a chunk of a few pixels planes are too short to be worth it. The fourth byte of a pixel means nothing
//! and is not kept.

use streamspace_rfb::Pixel;

use super::Wrong;

/// Red, green, blue, pixel by pixel.
const COLOURS: u8 = 0;
/// Greens, reds less greens, blues less greens.
const PLANES: u8 = 1;
/// A chunk with as many pixels is written as planes.
const LARGE: usize = 4096;

/// Bytes that a chunk takes.
pub(super) const fn bytes(pixels: usize) -> usize {
    3 * pixels + 1
}

/// Appends a chunk.
pub(super) fn pack(pixels: &[Pixel], out: &mut Vec<u8>) {
    let large = pixels.len() >= LARGE;
    out.push(if large { PLANES } else { COLOURS });
    let at = out.len();
    out.resize(at + 3 * pixels.len(), 0);
    let out = &mut out[at..];
    if large { planes(pixels, out) } else { colours(pixels, out) }
}

/// Four pixels at once, as numbers: much faster than byte by byte.
fn colours(pixels: &[Pixel], out: &mut [u8]) {
    let (fours, rest) = pixels.as_chunks::<4>();
    let (to_fours, to_rest) = out.as_chunks_mut::<12>();
    for (to, four) in to_fours.iter_mut().zip(fours) {
        let [a, b, c, d] = four.map(|pixel| u32::from_le_bytes(pixel) & 0xFF_FFFF);
        to[..4].copy_from_slice(&(a | b << 24).to_le_bytes());
        to[4..8].copy_from_slice(&(b >> 8 | c << 16).to_le_bytes());
        to[8..].copy_from_slice(&(c >> 16 | d << 8).to_le_bytes());
    }
    for (to, [red, green, blue, _]) in to_rest.as_chunks_mut::<3>().0.iter_mut().zip(rest) {
        *to = [*red, *green, *blue];
    }
}

/// Sixteen pixels at once, which the compiler makes vectors of.
fn planes(pixels: &[Pixel], out: &mut [u8]) {
    let (greens, rest) = out.split_at_mut(pixels.len());
    let (reds, blues) = rest.split_at_mut(pixels.len());
    let (pixels, last_pixels) = pixels.as_chunks::<16>();
    let (greens, last_greens) = greens.as_chunks_mut::<16>();
    let (reds, last_reds) = reds.as_chunks_mut::<16>();
    let (blues, last_blues) = blues.as_chunks_mut::<16>();
    for (((pixels, greens), reds), blues) in pixels.iter().zip(greens).zip(reds).zip(blues) {
        for i in 0..16 {
            let pixel = u32::from_le_bytes(pixels[i]);
            let green = (pixel >> 8) as u8;
            greens[i] = green;
            reds[i] = (pixel as u8).wrapping_sub(green);
            blues[i] = ((pixel >> 16) as u8).wrapping_sub(green);
        }
    }
    let last = last_greens.iter_mut().zip(last_reds).zip(last_blues);
    for ([red, green, blue, _], ((to_green, to_red), to_blue)) in last_pixels.iter().zip(last) {
        (*to_green, *to_red, *to_blue) = (*green, red.wrapping_sub(*green), blue.wrapping_sub(*green));
    }
}

/// Appends the pixels of a chunk: at most `most` of them.
pub(super) fn unpack(chunk: &[u8], most: usize, out: &mut Vec<Pixel>) -> Result<(), Wrong> {
    let wrong = |expected: &str, found: usize| Wrong::content("a chunk of pixels", expected, found);
    let (&layout, body) = chunk.split_first().ok_or_else(|| wrong("a layout", 0))?;
    let count = body.len() / 3;
    if body.len() % 3 != 0 || count == 0 || count > most {
        return Err(wrong("three bytes a pixel, and no more pixels than its area has", body.len()));
    }
    match layout {
        COLOURS => {
            let (pixels, _) = body.as_chunks::<3>();
            out.extend(pixels.iter().map(|[red, green, blue]| [*red, *green, *blue, 255]));
        }
        PLANES => {
            let (greens, rest) = body.split_at(count);
            let (reds, blues) = rest.split_at(count);
            let pixel = |((green, red), blue): ((&u8, &u8), &u8)| {
                [red.wrapping_add(*green), *green, blue.wrapping_add(*green), 255]
            };
            out.extend(greens.iter().zip(reds).zip(blues).map(pixel));
        }
        other => return Err(wrong("a layout, 0 or 1", other.into())),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn pixels_come_back(count in prop_oneof![1_usize..60, 4000_usize..4200], seed in any::<u32>()) {
            let mut state = seed | 1;
            let mut next = || {
                state ^= state << 13;
                state ^= state >> 17;
                state ^= state << 5;
                let [red, green, blue, _] = state.to_le_bytes();
                [red, green, blue, 255]
            };
            let chunk: Vec<Pixel> = (0..count).map(|_| next()).collect();
            let mut packed = vec![9];
            pack(&chunk, &mut packed);
            prop_assert_eq!(packed.len() - 1, bytes(count));
            let mut pixels = vec![[7; 4]];
            unpack(&packed[1..], count, &mut pixels).expect("it was packed");
            prop_assert_eq!(&pixels[1..], &chunk[..]);
            prop_assert!(unpack(&packed[1..], count - 1, &mut pixels).is_err());
        }

        #[test]
        fn any_chunk_is_refused_or_has_no_more_pixels_than_it_may(
            chunk in prop::collection::vec(any::<u8>(), 0..900),
            most in 0_usize..400,
        ) {
            let mut pixels = Vec::new();
            let _ = unpack(&chunk, most, &mut pixels);
            prop_assert!(pixels.len() <= most);
        }
    }
}
