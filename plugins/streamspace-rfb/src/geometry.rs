//! Areas and screens.

use std::fmt;

/// A rectangle of pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Area {
    /// From the left, in pixels.
    pub x: u16,
    /// From the top, in pixels.
    pub y: u16,
    /// In pixels.
    pub width: u16,
    /// In pixels.
    pub height: u16,
}

impl Area {
    /// An area at a place.
    pub const fn new(x: u16, y: u16, width: u16, height: u16) -> Self {
        Self { x, y, width, height }
    }

    /// How many pixels it has.
    pub const fn pixels(&self) -> usize {
        self.width as usize * self.height as usize
    }

    /// Whether it has no pixels.
    pub const fn is_empty(&self) -> bool {
        self.width == 0 || self.height == 0
    }

    /// The first column to its right. Beyond what the protocol can say if the area reaches that far.
    pub const fn right(&self) -> u32 {
        self.x as u32 + self.width as u32
    }

    /// The first row below it.
    pub const fn bottom(&self) -> u32 {
        self.y as u32 + self.height as u32
    }

    /// Whether it covers all of `other`.
    pub const fn contains(&self, other: &Self) -> bool {
        self.x <= other.x
            && self.y <= other.y
            && self.right() >= other.right()
            && self.bottom() >= other.bottom()
    }

    /// What both cover.
    pub fn intersection(&self, other: &Self) -> Option<Self> {
        let (x, y) = (self.x.max(other.x), self.y.max(other.y));
        let right = self.right().min(other.right());
        let bottom = self.bottom().min(other.bottom());
        let width = u16::try_from(right.checked_sub(x.into())?).ok()?;
        let height = u16::try_from(bottom.checked_sub(y.into())?).ok()?;
        (width > 0 && height > 0).then_some(Self { x, y, width, height })
    }

    /// The smallest area that covers both, as far as the protocol can say one.
    pub fn union(&self, other: &Self) -> Self {
        let (x, y) = (self.x.min(other.x), self.y.min(other.y));
        let width = self.right().max(other.right()) - u32::from(x);
        let height = self.bottom().max(other.bottom()) - u32::from(y);
        let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX);
        Self { x, y, width: side(width), height: side(height) }
    }

    /// The pieces of at most `width` by `height` that it consists of, row by row.
    pub(crate) fn pieces(self, width: u16, height: u16) -> impl Iterator<Item = Self> {
        let (across, down) = (usize::from(width), usize::from(height));
        (0..usize::from(self.height)).step_by(down).flat_map(move |top| {
            (0..usize::from(self.width)).step_by(across).map(move |left| {
                // Both are below 65,536, as parts of a width and a height.
                let (left, top) = (left as u16, top as u16);
                Self {
                    x: self.x.saturating_add(left),
                    y: self.y.saturating_add(top),
                    width: width.min(self.width - left),
                    height: height.min(self.height - top),
                }
            })
        })
    }
}

impl fmt::Display for Area {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}+{}+{}", self.width, self.height, self.x, self.y)
    }
}

/// A screen of a desktop: an area of its framebuffer that somebody sees on a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Screen {
    /// Given by the server; a client keeps it.
    pub id: u32,
    /// What it shows.
    pub area: Area,
    /// None are defined. A client keeps them.
    pub flags: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_cover_an_area_once() {
        let area = Area::new(3, 5, 130, 65);
        let pieces: Vec<_> = area.pieces(64, 64).collect();
        assert_eq!(pieces.len(), 6);
        assert_eq!(pieces.iter().map(Area::pixels).sum::<usize>(), area.pixels());
        assert_eq!(pieces[2], Area::new(131, 5, 2, 64));
        assert_eq!(pieces[5], Area::new(131, 69, 2, 1));
        assert_eq!(Area::default().pieces(64, 64).count(), 0);
    }

    #[test]
    fn areas_at_the_edge_of_the_protocol_do_not_overflow() {
        let edge = Area::new(u16::MAX, u16::MAX, u16::MAX, u16::MAX);
        assert_eq!(edge.intersection(&Area::new(0, 0, 10, 10)), None);
        assert_eq!(edge.union(&Area::new(0, 0, 1, 1)), Area::new(0, 0, u16::MAX, u16::MAX));
        assert!(edge.pieces(64, 64).count() > 0);
    }

    #[test]
    fn neighbours_do_not_intersect() {
        let left = Area::new(0, 0, 4, 4);
        assert_eq!(left.intersection(&Area::new(4, 0, 4, 4)), None);
        assert_eq!(left.intersection(&Area::new(3, 2, 4, 4)), Some(Area::new(3, 2, 1, 2)));
    }
}
