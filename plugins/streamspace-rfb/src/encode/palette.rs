//! Colours of an area.

use crate::framebuffer::Pixel;

const SLOTS: usize = 1024;

/// Colours in the order in which they were found, as many as fit into a byte.
#[derive(Debug, Clone)]
pub(super) struct Palette {
    colours: Vec<Pixel>,
    /// One more than the index of a colour, where its hash leads; 0 if there is none.
    slots: Box<[u16; SLOTS]>,
    most: usize,
}

impl Palette {
    pub(super) fn new() -> Self {
        Self { colours: Vec::with_capacity(256), slots: Box::new([0; SLOTS]), most: 0 }
    }

    /// Finds the colours of pixels. Answers whether there are no more than `most`, which is 256 at most.
    pub(super) fn fill<'a>(&mut self, rows: impl Iterator<Item = &'a [Pixel]>, most: usize) -> bool {
        self.colours.clear();
        self.slots.fill(0);
        self.most = most.min(256);
        let mut last = None;
        for row in rows {
            for pixel in row {
                if last != Some(pixel) && !self.add(*pixel) {
                    return false;
                }
                last = Some(pixel);
            }
        }
        true
    }

    pub(super) fn colours(&self) -> &[Pixel] {
        &self.colours
    }

    fn add(&mut self, pixel: Pixel) -> bool {
        let slot = self.slot(pixel);
        if self.slots[slot] == 0 {
            if self.colours.len() == self.most {
                return false;
            }
            self.colours.push(pixel);
            // At most 256.
            self.slots[slot] = self.colours.len() as u16;
        }
        true
    }

    /// The number of a colour that was found.
    #[inline]
    pub(super) fn index(&self, pixel: Pixel) -> u8 {
        self.slots[self.slot(pixel)].saturating_sub(1) as u8
    }

    /// Where the colour is, or would be: never all slots are taken.
    #[inline]
    fn slot(&self, pixel: Pixel) -> usize {
        let number = u32::from_le_bytes(pixel) & 0x00FF_FFFF;
        let mut slot = (number.wrapping_mul(0x9E37_79B1) >> 22) as usize;
        loop {
            match self.slots[slot] {
                0 => return slot,
                index if self.colours[usize::from(index) - 1][..3] == pixel[..3] => return slot,
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_counted_up_to_a_limit() {
        let pixels: Vec<Pixel> = (0..=255).flat_map(|i| [[i, 0, i ^ 0x55, 255]; 3]).collect();
        let mut palette = Palette::new();
        assert!(palette.fill([pixels.as_slice()].into_iter(), 256));
        assert_eq!(palette.colours().len(), 256);
        assert!(pixels.iter().all(|pixel| palette.colours()[usize::from(palette.index(*pixel))] == *pixel));
        assert!(!palette.fill([pixels.as_slice()].into_iter(), 255));
        assert!(palette.fill([&pixels[..6]].into_iter(), 2));
        assert_eq!(palette.colours().len(), 2);
    }
}
