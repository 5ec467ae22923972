//! Small pictures of a recording.

use std::time::Duration;

use streamspace_rfb::{Framebuffer, Limits, Pixel};

use super::player::{PlayError, Player};
use crate::scene::{Moment, Scene, Source};

/// How large a small picture is at most, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// 1 to [`Bounds::MOST`].
    pub width: u16,
    /// 1 to [`Bounds::MOST`].
    pub height: u16,
}

impl Bounds {
    /// The largest side.
    pub const MOST: u16 = 1_024;

    /// The size of a small picture of one of `width` by `height`: with the same sides as far as whole pixels can have them, and
    /// never larger than the picture. None if the picture has no pixels.
    pub fn fit(self, width: u16, height: u16) -> Option<(u16, u16)> {
        let within = |side: u16| u64::from(side.clamp(1, Self::MOST));
        let (most_wide, most_high) = (within(self.width), within(self.height));
        let (wide, high) = (u64::from(width), u64::from(height));
        if wide == 0 || high == 0 {
            return None;
        }
        if wide <= most_wide && high <= most_high {
            return Some((width, height));
        }
        let part = |side: u64, of: u64, all: u64| ((side * of + all / 2) / all).max(1) as u16;
        // Whichever side is the tighter one.
        Some(match wide * most_high >= high * most_wide {
            true => (most_wide as u16, part(high, most_wide, wide)),
            false => (part(wide, most_high, high), most_high as u16),
        })
    }
}

/// A small picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Thumbnail {
    /// What it shows.
    pub at: Moment,
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
    /// The picture as PNG: red, green, blue, a byte each.
    pub png: Vec<u8>,
}

/// Why there is no small picture.
#[derive(Debug, thiserror::Error)]
pub enum ThumbnailError<E: std::error::Error + 'static> {
    /// The recording cannot be played there.
    #[error(transparent)]
    Play(#[from] PlayError<E>),
    /// It cannot be written as PNG.
    #[error("a picture that cannot be written as PNG: {0}")]
    Png(#[from] png::EncodingError),
}

/// A small picture of a moment. None if nothing is shown there.
///
/// # Errors
///
/// [`ThumbnailError`] if the recording cannot be read or the picture cannot be written.
pub fn thumbnail<S: Source>(
    source: &mut S,
    at: Moment,
    bounds: Bounds,
    limits: Limits,
) -> Result<Option<Thumbnail>, ThumbnailError<S::Error>> {
    let mut player = Player::new(Borrowed(source), limits)?;
    player.seek(at, Duration::ZERO)?;
    let at = player.position();
    Ok(small(player.screen(), at, bounds)?)
}

fn small(screen: &Framebuffer, at: Moment, bounds: Bounds) -> Result<Option<Thumbnail>, png::EncodingError> {
    let Some((width, height)) = bounds.fit(screen.width(), screen.height()) else { return Ok(None) };
    let colours = scaled(screen, width, height);
    let mut png = Vec::new();
    let mut encoder = png::Encoder::new(&mut png, width.into(), height.into());
    encoder.set_color(png::ColorType::Rgb);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_compression(png::Compression::Fast);
    let mut writer = encoder.write_header()?;
    writer.write_image_data(colours.as_flattened())?;
    writer.finish()?;
    Ok(Some(Thumbnail { at, width, height, png }))
}

/// A picture scaled down: each pixel is the mean of the area that it stands for, to the nearest. Sides beyond those of the picture,
/// or of none, are those of the picture, or one.
pub fn scaled(screen: &Framebuffer, width: u16, height: u16) -> Vec<[u8; 3]> {
    let (wide, high) = (usize::from(screen.width()), usize::from(screen.height()));
    if wide == 0 || high == 0 {
        return Vec::new();
    }
    let (across, down) = (usize::from(width).clamp(1, wide), usize::from(height).clamp(1, high));
    // In whole numbers: a side of the picture is cut into `side * new side` parts. A pixel of it has `new side` of them, one of the
    // small picture `side`, and no sum is beyond 255 * 65,535 * 65,535.
    let whole = (wide * high) as u64;
    let mut out = Vec::with_capacity(across * down);
    let (mut row, mut sums) = (vec![[0_u64; 3]; across], vec![[0_u64; 3]; across]);
    let mut room = high;
    for y in 0..high {
        squeeze(screen.row(y as u16), &mut row);
        let first = down.min(room);
        add(&mut sums, &row, first as u64);
        room -= first;
        if room == 0 {
            out.extend(sums.iter().map(|sum| sum.map(|sum| ((sum + whole / 2) / whole) as u8)));
            sums.fill([0; 3]);
            add(&mut sums, &row, (down - first) as u64);
            room = high - (down - first);
        }
    }
    out
}

fn add(sums: &mut [[u64; 3]], row: &[[u64; 3]], weight: u64) {
    for (sum, value) in sums.iter_mut().zip(row) {
        (0..3).for_each(|i| sum[i] += value[i] * weight);
    }
}

/// Sums of a row's pixels, each as much as its part in the pixel of the small picture.
fn squeeze(from: &[Pixel], to: &mut [[u64; 3]]) {
    let (wide, across) = (from.len(), to.len());
    let (mut x, mut room, mut sum) = (0, wide, [0_u64; 3]);
    for &[red, green, blue, _] in from {
        let colours = [red, green, blue].map(u64::from);
        let first = across.min(room);
        (0..3).for_each(|i| sum[i] += colours[i] * first as u64);
        room -= first;
        if room == 0 {
            if let Some(to) = to.get_mut(x) {
                *to = sum;
            }
            let rest = across - first;
            sum = colours.map(|colour| colour * rest as u64);
            (x, room) = (x + 1, wide - rest);
        }
    }
}

/// A source that goes on being somebody else's.
struct Borrowed<'a, S>(&'a mut S);

impl<S: Source> Source for Borrowed<'_, S> {
    type Error = S::Error;

    fn length(&self) -> Moment {
        self.0.length()
    }

    fn seek(&mut self, to: Moment) -> Result<(), Self::Error> {
        self.0.seek(to)
    }

    fn next(&mut self) -> Result<Option<(Moment, Scene<'_>)>, Self::Error> {
        self.0.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn screen(width: u16, height: u16, pixel: impl Fn(u16, u16) -> Pixel) -> Framebuffer {
        let mut screen = Framebuffer::new(width, height, &Limits::default()).expect("small");
        let pixels: Vec<_> = (0..height).flat_map(|y| (0..width).map(move |x| (x, y))).collect();
        let pixels: Vec<_> = pixels.into_iter().map(|(x, y)| pixel(x, y)).collect();
        screen.write(screen.area(), &pixels).expect("all");
        screen
    }

    /// By the definition, in floating point.
    fn slowly(screen: &Framebuffer, width: u16, height: u16) -> Vec<[f64; 3]> {
        let (fx, fy) =
            (f64::from(screen.width()) / f64::from(width), f64::from(screen.height()) / f64::from(height));
        let overlap =
            |at: u16, from: f64, to: f64| (to.min(f64::from(at) + 1.0) - from.max(at.into())).max(0.0);
        let mean = |x: f64, y: f64| {
            let mut sum = [0.0; 3];
            for row in 0..screen.height() {
                for (column, pixel) in screen.row(row).iter().enumerate() {
                    let part = overlap(column as u16, x, x + fx) * overlap(row, y, y + fy);
                    (0..3).for_each(|i| sum[i] += f64::from(pixel[i]) * part);
                }
            }
            sum.map(|sum| sum / (fx * fy))
        };
        (0..height)
            .flat_map(|y| (0..width).map(move |x| (x, y)))
            .map(|(x, y)| mean(f64::from(x) * fx, f64::from(y) * fy))
            .collect()
    }

    #[test]
    fn each_pixel_is_the_mean_of_its_area() {
        let picture =
            screen(37, 23, |x, y| [(x * 7 % 256) as u8, (y * 11 % 256) as u8, (x * y % 256) as u8, 255]);
        for (width, height) in [(37, 23), (10, 7), (36, 22), (1, 1), (5, 23), (37, 2)] {
            let small = scaled(&picture, width, height);
            let exact = slowly(&picture, width, height);
            assert_eq!(small.len(), exact.len(), "{width}x{height}");
            for (small, exact) in small.iter().zip(exact) {
                assert!(
                    (0..3).all(|i| (f64::from(small[i]) - exact[i]).abs() < 0.5001),
                    "{width}x{height}: {small:?} {exact:?}"
                );
            }
        }
        assert_eq!(scaled(&picture, 100, 100).len(), 37 * 23);
    }

    #[test]
    fn sides_keep_their_relation_within_bounds() {
        let bounds = Bounds { width: 320, height: 200 };
        assert_eq!(bounds.fit(1920, 1080), Some((320, 180)));
        assert_eq!(bounds.fit(1080, 1920), Some((113, 200)));
        assert_eq!(bounds.fit(16, 9), Some((16, 9)));
        assert_eq!(bounds.fit(16_384, 1), Some((320, 1)));
        assert_eq!(bounds.fit(0, 9), None);
        assert_eq!(Bounds { width: 0, height: u16::MAX }.fit(100, 100), Some((1, 1)));
    }
}
