//! Pixels of a desktop.

use crate::{damage::Damage, error::Error, geometry::Area, limits::Limits};

/// Red, green, blue, and a byte that means nothing and is 255.
pub type Pixel = [u8; 4];

pub(crate) const BLACK: Pixel = [0, 0, 0, 255];

/// Pixels of a desktop, row by row from the top, and what has changed of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Framebuffer {
    width: u16,
    height: u16,
    pixels: Vec<Pixel>,
    damage: Damage,
}

impl Framebuffer {
    /// A black one, all of which has changed.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if it is larger than the limits allow.
    pub fn new(width: u16, height: u16, limits: &Limits) -> Result<Self, Error> {
        limits.check_size(width, height)?;
        let area = Area::new(0, 0, width, height);
        let mut damage = Damage::default();
        damage.add(area);
        Ok(Self { width, height, pixels: vec![BLACK; area.pixels()], damage })
    }

    /// In pixels.
    pub fn width(&self) -> u16 {
        self.width
    }

    /// In pixels.
    pub fn height(&self) -> u16 {
        self.height
    }

    /// All of it.
    pub fn area(&self) -> Area {
        Area::new(0, 0, self.width, self.height)
    }

    /// Row by row.
    pub fn pixels(&self) -> &[Pixel] {
        &self.pixels
    }

    /// As bytes: red, green, blue, 255.
    pub fn bytes(&self) -> &[u8] {
        self.pixels.as_flattened()
    }

    /// A row, or none if it is outside.
    pub fn row(&self, y: u16) -> &[Pixel] {
        let start = usize::from(y) * usize::from(self.width);
        self.pixels.get(start..start + usize::from(self.width)).unwrap_or_default()
    }

    /// What has changed.
    pub fn damage(&self) -> &Damage {
        &self.damage
    }

    /// What has changed, to be taken.
    pub fn damage_mut(&mut self) -> &mut Damage {
        &mut self.damage
    }

    /// Gives it another size. It is black then, and all of it has changed, unless the size is what it was.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if it is larger than the limits allow.
    pub fn resize(&mut self, width: u16, height: u16, limits: &Limits) -> Result<(), Error> {
        if (width, height) == (self.width, self.height) {
            return Ok(());
        }
        limits.check_size(width, height)?;
        // The old memory first, so that there are never both.
        self.pixels = Vec::new();
        *self = Self::new(width, height, limits)?;
        Ok(())
    }

    /// Whether an area is inside.
    pub(crate) fn check(&self, area: Area) -> Result<(), Error> {
        Error::check("the right of a rectangle", area.right(), self.width.into(), 0)?;
        Error::check("the bottom of a rectangle", area.bottom(), self.height.into(), 0)
    }

    /// Fills an area with a colour.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if it is not inside.
    pub fn fill(&mut self, area: Area, pixel: Pixel) -> Result<(), Error> {
        self.check(area)?;
        self.damage.add(area);
        self.paint(area, pixel);
        Ok(())
    }

    /// Writes pixels into an area, row by row. What is missing of them is left as it is.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if it is not inside.
    pub fn write(&mut self, area: Area, pixels: &[Pixel]) -> Result<(), Error> {
        self.check(area)?;
        self.damage.add(area);
        if !area.is_empty() {
            for (to, from) in self.rows_mut(area).zip(pixels.chunks_exact(area.width.into())) {
                to.copy_from_slice(from);
            }
        }
        Ok(())
    }

    /// Copies from elsewhere inside of it, as if all were read before anything is written.
    ///
    /// # Errors
    ///
    /// [`Error::TooMuch`] if the one or the other is not inside.
    pub fn copy(&mut self, from: (u16, u16), to: Area) -> Result<(), Error> {
        self.check(to)?;
        self.check(Area::new(from.0, from.1, to.width, to.height))?;
        self.damage.add(to);
        let (width, stride) = (usize::from(to.width), usize::from(self.width));
        let mut row = |y: usize| {
            let source = (usize::from(from.1) + y) * stride + usize::from(from.0);
            let target = (usize::from(to.y) + y) * stride + usize::from(to.x);
            self.pixels.copy_within(source..source + width, target);
        };
        let rows = 0..usize::from(to.height);
        if from.1 < to.y {
            rows.rev().for_each(&mut row)
        } else {
            rows.for_each(&mut row)
        }
        Ok(())
    }

    /// An area that was found to be inside.
    pub(crate) fn paint(&mut self, area: Area, pixel: Pixel) {
        self.rows_mut(area).for_each(|row| row.fill(pixel));
    }

    /// The pixels of an area that was found to be inside; of one that is not, none.
    pub(crate) fn rows_mut(&mut self, area: Area) -> impl Iterator<Item = &mut [Pixel]> {
        let (stride, x, width) = (usize::from(self.width), usize::from(area.x), usize::from(area.width));
        let start = usize::from(area.y) * stride;
        let rows = self.pixels.get_mut(start..).unwrap_or_default();
        rows.chunks_exact_mut(stride.max(1))
            .take(area.height.into())
            .filter_map(move |row| row.get_mut(x..x + width))
    }

    /// The same, to be read.
    pub(crate) fn rows(&self, area: Area) -> impl Iterator<Item = &[Pixel]> {
        let (stride, x, width) = (usize::from(self.width), usize::from(area.x), usize::from(area.width));
        let start = usize::from(area.y) * stride;
        let rows = self.pixels.get(start..).unwrap_or_default();
        rows.chunks_exact(stride.max(1)).take(area.height.into()).filter_map(move |row| row.get(x..x + width))
    }

    pub(crate) fn damaged(&mut self, area: Area) {
        self.damage.add(area);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counting(width: u16, height: u16) -> Framebuffer {
        let mut screen = Framebuffer::new(width, height, &Limits::default()).expect("small");
        for (i, pixel) in screen.pixels.iter_mut().enumerate() {
            *pixel = [i as u8, (i >> 8) as u8, 0, 255];
        }
        screen
    }

    #[test]
    fn copies_that_overlap_are_as_if_read_first() {
        let before = counting(20, 20);
        for (from, to) in [((2, 2), (5, 4)), ((5, 4), (2, 2)), ((0, 3), (4, 3)), ((4, 3), (0, 3))] {
            let mut screen = before.clone();
            screen.copy(from, Area::new(to.0, to.1, 12, 11)).expect("inside");
            for (y, x) in (0..11).flat_map(|y| (0..12).map(move |x| (y, x))) {
                let was = before.row(from.1 + y)[usize::from(from.0 + x)];
                assert_eq!(screen.row(to.1 + y)[usize::from(to.0 + x)], was, "{from:?} to {to:?}");
            }
        }
    }

    #[test]
    fn nothing_is_written_outside() {
        let mut screen = counting(20, 20);
        assert!(screen.fill(Area::new(15, 0, 6, 1), BLACK).is_err());
        assert!(screen.copy((10, 10), Area::new(0, 0, 5, 11)).is_err());
        assert!(screen.write(Area::new(0, 20, 1, 1), &[BLACK]).is_err());
        assert_eq!(screen, counting(20, 20));
        let limits = Limits { side: 100, ..Limits::default() };
        assert!(screen.resize(101, 1, &limits).is_err());
        screen.resize(0, 0, &limits).expect("nothing");
        assert!(screen.row(0).is_empty());
    }
}
