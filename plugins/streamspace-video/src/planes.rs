//! Pixels as video has them: BT.709, in the limited range, with one colour for two by two pixels.

use streamspace_rfb::{Area, Framebuffer, Pixel};

/// Factors of red, green and blue, in 65,536ths. Luma's make 219 of 255; those of each chroma are 0 together.
const LUMA: [i32; 3] = [11_966, 40_254, 4_064];
const BLUE: [i32; 3] = [-6_596, -22_188, 28_784];
const RED: [i32; 3] = [28_784, -26_145, -2_639];

/// A picture in I420, whose sides are even. It begins black.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planes {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) luma: Vec<u8>,
    pub(crate) blue: Vec<u8>,
    pub(crate) red: Vec<u8>,
}

impl Planes {
    /// Sides that are odd are made even.
    pub fn new(width: u16, height: u16) -> Self {
        let even = |side: u16| usize::from(side).next_multiple_of(2);
        let (width, height) = (even(width), even(height));
        let (all, quarter) = (width * height, width * height / 4);
        Self { width, height, luma: vec![16; all], blue: vec![128; quarter], red: vec![128; quarter] }
    }

    /// In pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Makes everything black.
    pub fn clear(&mut self) {
        self.luma.fill(16);
        self.blue.fill(128);
        self.red.fill(128);
    }

    /// Draws an area of a screen whose left upper corner is at `at`, which is even; half as bright, if it is `dimmed`. The area
    /// grows to even pixels; where the screen ends in the middle of such a pair, its last pixel is drawn twice. What is outside
    /// is left out.
    pub fn draw(&mut self, screen: &Framebuffer, area: Area, at: (usize, usize), dimmed: bool) {
        let Some(area) = area.intersection(&screen.area()) else { return };
        let left = usize::from(area.x) & !1;
        let right = area.right() as usize;
        for y in (usize::from(area.y) & !1..area.bottom() as usize).step_by(2) {
            // Both are below the screen's height, which is 16 bits.
            let upper = screen.row(y as u16);
            let lower = screen.row((y + 1).min(usize::from(screen.height()) - 1) as u16);
            let end = right.next_multiple_of(2).min(upper.len());
            self.draw_rows(&upper[left..end], &lower[left..end], (at.0 + left, at.1 + y), dimmed);
        }
    }

    /// Draws two rows of pixels, of one length, at an even place. What is outside is left out.
    pub fn draw_rows(&mut self, upper: &[Pixel], lower: &[Pixel], at: (usize, usize), dimmed: bool) {
        let pairs = upper.len().min(lower.len()).div_ceil(2).min(self.width.saturating_sub(at.0) / 2);
        if pairs == 0 || at.1 + 1 >= self.height {
            return;
        }
        let start = at.1 * self.width + at.0;
        let (first, second) = self.luma[start..].split_at_mut(self.width);
        let quarter = at.1 / 2 * (self.width / 2) + at.0 / 2;
        let chroma = self.blue[quarter..][..pairs].iter_mut().zip(&mut self.red[quarter..][..pairs]);
        let luma = first.chunks_exact_mut(2).zip(second.chunks_exact_mut(2));
        let pixels = upper.chunks(2).zip(lower.chunks(2));
        let shift = u8::from(dimmed);
        for (((upper, lower), (first, second)), (blue, red)) in pixels.zip(luma).zip(chroma) {
            let mut sum = [0; 3];
            for (pixels, luma) in [(upper, first), (lower, second)] {
                for (pixel, luma) in [pixels[0], pixels[pixels.len() - 1]].into_iter().zip(luma) {
                    let pixel = [pixel[0] >> shift, pixel[1] >> shift, pixel[2] >> shift].map(i32::from);
                    *luma = (16 + ((weigh(LUMA, pixel) + (1 << 15)) >> 16)) as u8;
                    for (sum, part) in sum.iter_mut().zip(pixel) {
                        *sum += part;
                    }
                }
            }
            // Four pixels are in the sum.
            *blue = (128 + ((weigh(BLUE, sum) + (1 << 17)) >> 18)) as u8;
            *red = (128 + ((weigh(RED, sum) + (1 << 17)) >> 18)) as u8;
        }
    }
}

fn weigh(factors: [i32; 3], pixel: [i32; 3]) -> i32 {
    factors[0] * pixel[0] + factors[1] * pixel[1] + factors[2] * pixel[2]
}

#[cfg(test)]
mod tests {
    use super::*;
    use streamspace_rfb::Limits;

    fn screen(width: u16, height: u16, pixel: impl Fn(u16, u16) -> Pixel) -> Framebuffer {
        let mut screen = Framebuffer::new(width, height, &Limits::default()).expect("small");
        for (y, x) in (0..height).flat_map(|y| (0..width).map(move |x| (y, x))) {
            screen.fill(Area::new(x, y, 1, 1), pixel(x, y)).expect("inside");
        }
        screen
    }

    /// As BT.709 has it, in floating point.
    fn exact([r, g, b, _]: Pixel) -> [f64; 3] {
        let [r, g, b] = [r, g, b].map(|part| f64::from(part) / 255.0);
        let luma = 0.2126 * r + 0.7152 * g + 0.0722 * b;
        [16.0 + 219.0 * luma, 128.0 + 224.0 * (b - luma) / 1.8556, 128.0 + 224.0 * (r - luma) / 1.5748]
    }

    #[test]
    fn colours_are_those_of_the_standard() {
        for i in 0..4096_u32 {
            let part = |shift: u32| ((i >> shift & 15) * 17) as u8;
            let pixel = [part(0), part(4), part(8), 255];
            let mut planes = Planes::new(2, 2);
            planes.draw_rows(&[pixel; 2], &[pixel; 2], (0, 0), false);
            for (is, wanted) in [planes.luma[3], planes.blue[0], planes.red[0]].into_iter().zip(exact(pixel))
            {
                assert!((f64::from(is) - wanted).abs() <= 0.51, "{pixel:?}: {is}, wanted {wanted}");
            }
        }
    }

    #[test]
    fn areas_draw_what_the_whole_draws() {
        for (width, height) in [(16, 12), (15, 11), (1, 1)] {
            let screen = screen(width, height, |x, y| [(x * 16) as u8, (y * 20) as u8, (x * y) as u8, 255]);
            let mut whole = Planes::new(20, 16);
            whole.draw(&screen, screen.area(), (2, 2), false);
            let mut pieces = Planes::new(20, 16);
            for (y, x) in (0..height).step_by(3).flat_map(|y| (0..width).step_by(5).map(move |x| (y, x))) {
                pieces.draw(&screen, Area::new(x, y, 5, 3), (2, 2), false);
            }
            assert_eq!(
                (pieces.luma, pieces.blue, pieces.red),
                (whole.luma.clone(), whole.blue.clone(), whole.red.clone())
            );
            // Nothing is drawn beside it.
            assert!(whole.luma[..40].iter().all(|luma| *luma == 16));
            assert!(whole.luma.chunks(20).all(|row| row[..2] == [16; 2] && row[18..] == [16; 2]));
        }
    }

    #[test]
    fn what_is_outside_is_left() {
        let screen = screen(8, 8, |_, _| [255; 4]);
        let mut planes = Planes::new(6, 6);
        planes.draw(&screen, screen.area(), (0, 0), false);
        assert!(planes.luma.iter().all(|luma| *luma == 235));
        planes.draw(&screen, Area::new(8, 8, 10, 10), (0, 0), true);
        planes.draw(&screen, screen.area(), (6, 6), true);
        assert!(planes.luma.iter().all(|luma| *luma == 235));
    }
}
