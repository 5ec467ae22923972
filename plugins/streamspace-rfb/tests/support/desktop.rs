//! Made-up content of screens.

use streamspace_rfb::{Area, Framebuffer, Limits, Pixel};

/// Numbers that are the same each time.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed | 1)
    }

    pub(crate) fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 16) as u32
    }

    pub(crate) fn below(&mut self, end: u16) -> u16 {
        if end == 0 { 0 } else { (self.next() % u32::from(end)) as u16 }
    }

    pub(crate) fn pixel(&mut self) -> Pixel {
        let [red, green, blue, _] = self.next().to_le_bytes();
        [red, green, blue, 255]
    }
}

/// A desktop: a background, windows with frames and lines of text, and a picture in one of them.
pub(crate) fn desktop(width: u16, height: u16, seed: u64) -> Framebuffer {
    let mut screen = Framebuffer::new(width, height, &Limits::default()).expect("within the limits");
    let random = &mut Random::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x5DEE_CE66);
    let paint = |screen: &mut Framebuffer, area: Area, pixel| {
        if let Some(area) = area.intersection(&screen.area()) {
            screen.fill(area, pixel).expect("inside");
        }
    };
    let all = screen.area();
    paint(&mut screen, all, [45, 62, 80, 255]);
    for _ in 0..4 {
        let window = Area::new(
            random.below(width / 2 + 1),
            random.below(height / 2 + 1),
            width / 2 + 1,
            height / 2 + 1,
        );
        paint(&mut screen, window, [100, 100, 100, 255]);
        let inside = Area::new(window.x + 1, window.y + 12, window.width.saturating_sub(2), window.height);
        paint(&mut screen, inside, [250, 250, 250, 255]);
        // Glyphs, five by eight, in lines.
        for y in (inside.y..inside.y + inside.height).step_by(12) {
            for x in (inside.x..inside.x + inside.width).step_by(6) {
                if random.below(6) > 0 {
                    let bits = random.next();
                    for bit in (0..25).filter(|bit| bits >> bit & 1 != 0) {
                        let dot = Area::new(x + bit % 5, y + bit / 5, 1, 1);
                        paint(&mut screen, dot, [20, 20, 20, 255]);
                    }
                }
            }
        }
    }
    picture(&mut screen, Area::new(width / 3, height / 3, width / 6, height / 6), random);
    screen
}

/// What looks like a photograph to an encoder: it changes slowly, with noise.
pub(crate) fn picture(screen: &mut Framebuffer, area: Area, random: &mut Random) {
    let Some(area) = area.intersection(&screen.area()) else { return };
    let mut pixels = Vec::with_capacity(area.pixels());
    for y in 0..area.height {
        for x in 0..area.width {
            let noise = random.below(8);
            let colour = |value: u16| ((value + noise) % 256) as u8;
            pixels.push([colour(x / 2), colour(y / 2), colour((x + y) / 3), 255]);
        }
    }
    screen.write(area, &pixels).expect("inside");
}

/// One of several kinds of content.
pub(crate) fn content(kind: u8, width: u16, height: u16, seed: u64) -> Framebuffer {
    let mut screen = desktop(width, height, seed);
    let random = &mut Random::new(seed);
    let all = screen.area();
    let mut write = |each: &mut dyn FnMut() -> Pixel| {
        let pixels: Vec<_> = (0..all.pixels()).map(|_| each()).collect();
        screen.write(all, &pixels).expect("inside");
    };
    match kind {
        0 => {}
        1 => write(&mut || random.pixel()),
        2 => write(&mut || [(random.below(2) * 255) as u8, 0, 0, 255]),
        3 => write(&mut || [random.below(3) as u8 * 80, 9, 7, 255]),
        4 => write(&mut || [random.below(16) as u8 * 16, 1, 2, 255]),
        5 => write(&mut || [random.below(200) as u8, 1, 2, 255]),
        6 => write(&mut || [1, 2, 3, 255]),
        _ => {
            // Runs of all lengths.
            let (mut left, mut pixel) = (0, [0; 4]);
            write(&mut || {
                if left == 0 {
                    (left, pixel) = (random.below(900) + 1, random.pixel());
                }
                left -= 1;
                pixel
            });
        }
    }
    screen
}
